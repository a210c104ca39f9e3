//! # What it requires
//! A DB instance that is not encrypted is cut off, where its data's level says `quarantine: true`, or `rds-instance-encrypted` does.
//!
//! # Why
//! It can't be encrypted in place, and data of such a level must not be in use unencrypted.
//!
//! # What it changes
//! `ModifyDBInstance` with other security groups, and nothing else in the call: with one that lets nothing in or out,
//! `portcullis-quarantine`, which is made in its VPC if it isn't there. The ledger keeps the groups that it had, and so does the tag
//! `portcullis:groups`. The instance runs on, so that a snapshot can be made. RDS takes minutes over it: it is told as *remediating*
//! until RDS shows it. A restore swaps the groups back. One that is stopped is reached by nobody, and is judged when it starts (AWS starts
//! it by itself after seven days). RDS Custom takes no other groups: that is told. A member of a cluster is judged with its cluster.
//!
//! # What may break
//! All that uses the database, until a restore. Connections that are open may go on; only a reboot ends them.
//!
//! # References
//! AWS Security Incident Response Guide, "Containment"; RDS User Guide, "Controlling access with security groups"; EC2 User Guide,
//! "Security group connection tracking".

use portcullis_controls::prelude::*;

use super::rds_instance_encrypted;
use crate::database::{Database, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-instance-quarantine",
        title: "Unencrypted DB instances of the most sensitive data are cut off",
        severity: Severity::High,
        impact: Impact::Availability,
        default: Switch::Enforce,
        standards: &[
            "Security Hub RDS.3",
            "AWS Security Incident Response Guide: containment",
        ],
        calls: &[
            "AddTagsToResource",
            "CreateDBInstance",
            "CreateDBInstanceReadReplica",
            "ModifyDBInstance",
            "RemoveTagsFromResource",
            "RestoreDBInstanceFromDBSnapshot",
            "RestoreDBInstanceFromS3",
            "RestoreDBInstanceToPointInTime",
            "StartDBInstance",
        ],
    },
    reads: &[
        DatabaseFact::Description,
        DatabaseFact::Encryption,
        DatabaseFact::Groups,
    ],
    changes: &[DatabaseFact::Groups],
    judge: &|instance, context| judged::quarantined(instance, &rds_instance_encrypted::CONTROL.meta, context),
};
