//! # What it requires
//! The policy of the table's stream lets in nobody whom it does not name.
//!
//! # Why
//! The stream shows each change of the table for 24 hours, with the items before and after it.
//!
//! # What it changes
//! As `dynamodb-table-public-policy`, of the stream's own policy.
//!
//! # What may break
//! Those who came in by the public statement alone.
//!
//! # References
//! DynamoDB Developer Guide, "Using resource-based policies for DynamoDB", "Change data capture for DynamoDB Streams".

use portcullis_controls::prelude::*;

use crate::policies::cure;
use crate::table::{Table, TableChange, TableFact};

pub const CONTROL: Control<Table> = Control {
    meta: Meta {
        id: "dynamodb-stream-public-policy",
        title: "The policy of a table's stream is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["IAM Access Analyzer external access"],
        calls: &["PutResourcePolicy"],
    },
    reads: &[TableFact::StreamPolicy],
    changes: &[TableFact::StreamPolicy],
    judge: &|table, context| {
        let policy = ResourcePolicy::of_revised(Service::DynamoDb, &table.stream_policy, context);
        public_policy(policy, cure(&table.stream_policy), TableChange::StreamPolicy)
    },
};
