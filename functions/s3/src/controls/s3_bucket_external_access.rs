//! # What it requires
//! The bucket's policy lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! A partner who was let in years ago, or an account id with a typing error, reads on unnoticed.
//!
//! # What it changes
//! `PutBucketPolicy` with the same policy, less the foreign principals, where it is set to enforce. Notify by default: who is
//! a partner is not for a machine to say. Trust them under `trusted` in the settings.
//!
//! # What may break
//! The partner's access.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings".

use portcullis_access::{Goal, Service, Verdict};
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};

use crate::bucket::{Bucket, Fact, Remedy, State};
use crate::policies::Analysis;

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-external-access",
        title: "A bucket's policy lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["Security Hub S3.6", "IAM Access Analyzer external access"],
        calls: &["CreateBucket", "PutBucketPolicy"],
        writes: &["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
    },
    facts: &[Fact::Policy],
    judge,
};

pub fn judge(bucket: &State, scope: &Scope<'_>) -> Judgement<Remedy> {
    let Some(text) = bucket.policy.get() else {
        return Judgement::Compliant;
    };
    // A policy that can't be read is told by s3-bucket-public-policy.
    let Ok(analysis) = Analysis::new(text, Service::S3Bucket, scope) else {
        return Judgement::Compliant;
    };
    let reasons = analysis.reasons(Verdict::External);
    if reasons.is_empty() {
        return Judgement::Compliant;
    }
    let summary = format!("lets in somebody outside of trust: {}", reasons.join("; "));
    if analysis.verdict() == Verdict::Public {
        // The fix would take the public statements as well, which another control answers for.
        return Finding::new(Severity::High, summary, "", Vec::new())
            .only_notify("it is public as well: put that right first")
            .into();
    }
    analysis
        .cure(Goal::Private)
        .finding(Severity::High, summary, Remedy::Policy)
        .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Settings;

    use super::*;
    use crate::bucket::tests::{finding, with_policy, with_settings};

    const PARTNER: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*"}]}"#;

    #[test]
    fn a_foreign_account_is_told_and_a_trusted_one_is_not() {
        assert!(
            finding(judge, &with_policy(PARTNER))
                .unwrap()
                .summary
                .contains("444455556666")
        );
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        with_settings(&settings, |scope| {
            assert_eq!(judge(&with_policy(PARTNER), scope), Judgement::Compliant);
        });
    }
}
