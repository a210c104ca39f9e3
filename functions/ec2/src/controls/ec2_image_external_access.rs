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

use portcullis_controls::sharing::only_trusted;
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::image::{Image, ImageChange, ImageFact};

pub const CONTROL: Control<Image> = Control {
    meta: Meta {
        id: "ec2-image-external-access",
        title: "Amazon Machine Images are shared only with whom settings trust",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["EC2 User Guide: share an AMI with specific AWS accounts"],
        calls: &[
            "CreateTags",
            "DeleteTags",
            "ModifyImageAttribute",
            "RestoreImageFromRecycleBin",
        ],
    },
    reads: &[ImageFact::Sharing],
    changes: &[ImageFact::Sharing],
    judge: &judge,
};

fn judge(image: &Image, context: &JudgeContext<'_>) -> Judgement<ImageChange> {
    only_trusted(&image.sharing, context, ImageChange)
}
