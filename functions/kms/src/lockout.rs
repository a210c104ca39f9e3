//! Whether an account can still manage a key under a policy: `kms:PutKeyPolicy` is what everything else can be had with.
//!
//! It errs to "no": an Allow with a condition does not count, unless all that it asks is to come from the account, and a
//! Deny without one always does. What is not counted may still let somebody in.
//! Source: KMS Developer Guide, "Default key policy" and "Key policies in AWS KMS".

use portcullis_core::Resource;
use portcullis_core::event::{field, strings};
use serde_json::Value;

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
pub fn manager(policy: &str, key: &Resource) -> Manager {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return Manager::Nobody;
    };
    let statements = match field(&policy, "Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one @ Value::Object(_)) => vec![one],
        _ => Vec::new(),
    };
    let of_effect = |effect: &'static str| {
        let wanted = statements.iter().copied().filter(move |statement| {
            field(statement, "Effect").and_then(Value::as_str) == Some(effect) && manages(statement, &key.arn)
        });
        wanted.collect::<Vec<_>>()
    };
    let denied = of_effect("Deny")
        .iter()
        .filter(|statement| !has_conditions(statement))
        .filter_map(|statement| reach(statement, key))
        .max();
    let allowed = of_effect("Allow")
        .iter()
        .filter(|statement| !has_conditions(statement) || asks_for_account(statement, &key.account))
        .filter_map(|statement| reach(statement, key))
        .max();
    match (allowed, denied) {
        (Some(allowed), None) => allowed,
        _ => Manager::Nobody,
    }
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
        manager(
            &json!({"Version": "2012-10-17", "Statement": statements}).to_string(),
            &resource_k1(),
        )
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
        let deny = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*", "Condition": condition});
        assert_eq!(of(&json!([root, deny(json!({}))])), Manager::Nobody);
        assert_eq!(
            of(&json!([root, deny(json!({"Bool": {"aws:x": "false"}}))])),
            Manager::Root
        );
        assert_eq!(manager("{", &resource_k1()), Manager::Nobody);
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
