//! # What it requires
//! A DB instance that is not encrypted has a tag that says so, `portcullis:quarantine`, until it is replaced.
//!
//! # Why
//! It can't be encrypted in place. Whoever looks at it, makes a snapshot or a replica of it should know.
//!
//! # What it changes
//! `AddTagsToResource`: `portcullis:quarantine=unencrypted`. A restore takes the tag off.
//!
//! # What may break
//! Nothing. A tool that owns the instance's tags may show a difference.
//!
//! # References
//! RDS User Guide, "Tagging Amazon RDS resources"; Security Hub RDS.3.

use portcullis_controls::prelude::*;

use super::rds_instance_encrypted;
use crate::database::{Database, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-instance-marked",
        title: "Unencrypted DB instances are marked",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &["Security Hub RDS.3"],
        calls: rds_instance_encrypted::CONTROL.meta.calls,
    },
    reads: &[DatabaseFact::Description, DatabaseFact::Encryption],
    changes: &[DatabaseFact::Mark],
    judge: &|instance, context| judged::marked(instance, &rds_instance_encrypted::CONTROL.meta, context),
};
