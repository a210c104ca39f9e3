//! # What it requires
//! The key's policy follows AWS's practice: the account root can manage the key; administrators are not users of it at the
//! same time; nobody but the account root has `kms:*`; grants may be made for AWS resources only
//! (`kms:GrantIsForAWSResource`); managing the key asks for MFA; and where settings say so of the data's level
//! (`kms.via-service-levels`), the key is used through AWS services only (`kms:ViaService`).
//!
//! # Why
//! Who both manages and uses a key needs nobody else to take data away. A policy without the account root is one deleted role
//! away from a key that nobody can manage.
//!
//! # What it changes
//! Nothing: who administers and who uses is for people to say. The policy that AWS gives a key by default is not told: there
//! IAM policies decide.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! KMS Developer Guide, "Key policies in AWS KMS", "Condition keys for AWS KMS"; AWS Prescriptive Guidance, "Encryption best
//! practices for AWS KMS".

use portcullis_core::event::{field, strings};
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};
use serde_json::Value;

use crate::key::{Fact, Key, Remedy, State};
use crate::policies::practice;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-policy-practice",
        title: "A key's policy separates duties",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["AWS Prescriptive Guidance: encryption best practices for AWS KMS"],
        calls: &["CreateKey", "PutKeyPolicy", "TagResource", "UntagResource"],
        writes: &[],
    },
    facts: &[Fact::Metadata, Fact::Policy],
    judge,
};

fn judge(key: &State, scope: &Scope<'_>) -> Judgement<Remedy> {
    let (Some(_), Some(text)) = (key.customer_managed(), key.policy.get()) else {
        return Judgement::Compliant;
    };
    // A policy that can't be read is told by kms-key-public-policy.
    let (Ok(policy), Ok(lacks)) = (serde_json::from_str::<Value>(text), practice(text, scope.resource)) else {
        return Judgement::Compliant;
    };
    let statements: Vec<&Value> = match field(&policy, "Statement") {
        Some(Value::Array(list)) => list.iter().collect(),
        other => other.into_iter().collect(),
    };
    let via_service = scope
        .settings
        .kms
        .via_service_levels
        .iter()
        .any(|level| level == scope.level_name);
    let direct = statements
        .iter()
        .filter(|statement| via_service && uses_directly(statement))
        .count();
    let mut lacks = lacks;
    // The account root alone: nobody is an administrator or a user by it, so nothing is mixed up either.
    if statements.len() == 1 && lacks.iter().all(|lack| lack.is_about_mfa) {
        lacks.clear();
    }
    let mut lacks: Vec<String> = lacks.into_iter().map(|lack| lack.text).collect();
    if direct > 0 {
        lacks.push(format!(
            "{direct} of its statements let the key be used without kms:ViaService, which {} data asks for",
            scope.level_name
        ));
    }
    if lacks.is_empty() {
        return Judgement::Compliant;
    }
    let summary = format!("has a policy that lacks good practice: {}", lacks.join("; "));
    Finding::new(Severity::Low, summary, "", Vec::new())
        .only_notify("who administers the key and who uses it is for people to say")
        .into()
}

/// Whether a statement lets somebody other than a service or the account use the key without going through a service.
fn uses_directly(statement: &Value) -> bool {
    const USES: [&str; 4] = ["kms:encrypt", "kms:decrypt", "kms:generatedatakey", "kms:reencrypt"];
    let of = |name: &str| field(statement, name);
    let uses = |action: String| USES.iter().any(|used| action.to_ascii_lowercase().starts_with(used));
    let principals = of("Principal").and_then(|principal| field(principal, "AWS").or(Some(principal)).map(strings));
    let people = principals.is_some_and(|names| names.iter().any(|name| !name.ends_with(":root")));
    let limited = of("Condition").and_then(Value::as_object).is_some_and(|operators| {
        operators.iter().any(|(operator, keys)| {
            ["stringequals", "stringlike"].contains(&operator.to_ascii_lowercase().as_str())
                && field(keys, "kms:ViaService").is_some()
        })
    });
    of("Effect").and_then(Value::as_str) == Some("Allow")
        && people
        && !limited
        && of("Action").map(strings).unwrap_or_default().into_iter().any(uses)
}

#[cfg(test)]
mod tests {
    use portcullis_core::Settings;

    use super::*;
    use crate::key::tests::{EXAMPLE, ROOT, finding, policy, with_policy, with_settings};

    #[test]
    fn the_default_policy_is_not_told() {
        assert_eq!(finding(judge, &with_policy(&policy(&[ROOT]))), None);
    }

    /// Account root, an administrator's role, users, and attachment of persistent resources: what is good of it passes, and
    /// what it lacks is MFA for managing the key.
    #[test]
    fn an_example_of_separate_duties_lacks_only_mfa() {
        let found = finding(judge, &with_policy(EXAMPLE)).unwrap();
        let lacks: Vec<_> = found.summary.split_once(": ").unwrap().1.split("; ").collect();
        assert_eq!(lacks.len(), 1, "{lacks:?}");
        assert!(lacks[0].contains("MFA"), "{lacks:?}");
        assert_eq!(found.severity, Severity::Low);
        assert!(found.only_notify.is_some() && found.remedies.is_empty());
        assert_eq!(
            finding(super::super::kms_key_public_policy::judge, &with_policy(EXAMPLE)),
            None
        );
        assert_eq!(
            finding(super::super::kms_key_external_access::judge, &with_policy(EXAMPLE)),
            None
        );
    }

    #[test]
    fn what_is_mixed_up_is_told() {
        let all = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/App"},"Action":"kms:*","Resource":"*"}"#;
        let grants = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/App"},"Action":"kms:CreateGrant","Resource":"*"}"#;
        for (statements, named) in [([ROOT, all], "kms:*"), ([ROOT, grants], "GrantIsForAWSResource")] {
            let summary = finding(judge, &with_policy(&policy(&statements))).unwrap().summary;
            assert!(summary.contains(named), "{summary}");
        }
    }

    #[test]
    fn some_levels_ask_for_the_way_through_a_service() {
        let mut settings = Settings::default();
        settings.kms.via_service_levels.push("internal".into());
        let told = |text: &str| {
            with_settings(&settings, |scope| match judge(&with_policy(text), scope) {
                Judgement::Compliant => String::new(),
                Judgement::Violated(finding) => finding.summary,
            })
        };
        assert!(told(EXAMPLE).contains("kms:ViaService"));
        let through = EXAMPLE.replace(
            r#""Sid":"Use","#,
            r#""Sid":"Use","Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}},"#,
        );
        assert!(!told(&through).contains("kms:ViaService"));
    }
}
