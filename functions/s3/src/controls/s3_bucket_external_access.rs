//! # What it requires
//! The bucket's policy and its access control list let in no account, organisation, network or service outside of those that
//! settings trust.
//!
//! # Why
//! A partner who was let in years ago, or an account id with a typing error, reads on unnoticed.
//!
//! # What it changes
//! `PutBucketPolicy` with the same policy, and `PutBucketAcl` with the same list, less the foreign principals, where it is set
//! to enforce. Notify by default: who is a partner is not for a machine to say. Trust them under `trusted` in the settings; an
//! access control list names an account by its canonical id (`canonical-users`).
//!
//! # What may break
//! The partner's access.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings"; S3 User Guide, "Access control list (ACL) overview".

use std::collections::BTreeSet;

use portcullis_access::judge_acl;
use portcullis_controls::{Analysis, Outsiders};
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use super::s3_bucket_public_acl::refused;
use crate::PublicAccessBlock;
use crate::bucket::{Acl, Bucket, BucketChange, BucketFact};
use crate::policies::cure;

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-external-access",
        title: "A bucket lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["Security Hub S3.6", "IAM Access Analyzer external access"],
        calls: &[
            "CreateBucket",
            "PutBucketPolicy",
            "PutBucketAcl",
            "PutBucketOwnershipControls",
            "DeleteBucketOwnershipControls",
        ],
    },
    reads: &[
        BucketFact::Policy,
        BucketFact::Acl,
        BucketFact::PublicAccessBlock,
        BucketFact::AccountBlock,
    ],
    changes: &[BucketFact::Acl, BucketFact::Policy],
    judge: &judge,
};

/// The account that writes the logs of `CloudFront`, in the partitions `aws` and `aws-cn`. Source: `CloudFront` Developer Guide,
/// "Configure standard logging (legacy)": "Permissions required to configure standard logging and to access your log files".
const LOG_DELIVERY: [&str; 2] = [
    "c4c1ede66af53448b93c283ce9448c4ba468c9432aa01d700d3878632f77d2d0",
    "a52cb28745c0c06e84ec548334e44bfa7fc2a85c54af20cd59e4969344b7af56",
];

pub fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let block = bucket.effective_block();
    let private = |analysis: &Analysis<'_>, goal| cure(analysis, goal, block);
    let by_policy = Outsiders::of(bucket.policy_in(context), private, BucketChange::Policy);
    let by_acl = bucket.acl.get().and_then(|acl| by_acl(acl, block, context));
    match (by_policy, by_acl) {
        (None, None) => Judgement::Compliant,
        (Some(outsiders), None) | (None, Some(outsiders)) => outsiders.finding().into(),
        (Some(policy), Some(acl)) => policy.and(acl).finding().into(),
    }
}

/// Whom an access control list lets in outside of trust. Public grants are another control's.
fn by_acl(acl: &Acl, block: PublicAccessBlock, context: &JudgeContext<'_>) -> Option<Outsiders<BucketChange>> {
    let trusted = context.settings.trusted.canonical_users.iter().cloned();
    let trusted: BTreeSet<_> = trusted.chain(LOG_DELIVERY.map(str::to_owned)).collect();
    let found = judge_acl(&acl.grants, &acl.owner, &trusted, true);
    if found.offending.is_empty() {
        return None;
    }
    let offends = |index: usize| found.offending.iter().any(|(offending, _)| *offending == index);
    let rest = acl.grants.iter().enumerate().filter(|(index, _)| !offends(*index));
    let change = format!(
        "remove {} of {} grants of its ACL",
        found.offending.len(),
        acl.grants.len()
    );
    let acl = Acl {
        owner: acl.owner.clone(),
        grants: rest.map(|(_, grant)| grant.clone()).collect(),
    };
    Some(Outsiders {
        reasons: vec![found.reason],
        change,
        only_notify: refused(&acl, block),
        remedies: vec![BucketChange::Acl(acl)],
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::Settings;

    use super::*;
    use crate::bucket::tests::{finding, grant, with_acl, with_policy, with_settings};
    use portcullis_access::{ALL_USERS, Grant, Grantee};

    const PARTNER: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Partner","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*"}]}"#;

    #[test]
    fn a_foreign_account_is_told_and_a_trusted_one_is_not() {
        assert!(
            finding(judge, &with_policy(PARTNER))
                .unwrap()
                .summary
                .is
                .contains("444455556666")
        );
        let mut settings = Settings::default();
        settings.trusted.accounts.push("444455556666".into());
        with_settings(&settings, |context| {
            assert_eq!(judge(&with_policy(PARTNER), context), Judgement::Compliant);
        });
    }

    fn partner() -> Grant {
        grant(Grantee::CanonicalUser("partner".into()), "FULL_CONTROL")
    }

    #[test]
    fn a_foreign_grant_is_told_and_a_trusted_one_is_not() {
        let logs = grant(
            Grantee::Group("http://acs.amazonaws.com/groups/s3/LogDelivery".into()),
            "WRITE",
        );
        let cloudfront = grant(Grantee::CanonicalUser(LOG_DELIVERY[0].into()), "FULL_CONTROL");
        let everybody = grant(Grantee::Group(ALL_USERS.into()), "READ");
        let bucket = with_acl(&[logs.clone(), cloudfront.clone(), partner(), everybody.clone()]);
        let found = finding(judge, &bucket).unwrap();
        assert_eq!(
            (found.summary.is.as_str(), found.change.as_str()),
            (
                "lets in somebody outside of trust: the ACL grants FULL_CONTROL to the canonical user partner",
                "remove 1 of 5 grants of its ACL"
            )
        );
        let [BucketChange::Acl(acl)] = &found.remedies[..] else {
            panic!()
        };
        assert_eq!(acl.grants[1..], [logs, cloudfront, everybody]);
        let mut settings = Settings::default();
        settings.trusted.canonical_users.push("partner".into());
        with_settings(&settings, |context| {
            assert_eq!(judge(&bucket, context), Judgement::Compliant);
        });
    }

    #[test]
    fn policy_and_list_are_told_as_one() {
        let bucket = Bucket {
            acl: with_acl(&[partner()]).acl,
            ..with_policy(PARTNER)
        };
        let found = finding(judge, &bucket).unwrap();
        assert!(
            found.summary.is.contains("444455556666")
                && found
                    .summary
                    .is
                    .ends_with("; the ACL grants FULL_CONTROL to the canonical user partner")
        );
        assert!(matches!(
            &found.remedies[..],
            [BucketChange::Policy(None), BucketChange::Acl(_)]
        ));
        let public = PARTNER.replace(
            r#""Statement":["#,
            r#""Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*"},"#,
        );
        let bucket = Bucket {
            policy: portcullis_core::Observed::Is(public),
            ..bucket
        };
        assert!(
            finding(judge, &bucket)
                .unwrap()
                .only_notify
                .unwrap()
                .contains("public as well")
        );
    }
}
