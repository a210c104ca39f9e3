//! # What it requires
//! The key's policy lets in nobody whom it does not name.
//!
//! # Why
//! `*` in a key policy is every AWS account. Whether it really is open is decided by the whole policy: conditions and denies
//! count; `kms:ViaService` alone limits nobody, since everybody may use that service.
//!
//! # What it changes
//! `PutKeyPolicy` with the same policy, less what is public: a statement goes, or only its public principal. All other
//! statements stay byte for byte. The account must be able to manage the key afterwards: where it could only by the public
//! statement itself, that is narrowed to the account instead. What would lock the account out is told, not done; KMS's own
//! check against that (`BypassPolicyLockoutSafetyCheck`) stays on. Where a condition can't be decided, nothing is changed.
//!
//! # What may break
//! Whoever came in by the public statement alone.
//!
//! # References
//! KMS Developer Guide, "Key policies in AWS KMS", "Default key policy"; Security Hub KMS.5.

use portcullis_controls::public_policy;
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::key::{Key, KeyChange, KeyFact};
use crate::policies::cure;

pub const CONTROL: Control<Key> = Control {
    meta: Meta {
        id: "kms-key-public-policy",
        title: "A key's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub KMS.5", "Config kms-key-policy-no-public-access"],
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
    public_policy(policy, cure, KeyChange::SetPolicy)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::tests::{ROOT, finding, policy, with_policy};

    const USE: &str = r#"{"Sid":"Use","Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}"#;
    const ALL: &str = r#"{"Sid":"All","Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}"#;

    #[test]
    fn only_the_public_statement_goes() {
        let found = finding(judge, &with_policy(&policy(&[ROOT, USE]))).unwrap();
        assert_eq!(found.change, "remove statement \"Use\" of 2");
        assert_eq!(found.remedies, [KeyChange::SetPolicy(policy(&[ROOT]))]);
        assert_eq!(finding(judge, &with_policy(&policy(&[ROOT]))), None);
    }

    #[test]
    fn what_the_account_depends_on_is_narrowed_to_it() {
        // Without the first statement only a role would be left, which may be deleted one day.
        let role = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/Admin"},"Action":"kms:*","Resource":"*"}"#;
        for statements in [vec![ALL], vec![USE, ALL], vec![ALL, role]] {
            let found = finding(judge, &with_policy(&policy(&statements))).unwrap();
            let [KeyChange::SetPolicy(new)] = &found.remedies[..] else {
                panic!("{found:?}")
            };
            let new: serde_json::Value = serde_json::from_str(new).unwrap();
            let mut left = new["Statement"].as_array().unwrap().iter();
            let all = left.find(|statement| statement["Sid"] == "All").unwrap();
            assert_eq!(all["Principal"]["AWS"], "arn:aws:iam::111122223333:root");
            assert_eq!(all["Action"], "kms:*");
        }
    }

    #[test]
    fn of_a_principal_that_names_everybody_and_others_the_others_stay() {
        const ROOT_ARN: &str = "arn:aws:iam::111122223333:root";
        const APP: &str = "arn:aws:iam::111122223333:role/App";
        let narrowed = |principal: &serde_json::Value| {
            let all =
                json!({"Sid": "All", "Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"});
            let found = finding(judge, &with_policy(&policy(&[&all.to_string()]))).unwrap();
            let [KeyChange::SetPolicy(new)] = &found.remedies[..] else {
                panic!("{found:?}")
            };
            let new: serde_json::Value = serde_json::from_str(new).unwrap();
            new["Statement"][0]["Principal"].clone()
        };
        assert_eq!(narrowed(&json!("*")), json!({"AWS": ROOT_ARN}));
        assert_eq!(
            narrowed(&json!({"AWS": "*", "Service": "logs.eu-west-1.amazonaws.com"})),
            json!({"AWS": ROOT_ARN, "Service": "logs.eu-west-1.amazonaws.com"})
        );
        assert_eq!(narrowed(&json!({"AWS": [APP, "*"]})), json!({"AWS": [ROOT_ARN, APP]}));
    }

    #[test]
    fn what_would_lock_the_account_out_is_told() {
        for statements in [
            vec![USE],
            vec![
                USE,
                r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"kms:*","Resource":"*"}"#,
            ],
        ] {
            let found = finding(judge, &with_policy(&policy(&statements))).unwrap();
            assert!(found.remedies.is_empty() && found.only_notify.is_some(), "{found:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_and_left() {
        let found = finding(judge, &with_policy("{")).unwrap();
        assert!(found.only_notify.is_some() && found.remedies.is_empty());
    }
}
