//! # What it requires
//! Static website hosting is off, unless the bucket's data is classified as public.
//!
//! # Why
//! A website endpoint is plain HTTP and there to be read by everybody. Internal data has no use for it.
//!
//! # What it changes
//! `DeleteBucketWebsite`. The ledger keeps the configuration.
//!
//! # What may break
//! The website, if there is one. Notify by default.
//!
//! # References
//! S3 User Guide, "Hosting a static website using Amazon S3".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::bucket::{Bucket, BucketChange, BucketFact};

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-website",
        title: "Only public data is served as a website",
        severity: Severity::Medium,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &["S3 User Guide: security best practices"],
        calls: &[
            "PutBucketWebsite",
            "PutBucketTagging",
            "DeleteBucketTagging",
            "TagResource",
            "UntagResource",
        ],
    },
    reads: &[BucketFact::Website],
    changes: &[BucketFact::Website],
    judge: &judge,
};

fn judge(bucket: &Bucket, context: &JudgeContext<'_>) -> Judgement<BucketChange> {
    if context.level.public || bucket.website.get().is_none() {
        return Judgement::Compliant;
    }
    let summary = Clause::is(format!(
        "served as a website: its data is classified {}",
        context.level_name
    ));
    Finding::new(
        Severity::Medium,
        summary,
        "delete its website configuration",
        vec![BucketChange::Website(None)],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Observed;

    use super::*;
    use crate::bucket::Website;
    use crate::bucket::tests::{finding, in_scope};

    #[test]
    fn public_data_may_have_a_website() {
        let bucket = Bucket {
            website: Observed::Is(Website::default()),
            ..Bucket::default()
        };
        assert_eq!(finding(judge, &bucket).unwrap().remedies, [BucketChange::Website(None)]);
        in_scope("public", |context| {
            assert_eq!(judge(&bucket, context), Judgement::Compliant);
        });
    }
}
