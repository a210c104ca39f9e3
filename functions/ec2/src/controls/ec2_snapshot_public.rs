//! # What it requires
//! A snapshot is not shared with everybody (the group `all`). While the region's block is `block-all-sharing`, AWS treats one that is as
//! private: it is told as LOW, and put right all the same.
//!
//! # Why
//! Everybody with an AWS account can make a volume of it, and read what was on the disk: files, keys, deleted data.
//!
//! # What it changes
//! `ModifySnapshotAttribute` takes the group `all` out. Accounts that it is shared with stay.
//!
//! # What may break
//! Whoever copied it meanwhile keeps the copy. A snapshot that is published on purpose has to be exempted.
//!
//! # References
//! EBS User Guide, "Share an Amazon EBS snapshot"; Security Hub EC2.1.

use portcullis_controls::sharing::not_public;
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::snapshot::{Snapshot, SnapshotChange, SnapshotFact};

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "ec2-snapshot-public",
        title: "No snapshot is public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub EC2.1", "Config ebs-snapshot-public-restorable-check"],
        calls: &[
            "CreateTags",
            "DeleteTags",
            "ModifySnapshotAttribute",
            "RestoreSnapshotFromRecycleBin",
        ],
    },
    reads: &[SnapshotFact::Sharing],
    changes: &[SnapshotFact::Sharing],
    judge: &judge,
};

fn judge(snapshot: &Snapshot, context: &JudgeContext<'_>) -> Judgement<SnapshotChange> {
    let to = || {
        let of = snapshot.volume.get();
        let of = of.map(|volume| format!(" of {volume}")).unwrap_or_default();
        format!(" make a volume of this copy{of}")
    };
    let block = snapshot.blocked.get().filter(|blocked| **blocked);
    let block = block.map(|_| "the region's block of public snapshots (block-all-sharing)");
    not_public(&snapshot.sharing, context, to, block, SnapshotChange)
}
