//! # What it requires
//! An Amazon Machine Image is not shared with everybody (the group `all`).
//!
//! # Why
//! Everybody with an AWS account can launch it, and read what is on its disks: code, keys, deleted data.
//!
//! # What it changes
//! `ModifyImageAttribute` takes the group `all` out. Accounts and organisations that it is shared with stay.
//!
//! # What may break
//! Strangers who launch it by its id, as in an Auto Scaling group of theirs; instances that run go on. An image that is published
//! on purpose has to be exempted, or tagged as public data.
//!
//! # References
//! EC2 User Guide, "Make your AMI publicly available for use in Amazon EC2".

use portcullis_controls::sharing::not_public;
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::image::{Image, ImageChange, ImageFact};

pub const CONTROL: Control<Image> = Control {
    meta: Meta {
        id: "ec2-image-public",
        title: "No Amazon Machine Image is public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["EC2 User Guide: make your AMI publicly available"],
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
    let to = || {
        let name = image.name.get().map(|name| format!(" ({name})")).unwrap_or_default();
        format!(" launch it and read its disks{name}")
    };
    not_public(&image.sharing, context, to, None, ImageChange)
}
