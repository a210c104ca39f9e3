//! A policy by what it means. SNS, ECR and Lambda do not keep a policy's text: they reorder its members, write a lone value for a list
//! of one, and an account's ARN for its id. What was written and what is read back mean the same, and are told apart by no letter.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Principal" (an account by its id or its ARN), "Grammar of the IAM JSON policy
//! language" (a list of one is its element).

use portcullis_core::Observed;
use serde_json::{Map, Value};

/// A policy's text in the one form that all texts of its meaning have; one that can't be read stays as it is. The handles of its
/// parts, `Id` and `Sid`, count.
pub fn canonical(text: &str) -> String {
    let Ok(Value::Object(mut policy)) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    if let Some(statements) = policy.get_mut("Statement") {
        let all = list(statements.take()).into_iter().map(statement);
        *statements = sorted_list(all.collect());
    }
    sorted(Value::Object(policy)).to_string()
}

/// What was read of a policy in its canonical form: what a restore compares.
pub fn same_in_meaning(policy: &Observed<String>) -> Observed<String> {
    match policy {
        Observed::Is(text) => Observed::Is(canonical(text)),
        other => other.clone(),
    }
}

fn statement(statement: Value) -> Value {
    let Value::Object(mut parts) = statement else {
        return statement;
    };
    for (name, part) in &mut parts {
        let value = part.take();
        *part = match name.as_str() {
            "Action" | "NotAction" => sorted_list(list(value).into_iter().map(folded).collect()),
            "Resource" | "NotResource" => sorted_list(list(value)),
            "Principal" | "NotPrincipal" => principals(value),
            "Condition" => conditions(value),
            _ => value,
        };
    }
    sorted(Value::Object(parts))
}

fn principals(value: Value) -> Value {
    match value {
        Value::Object(kinds) => kinds
            .into_iter()
            .map(|(kind, named)| (kind, sorted_list(list(named).into_iter().map(account).collect())))
            .collect(),
        // Everybody, who has no kind.
        other => Value::Object(Map::from_iter([("AWS".to_owned(), sorted_list(vec![other]))])),
    }
}

/// An account is named by its id, whatever it was named by.
fn account(principal: Value) -> Value {
    let id = principal.as_str().and_then(|text| {
        let (_, id) = text.strip_suffix(":root")?.split_once(":iam::")?;
        Some(id.to_owned())
    });
    id.map_or(principal, Value::String)
}

fn conditions(value: Value) -> Value {
    let Value::Object(operators) = value else { return value };
    let keys = |tested: Value| match tested {
        Value::Object(keys) => keys
            .into_iter()
            .map(|(key, values)| {
                let values = list(values).into_iter().map(text);
                (key.to_ascii_lowercase(), sorted_list(values.collect()))
            })
            .collect(),
        other => other,
    };
    operators
        .into_iter()
        .map(|(operator, tested)| (operator, keys(tested)))
        .collect()
}

fn folded(action: Value) -> Value {
    action
        .as_str()
        .map(|text| text.to_ascii_lowercase().into())
        .unwrap_or(action)
}

/// A number or a truth value means the same as its text.
fn text(value: Value) -> Value {
    match value {
        Value::Bool(_) | Value::Number(_) => value.to_string().into(),
        other => other,
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all,
        one => vec![one],
    }
}

fn sorted_list(mut all: Vec<Value>) -> Value {
    all.sort_by_cached_key(ToString::to_string);
    all.dedup();
    Value::Array(all)
}

/// The same with the members of each object in the order of their names.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            members.into_iter().collect()
        }
        Value::Array(all) => all.into_iter().map(sorted).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_services_rewrite_means_the_same_and_nothing_else_does() {
        let sent = r#"{"Version":"2012-10-17","Statement":{"Sid":"One","Effect":"Allow","Principal":{"AWS":"111122223333"},
            "Action":"SNS:Publish","Resource":"arn:aws:sns:eu-west-1:111122223333:t",
            "Condition":{"StringEquals":{"AWS:SourceOwner":["111122223333"]},"Bool":{"aws:SecureTransport":true}}}}"#;
        let kept = r#"{"Statement":[{"Effect":"Allow","Sid":"One","Action":["sns:publish"],
            "Resource":["arn:aws:sns:eu-west-1:111122223333:t"],"Principal":{"AWS":["arn:aws:iam::111122223333:root"]},
            "Condition":{"Bool":{"aws:securetransport":"true"},"StringEquals":{"aws:SourceOwner":"111122223333"}}}],"Version":"2012-10-17"}"#;
        assert_eq!(canonical(sent), canonical(kept));
        for other in [
            kept.replace("\"One\"", "\"Two\""),
            kept.replace("sns:publish", "sns:subscribe"),
            kept.replace("111122223333:root", "444455556666:root"),
            kept.replace("\"true\"", "\"false\""),
            kept.replace("StringEquals", "StringLike"),
            kept.replace("Allow", "Deny"),
        ] {
            assert_ne!(canonical(sent), canonical(&other), "{other}");
        }
        assert_eq!(canonical("{"), "{");
        let everybody = |principal: &str| canonical(&format!(r#"{{"Statement":[{{"Principal":{principal}}}]}}"#));
        assert_eq!(everybody(r#""*""#), everybody(r#"{"AWS":["*"]}"#));
    }
}
