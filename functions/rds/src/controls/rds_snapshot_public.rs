//! # What it requires
//! A snapshot of a DB instance is not shared with everybody (`all`).
//!
//! # Why
//! Everybody with an AWS account can restore it, and read the database: customers, passwords, deleted rows that a page still has. Only
//! a manual, unencrypted one can be public.
//!
//! # What it changes
//! `ModifyDBSnapshotAttribute` takes `all` out of `restore`. Accounts that it is shared with by their ids keep it.
//!
//! # What may break
//! Whoever copied it meanwhile keeps the copy. A snapshot that is published on purpose has to be exempted, or tagged as public data.
//!
//! # References
//! RDS User Guide, "Sharing a DB snapshot"; RDS API Reference, `ModifyDBSnapshotAttribute`; Security Hub RDS.1.

use portcullis_controls::prelude::*;
use portcullis_controls::sharing::not_public;

use crate::snapshot::{Snapshot, SnapshotChange, SnapshotFact};

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "rds-snapshot-public",
        title: "No DB snapshot is public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub RDS.1", "Config rds-snapshots-public-prohibited"],
        calls: &[
            "AddTagsToResource",
            "ModifyDBSnapshotAttribute",
            "RemoveTagsFromResource",
        ],
    },
    reads: &[SnapshotFact::Sharing],
    changes: &[SnapshotFact::Sharing],
    judge: &|snapshot, context| {
        let to = || snapshot.restorable();
        not_public(&snapshot.sharing, context, to, None, SnapshotChange)
    },
};
