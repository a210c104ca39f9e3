//! # What it requires
//! A DB cluster that is not encrypted is cut off, where its data's level says `quarantine: true`, or `rds-cluster-encrypted` does.
//!
//! # Why
//! It can't be encrypted in place, and data of such a level must not be in use unencrypted.
//!
//! # What it changes
//! `ModifyDBCluster` with other security groups, which its members follow, and nothing else in the call: with one that lets nothing in or
//! out, `portcullis-quarantine`, which is made in its VPC if it isn't there. The ledger keeps the groups that it had, and so does the tag
//! `portcullis:groups`. The cluster runs on, so that a snapshot can be made. RDS takes minutes over it: it is told as *remediating* until
//! RDS shows it. A restore swaps the groups back. One that is stopped is reached by nobody, and is judged when it starts (AWS starts it by
//! itself after seven days). One with an internet access gateway is in no VPC of this account: that is told. The Data API
//! goes on to work for whoever IAM lets.
//!
//! # What may break
//! All that uses the database, until a restore. Connections that are open may go on; only a reboot ends them.
//!
//! # References
//! AWS Security Incident Response Guide, "Containment"; Aurora User Guide, "Controlling access with security groups"; EC2 User Guide,
//! "Security group connection tracking".

use portcullis_controls::prelude::*;

use super::{rds_cluster_encrypted, rds_cluster_public};
use crate::database::{Database, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-cluster-quarantine",
        title: "Unencrypted DB clusters of the most sensitive data are cut off",
        severity: Severity::High,
        impact: Impact::Availability,
        default: Switch::Enforce,
        standards: &[
            "Security Hub RDS.27",
            "AWS Security Incident Response Guide: containment",
        ],
        calls: rds_cluster_public::CONTROL.meta.calls,
    },
    reads: &[
        DatabaseFact::Description,
        DatabaseFact::Encryption,
        DatabaseFact::Groups,
    ],
    changes: &[DatabaseFact::Groups],
    judge: &|cluster, context| judged::quarantined(cluster, &rds_cluster_encrypted::CONTROL.meta, context),
};
