//! # What it requires
//! The bucket refuses uploads encrypted with keys that the client provides (SSE-C).
//!
//! # Why
//! Whoever holds stolen credentials can rewrite every object under a key that only they know, and ask for ransom. AWS blocks
//! SSE-C for new buckets since April 2026; older buckets, and those whose configuration was overwritten, are open to it.
//!
//! # What it changes
//! `PutBucketEncryption` with `BlockedEncryptionTypes` set to `SSE-C`; algorithm, key and bucket key stay.
//!
//! # What may break
//! Clients that encrypt with keys of their own. Objects written so before stay readable to them.
//!
//! # References
//! S3 User Guide, "Blocking or unblocking SSE-C for a general purpose bucket".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::bucket::{Bucket, BucketChange, BucketFact, Encryption};

const SSE_C: &str = "SSE-C";

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-sse-c-blocked",
        title: "A bucket refuses uploads with client-provided keys",
        severity: Severity::Medium,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["S3 User Guide: SSE-C blocked by default since April 2026"],
        calls: &["CreateBucket", "PutBucketEncryption", "DeleteBucketEncryption"],
    },
    reads: &[BucketFact::Encryption],
    changes: &[BucketFact::Encryption],
    judge: &judge,
};

fn judge(bucket: &Bucket, _: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let now = bucket.effective_encryption();
    let mut blocked = now.blocked.clone().unwrap_or_default();
    if blocked.iter().any(|kind| kind == SSE_C) {
        return Judgement::Compliant;
    }
    // NONE stands for "nothing is blocked", and can't stand beside a type.
    blocked.retain(|kind| kind != "NONE");
    blocked.push(SSE_C.into());
    let remedy = BucketChange::Encryption(Some(Encryption {
        blocked: Some(blocked),
        ..now
    }));
    let summary = Clause::new(
        "accepts uploads with client-provided keys: SSE-C is not blocked",
        "accepted uploads with client-provided keys: SSE-C was not blocked",
    );
    Finding::new(
        Severity::Medium,
        summary,
        "block SSE-C, the rest of its encryption as it is",
        vec![remedy],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Observed;

    use super::*;
    use crate::bucket::tests::finding;

    #[test]
    fn the_rest_of_the_encryption_stays() {
        let now = Encryption {
            stands_for: None,
            algorithm: "aws:kms".into(),
            key: Some("k".into()),
            bucket_key: true,
            blocked: Some(vec!["NONE".into()]),
        };
        let bucket = Bucket {
            encryption: Observed::Is(now.clone()),
            ..Bucket::default()
        };
        let then = Encryption {
            blocked: Some(vec![SSE_C.into()]),
            ..now
        };
        assert_eq!(
            finding(judge, &bucket).unwrap().remedies,
            [BucketChange::Encryption(Some(then.clone()))]
        );
        assert_eq!(
            finding(
                judge,
                &Bucket {
                    encryption: Observed::Is(then),
                    ..Bucket::default()
                }
            ),
            None
        );
    }
}
