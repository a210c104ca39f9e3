//! Each statement against requests that it denies and ones near them that it must not, and each of its parts against being left out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use portcullis_access::Caller;
use portcullis_guardrails::{Document, DocumentKind, Level, Selection, Written, actions, check, generate, guardrails};
use proptest::prelude::*;
use serde_json::Value;
use support::{Case, cases, denies, evaluator, everything, independent, values};

fn written() -> Vec<(DocumentKind, Written)> {
    let documents = everything().documents.into_iter();
    documents
        .flat_map(|Document { kind, statements, .. }| statements.into_iter().map(move |written| (kind, written)))
        .collect()
}

#[test]
fn each_request_has_the_verdict_that_aws_gives_it() {
    let written = written();
    for case in cases() {
        let (kind, own) = written
            .iter()
            .find(|(_, one)| one.guardrail == case.guardrail.sid)
            .unwrap();
        let found = denies(&evaluator(*kind, &own.statement), &case.asked);
        assert_eq!(found, case.denied, "{} {:?}", own.sid, case.asked);
    }
}

#[test]
fn each_statement_denies_each_of_its_actions_once_and_spares_something_near() {
    let cases = cases();
    for guardrail in guardrails() {
        let own: Vec<&Case> = cases
            .iter()
            .filter(|case| case.guardrail.sid == guardrail.sid)
            .collect();
        for action in guardrail.actions {
            let (start, end) = action.split_once('*').unwrap_or((action, ""));
            let (start, end) = (start.to_owned(), end.split('*').next_back().unwrap_or("").to_owned());
            let named = |case: &&&Case| {
                let asked = &case.asked.request.action;
                if action.contains('*') {
                    asked.starts_with(&start) && asked.ends_with(&end)
                } else {
                    asked == action
                }
            };
            assert!(
                own.iter().filter(|case| case.denied).any(|case| named(&case)),
                "{}: {action}",
                guardrail.sid
            );
        }
        assert!(own.iter().any(|case| !case.denied && !case.spared), "{}", guardrail.sid);
    }
}

/// A statement with one part less, and which.
fn mutants(statement: &Value) -> Vec<(String, Value)> {
    let mut mutants = Vec::new();
    let mut without = |what: String, change: &dyn Fn(&mut Value)| {
        let mut mutant = statement.clone();
        change(&mut mutant);
        mutants.push((what, mutant));
    };
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().unwrap() {
            without(format!("{operator} {key}"), &|mutant| {
                mutant["Condition"][operator].as_object_mut().unwrap().remove(key);
            });
            let many = values.as_array().map_or(0, Vec::len);
            for at in 0..many {
                without(format!("{operator} {key} {}", values[at]), &|mutant| {
                    mutant["Condition"][operator][key].as_array_mut().unwrap().remove(at);
                });
            }
        }
    }
    if statement["Resource"] != "*" && statement.get("Resource").is_some() {
        without("Resource: * instead".into(), &|mutant| mutant["Resource"] = "*".into());
    }
    for element in ["Action", "Resource", "NotResource"] {
        let many = statement[element].as_array().map_or(0, Vec::len);
        for at in 0..many {
            without(format!("{element} {}", statement[element][at]), &|mutant| {
                mutant[element].as_array_mut().unwrap().remove(at);
            });
        }
    }
    // A negated or IfExists operator in place of the plain one, and the other way round: what a missing key means.
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        let other = match operator.strip_suffix("IfExists") {
            // With a negated operator IfExists changes nothing: a missing key matches as it is.
            Some(base) if !base.contains("Not") => base.to_owned(),
            None if !operator.contains("Not") && !operator.contains(':') && operator != "Null" => {
                format!("{operator}IfExists")
            }
            _ => continue,
        };
        without(format!("{other} instead of {operator}"), &|mutant| {
            let conditions = mutant["Condition"].as_object_mut().unwrap();
            conditions.remove(operator);
            conditions.insert(other.clone(), keys.clone());
        });
    }
    mutants
}

/// What makes no difference, each with the reason.
const EQUIVALENT: &[(&str, &str)] = &[
    // aws:SecureTransport and aws:PrincipalIsAWSService are in each request.
    ("Tls", "BoolIfExists instead of Bool"),
    ("Perimeter", "Bool instead of BoolIfExists"),
    ("Deputy", "BoolIfExists instead of Bool"),
];

#[test]
fn nothing_can_be_left_out_of_a_statement_unnoticed() {
    let cases = cases();
    let (mut count, mut unnoticed) = (0, Vec::new());
    for (kind, own) in written() {
        let of: Vec<&Case> = cases
            .iter()
            .filter(|case| case.guardrail.sid == own.guardrail)
            .collect();
        for (what, mutant) in mutants(&own.statement) {
            count += 1;
            if EQUIVALENT.contains(&(own.guardrail, what.as_str())) {
                continue;
            }
            let evaluator = evaluator(kind, &mutant);
            if !of.iter().any(|case| denies(&evaluator, &case.asked) != case.denied) {
                unnoticed.push(format!("{} without {what}", own.sid));
            }
        }
    }
    assert_eq!(unnoticed, [""; 0], "no request notices");
    assert!(count > 400, "{count}");
}

/// Values that requests have, by key.
type Seen = BTreeMap<String, Vec<Vec<String>>>;

fn seen() -> Seen {
    let mut seen = BTreeMap::<String, BTreeSet<Vec<String>>>::new();
    for case in cases() {
        for (key, values) in case.asked.request.context {
            seen.entry(key).or_default().insert(values);
        }
    }
    seen.into_iter()
        .map(|(key, values)| (key, values.into_iter().collect()))
        .collect()
}

#[test]
fn a_second_evaluator_agrees_on_each_request_with_each_statement() {
    let cases = cases();
    for (kind, own) in &written() {
        let evaluator = evaluator(*kind, &own.statement);
        for case in &cases {
            let asked = &case.asked;
            let request = &asked.request;
            // Whom policies bind is not in a statement: the second evaluator does not know it.
            if *kind == DocumentKind::Scp && !matches!(request.caller, Caller::Account { .. }) {
                continue;
            }
            let second = independent::denies(&own.statement, &request.action, &request.resource, &request.context);
            assert_eq!(denies(&evaluator, asked), second, "{} {asked:?}", own.sid);
        }
    }
}

/// What the random requests are made of.
type Material = (Vec<(DocumentKind, Written)>, Vec<Case>, Seen);

static ALL: LazyLock<Material> = LazyLock::new(|| (written(), cases(), seen()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_second_evaluator_agrees_on_random_requests(seed in prop::collection::vec(any::<prop::sample::Index>(), 16)) {
        let (written, cases, seen) = &*ALL;
        let (kind, own) = seed[0].get(written);
        let of: Vec<&Case> = cases.iter().filter(|case| case.guardrail.sid == own.guardrail).collect();
        let mut asked = seed[1].get(&of).asked.clone();
        asked.request.resource.clone_from(&seed[2].get(&of).asked.request.resource);
        asked.request.action.clone_from(&seed[3].get(&of).asked.request.action);
        // Each key that the statement asks for, with any value that some request has, or without.
        let keys = own.statement["Condition"].as_object().into_iter().flatten();
        let keys = keys.flat_map(|(_, keys)| keys.as_object().unwrap().keys());
        for (key, pick) in keys.zip(seed[4..].iter().cycle()) {
            let key = key.to_lowercase();
            let values = seen.get(&key).cloned().unwrap_or_default();
            let at = pick.index(values.len() + 1);
            match values.get(at) {
                Some(values) => asked.request.context.insert(key, values.clone()),
                None => asked.request.context.remove(&key),
            };
        }
        let binds = *kind != DocumentKind::Scp || matches!(asked.request.caller, Caller::Account { .. });
        let request = &asked.request;
        let second = independent::denies(&own.statement, &request.action, &request.resource, &request.context);
        prop_assert_eq!(denies(&evaluator(*kind, &own.statement), &asked), binds && second, "{} {:?}", own.sid, asked);
    }
}

#[test]
fn each_action_resource_and_key_is_in_aws_s_list() {
    for document in everything().documents {
        let found = check(document.kind, &document.name, &document.content).into_iter();
        let errors: Vec<_> = found.filter(|finding| finding.level == Level::Error).collect();
        assert_eq!(errors, [], "{}", actions().date);
    }
}

// Service Authorization Reference, "Amazon S3": three actions of 180 carry no s3:TlsVersion, which is no reason to name the others.
#[test]
fn a_wildcard_may_name_actions_without_the_key_but_not_only_those() {
    let document = everything().documents.pop().unwrap();
    let mut content = document.content.clone();
    let tls = content["Statement"].as_array_mut().unwrap();
    let tls = tls
        .iter_mut()
        .find(|statement| statement["Sid"] == "S3TlsVersion")
        .unwrap();
    tls["Action"] = "s3:PutAccessPointPublicAccessBlock".into();
    let found = check(document.kind, "d", &content);
    // The list has only the actions that guardrails and their tests name.
    assert!(
        found
            .iter()
            .any(|finding| finding.sid == "S3TlsVersion" && finding.level == Level::Error),
        "{found:?}"
    );
}

#[test]
fn settings_that_are_not_there_leave_their_part_out_and_the_rest_stays_a_policy() {
    let mut values = values();
    values.networks.clear();
    values.organization_paths.clear();
    values.retirement_tag = None;
    let selection = Selection {
        kinds: [DocumentKind::Scp, DocumentKind::Rcp].into(),
        ..Default::default()
    };
    let generated = generate(&values, &selection).unwrap();
    let statement = |sid: &str| {
        let mut all = generated.documents.iter().flat_map(|document| &document.statements);
        all.find(|written| written.sid == sid).unwrap().statement.clone()
    };
    assert!(
        statement("Perimeter")["Condition"]
            .get("NotIpAddressIfExists")
            .is_none()
    );
    assert!(
        statement("Perimeter")["Condition"]
            .get("ForAllValues:StringNotLike")
            .is_none()
    );
    // Without a tag for retirement nobody but the exempt destroys a key.
    assert_eq!(statement("KmsDestroy")["Condition"].as_object().unwrap().len(), 1);
}
