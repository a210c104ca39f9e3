//! # What it requires
//! The policy of the table's stream lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! Whoever reads the stream has each change of the table, with the items before and after it, and none of that shows in the table's
//! own policy.
//!
//! # What it changes
//! As `dynamodb-table-external-access`, of the stream's own policy, where it is set to enforce. Notify by default.
//!
//! # What may break
//! The partner's access.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings"; DynamoDB Developer Guide, "Using resource-based policies for
//! DynamoDB".

use portcullis_controls::prelude::*;

use crate::policies::cure;
use crate::table::{Table, TableChange, TableFact};

pub const CONTROL: Control<Table> = Control {
    meta: Meta {
        id: "dynamodb-stream-external-access",
        title: "A table's stream lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &["PutResourcePolicy"],
    },
    reads: &[TableFact::StreamPolicy],
    changes: &[TableFact::StreamPolicy],
    judge: &|table, context| {
        let policy = ResourcePolicy::of_revised(Service::DynamoDb, &table.stream_policy, context);
        external_access(policy, cure(&table.stream_policy), TableChange::StreamPolicy)
    },
};
