//! # What it requires
//! The bucket's policy lets in nobody whom it does not name. Data classified as public may be read by everybody, not written.
//!
//! # Why
//! A statement for `*` without a condition that holds is how buckets leak. Whether it really is open is decided by the whole
//! policy: conditions, denies, organisation and network limits, and by the public access blocks above it.
//!
//! # What it changes
//! `PutBucketPolicy` with the same policy, less what is public: a statement goes, or only its public principal where it names
//! others too. All other statements stay byte for byte. Nothing else left: `DeleteBucketPolicy`. Where a condition can't be
//! decided, or where S3 would refuse what is left because `BlockPublicPolicy` is on, nothing is removed: it is told.
//!
//! # What may break
//! Whoever came in by the public statement alone.
//!
//! # References
//! S3 User Guide, "The meaning of public"; IAM User Guide, "AWS JSON policy elements: Principal".

use portcullis_access::Verdict;
use portcullis_controls::{Analysis, public_policy_rated};
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::bucket::{Bucket, BucketChange, BucketFact};
use crate::policies::{cure, only_reads, rated};

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-public-policy",
        title: "A bucket's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &[
            "Security Hub S3.2",
            "Security Hub S3.3",
            "Config s3-bucket-public-read-prohibited",
            "Config s3-bucket-public-write-prohibited",
        ],
        calls: &[
            "CreateBucket",
            "PutBucketPolicy",
            "DeleteBucketPublicAccessBlock",
            "PutBucketPublicAccessBlock",
            "PutBucketTagging",
            "DeleteBucketTagging",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[
        BucketFact::Policy,
        BucketFact::PublicAccessBlock,
        BucketFact::AccountBlock,
    ],
    changes: &[BucketFact::Policy],
    judge: &judge,
};

pub fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let block = bucket.effective_block();
    let restricted = block.restrict_public_buckets.then_some("its block");
    let may_be_read = |analysis: &Analysis<'_>| {
        let public = analysis.offending(Verdict::Public);
        context.level.public && !public.is_empty() && public.iter().all(|index| only_reads(analysis, *index))
    };
    public_policy_rated(
        bucket.policy_in(context),
        |analysis| (!may_be_read(analysis)).then(|| rated(analysis, restricted)),
        |analysis, goal| cure(analysis, goal, block),
        BucketChange::Policy,
    )
}

#[cfg(test)]
mod tests {
    use portcullis_core::Observed;

    use super::*;
    use crate::PublicAccessBlock;
    use crate::bucket::tests::{finding, in_scope, with_policy};

    const READ: &str =
        r#"{"Sid":"Read","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*"}"#;
    const OWN: &str = r#"{ "Effect" : "Allow", "Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"s3:*","Resource":"arn:aws:s3:::b-1/*"}"#;

    fn policy(statements: &[&str]) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    }

    #[test]
    fn only_the_public_statement_goes_and_the_rest_stays_byte_for_byte() {
        let found = finding(judge, &with_policy(&policy(&[READ, OWN]))).unwrap();
        assert_eq!(
            (found.severity, found.change.as_str()),
            (Severity::Critical, "remove statement \"Read\" of 2")
        );
        let [BucketChange::Policy(Some(left))] = &found.remedies[..] else {
            panic!()
        };
        assert!(left.contains(OWN) && !left.contains("Read\""));
    }

    #[test]
    fn a_policy_of_nothing_else_is_deleted() {
        assert_eq!(
            finding(judge, &with_policy(&policy(&[READ]))).unwrap().remedies,
            [BucketChange::Policy(None)]
        );
    }

    #[test]
    fn a_private_policy_is_left_alone() {
        assert_eq!(finding(judge, &with_policy(&policy(&[OWN]))), None);
        assert_eq!(finding(judge, &Bucket::default()), None);
    }

    #[test]
    fn a_block_lessens_it() {
        let mut bucket = with_policy(&policy(&[READ]));
        bucket.public_access_block = Observed::Is(PublicAccessBlock::FULL);
        assert_eq!(finding(judge, &bucket).unwrap().severity, Severity::Low);
    }

    #[test]
    fn what_s3_would_refuse_is_told() {
        // Public in name only: everybody, but of the owner's account.
        let own = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*","Condition":{"StringEquals":{"aws:PrincipalAccount":"${aws:ResourceAccount}"}}}"#;
        let mut bucket = with_policy(&policy(&[READ, own]));
        assert_eq!(finding(judge, &bucket).unwrap().remedies.len(), 1);
        bucket.account_block = Observed::Is(PublicAccessBlock {
            block_public_policy: true,
            ..PublicAccessBlock::default()
        });
        let found = finding(judge, &bucket).unwrap();
        assert!(found.only_notify.unwrap().contains("BlockPublicPolicy is on"));
        assert!(found.remedies.is_empty());
    }

    #[test]
    fn public_data_may_be_read_but_not_written() {
        let write = READ.replace("GetObject", "PutObject");
        in_scope("public", |context| {
            assert_eq!(judge(&with_policy(&policy(&[READ])), context), Judgement::Compliant);
            assert_ne!(judge(&with_policy(&policy(&[&write])), context), Judgement::Compliant);
        });
    }

    #[test]
    fn what_cannot_be_read_is_told_and_left() {
        let found = finding(judge, &with_policy("{")).unwrap();
        assert!(found.only_notify.is_some() && found.remedies.is_empty());
    }
}
