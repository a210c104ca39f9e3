//! # What it requires
//! A snapshot of a DB cluster, of Aurora, DocumentDB or Neptune as well, is not shared with everybody (`all`).
//!
//! # Why
//! Everybody with an AWS account can restore it, and read the database.
//!
//! # What it changes
//! `ModifyDBClusterSnapshotAttribute` takes `all` out of `restore`. Accounts that it is shared with by their ids keep it.
//!
//! # What may break
//! Whoever copied it meanwhile keeps the copy. A snapshot that is published on purpose has to be exempted, or tagged as public data.
//!
//! # References
//! Aurora User Guide, "Sharing a DB cluster snapshot"; Security Hub RDS.1, DocumentDB.3, Neptune.3.

use portcullis_controls::prelude::*;
use portcullis_controls::sharing::not_public;

use crate::snapshot::{Snapshot, SnapshotChange, SnapshotFact};

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "rds-cluster-snapshot-public",
        title: "No DB cluster snapshot is public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &[
            "Security Hub RDS.1",
            "Security Hub DocumentDB.3",
            "Security Hub Neptune.3",
            "Config rds-snapshots-public-prohibited",
        ],
        calls: &[
            "AddTagsToResource",
            "ModifyDBClusterSnapshotAttribute",
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
