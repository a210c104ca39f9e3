//! # What it requires
//! A snapshot of a DB instance is encrypted, and with a key of the kind that the classification of its data asks for.
//!
//! # Why
//! Only an unencrypted snapshot can be made public, and what is restored of it is unencrypted as well. Whoever may use the AWS-managed
//! key may restore it, whatever a key's policy says.
//!
//! # What it changes
//! Nothing: RDS can't encrypt a snapshot, or give it another key, in place. A person makes an encrypted copy and deletes the original
//! when nobody needs it:
//!
//! ```text
//! aws rds copy-db-snapshot --source-db-snapshot-identifier NAME --target-db-snapshot-identifier NAME-encrypted \
//!     --kms-key-id alias/aws/rds --copy-tags
//! ```
//!
//! # What may break
//! Nothing.
//!
//! # References
//! RDS User Guide, "Encrypting Amazon RDS resources", "Copying a DB snapshot"; Security Hub RDS.4.

use portcullis_controls::prelude::*;

use crate::snapshot::{Snapshot, SnapshotFact};
use crate::storage;

pub const CONTROL: Control<Snapshot> = Control {
    meta: Meta {
        id: "rds-snapshot-encrypted",
        title: "DB snapshots are encrypted with a key of the right kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub RDS.4", "Config rds-snapshot-encrypted"],
        calls: &[
            "AddTagsToResource",
            "CopyDBSnapshot",
            "CreateDBSnapshot",
            "RemoveTagsFromResource",
        ],
    },
    reads: &[SnapshotFact::Encryption],
    changes: &[],
    judge: &|snapshot, context| {
        storage::judged(&snapshot.encryption, context, |key| {
            let name = &context.resource.id;
            format!(
                "make an encrypted copy: aws rds copy-db-snapshot --source-db-snapshot-identifier {name} --copy-tags --kms-key-id {key}"
            )
        })
    },
};
