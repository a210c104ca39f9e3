//! # What it requires
//! The table can't be deleted by one call: its deletion protection is on.
//!
//! # Why
//! `DeleteTable` asks no questions, and what is not in a backup is gone.
//!
//! # What it changes
//! `UpdateTable` with `DeletionProtectionEnabled`, where it is set to enforce. It is told by default.
//!
//! # What may break
//! Whatever makes tables and deletes them again, such as a test's stack, fails to delete them.
//!
//! # References
//! DynamoDB Developer Guide, "Using deletion protection"; Security Hub DynamoDB.6; Config
//! dynamodb-table-deletion-protection-enabled.

use portcullis_controls::prelude::*;

use crate::table::{Table, TableChange, TableFact};

pub const CONTROL: Control<Table> = Control {
    meta: Meta {
        id: "dynamodb-table-deletion-protection",
        title: "A table is protected from deletion",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &[
            "Security Hub DynamoDB.6",
            "Config dynamodb-table-deletion-protection-enabled",
        ],
        calls: &[
            "CreateTable",
            "ImportTable",
            "RestoreTableFromBackup",
            "RestoreTableToPointInTime",
            "UpdateTable",
        ],
    },
    reads: &[TableFact::DeletionProtection],
    changes: &[TableFact::DeletionProtection],
    judge: &|table, _| {
        if table.deletion_protection.get() != Some(&false) {
            return Judgement::Compliant;
        }
        let finding = Finding::new(
            Severity::Medium,
            Clause::new(
                "can be deleted by one call: its deletion protection is off",
                "could be deleted by one call: its deletion protection was off",
            ),
            "turn on its deletion protection",
            vec![TableChange::DeletionProtection(true)],
        );
        table.unless_stuck(finding).into()
    },
};
