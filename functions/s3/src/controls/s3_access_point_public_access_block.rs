//! # What it requires
//! All four flags of the access point's public access block are on, unless it is bound to a VPC.
//!
//! # Why
//! The block of an access point is fixed when it is created: one made without is open to the next mistake in its policy for
//! as long as it lives.
//!
//! # What it changes
//! Nothing: AWS offers no change. It is told, so that somebody makes a new one. A public policy is removed by
//! `s3-access-point-public-policy`.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! S3 User Guide, "Managing public access to access points for general purpose buckets".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::PublicAccessBlock;
use crate::access_point::{AccessPoint, AccessPointChange, AccessPointFact};

pub const CONTROL: Control<AccessPoint> = Control {
    meta: Meta {
        id: "s3-access-point-public-access-block",
        title: "An access point blocks public access",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub S3.19", "Config s3-access-point-public-access-blocks"],
        calls: &["CreateAccessPoint"],
    },
    reads: &[
        AccessPointFact::Settings,
        AccessPointFact::BucketBlock,
        AccessPointFact::AccountBlock,
    ],
    changes: &[],
    judge: &judge,
};

fn judge(point: &AccessPoint, _: &JudgeContext<'_>) -> Judgement<AccessPointChange> {
    let Some(settings) = point.settings.get() else {
        return Judgement::Compliant;
    };
    if settings.vpc.is_some() || settings.public_access_block == PublicAccessBlock::FULL {
        return Judgement::Compliant;
    }
    let off = settings.public_access_block.off().join(", ");
    let (severity, summary) = if point.effective_block() == PublicAccessBlock::FULL {
        (
            Severity::Low,
            Clause::has(format!(
                "a public access block with holes: {off} off; those of its bucket and account protect it for now"
            )),
        )
    } else {
        (
            Severity::High,
            Clause::has(format!("a public access block with holes: {off} off")),
        )
    };
    Finding::new(
        severity,
        summary,
        "make a new access point with a full block, and delete this one",
        Vec::new(),
    )
    .into()
}
