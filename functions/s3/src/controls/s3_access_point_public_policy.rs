//! # What it requires
//! The access point's policy lets in nobody whom it does not name. One that is bound to a VPC never is public.
//!
//! # Why
//! An access point is a second door to a bucket, with a policy of its own.
//!
//! # What it changes
//! `PutAccessPointPolicy` with the same policy, less what is public; `DeleteAccessPointPolicy` where nothing is left.
//!
//! # What may break
//! Whoever came in by the public statement alone.
//!
//! # References
//! S3 User Guide, "Managing access to shared datasets with access points", "The meaning of public".

use portcullis_access::{Goal, Service, Verdict};
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, Judgement, Meta, Scope, Severity};

use crate::access_point::{AccessPoint, Fact, Remedy, State};
use crate::policies::{Analysis, severity, unreadable};

pub const CONTROL: Control<AccessPoint> = Control {
    meta: Meta {
        id: "s3-access-point-public-policy",
        title: "An access point's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub S3.19"],
        calls: &["CreateAccessPoint", "PutAccessPointPolicy"],
        writes: &["s3:PutAccessPointPolicy", "s3:DeleteAccessPointPolicy"],
    },
    facts: &[Fact::Settings, Fact::Policy, Fact::AccountBlock],
    judge,
};

fn judge(point: &State, scope: &Scope<'_>) -> Judgement<Remedy> {
    let Some(text) = point.policy.get() else {
        return Judgement::Compliant;
    };
    if point.settings.get().is_some_and(|settings| settings.vpc.is_some()) {
        return Judgement::Compliant;
    }
    let analysis = match Analysis::new(text, Service::S3AccessPoint, scope) {
        Ok(analysis) => analysis,
        Err(error) => return unreadable(&error).into(),
    };
    if analysis.verdict() < Verdict::Public {
        return Judgement::Compliant;
    }
    let restricted = point.effective_block().restrict_public_buckets;
    let reason = &analysis.judgement.reason;
    let summary = if restricted {
        format!("has a public policy, which its block restricts for now: {reason}")
    } else {
        format!("is public by its policy: {reason}")
    };
    let severity = severity(Verdict::Public, restricted);
    analysis
        .cure(Goal::NotPublic)
        .finding(severity, summary, Remedy::Policy)
        .into()
}
