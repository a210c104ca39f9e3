//! Principals that are no more. AWS shows a deleted user or role in a resource policy by its unique id, and refuses to take that back:
//! what is written leaves them out. Such an id is never given again, so nobody loses anything by it.
//!
//! Sources: IAM User Guide, "AWS JSON policy elements: Principal"; S3 User Guide, "Principals for bucket policies"; KMS API Reference,
//! `PutKeyPolicy`.

use portcullis_access::Policy;
use serde_json::Value;

/// A policy as AWS takes it: without the principals that are no more. None where nothing is left of it then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writable {
    /// Its text; statements that name none of them are as they were, byte for byte.
    pub text: Option<String>,
    /// What was left out, and what stands in the way of its being taken, in words.
    pub notes: Vec<String>,
}

/// Leaves out of a policy what AWS would refuse it for.
pub fn writable(text: &str) -> Writable {
    let unchanged = || Writable {
        text: Some(text.to_owned()),
        notes: Vec::new(),
    };
    let Ok(mut policy) = Policy::parse(text) else {
        return unchanged();
    };
    let (mut dead, mut kept_out, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..policy.statements().len() {
        let Ok(mut statement) = serde_json::from_str::<Value>(policy.statements()[index].text()) else {
            return unchanged();
        };
        // Leaving one out of those that a statement is not about would make it wider, or narrower.
        kept_out.extend(statement.pointer("/NotPrincipal/AWS").into_iter().flat_map(dead_of));
        let Some(named) = statement.pointer_mut("/Principal/AWS") else {
            continue;
        };
        let gone = dead_of(named);
        if gone.is_empty() {
            continue;
        }
        let left: Vec<Value> = match named {
            Value::Array(all) => all.iter().filter(|one| !is_dead(one)).cloned().collect(),
            _ => Vec::new(),
        };
        dead.extend(gone);
        let others = statement["Principal"]
            .as_object()
            .map_or(0, |principal| principal.len() - 1);
        if left.is_empty() && others == 0 {
            empty.push(index);
            continue;
        }
        if let Some(principal) = statement["Principal"].as_object_mut() {
            if left.is_empty() {
                principal.shift_remove("AWS");
            } else {
                principal.insert("AWS".into(), Value::Array(left));
            }
        }
        match Policy::parse(&policy.with_replaced(index, &statement.to_string())) {
            Ok(without) => policy = without,
            Err(_) => return unchanged(),
        }
    }
    let mut notes = Vec::new();
    if !dead.is_empty() {
        dead.sort();
        dead.dedup();
        notes.push(format!(
            "{} is left out: a user or role that was deleted, which AWS does not take back into a policy; nobody loses access by it",
            dead.join(", ")
        ));
    }
    if !kept_out.is_empty() {
        notes.push(format!(
            "its NotPrincipal names {}, a user or role that was deleted: AWS refuses to write it, so a person has to take it out",
            kept_out.join(", ")
        ));
    }
    let text = if empty.is_empty() {
        Some(policy.text().to_owned())
    } else {
        policy.without(&empty)
    };
    Writable { text, notes }
}

/// The ids among principals of those that are no more.
fn dead_of(principals: &Value) -> Vec<String> {
    let all = principals
        .as_array()
        .map_or(std::slice::from_ref(principals), Vec::as_slice);
    all.iter()
        .filter(|one| is_dead(one))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Whether a principal is written as AWS shows one that is no more. Source: IAM User Guide, "IAM identifiers", "Unique identifiers".
fn is_dead(principal: &Value) -> bool {
    let id = |text: &str| {
        let known = ["AIDA", "AROA"].iter().any(|prefix| text.starts_with(prefix));
        known
            && text.len() > 15
            && text
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    principal.as_str().is_some_and(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEAD: &str = "AROAEXAMPLEEXAMPLE001";

    fn written(statements: &str) -> (Option<String>, usize) {
        let written = writable(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#));
        (written.text, written.notes.len())
    }

    #[test]
    fn who_is_no_more_is_left_out_and_all_else_stays_byte_for_byte() {
        let live = r#"{ "Effect":"Allow", "Principal":{"AWS":"arn:aws:iam::111122223333:root"}, "Action":"kms:*", "Resource":"*" }"#;
        let list = format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":["{DEAD}","arn:aws:iam::111122223333:role/app"]}},"Action":"kms:Decrypt","Resource":"*"}}"#
        );
        let (text, notes) = written(&format!("[{live},{list}]"));
        let expected = list.replace(&format!(r#""{DEAD}","#), "");
        assert_eq!(
            text.unwrap(),
            format!(r#"{{"Version":"2012-10-17","Statement":[{live},{expected}]}}"#)
        );
        assert_eq!(notes, 1);
        for effect in ["Allow", "Deny"] {
            let only =
                format!(r#"{{"Effect":"{effect}","Principal":{{"AWS":"{DEAD}"}},"Action":"s3:*","Resource":"*"}}"#);
            let (text, _) = written(&format!("[{live},{only}]"));
            assert_eq!(
                text.unwrap(),
                format!(r#"{{"Version":"2012-10-17","Statement":[{live}]}}"#)
            );
            assert_eq!(written(&format!("[{only}]")), (None, 1), "nothing is left");
        }
        let service = format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":["{DEAD}"],"Service":"sns.amazonaws.com"}},"Action":"sqs:SendMessage","Resource":"*"}}"#
        );
        let (text, _) = written(&service);
        assert!(text.unwrap().contains(r#""Principal":{"Service":"sns.amazonaws.com"}"#));
    }

    #[test]
    fn who_is_alive_and_what_only_looks_alike_stays() {
        for principal in [
            r#""*""#,
            r#"{"AWS":"111122223333"}"#,
            r#"{"AWS":"arn:aws:iam::111122223333:user/AIDAEXAMPLEEXAMPLE001"}"#,
            r#"{"CanonicalUser":"AIDAEXAMPLEEXAMPLE001"}"#,
            r#"{"AWS":"AIDASHORT"}"#,
        ] {
            let statement =
                format!(r#"[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"*"}}]"#);
            let (text, notes) = written(&statement);
            assert_eq!(
                text.unwrap(),
                format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
            );
            assert_eq!(notes, 0);
        }
    }

    #[test]
    fn whom_a_statement_is_not_about_is_told_and_left() {
        let statement =
            format!(r#"[{{"Effect":"Deny","NotPrincipal":{{"AWS":["{DEAD}"]}},"Action":"s3:*","Resource":"*"}}]"#);
        let (text, notes) = written(&statement);
        assert!(text.unwrap().contains(DEAD));
        assert_eq!(notes, 1);
    }
}
