//! # What it requires
//! The key's policy lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! Whoever may decrypt under the key reads every copy of its data that he gets hold of. A partner who was let in years ago, or
//! an account id with a typing error, does so unnoticed.
//!
//! # What it changes
//! `PutKeyPolicy` with the same policy, less the foreign principals, where it is set to enforce; never so that the account
//! could not manage the key any more. Notify by default: who is a partner is not for a machine to say. Trust them under
//! `trusted` in the settings.
//!
//! # What may break
//! The partner's access to everything that is encrypted under the key.
//!
//! # References
//! KMS Developer Guide, "Allowing users in other accounts to use a KMS key"; IAM User Guide, "IAM Access Analyzer".

use portcullis_controls::external_access;
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::key::{Key, KeyChange, KeyFact};
use crate::policies::cure;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-external-access",
        title: "A key's policy lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &["CreateKey", "PutKeyPolicy"],
    },
    reads: &[KeyFact::Metadata, KeyFact::Policy],
    changes: &[KeyFact::Policy],
    judge: &judge,
};

pub fn judge(key: &Key, context: &JudgeContext<'_>) -> Judgement<KeyChange> {
    let Some(policy) = key.own_policy(context) else {
        return key.not_ours();
    };
    external_access(policy, cure, KeyChange::SetPolicy)
}

#[cfg(test)]
mod tests {
    use portcullis_core::Settings;

    use super::*;
    use crate::key::tests::{ROOT, finding, policy, with_policy, with_settings};

    const PARTNER: &str = r#"{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"kms:*","Resource":"*"}"#;

    #[test]
    fn a_foreign_account_is_told_and_a_trusted_one_is_not() {
        let key = with_policy(&policy(&[ROOT, PARTNER]));
        let found = finding(judge, &key).unwrap();
        assert!(found.summary.is.contains("444455556666"));
        assert_eq!(found.remedies, [KeyChange::SetPolicy(policy(&[ROOT]))]);
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        with_settings(&settings, |context| {
            assert_eq!(judge(&key, context), Judgement::Compliant);
        });
    }

    #[test]
    fn a_partner_who_alone_manages_the_key_is_told() {
        let found = finding(judge, &with_policy(&policy(&[PARTNER]))).unwrap();
        assert!(found.remedies.is_empty() && found.only_notify.is_some());
    }
}
