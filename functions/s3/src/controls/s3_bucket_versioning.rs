//! # What it requires
//! Versioning is enabled.
//!
//! # Why
//! Without versions an overwrite or a deletion, by mistake or by ransomware, is final.
//!
//! # What it changes
//! `PutBucketVersioning` with `Enabled`.
//!
//! # What may break
//! Nothing, but every version is stored and paid for: pair it with a lifecycle rule for old ones. Once enabled it can only be
//! suspended, so a restore suspends it. Notify by default.
//!
//! # References
//! S3 User Guide, "Retaining multiple versions of objects with S3 Versioning".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::bucket::{Bucket, BucketChange, BucketFact, Versioning};

pub const CONTROL: Control<Bucket> = Control {
    meta: Meta {
        id: "s3-bucket-versioning",
        title: "A bucket keeps versions",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub S3.14", "Config s3-bucket-versioning-enabled"],
        calls: &["CreateBucket", "PutBucketVersioning"],
    },
    reads: &[BucketFact::Versioning],
    changes: &[BucketFact::Versioning],
    judge: &judge,
};

fn judge(bucket: &Bucket, _: &JudgeContext<'_>) -> Judgement<BucketChange> {
    let state = match bucket.versioning.get() {
        Some(Versioning::Enabled) => return Judgement::Compliant,
        Some(Versioning::Suspended) => "suspended",
        Some(Versioning::Off) | None => "not enabled",
    };
    let summary = Clause::new(
        "does not keep versions: versioning is",
        "did not keep versions: versioning was",
    )
    .followed_by(format!(" {state}"));
    Finding::new(
        Severity::Low,
        summary,
        "enable versioning",
        vec![BucketChange::Versioning(Versioning::Enabled)],
    )
    .into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::Observed;

    use super::*;
    use crate::bucket::tests::finding;

    #[test]
    fn suspended_is_not_enabled() {
        let with = |versioning| {
            finding(
                judge,
                &Bucket {
                    versioning: Observed::Is(versioning),
                    ..Bucket::default()
                },
            )
        };
        assert_eq!(with(Versioning::Enabled), None);
        assert!(with(Versioning::Suspended).unwrap().summary.is.contains("suspended"));
        assert!(with(Versioning::Off).is_some());
    }
}
