//! Whether an account can still manage a key under a policy: `kms:PutKeyPolicy` is what everything else can be had with.
//!
//! It errs to "no": an Allow with a condition does not count, unless all that it asks is to come from the account; a Deny
//! counts unless somebody who manages the key as he should (with MFA and TLS, by no other service, from where settings trust)
//! surely is spared by it. What is not counted may still let somebody in.
//! Source: KMS Developer Guide, "Default key policy" and "Key policies in AWS KMS".

use std::collections::{BTreeMap, BTreeSet};

use portcullis_access::{Caller, Policy, Request, Service, Trust, Truth, evaluate};
use portcullis_core::Resource;
use portcullis_core::event::{field, strings};
use serde_json::{Value, json};

const MANAGE: &str = "kms:putkeypolicy";

/// Who of the account can change the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manager {
    /// Nobody for certain: only AWS Support could help.
    Nobody,
    /// A principal that is named, who may be deleted one day.
    Principal,
    /// The account root, and whom its IAM policies let.
    Root,
}

/// Who of the key's account can surely change this policy.
pub fn manager(policy: &str, key: &Resource, trust: &Trust) -> Manager {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return Manager::Nobody;
    };
    let statements = match field(&policy, "Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    };
    let (allows, others): (Vec<&Value>, Vec<&Value>) = statements
        .into_iter()
        .partition(|statement| field(statement, "Effect").and_then(Value::as_str) == Some("Allow"));
    let allows: Vec<_> = allows
        .into_iter()
        .filter(|statement| manages(statement, &key.arn))
        .filter(|statement| !has_conditions(statement) || asks_for_account(statement, &key.account))
        .collect();
    let reaches = allows.iter().filter_map(|statement| reach(statement, key));
    let Some(allowed) = reaches.max() else {
        return Manager::Nobody;
    };
    let spared = |name: &str| spares(&others, name, key, trust);
    if allowed == Manager::Root && spared(&root_of(key)) {
        return Manager::Root;
    }
    // Whom the root may let in by IAM, or who is let in by name: where a Deny names whom it spares, it is he.
    let named: BTreeSet<_> = if allowed == Manager::Root {
        others.iter().flat_map(|statement| names_in(statement)).collect()
    } else {
        allows.iter().flat_map(|statement| names_in(statement)).collect()
    };
    let ours = |name: &&String| name.split(':').nth(4) == Some(key.account.as_str()) && !name.contains('*');
    if named.iter().filter(ours).any(|name| spared(name)) {
        Manager::Principal
    } else {
        Manager::Nobody
    }
}

/// Whether whoever of the account may manage the key under one policy may under another: all that lets them is still there, whatever
/// it asks for.
pub fn keeps_managers(before: &str, after: &str, key: &Resource) -> bool {
    let statements = |policy: &str| match serde_json::from_str::<Value>(policy)
        .ok()
        .as_ref()
        .and_then(|it| field(it, "Statement"))
    {
        Some(Value::Array(list)) => list.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let allows = |statement: &&Value| field(statement, "Effect").and_then(Value::as_str) == Some("Allow");
    let (before, after) = (statements(before), statements(after));
    let lets = |statement: &&Value| manages(statement, &key.arn) && reach(statement, key).is_some();
    let mut managing = before.iter().filter(allows).filter(lets).peekable();
    managing.peek().is_some() && managing.all(|statement| after.contains(statement))
}

/// Whether no statement but the Allows surely keeps a principal of the account from changing the policy.
fn spares(others: &[&Value], name: &str, key: &Resource, trust: &Trust) -> bool {
    let everything = json!({"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
    let statements: Vec<_> = std::iter::once(&everything).chain(others.iter().copied()).collect();
    let Ok(policy) = Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string()) else {
        return false;
    };
    let mut request = Request {
        caller: Caller::Account {
            account: key.account.clone(),
            arn: name.to_owned(),
        },
        action: "kms:PutKeyPolicy".into(),
        resource: key.arn.clone(),
        context: BTreeMap::new(),
    };
    contexts(name, key, trust).into_iter().any(|context| {
        request.context = context;
        evaluate(&policy, Service::Kms, &request) == Truth::Yes
    })
}

/// How somebody who manages the key as he should may come: from anywhere, or from where settings trust; as a member of no
/// organisation, or of a trusted one. A key that a context lacks is missing from the request.
fn contexts(name: &str, key: &Resource, trust: &Trust) -> Vec<BTreeMap<String, Vec<String>>> {
    let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, Vec<String>> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), vec![(*value).to_owned()]);
        pairs.iter().map(pair).collect()
    };
    let base = of(&[
        ("aws:multifactorauthage", "1"),
        ("aws:multifactorauthpresent", "true"),
        ("aws:principalaccount", &key.account),
        ("aws:principalarn", name),
        ("aws:principalisawsservice", "false"),
        ("aws:securetransport", "true"),
        ("aws:viaawsservice", "false"),
        ("kms:bypasspolicylockoutsafetycheck", "false"),
        ("kms:calleraccount", &key.account),
    ]);
    let address = |network: &String| network.split('/').next().unwrap_or_default().to_owned();
    let from = trust
        .networks
        .iter()
        .map(|network| of(&[("aws:sourceip", &address(network))]));
    let by = trust.vpc_endpoints.iter().map(|id| of(&[("aws:sourcevpce", id)]));
    let within = trust.vpcs.iter().map(|id| of(&[("aws:sourcevpc", id)]));
    let places: Vec<_> = std::iter::once(BTreeMap::new())
        .chain(from)
        .chain(by)
        .chain(within)
        .collect();
    let members = trust.organizations.iter().map(|id| of(&[("aws:principalorgid", id)]));
    let members: Vec<_> = std::iter::once(BTreeMap::new()).chain(members).collect();
    let mut all = Vec::new();
    for place in &places {
        for member in &members {
            let mut context = base.clone();
            context.extend(place.clone());
            context.extend(member.clone());
            all.push(context);
        }
    }
    all
}

/// The principals that a statement names, whether it is for them, for all others, or asks for them by a condition.
fn names_in(statement: &Value) -> Vec<String> {
    let mut names = Vec::new();
    for element in ["Principal", "NotPrincipal"] {
        let aws = field(statement, element).and_then(|principal| field(principal, "AWS"));
        names.extend(aws.map(strings).unwrap_or_default());
    }
    let operators = field(statement, "Condition").and_then(Value::as_object);
    for keys in operators.into_iter().flat_map(|operators| operators.values()) {
        for (key, values) in keys.as_object().into_iter().flatten() {
            if key.eq_ignore_ascii_case("aws:PrincipalArn") {
                names.extend(strings(values));
            }
        }
    }
    names
}

/// Whether a statement is about changing the policy of this key.
fn manages(statement: &Value, arn: &str) -> bool {
    let lower = |texts: Vec<String>| {
        texts
            .into_iter()
            .map(|text| text.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    let listed = |name: &str| field(statement, name).map(strings);
    let action = match (listed("Action"), listed("NotAction")) {
        (Some(actions), _) => lower(actions).iter().any(|pattern| like(pattern, MANAGE)),
        (None, Some(others)) => !lower(others).iter().any(|pattern| like(pattern, MANAGE)),
        (None, None) => false,
    };
    let resource = match (listed("Resource"), listed("NotResource")) {
        (Some(resources), _) => resources.iter().any(|pattern| like(pattern, arn)),
        (None, Some(others)) => !others.iter().any(|pattern| like(pattern, arn)),
        // PutKeyPolicy takes such a statement, and it has no effect.
        (None, None) => false,
    };
    action && resource
}

/// Whom of the account a statement names: all of it, or single principals.
fn reach(statement: &Value, key: &Resource) -> Option<Manager> {
    let root = root_of(key);
    let named = |principal: &Value| match principal {
        Value::String(text) => vec![text.clone()],
        principal => field(principal, "AWS").map(strings).unwrap_or_default(),
    };
    let whole = |text: &String| *text == "*" || *text == root || *text == key.account;
    let single = |text: &String| text.split(':').nth(4) == Some(key.account.as_str());
    match (field(statement, "Principal"), field(statement, "NotPrincipal")) {
        (Some(principal), _) => {
            let named = named(principal);
            if named.iter().any(whole) {
                Some(Manager::Root)
            } else {
                named.iter().any(single).then_some(Manager::Principal)
            }
        }
        (None, Some(others)) => {
            (!named(others).iter().any(|text| whole(text) || single(text))).then_some(Manager::Root)
        }
        (None, None) => None,
    }
}

/// The account root, as a policy names it.
pub fn root_of(key: &Resource) -> String {
    let partition = key.arn.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:iam::{}:root", key.account)
}

fn has_conditions(statement: &Value) -> bool {
    field(statement, "Condition").is_some_and(|condition| condition.as_object().is_none_or(|all| !all.is_empty()))
}

/// Whether all conditions only ask that the caller is of this account.
fn asks_for_account(statement: &Value, account: &str) -> bool {
    const KEYS: [&str; 2] = ["kms:calleraccount", "aws:principalaccount"];
    let Some(operators) = field(statement, "Condition").and_then(Value::as_object) else {
        return false;
    };
    operators.iter().all(|(operator, keys)| {
        operator.eq_ignore_ascii_case("StringEquals")
            && keys.as_object().is_some_and(|keys| {
                keys.iter().all(|(key, values)| {
                    KEYS.contains(&key.to_ascii_lowercase().as_str())
                        && strings(values).iter().any(|value| value == account)
                })
            })
    })
}

/// Whether a text fits a pattern with `*` and `?`.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < text.len() {
        if of < pattern.len() && pattern[of] == b'*' {
            star = Some((of, at));
            of += 1;
        } else if of < pattern.len() && (pattern[of] == b'?' || pattern[of] == text[at]) {
            of += 1;
            at += 1;
        } else if let Some((last, from)) = star {
            star = Some((last, from + 1));
            of = last + 1;
            at = from + 1;
        } else {
            return false;
        }
    }
    pattern[of..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::tests::resource_k1;

    fn of(statements: &Value) -> Manager {
        trusting(statements, &Trust::default())
    }

    fn trusting(statements: &Value, trust: &Trust) -> Manager {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        manager(&policy, &resource_k1(), trust)
    }

    #[test]
    fn the_account_manages_by_its_root() {
        let root = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"});
        assert_eq!(of(&json!([root])), Manager::Root);
        assert_eq!(of(&root), Manager::Root);
        let with = |name: &str, value: Value| {
            let mut changed = root.clone();
            changed[name] = value;
            of(&json!([changed]))
        };
        assert_eq!(with("Action", json!(["kms:Put*", "kms:Get*"])), Manager::Root);
        assert_eq!(with("Principal", json!({"AWS": ["111122223333"]})), Manager::Root);
        assert_eq!(with("Principal", json!("*")), Manager::Root);
        assert_eq!(
            with("Principal", json!({"AWS": "arn:aws:iam::111122223333:role/Admin"})),
            Manager::Principal
        );
        let own = json!({"StringEquals": {"kms:CallerAccount": "111122223333"}});
        assert_eq!(with("Condition", own), Manager::Root);
        for (name, value) in [
            ("Action", json!("kms:Decrypt")),
            ("Principal", json!({"AWS": "arn:aws:iam::444455556666:root"})),
            ("Principal", json!({"Service": "logs.amazonaws.com"})),
            ("Resource", json!("arn:aws:kms:eu-west-1:111122223333:key/other")),
            ("Resource", Value::Null),
            ("Condition", json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
            ("Effect", json!("allow")),
        ] {
            assert_eq!(with(name, value.clone()), Manager::Nobody, "{name}: {value}");
        }
        assert_eq!(manager("{", &resource_k1(), &Trust::default()), Manager::Nobody);
    }

    const ROOT: &str = "arn:aws:iam::111122223333:root";
    const ADMIN: &str = "arn:aws:iam::111122223333:role/Admin";

    /// A Deny of everything to everybody, but for a change.
    fn deny(change: &Value) -> Value {
        let mut deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"});
        for (name, value) in change.as_object().unwrap() {
            deny[name] = value.clone();
        }
        if change.get("NotPrincipal").is_some() {
            deny.as_object_mut().unwrap().remove("Principal");
        }
        deny
    }

    fn only_if(condition: &Value) -> Value {
        json!({"Condition": condition})
    }

    /// Who manages the key that the root may manage, under such a Deny.
    fn denied(change: &Value) -> Manager {
        let trust = Trust {
            organizations: ["o-trusted00".into()].into(),
            networks: ["203.0.113.0/24".into()].into(),
            vpc_endpoints: ["vpce-1".into()].into(),
            ..Trust::default()
        };
        let root = json!({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"});
        trusting(&json!([root, deny(change)]), &trust)
    }

    #[test]
    fn a_deny_that_surely_spares_whoever_manages_the_key_locks_nobody_out() {
        for change in [
            only_if(&json!({"Bool": {"aws:MultiFactorAuthPresent": "false"}})),
            only_if(&json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})),
            only_if(&json!({"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}})),
            only_if(&json!({"Bool": {"aws:SecureTransport": "false"}})),
            only_if(&json!({"Bool": {"kms:BypassPolicyLockoutSafetyCheck": "true"}})),
            only_if(&json!({"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}})),
            only_if(&json!({"StringEquals": {"kms:CallerAccount": "444455556666"}})),
            only_if(&json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
            only_if(&json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-trusted00"}})),
            only_if(&json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
            only_if(&json!({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})),
            only_if(&json!({"ArnNotEquals": {"aws:PrincipalArn": [ADMIN, ROOT]}})),
            json!({"Principal": {"AWS": ADMIN}}),
            json!({"Action": "kms:Decrypt"}),
            json!({"NotPrincipal": {"AWS": ROOT}}),
        ] {
            assert_eq!(denied(&change), Manager::Root, "{change}");
        }
    }

    #[test]
    fn any_other_deny_counts() {
        for (change, expected) in [
            (json!({}), Manager::Nobody),
            (only_if(&json!({})), Manager::Nobody),
            (
                only_if(&json!({"StringEquals": {"aws:PrincipalAccount": "111122223333"}})),
                Manager::Nobody,
            ),
            (
                only_if(&json!({"StringNotEquals": {"kms:CallerAccount": "444455556666"}})),
                Manager::Nobody,
            ),
            (
                only_if(&json!({"StringNotEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
                Manager::Nobody,
            ),
            (
                only_if(&json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-elsewhere"}})),
                Manager::Nobody,
            ),
            (
                only_if(&json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.7/32"}})),
                Manager::Nobody,
            ),
            (
                only_if(&json!({"StringNotEquals": {"aws:PrincipalTag/Team": "keys"}})),
                Manager::Nobody,
            ),
            (
                only_if(&json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
                Manager::Nobody,
            ),
            (
                only_if(&json!({"ArnNotEquals": {"aws:PrincipalArn": ADMIN}})),
                Manager::Principal,
            ),
            (
                only_if(&json!({"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::444455556666:role/X"}})),
                Manager::Nobody,
            ),
            (json!({"Principal": {"AWS": ROOT}}), Manager::Nobody),
            (
                json!({"NotPrincipal": {"AWS": "arn:aws:iam::444455556666:root"}}),
                Manager::Nobody,
            ),
            (json!({"NotPrincipal": {"AWS": ADMIN}}), Manager::Nobody),
        ] {
            assert_eq!(denied(&change), expected, "{change}");
        }
        // Who alone is let in, and alone is spared.
        let admin = json!({"Effect": "Allow", "Principal": {"AWS": ADMIN}, "Action": "kms:*", "Resource": "*"});
        let all_but = |name: &str| deny(&only_if(&json!({"ArnNotEquals": {"aws:PrincipalArn": name}})));
        assert_eq!(of(&json!([admin, all_but(ADMIN)])), Manager::Principal);
        assert_eq!(
            of(&json!([admin, all_but("arn:aws:iam::111122223333:role/Other")])),
            Manager::Nobody
        );
    }

    #[test]
    fn patterns_have_stars_and_question_marks() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("kms:*", "kms:putkeypolicy", true),
            ("kms:p?t*policy", "kms:putkeypolicy", true),
            ("kms:put", "kms:putkeypolicy", false),
            ("*key/k-1", "arn:key/k-1", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b", "a-b-c", false),
        ] {
            assert_eq!(like(pattern, text), fits, "{pattern} {text}");
        }
    }
}
