//! # What it requires
//! Neither the default version of a launch template nor its latest lets IMDSv1 be used (`HttpTokens: optional`). One that says
//! nothing leaves it to the image and to the region's default, which `ec2-instance-metadata-defaults` looks at.
//!
//! # Why
//! Every instance that is launched from it hands out the credentials of its role without a token.
//!
//! # What it changes
//! Nothing: a new version is a decision about a product. The instances themselves are put right by `ec2-instance-imdsv2`.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EC2 User Guide, "Configure instance metadata options for new instances"; Security Hub EC2.170.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::instance::Tokens;
use crate::launch_template::{LaunchTemplate, LaunchTemplateChange, LaunchTemplateFact};

pub const CONTROL: Control<LaunchTemplate> = Control {
    meta: Meta {
        id: "ec2-launch-template-imdsv2",
        title: "No launch template allows IMDSv1",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EC2.170"],
        calls: &[
            "CreateLaunchTemplate",
            "CreateLaunchTemplateVersion",
            "CreateTags",
            "DeleteTags",
            "ModifyLaunchTemplate",
        ],
    },
    reads: &[LaunchTemplateFact::Versions],
    changes: &[],
    judge: &judge,
};

fn judge(template: &LaunchTemplate, _: &JudgeContext<'_>) -> Judgement<LaunchTemplateChange> {
    let Some(which) = template.versions_that(|version| version.tokens == Some(Tokens::Optional)) else {
        return Judgement::Compliant;
    };
    Finding::new(
        Severity::Medium,
        Clause::new("allows", "allowed").followed_by(format!(" IMDSv1 in {which}")),
        "make a version with HttpTokens: required, and set it as the default",
        Vec::new(),
    )
    .only_notify("a new version is a decision about a product")
    .into()
}
