//! # What it requires
//! The table's policy lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! A partner who was let in years ago, or an account id with a typing error, reads the table unnoticed.
//!
//! # What it changes
//! `PutResourcePolicy` with the same policy, less the foreign principals, or `DeleteResourcePolicy` where nothing else is left, if it is set to
//! enforce. Notify by default: who is a partner is not for a machine to say. Trust them under `trusted` in the settings.
//!
//! # What may break
//! The partner's access.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings"; DynamoDB Developer Guide, "Cross-account access with
//! resource-based policies in DynamoDB".

use portcullis_controls::prelude::*;

use crate::policies::cure;
use crate::table::{Table, TableChange, TableFact};

pub const CONTROL: Control<Table> = Control {
    meta: Meta {
        id: "dynamodb-table-external-access",
        title: "A table lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &["CreateTable", "PutResourcePolicy"],
    },
    reads: &[TableFact::Policy],
    changes: &[TableFact::Policy],
    judge: &|table, context| {
        let policy = ResourcePolicy::of_revised(Service::DynamoDb, &table.policy, context);
        external_access(policy, cure(&table.policy), TableChange::Policy)
    },
};
