//! # What it requires
//! The storage of a DB cluster is encrypted, and with a key of the kind that the classification of its data asks for. Where every key
//! will do, one that RDS owns (`sse-rds`, which Aurora uses by itself since February 2026, and of which `StorageEncrypted` says false)
//! will, too.
//!
//! # Why
//! Storage, backups and snapshots of an unencrypted cluster are all unencrypted, and only an unencrypted snapshot can be made public.
//!
//! # What it changes
//! Nothing: RDS encrypts a cluster when it makes it, or never. A person restores a snapshot of it with a key, which makes no instances:
//!
//! ```text
//! aws rds create-db-cluster-snapshot --db-cluster-identifier NAME --db-cluster-snapshot-identifier NAME-plain
//! aws rds restore-db-cluster-from-snapshot --db-cluster-identifier NEW --snapshot-identifier NAME-plain --engine ENGINE \
//!     --kms-key-id alias/aws/rds --db-subnet-group-name … --vpc-security-group-ids … --db-cluster-parameter-group-name …
//! aws rds create-db-instance --db-cluster-identifier NEW --db-instance-identifier NEW-1 --db-instance-class … --engine ENGINE
//! ```
//!
//! Rename the old cluster and its members, then the new ones. Custom endpoints, roles (`add-role-to-db-cluster`), scaling, backtracking and
//! autoscaling are to be set again. Set the encryption in the cluster's template before: one that says false replaces the cluster at
//! its next run. What happens to it until then is `rds-cluster-marked`'s and `rds-cluster-quarantine`'s.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! Aurora User Guide, "Encrypting Amazon Aurora resources"; RDS API Reference, `RestoreDBClusterFromSnapshot`, `KmsKeyId`; Security Hub
//! RDS.27, DocumentDB.1, Neptune.1.

use portcullis_controls::prelude::*;

use crate::database::{Database, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-cluster-encrypted",
        title: "A DB cluster is encrypted with a key of the right kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &[
            "Security Hub RDS.27",
            "Security Hub DocumentDB.1",
            "Security Hub Neptune.1",
            "Config rds-cluster-encrypted-at-rest",
        ],
        calls: &[
            "AddTagsToResource",
            "CreateDBCluster",
            "RemoveTagsFromResource",
            "RestoreDBClusterFromS3",
            "RestoreDBClusterFromSnapshot",
            "RestoreDBClusterToPointInTime",
        ],
    },
    reads: &[DatabaseFact::Description, DatabaseFact::Encryption],
    changes: &[],
    judge: &|cluster, context| {
        judged::encrypted(cluster, context, |key| {
            let engine = cluster.engine.get().map_or("ENGINE", String::as_str);
            let name = &context.resource.id;
            format!(
                "restore a snapshot of it with a key: aws rds create-db-cluster-snapshot --db-cluster-identifier {name}, aws rds \
                 restore-db-cluster-from-snapshot --engine {engine} --kms-key-id {key}, aws rds create-db-instance for each member"
            )
        })
    },
};
