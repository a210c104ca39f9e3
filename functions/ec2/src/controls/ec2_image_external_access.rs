//! # What it requires
//! An Amazon Machine Image is shared only with accounts, organisations and organisational units that settings trust.
//!
//! # Why
//! Whom it is shared with can launch it, and copy what is on its disks.
//!
//! # What it changes
//! By setting: `ModifyImageAttribute` takes those that are not trusted out. It is told by default.
//!
//! # What may break
//! What they do with it: launches by its id fail, instances that run go on.
//!
//! # References
//! EC2 User Guide, "Share an AMI with specific AWS accounts", "Share an AMI with specific AWS organizations and organizational
//! units".

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::image::{Image, ImageChange, ImageFact};
use crate::sharing::SharingChange;

pub const CONTROL: Control<Image> = Control {
    meta: Meta {
        id: "ec2-image-external-access",
        title: "Amazon Machine Images are shared only with whom settings trust",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["EC2 User Guide: share an AMI with specific AWS accounts"],
        calls: &["CreateTags", "DeleteTags", "ModifyImageAttribute"],
    },
    reads: &[ImageFact::Sharing],
    changes: &[ImageFact::Sharing],
    judge: &judge,
};

fn judge(image: &Image, context: &JudgeContext<'_>) -> Judgement<ImageChange> {
    let strangers = image
        .sharing
        .get()
        .map(|sharing| sharing.strangers(context))
        .unwrap_or_default();
    if strangers.is_empty() {
        return Judgement::Compliant;
    }
    let names = strangers.iter().cloned().collect::<Vec<_>>().join(", ");
    Finding::new(
        Severity::High,
        Clause::is(format!("shared with those that are not trusted: {names}")),
        format!("stop sharing it with {names}"),
        vec![ImageChange(SharingChange::Unshare(strangers))],
    )
    .into()
}
