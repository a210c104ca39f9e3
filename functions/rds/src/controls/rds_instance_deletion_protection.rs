//! # What it requires
//! A DB instance can't be deleted before somebody has taken its deletion protection off. Of a cluster, the cluster has it.
//!
//! # Why
//! One call, by a stolen key or a mistaken script, deletes a database with its automated backups.
//!
//! # What it changes
//! By setting: `ModifyDBInstance` with `DeletionProtection=true`, and nothing else in the call. It is told by default.
//!
//! # What may break
//! `terraform destroy`, the deletion of a stack, and whatever makes databases for a test and deletes them.
//!
//! # References
//! RDS User Guide, "Deleting a DB instance"; Security Hub RDS.8.

use portcullis_controls::prelude::*;

use crate::database::{Database, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-instance-deletion-protection",
        title: "A DB instance is protected from being deleted",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub RDS.8", "Config rds-instance-deletion-protection-enabled"],
        calls: &[
            "CreateDBInstance",
            "CreateDBInstanceReadReplica",
            "ModifyDBInstance",
            "RestoreDBInstanceFromDBSnapshot",
            "RestoreDBInstanceFromS3",
            "RestoreDBInstanceToPointInTime",
        ],
    },
    reads: &[DatabaseFact::Description, DatabaseFact::DeletionProtection],
    changes: &[DatabaseFact::DeletionProtection],
    judge: &|instance, _| judged::protected(instance),
};
