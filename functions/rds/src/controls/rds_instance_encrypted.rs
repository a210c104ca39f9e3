//! # What it requires
//! The storage of a DB instance is encrypted, and with a key of the kind that the classification of its data asks for. A member of a
//! cluster is judged with its cluster, whose storage it uses.
//!
//! # Why
//! Storage, automated backups, replicas and snapshots of an unencrypted instance are all unencrypted, and only an unencrypted snapshot can
//! be made public.
//!
//! # What it changes
//! Nothing: RDS encrypts an instance when it makes it, or never. A person makes another one of an encrypted copy of a snapshot, while
//! nobody writes, and gives it the old name:
//!
//! ```text
//! aws rds create-db-snapshot --db-instance-identifier NAME --db-snapshot-identifier NAME-plain
//! aws rds copy-db-snapshot --source-db-snapshot-identifier NAME-plain --target-db-snapshot-identifier NAME-encrypted \
//!     --kms-key-id alias/aws/rds --copy-tags
//! aws rds modify-db-instance --db-instance-identifier NAME --new-db-instance-identifier NAME-replaced --apply-immediately
//! aws rds restore-db-instance-from-db-snapshot --db-instance-identifier NAME --db-snapshot-identifier NAME-encrypted \
//!     --no-publicly-accessible --db-subnet-group-name … --vpc-security-group-ids … --db-parameter-group-name … …
//! ```
//!
//! A restore takes over no security groups, parameter group, option group or public access: name them all. Enhanced monitoring,
//! Performance Insights, the maintenance window and storage autoscaling are set by a later `modify-db-instance`; roles by
//! `add-role-to-db-instance`. What the new one can't have: the resource id (IAM policies for `rds-db:connect` name it), point-in-time
//! history, replicas, a managed password's secret. A replica, and one that has replicas, can't be made anew by itself: the source comes
//! first. Set `StorageEncrypted` in CloudFormation, `storage_encrypted` in Terraform, before: a template that says false replaces the
//! database at its next run. What happens to the instance until then is `rds-instance-marked`'s and `rds-instance-quarantine`'s.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! RDS User Guide, "Encrypting Amazon RDS resources", "Restoring to a DB instance"; Security Hub RDS.3.

use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;

use crate::database::{Database, DatabaseChange, DatabaseFact};
use crate::judged;

pub const CONTROL: Control<Database> = Control {
    meta: Meta {
        id: "rds-instance-encrypted",
        title: "A DB instance is encrypted with a key of the right kind",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub RDS.3", "Config rds-storage-encrypted"],
        calls: &[
            "AddTagsToResource",
            "CreateDBInstance",
            "CreateDBInstanceReadReplica",
            "RemoveTagsFromResource",
            "RestoreDBInstanceFromDBSnapshot",
            "RestoreDBInstanceFromS3",
            "RestoreDBInstanceToPointInTime",
        ],
    },
    reads: &[DatabaseFact::Description, DatabaseFact::Encryption],
    changes: &[],
    judge: &judge,
};

fn judge(instance: &Database, context: &JudgeContext<'_>) -> Judgement<DatabaseChange> {
    judged::encrypted(instance, context, |key| {
        let name = &context.resource.id;
        let others = instance.replication.get().filter(|others| !others.is_empty());
        if let Some(others) = others {
            let others = others.iter().cloned().collect::<Vec<_>>().join(", ");
            return format!(
                "make the source of the replication anew, and of that its replicas ({name} is joined with {others}): aws rds copy-db-snapshot \
                 --kms-key-id {key}, aws rds restore-db-instance-from-db-snapshot"
            );
        }
        format!(
            "make another one of an encrypted copy of its snapshot: aws rds create-db-snapshot --db-instance-identifier {name}, aws rds \
             copy-db-snapshot --kms-key-id {key}, aws rds restore-db-instance-from-db-snapshot"
        )
    })
}
