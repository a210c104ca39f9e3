//! # What it requires
//! A snapshot of a DB instance is shared only with accounts that settings trust.
//!
//! # Why
//! An account that it is shared with can restore the database, and keep a copy for ever.
//!
//! # What it changes
//! By setting: `ModifyDBSnapshotAttribute` takes the accounts that are not trusted out of `restore`. It is told by default.
//!
//! # What may break
//! What the other account does with it: backups, migrations, tests.
//!
//! # References
//! RDS User Guide, "Sharing a DB snapshot"; IAM User Guide, "IAM Access Analyzer: external access findings".

use portcullis_controls::prelude::*;
use portcullis_controls::sharing::only_trusted;

use crate::snapshot::{Snapshot, SnapshotChange, SnapshotFact};

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "rds-snapshot-external-access",
        title: "DB snapshots are shared with trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &[
            "AddTagsToResource",
            "ModifyDBSnapshotAttribute",
            "RemoveTagsFromResource",
        ],
    },
    reads: &[SnapshotFact::Sharing],
    changes: &[SnapshotFact::Sharing],
    judge: &|snapshot, context| only_trusted(&snapshot.sharing, context, SnapshotChange),
};
