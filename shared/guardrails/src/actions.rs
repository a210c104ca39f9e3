//! Whether a policy can have an effect: its actions, resources and condition keys against AWS's own list of them.
//!
//! Source: Service Authorization Reference, as data in `actions.txt`, with its date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::Value;

use crate::kind::DocumentKind;

/// What is wrong with a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The document.
    pub document: String,
    /// The statement's Sid, or its place.
    pub sid: String,
    /// How bad that is.
    pub level: Level,
    /// What is wrong, and with what.
    pub text: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The statement is as written, and this is to be known.
    Note,
    /// The statement is without effect, in part or as a whole, or AWS refuses it.
    Error,
}

/// AWS's own list, as far as guardrails name it.
pub struct Actions {
    /// The day of the list.
    pub date: &'static str,
    /// The services that ask resource control policies.
    pub rcp_services: BTreeSet<&'static str>,
    types: BTreeMap<(&'static str, &'static str), Type>,
    by_service: BTreeMap<&'static str, Vec<Action>>,
}

struct Type {
    arn: &'static str,
    keys: &'static [&'static str],
}

struct Action {
    name: &'static str,
    keys: &'static [&'static str],
    types: Vec<OnType>,
}

static LIST: LazyLock<Actions> = LazyLock::new(|| parse(include_str!("actions.txt")));

/// The list.
pub fn actions() -> &'static Actions {
    &LIST
}

fn parse(text: &'static str) -> Actions {
    let mut keys = BTreeMap::<&str, &'static [&'static str]>::new();
    let mut list = Actions {
        date: "",
        rcp_services: BTreeSet::new(),
        types: BTreeMap::new(),
        by_service: BTreeMap::new(),
    };
    for line in text.lines() {
        let words: Vec<&'static str> = line.split(' ').collect();
        let set = |number: &str| keys.get(number).copied().unwrap_or_default();
        match words.as_slice() {
            ["date", date] => list.date = date,
            ["rcp", services @ ..] => list.rcp_services = services.iter().copied().collect(),
            ["keys", number, names @ ..] => {
                keys.insert(number, names.to_vec().leak());
            }
            ["type", service, name, arn, number] => {
                let keys = set(number);
                list.types.insert((service, name), Type { arn, keys });
            }
            ["action", service, name, number, types @ ..] => {
                let types = types.iter().filter_map(|one| one.split_once('='));
                list.by_service.entry(service).or_default().push(Action {
                    name,
                    keys: set(number),
                    types: types.map(|(name, number)| (name, set(number))).collect(),
                });
            }
            _ => {}
        }
    }
    list
}

impl Actions {
    /// Whether an action can carry a key, in lower case; `None` for an action that is not in the list.
    pub(crate) fn carries(&self, action: &str, key: &str) -> Option<bool> {
        let (service, name) = action.split_once(':')?;
        let (service, all) = self.by_service.get_key_value(service)?;
        let found = all.iter().find(|known| known.name.eq_ignore_ascii_case(name))?;
        Some(self.has(service, found, &found.types, key))
    }

    /// Whether an action on some of its types carries a key.
    fn has(&self, service: &'static str, action: &Action, types: &[OnType], key: &str) -> bool {
        let of_types = types.iter().filter_map(|(name, _)| self.types.get(&(service, *name)));
        let all = action.keys.iter().chain(types.iter().flat_map(|(_, keys)| keys.iter()));
        all.chain(of_types.flat_map(|found| found.keys.iter()))
            .any(|known| is_key(known, key))
    }
}

/// A type that an action is authorised on, with the keys that it has there.
type OnType = (&'static str, &'static [&'static str]);

/// Actions that AWS has and its list does not yet, none of which carries a key of its own.
const NOT_LISTED_YET: [&str; 1] = ["iam:AcquireRole"];

/// Keys that each request can have, or whose absence is meant where they are asked for.
///
/// Source: IAM User Guide, "AWS global condition context keys". Tags of the request and of the resource are not among them: which
/// actions have those, the list says.
fn is_global(key: &str) -> bool {
    key.starts_with("aws:")
        && !["aws:requesttag/", "aws:resourcetag/", "aws:tagkeys"]
            .iter()
            .any(|tags| key.starts_with(tags))
}

/// What is wrong with a document of statements. Declarative policies have none.
pub fn check(kind: DocumentKind, document: &str, content: &Value) -> Vec<Finding> {
    let statements = match &content["Statement"] {
        Value::Array(list) => list.as_slice(),
        one @ Value::Object(_) => std::slice::from_ref(one),
        _ => return Vec::new(),
    };
    let of = |(at, statement): (usize, &Value)| {
        let sid = statement["Sid"]
            .as_str()
            .map_or_else(|| format!("Statement[{at}]"), str::to_owned);
        let mut check = Check {
            kind,
            statement,
            found: Vec::new(),
        };
        if statement["Effect"] == "Deny" {
            check.run();
        }
        let (document, found) = (document.to_owned(), check.found);
        found.into_iter().map(move |(level, text)| Finding {
            document: document.clone(),
            sid: sid.clone(),
            level,
            text,
        })
    };
    statements.iter().enumerate().flat_map(of).collect()
}

struct Check<'a> {
    kind: DocumentKind,
    statement: &'a Value,
    found: Vec<(Level, String)>,
}

/// An action of the list that a pattern of the statement names.
struct Named {
    service: &'static str,
    action: &'static Action,
    explicit: bool,
}

impl Check<'_> {
    fn error(&mut self, text: String) {
        self.found.push((Level::Error, text));
    }

    fn run(&mut self) {
        self.variables();
        if self.kind == DocumentKind::Rcp {
            self.resource_control();
        }
        for pattern in texts(&self.statement["Action"]) {
            let Some((service, name)) = pattern.split_once(':') else {
                continue;
            };
            let Some(known) = LIST.by_service.get(service.to_ascii_lowercase().as_str()) else {
                let text = format!(
                    "{pattern}: not checked: the list of {} has no action of {service}",
                    LIST.date
                );
                self.found.push((Level::Note, text));
                continue;
            };
            let name = name.to_ascii_lowercase();
            let matched: Vec<_> = known
                .iter()
                .filter(|action| overlap(&name, &action.name.to_ascii_lowercase()))
                .collect();
            let listed = NOT_LISTED_YET.iter().any(|one| one.eq_ignore_ascii_case(&pattern));
            if matched.is_empty() && !listed {
                self.error(format!("{pattern}: no such action in the list of {}", LIST.date));
            }
            let named = matched.iter().map(|action| Named {
                service: LIST
                    .by_service
                    .get_key_value(service)
                    .map_or("", |(service, _)| service),
                action,
                explicit: !name.contains('*'),
            });
            self.actions(&pattern, &named.collect::<Vec<_>>());
        }
    }

    /// A placeholder that nobody filled is a policy variable without a value: nothing matches it.
    fn variables(&mut self) {
        let text = self.statement.to_string();
        let variables = text
            .match_indices("${")
            .filter_map(|(at, _)| text[at + 2..].split('}').next());
        let unknown: Vec<_> = variables
            .filter(|name| !name.contains(':') && !matches!(*name, "*" | "?" | "$"))
            .map(|name| format!("${{{name}}} is a policy variable that no request fills: the deny is without effect"))
            .collect();
        for text in unknown {
            self.error(text);
        }
    }

    /// Source: Organizations User Guide, "RCP syntax".
    fn resource_control(&mut self) {
        if self.statement["Principal"] != "*" {
            self.error("a resource control policy needs Principal \"*\"".into());
        }
        for pattern in texts(&self.statement["Action"]) {
            match pattern.split_once(':') {
                None => self.error(format!(
                    "{pattern}: a resource control policy needs a service before the colon"
                )),
                Some((service, _)) if !LIST.rcp_services.contains(service) => self.error(format!(
                    "{pattern}: {service} asks no resource control policies (list of {})",
                    LIST.date
                )),
                Some(_) => {}
            }
        }
    }

    fn actions(&mut self, pattern: &str, named: &[Named]) {
        let resources = texts(&self.statement["Resource"]);
        // The types of a named action that the statement's resources reach; none where it names all.
        let reached = |named: &Named| -> Option<Vec<OnType>> {
            let all = resources.is_empty() || resources.iter().any(|one| one == "*");
            let types = named.action.types.iter().copied();
            (!all).then(|| {
                types
                    .filter(|(name, _)| {
                        let arn = LIST.types.get(&(named.service, *name)).map_or("", |found| found.arn);
                        let arn = placeholders_as_stars(arn);
                        resources.iter().any(|one| arns_overlap(one, &arn))
                    })
                    .collect()
            })
        };
        if !named.is_empty()
            && named
                .iter()
                .all(|one| reached(one).is_some_and(|types| types.is_empty()))
        {
            self.error(format!(
                "{pattern}: no resource of it can match {}: the deny is without effect",
                resources.join(", ")
            ));
            return;
        }
        let Some(conditions) = self.statement["Condition"].as_object() else {
            return;
        };
        for (operator, keys) in conditions {
            for key in keys.as_object().into_iter().flat_map(|keys| keys.keys()) {
                let lower = key.to_ascii_lowercase();
                if is_global(&lower) {
                    continue;
                }
                let carries = |named: &Named| {
                    let types = reached(named).unwrap_or_else(|| named.action.types.clone());
                    LIST.has(named.service, named.action, &types, &lower)
                };
                let without: Vec<_> = named.iter().filter(|one| !carries(one)).collect();
                let void =
                    without.iter().any(|one| one.explicit) || (!named.is_empty() && without.len() == named.len());
                if !void {
                    continue;
                }
                if matches_missing(operator, &keys[key]) {
                    let text = format!(
                        "{pattern} never carries {key}, and {operator} matches what is missing: it is denied always"
                    );
                    self.found.push((Level::Note, text));
                } else {
                    self.error(format!(
                        "{pattern} never carries {key}: {operator} never matches, the deny is without effect"
                    ));
                }
            }
        }
    }
}

/// Whether a condition holds where its key is missing.
fn matches_missing(operator: &str, values: &Value) -> bool {
    let lower = operator.to_ascii_lowercase();
    match lower.as_str() {
        "null" => texts(values).iter().any(|value| value == "true"),
        _ if lower.starts_with("foranyvalue:") => false,
        _ => lower.contains("not") || lower.ends_with("ifexists") || lower.starts_with("forallvalues:"),
    }
}

/// Whether a key of the list, which may end in a placeholder, is meant by a key of a policy.
fn is_key(known: &str, key: &str) -> bool {
    let known = known.to_ascii_lowercase();
    match known.split_once("${") {
        Some((prefix, _)) => key.starts_with(prefix) && key.len() > prefix.len(),
        None => known == key,
    }
}

fn placeholders_as_stars(arn: &str) -> String {
    let mut parts = arn.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "*" + part.split_once('}').map_or("", |(_, rest)| rest)
    })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Whether some ARN fits both patterns: by component, so that no `*` reaches over a colon before the last one.
fn arns_overlap(one: &str, other: &str) -> bool {
    let (a, b): (Vec<_>, Vec<_>) = (one.splitn(6, ':').collect(), other.splitn(6, ':').collect());
    if a.len() == b.len() {
        a.iter().zip(&b).all(|(one, other)| overlap(one, other))
    } else {
        overlap(one, other)
    }
}

/// Whether some text fits both patterns, in which `*` is any text.
fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    // `reach[b]`: whether the beginnings one[..a] and other[..b] have a text in common.
    let mut reach: Vec<bool> = (0..=other.len())
        .map(|b| other[..b].iter().all(|&letter| letter == b'*'))
        .collect();
    for (a, &letter) in one.iter().enumerate() {
        let mut next = vec![false; other.len() + 1];
        next[0] = one[..=a].iter().all(|&letter| letter == b'*');
        for b in 1..=other.len() {
            let facing = other[b - 1];
            next[b] = match (letter, facing) {
                (b'*', _) | (_, b'*') => reach[b] || next[b - 1],
                (letter, facing) => reach[b - 1] && (letter == facing || letter == b'?' || facing == b'?'),
            };
        }
        reach = next;
    }
    reach[other.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(kind: DocumentKind, statement: &Value) -> Vec<String> {
        let found = check(kind, "d", &json!({"Statement": [statement]}));
        let errors = found.into_iter().filter(|finding| finding.level == Level::Error);
        errors.map(|finding| finding.text).collect()
    }

    fn deny(action: &str, resource: &str, condition: &Value) -> Value {
        json!({"Sid": "S", "Effect": "Deny", "Action": action, "Resource": resource, "Condition": condition})
    }

    #[test]
    fn patterns_overlap_where_a_text_fits_both() {
        for (one, other) in [
            ("arn:*:ec2:*:*:volume/*", "arn:*:ec2:*:*:volume/*"),
            ("arn:*:s3:::restricted-*/*", "arn:*:s3:::*/*"),
            ("a*c", "*b*"),
            ("*", ""),
            ("a?c", "abc"),
        ] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [("a", "b"), ("a*", "b*"), ("*a", "*b"), ("", "a")] {
            assert!(!overlap(one, other) && !overlap(other, one), "{one} {other}");
        }
        let functions = "arn:*:lambda:*:*:function:*";
        assert!(!arns_overlap("arn:*:lambda:*:*:function/*", functions));
        assert!(arns_overlap("arn:*:lambda:*:*:function:portcullis-*", functions));
    }

    // Mistakes of public samples: Service Authorization Reference, the pages of EC2, RDS, S3 and Lambda.
    #[test]
    fn a_key_that_an_action_never_carries_voids_the_deny() {
        let any = |operator: &str, key: &str, value: &str| json!({operator: {key: value}});
        for (action, resource, condition) in [
            (
                "ec2:ModifyImageAttribute",
                "*",
                any("StringEquals", "ec2:Add/group", "all"),
            ),
            (
                "rds:ModifyDBInstance",
                "*",
                any("Bool", "rds:PubliclyAccessible", "true"),
            ),
            (
                "rds:ModifyDBSnapshotAttribute",
                "*",
                any("StringEquals", "rds:AttributeValue", "all"),
            ),
            (
                "rds:RestoreDBClusterFromSnapshot",
                "*",
                any("Bool", "rds:StorageEncrypted", "false"),
            ),
            (
                "ec2:CreateVolume",
                "arn:*:ec2:*::snapshot/*",
                any("StringEquals", "ec2:KmsKeyId", "k"),
            ),
            ("s3:DeleteBucketPublicAccessBlock", "*", json!({})),
            (
                "lambda:CreateFunctionUrlConfig",
                "arn:*:lambda:*:*:function/*",
                json!({}),
            ),
            ("kms:ScheduleKeyDeletion", "arn:aws:kms:*:${Account}:key/*", json!({})),
        ] {
            let found = errors(DocumentKind::Scp, &deny(action, resource, &condition));
            assert_eq!(found.len(), 1, "{action} {condition}: {found:?}");
        }
        for (action, resource, condition) in [
            (
                "ec2:ModifySnapshotAttribute",
                "*",
                any("ForAnyValue:StringEquals", "ec2:Add/group", "all"),
            ),
            (
                "rds:CreateDBInstance",
                "*",
                any("Bool", "rds:PubliclyAccessible", "true"),
            ),
            (
                "ec2:CreateVolume",
                "arn:*:ec2:*:*:volume/*",
                any("StringEquals", "ec2:KmsKeyId", "k"),
            ),
            (
                "lambda:CreateFunctionUrlConfig",
                "arn:*:lambda:*:*:function:*",
                json!({}),
            ),
            // A negated operator on a key that is never there is no void deny, but one of everything.
            (
                "ec2:ModifyImageAttribute",
                "*",
                any("StringNotEquals", "ec2:Add/group", "all"),
            ),
        ] {
            let found = errors(DocumentKind::Scp, &deny(action, resource, &condition));
            assert_eq!(found, [""; 0], "{action} {condition}");
        }
    }

    // Organizations User Guide, "RCP syntax" and "List of AWS services that support RCPs".
    #[test]
    fn a_resource_control_policy_that_aws_refuses_or_never_asks_is_found() {
        let mut statement = deny("sqs:SendMessage", "*", &json!({}));
        assert_eq!(errors(DocumentKind::Rcp, &statement).len(), 1);
        statement["Principal"] = "*".into();
        assert_eq!(errors(DocumentKind::Rcp, &statement), [""; 0]);
        for action in ["sns:Subscribe", "lambda:AddPermission", "*"] {
            statement["Action"] = action.into();
            assert_eq!(errors(DocumentKind::Rcp, &statement).len(), 1, "{action}");
        }
    }
}
