//! # What it requires
//! A snapshot is shared only with accounts that settings trust.
//!
//! # Why
//! An account that it is shared with can copy the disk, and keep the copy for ever.
//!
//! # What it changes
//! By setting: `ModifySnapshotAttribute` takes the accounts that are not trusted out. It is told by default.
//!
//! # What may break
//! What the other account does with it: backups, migrations.
//!
//! # References
//! EBS User Guide, "Share an Amazon EBS snapshot".

use portcullis_controls::sharing::only_trusted;
use portcullis_core::settings::Switch;
use portcullis_core::{Control, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::snapshot::{Snapshot, SnapshotChange, SnapshotFact};

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "ec2-snapshot-external-access",
        title: "Snapshots are shared with trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["EBS User Guide: share an Amazon EBS snapshot"],
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
    only_trusted(&snapshot.sharing, context, SnapshotChange)
}
