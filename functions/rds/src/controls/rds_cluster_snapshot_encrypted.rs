//! # What it requires
//! A snapshot of a DB cluster is encrypted, and with a key of the kind that the classification of its data asks for. Where every key
//! will do, one that RDS owns (`sse-rds`, which Aurora uses by itself since February 2026) will, too.
//!
//! # Why
//! Only an unencrypted snapshot can be made public, and what is restored of it without a key is unencrypted as well.
//!
//! # What it changes
//! Nothing. Other than that of an instance, an unencrypted snapshot of a cluster can't be encrypted by copying it: a person restores it to
//! a cluster with a key, makes a snapshot of that, and deletes both originals when nobody needs them:
//!
//! ```text
//! aws rds restore-db-cluster-from-snapshot --snapshot-identifier NAME --db-cluster-identifier NEW --engine ENGINE \
//!     --kms-key-id alias/aws/rds
//! aws rds create-db-cluster-snapshot --db-cluster-identifier NEW --db-cluster-snapshot-identifier NAME-encrypted
//! ```
//!
//! # What may break
//! Nothing.
//!
//! # References
//! RDS API Reference, `CopyDBClusterSnapshot`, `KmsKeyId`; Aurora User Guide, "Encrypting Amazon Aurora resources"; Security Hub RDS.4,
//! Neptune.6.

use portcullis_controls::prelude::*;

use crate::snapshot::{Snapshot, SnapshotFact};
use crate::storage;

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "rds-cluster-snapshot-encrypted",
        title: "DB cluster snapshots are encrypted with a key of the right kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &[
            "Security Hub RDS.4",
            "Security Hub Neptune.6",
            "Config rds-snapshot-encrypted",
        ],
        calls: &[
            "AddTagsToResource",
            "CopyDBClusterSnapshot",
            "CreateDBClusterSnapshot",
            "RemoveTagsFromResource",
        ],
    },
    reads: &[SnapshotFact::Description, SnapshotFact::Encryption],
    changes: &[],
    judge: &|snapshot, context| {
        storage::judged(&snapshot.encryption, context, |key| {
            let engine = snapshot.engine.get().map_or("ENGINE", String::as_str);
            format!(
                "restore it with a key, and make a snapshot of that: aws rds restore-db-cluster-from-snapshot --snapshot-identifier {} \
                 --engine {engine} --kms-key-id {key}",
                context.resource.id
            )
        })
    },
};
