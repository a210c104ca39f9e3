//! # What it requires
//! The default security group of a VPC has no rules.
//!
//! # Why
//! An instance whose creator names no group gets it: by default its members reach each other, and everything outside.
//!
//! # What it changes
//! By setting: all its rules are revoked, those for traffic that leaves as well. It is told by default.
//!
//! # What may break
//! Whatever uses the default group. Move it to a group of its own first.
//!
//! # References
//! VPC User Guide, "Default security groups for your VPCs"; Security Hub EC2.2; CIS AWS Foundations Benchmark v3.0.0 5.4.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::security_group::{Part, Rules, SecurityGroup, SecurityGroupChange, SecurityGroupFact};

pub const CONTROL: Control<SecurityGroup> = Control {
    meta: Meta {
        id: "ec2-security-group-default",
        title: "Default security groups have no rules",
        severity: Severity::High,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &[
            "Security Hub EC2.2",
            "CIS AWS Foundations Benchmark v3.0.0 5.4",
            "Config vpc-default-security-group-closed",
        ],
        calls: &[
            "AuthorizeSecurityGroupEgress",
            "AuthorizeSecurityGroupIngress",
            "CreateDefaultVpc",
            "CreateTags",
            "CreateVpc",
            "DeleteTags",
            "ModifySecurityGroupRules",
        ],
        // Those of a restore among them.
    },
    reads: &[SecurityGroupFact::Description, SecurityGroupFact::Rules],
    changes: &[SecurityGroupFact::Rules, SecurityGroupFact::AllRules],
    judge: &judge,
};

fn judge(group: &SecurityGroup, _: &JudgeContext<'_>) -> Judgement<SecurityGroupChange> {
    if group.name.get().is_none_or(|name| name != "default") {
        return Judgement::NotApplicable("it is not the default group of its VPC".into());
    }
    let none = Rules::default();
    let Rules(rules) = group.rules.get().unwrap_or(&none);
    if rules.is_empty() {
        return Judgement::Compliant;
    }
    let list = rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let remedy = SecurityGroupChange {
        part: Part::Default,
        revoke: rules.clone(),
        authorize: Vec::new(),
    };
    Finding::new(
        Severity::High,
        // It is the default group whatever becomes of its rules.
        Clause::new(
            "is its VPC's default group and has",
            "is its VPC's default group and had",
        )
        .followed_by(format!(" rules: {list}")),
        "revoke all its rules",
        vec![remedy],
    )
    .into()
}
