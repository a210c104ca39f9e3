//! # What it requires
//! The key's policy follows AWS's practice: the account root can manage the key; administrators are not users of it at the
//! same time; nobody but the account root has `kms:*`; grants may be made for AWS resources only
//! (`kms:GrantIsForAWSResource`); managing the key asks for MFA; and where settings say so of the data's level
//! (`kms.via-service-levels`), the key is used through AWS services only (`kms:ViaService`). What it keeps of this is told beside
//! what it lacks; that the account can't manage its key any more, with a higher severity.
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

use portcullis_access::KeyFinding;
use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::key::{Key, KeyChange, KeyFact};
use crate::policies::{keeps, lacks};
use crate::settings::KmsSettings;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-policy-practice",
        title: "A key's policy separates duties",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["AWS Prescriptive Guidance: encryption best practices for AWS KMS"],
        calls: &["CreateKey", "PutKeyPolicy", "TagResource", "UntagResource"],
    },
    reads: &[KeyFact::Metadata, KeyFact::Policy],
    changes: &[],
    judge: &judge,
};

fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let Some(policy) = key.own_policy(context) else {
        return key.not_ours();
    };
    // A policy that can't be read is told by kms-key-public-policy.
    let Some(Ok(analysis)) = policy.analyse() else {
        return Judgement::Compliant;
    };
    let via_service = context
        .settings
        .section::<KmsSettings>()
        .via_service_levels
        .iter()
        .any(|level| level == context.level_name);
    let mut lacks = lacks(&analysis);
    let good = keeps(&lacks).join(", ");
    lacks.retain(|(kind, _)| via_service || *kind != KeyFinding::UserNotViaService);
    // The account root alone: nobody is an administrator or a user by it, so IAM policies decide on MFA too.
    let alone = analysis.policy().statements().len() == 1 && lacks.iter().all(|(kind, _)| *kind == KeyFinding::NoMfa);
    if lacks.is_empty() || alone {
        return Judgement::Compliant;
    }
    let is_locked = lacks.iter().any(|(kind, _)| *kind == KeyFinding::NoAccountRoot);
    let lacks: Vec<_> = lacks.into_iter().map(|(_, text)| text).collect();
    let lacks = lacks.join("; ");
    let summary = match good.as_str() {
        "" => Clause::has(format!("a policy that lacks good practice: {lacks}")),
        good => Clause::has(format!(
            "a policy that lacks good practice: {lacks} (what is good of it: {good})"
        )),
    };
    // A key that is lost with the next deleted role, or is lost already, is not a matter of style.
    let severity = if is_locked { Severity::High } else { Severity::Low };
    Finding::new(severity, summary, "", Vec::new())
        .only_notify("who administers the key and who uses it is for people to say")
        .into()
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
        assert_eq!(
            found.summary.is,
            "has a policy that lacks good practice: managing the key does not ask for MFA (what is good of it: the account \
             itself can manage the key, nobody both administers and uses it, nobody else has kms:*, grants only for AWS resources)"
        );
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
            let summary = finding(judge, &with_policy(&policy(&statements))).unwrap().summary.is;
            assert!(summary.contains(named), "{summary}");
        }
    }

    /// KMS takes such policies where the caller asks it not to check for a lockout.
    #[test]
    fn a_policy_under_which_the_account_cannot_manage_its_key_is_told_loudly() {
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"kms:PutKeyPolicy","Resource":"*"}"#;
        let role = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Admin"},"Action":["kms:PutKeyPolicy","kms:ScheduleKeyDeletion"],"Resource":"*"}"#;
        for (statements, named) in [
            (vec![ROOT, deny], "nobody of the account can surely manage the key"),
            (vec![role], "only principals that may be deleted one day"),
        ] {
            let found = finding(judge, &with_policy(&policy(&statements))).unwrap();
            assert!(found.summary.is.contains(named), "{}", found.summary.is);
            assert_eq!(found.severity, Severity::High);
        }
    }

    #[test]
    fn some_levels_ask_for_the_way_through_a_service() {
        let mut settings = Settings::default();
        settings.set(KmsSettings {
            via_service_levels: vec!["internal".into()],
            ..KmsSettings::default()
        });
        let told = |text: &str| {
            with_settings(&settings, |context| {
                judge(&with_policy(text), context)
                    .finding()
                    .map(|finding| finding.summary.is)
                    .unwrap_or_default()
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
