//! # What it requires
//! All four flags of the bucket's own public access block are on, unless its data is classified as public.
//!
//! # Why
//! The block is what keeps tomorrow's mistake in a policy or an ACL from opening the bucket. The account's block protects
//! as well, but somebody who needs one public bucket turns it off for all; a finding is rated lower while it is on.
//!
//! # What it changes
//! `PutPublicAccessBlock` with all four flags. Policy and ACL stay as they are.
//!
//! # What may break
//! Anonymous readers lose access, and so do other accounts that a *public* policy let in: `RestrictPublicBuckets` leaves a
//! public policy to AWS services and the owner's account. Access that a policy grants to named accounts stays.
//!
//! # References
//! S3 User Guide, "Blocking public access to your Amazon S3 storage".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::PublicAccessBlock;
use crate::bucket::{Bucket, BucketChange, BucketFact};

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-public-access-block",
        title: "A bucket blocks public access",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &[
            "Security Hub S3.8",
            "CIS AWS Foundations Benchmark v3.0.0 2.1.4",
            "Config s3-bucket-level-public-access-prohibited",
        ],
        calls: &[
            "CreateBucket",
            "PutBucketPublicAccessBlock",
            "DeleteBucketPublicAccessBlock",
            "PutBucketTagging",
            "DeleteBucketTagging",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[BucketFact::PublicAccessBlock, BucketFact::AccountBlock],
    changes: &[BucketFact::PublicAccessBlock],
    judge: &judge,
};

fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let block = bucket.public_access_block.get().copied().unwrap_or_default();
    if context.level.public || block == PublicAccessBlock::FULL {
        return Judgement::Compliant;
    }
    let summary = match bucket.public_access_block.get() {
        None => Clause::has("no public access block of its own"),
        Some(block) => Clause::has(format!(
            "a public access block with holes: {} off",
            block.off().join(", ")
        )),
    };
    let (severity, summary) = if bucket.effective_block() == PublicAccessBlock::FULL {
        (
            Severity::Low,
            summary.followed_by("; that of the account protects it for now"),
        )
    } else {
        (Severity::High, summary)
    };
    let remedy = BucketChange::PublicAccessBlock(Some(PublicAccessBlock::FULL));
    Finding::new(
        severity,
        summary,
        "turn on all four flags of its public access block",
        vec![remedy],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Observed;

    use super::*;
    use crate::bucket::tests::{finding, in_scope};

    fn bucket(own: Observed<PublicAccessBlock>, account: Observed<PublicAccessBlock>) -> Bucket {
        Bucket {
            public_access_block: own,
            account_block: account,
            ..Bucket::default()
        }
    }

    #[test]
    fn each_flag_counts() {
        for flag in 0..4 {
            let mut block = PublicAccessBlock::FULL;
            *[
                &mut block.block_public_acls,
                &mut block.ignore_public_acls,
                &mut block.block_public_policy,
                &mut block.restrict_public_buckets,
            ][flag] = false;
            let found = finding(judge, &bucket(Observed::Is(block), Observed::Absent)).unwrap();
            assert!(found.summary.is.contains(block.off()[0]));
            assert_eq!(
                found.remedies,
                [BucketChange::PublicAccessBlock(Some(PublicAccessBlock::FULL))]
            );
        }
        assert_eq!(
            finding(judge, &bucket(Observed::Is(PublicAccessBlock::FULL), Observed::Absent)),
            None
        );
    }

    #[test]
    fn the_accounts_block_lessens_it() {
        let found = finding(judge, &bucket(Observed::Absent, Observed::Is(PublicAccessBlock::FULL))).unwrap();
        assert_eq!(found.severity, Severity::Low);
        assert_eq!(
            finding(judge, &bucket(Observed::Absent, Observed::Absent))
                .unwrap()
                .severity,
            Severity::High
        );
    }

    #[test]
    fn public_data_needs_none() {
        in_scope("public", |context| {
            assert_eq!(
                judge(&bucket(Observed::Absent, Observed::Absent), context),
                Judgement::Compliant
            );
        });
    }
}
