//! # What it requires
//! Neither the default version of a launch template nor its latest asks for unencrypted volumes (`Encrypted: false`). One that says
//! nothing leaves it to the image and to the region's default.
//!
//! # Why
//! Every instance that is launched from it gets a disk that can't be encrypted in place.
//!
//! # What it changes
//! Nothing: a new version is a decision about a product. A person makes one and has it used.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EC2 Auto Scaling User Guide, "Launch templates"; Security Hub EC2.181.

use portcullis_core::settings::Switch;
use portcullis_core::{Control, Finding, Impact, Judgement, Meta, Scope, Severity};

use crate::launch_template::{Fact, LaunchTemplate, Remedy, State};

pub const CONTROL: Control<LaunchTemplate> = Control {
    meta: Meta {
        id: "ec2-launch-template-encrypted",
        title: "No launch template asks for unencrypted volumes",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EC2.181"],
        calls: &[
            "CreateLaunchTemplate",
            "CreateLaunchTemplateVersion",
            "ModifyLaunchTemplate",
        ],
        writes: &[],
    },
    facts: &[Fact::Versions],
    judge,
};

fn judge(template: &State, _: &Scope<'_>) -> Judgement<Remedy> {
    let Some(which) = template.versions_that(|version| !version.plain.is_empty()) else {
        return Judgement::Compliant;
    };
    let versions = template
        .versions
        .get()
        .into_iter()
        .flat_map(|versions| versions.values());
    let mut devices: Vec<_> = versions.flat_map(|version| &version.plain).cloned().collect();
    devices.sort();
    devices.dedup();
    Finding::new(
        Severity::Medium,
        format!("asks for unencrypted volumes in {which}: {}", devices.join(", ")),
        "make a version with Encrypted: true, and set it as the default",
        Vec::new(),
    )
    .only_notify("a new version is a decision about a product")
    .into()
}
