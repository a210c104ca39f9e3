//! # What it requires
//! A DB cluster that is not encrypted has a tag that says so, `portcullis:quarantine`, until it is replaced.
//!
//! # Why
//! It can't be encrypted in place. Whoever looks at it, or makes a snapshot or a clone of it, should know.
//!
//! # What it changes
//! `AddTagsToResource`: `portcullis:quarantine=unencrypted`. A restore takes the tag off.
//!
//! # What may break
//! Nothing. A tool that owns the cluster's tags may show a difference.
//!
//! # References
//! Aurora User Guide, "Tagging Amazon Aurora and Amazon RDS resources"; Security Hub RDS.27.

use portcullis_controls::prelude::*;

use super::rds_cluster_encrypted;
use crate::database::{Database, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-cluster-marked",
        title: "Unencrypted DB clusters are marked",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &["Security Hub RDS.27"],
        calls: rds_cluster_encrypted::CONTROL.meta.calls,
    },
    reads: &[DatabaseFact::Description, DatabaseFact::Encryption],
    changes: &[DatabaseFact::Mark],
    judge: &|cluster, context| judged::marked(cluster, &rds_cluster_encrypted::CONTROL.meta, context),
};
