//! # What it requires
//! A DB cluster can't be deleted before somebody has taken its deletion protection off.
//!
//! # Why
//! One call, by a stolen key or a mistaken script, deletes a database with its automated backups.
//!
//! # What it changes
//! By setting: `ModifyDBCluster` with `DeletionProtection=true`, and nothing else in the call. It is told by default.
//!
//! # What may break
//! `terraform destroy`, the deletion of a stack, and whatever makes databases for a test and deletes them.
//!
//! # References
//! Aurora User Guide, "Deleting Aurora DB clusters and DB instances"; Security Hub RDS.7, DocumentDB.5, Neptune.4.

use portcullis_controls::prelude::*;

use crate::database::{Database, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-cluster-deletion-protection",
        title: "A DB cluster is protected from being deleted",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &[
            "Security Hub RDS.7",
            "Security Hub DocumentDB.5",
            "Security Hub Neptune.4",
            "Config rds-cluster-deletion-protection-enabled",
        ],
        calls: &[
            "CreateDBCluster",
            "ModifyDBCluster",
            "RestoreDBClusterFromS3",
            "RestoreDBClusterFromSnapshot",
            "RestoreDBClusterToPointInTime",
        ],
    },
    reads: &[DatabaseFact::Description, DatabaseFact::DeletionProtection],
    changes: &[DatabaseFact::DeletionProtection],
    judge: &|cluster, _| judged::protected(cluster),
};
