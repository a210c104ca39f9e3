//! # What it requires
//! The access point's policy lets in nobody whom it does not name. One that is bound to a VPC never is public.
//!
//! # Why
//! An access point is a second door to a bucket, with a policy of its own. The public access blocks of the point, of its bucket
//! and of the account all stand in the way; a finding is rated lower while one of them restricts public policies.
//!
//! # What it changes
//! `PutAccessPointPolicy` with the same policy, less what is public; `DeleteAccessPointPolicy` where nothing is left.
//!
//! # What may break
//! Whoever came in by the public statement alone.
//!
//! # References
//! S3 User Guide, "Managing access to shared datasets with access points", "The meaning of public".

use portcullis_access::Service;
use portcullis_controls::{ResourcePolicy, public_policy_rated};
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::access_point::{AccessPoint, AccessPointChange, AccessPointFact};
use crate::policies::{cure, rated};

pub const CONTROL: Control<AccessPoint> = Control {
    meta: Meta {
        id: "s3-access-point-public-policy",
        title: "An access point's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub S3.19"],
        calls: &["CreateAccessPoint", "PutAccessPointPolicy"],
    },
    reads: &[
        AccessPointFact::Settings,
        AccessPointFact::Policy,
        AccessPointFact::BucketBlock,
        AccessPointFact::AccountBlock,
    ],
    changes: &[AccessPointFact::Policy],
    judge: &judge,
};

fn judge(point: &AccessPoint, context: &JudgeContext<'_>) -> Judgement<AccessPointChange> {
    if point.settings.get().is_some_and(|settings| settings.vpc.is_some()) {
        return Judgement::Compliant;
    }
    let policy = ResourcePolicy::of(Service::S3AccessPoint, &point.policy, context);
    public_policy_rated(
        policy,
        |analysis| Some(rated(analysis, point.restricted_by())),
        |analysis, goal| cure(analysis, goal, point.effective_block()),
        AccessPointChange::Policy,
    )
}
