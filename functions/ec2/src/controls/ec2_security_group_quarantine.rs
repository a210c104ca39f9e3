//! # What it requires
//! A security group named `portcullis-quarantine` has no rules, in or out.
//!
//! # Why
//! Instances that were cut off are in it. Whoever may authorise rules of a group, a usual right, must not be able to let himself in, or
//! the instance out, unseen.
//!
//! # What it changes
//! `RevokeSecurityGroupIngress` and `RevokeSecurityGroupEgress` of all its rules. A restore makes them again.
//!
//! # What may break
//! Whatever was let in or out on purpose: have the instance released by a restore instead.
//!
//! # References
//! AWS Security Incident Response Guide, "Containment".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::instance::QUARANTINE;
use crate::security_group::{Part, Rules, SecurityGroup, SecurityGroupChange, SecurityGroupFact};

pub const CONTROL: Control<SecurityGroup> = Control {
    meta: Meta {
        id: "ec2-security-group-quarantine",
        title: "A quarantine group lets nothing in or out",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["AWS Security Incident Response Guide: containment"],
        calls: &[
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "ModifySecurityGroupRules",
        ],
    },
    reads: &[SecurityGroupFact::Description, SecurityGroupFact::Rules],
    changes: &[SecurityGroupFact::Rules, SecurityGroupFact::AllRules],
    judge: &judge,
};

fn judge(group: &SecurityGroup, _: &JudgeContext<'_>) -> Judgement<SecurityGroupChange> {
    if group.name.get().is_none_or(|name| name != QUARANTINE) {
        return Judgement::NotApplicable("it is no quarantine group".into());
    }
    let none = Rules::default();
    let Rules(rules) = group.rules.get().unwrap_or(&none);
    if rules.is_empty() {
        return Judgement::Compliant;
    }
    let list = rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let remedy = SecurityGroupChange {
        part: Part::Quarantine,
        revoke: rules.clone(),
        authorize: Vec::new(),
    };
    let summary = Clause::new("is a quarantine group and has", "is a quarantine group and had");
    Finding::new(
        Severity::Critical,
        summary.followed_by(format!(" rules: {list}")),
        "revoke all its rules",
        vec![remedy],
    )
    .into()
}
