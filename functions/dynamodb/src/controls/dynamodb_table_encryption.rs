//! # What it requires
//! The table is encrypted with a key of the kind that the classification of its data asks for: the AWS-managed key of DynamoDB, one
//! that the customer manages, or the very one that settings name. Where every key will do, those that DynamoDB owns will, too.
//!
//! # Why
//! Every table is encrypted. Who may read one under a key that DynamoDB owns is decided by the table's permissions alone; under a key of
//! KMS, by the key's policy as well, and each use of it is in the trail. A table that was restored or imported has a key that DynamoDB
//! owns, whatever its source had, and none of its source's tags.
//!
//! # What it changes
//! `UpdateTable` with `SSESpecification`: the AWS-managed key where that is enough, the key that the level names where it names one; which
//! other one, a person has to say. DynamoDB takes four such changes of a table in 24 hours, then one in six hours, and applies each in the
//! background: it is told as remediating until the table shows it. Backups that were made before keep their old key, which has to live
//! as long as they do.
//!
//! Each replica of a global table has a key of its own, which AWS sets only when the replica is made: it is told. So is the ledger of
//! Portcullis, whose key its stack sets.
//!
//! # What may break
//! With a key of the customer's: all who use the table need `kms:Decrypt` on the key, by way of DynamoDB; DynamoDB Accelerator (DAX) can't use it.
//! Back on keys that DynamoDB owns by a restore: nothing.
//!
//! # References
//! DynamoDB Developer Guide, "DynamoDB encryption at rest: usage notes", "Service, account, and table quotas"; DynamoDB API Reference,
//! `UpdateReplicationGroupMemberAction`; Config dynamodb-table-encrypted-kms.

use portcullis_controls::encryption::{Key, Manager, is_particular, need};
use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;
use portcullis_core::settings::Encryption;

use crate::table::{AWS_MANAGED, Table, TableChange, TableFact};

pub const CONTROL: Control<Table> = Control {
    meta: Meta {
        id: "dynamodb-table-encryption",
        title: "A table is encrypted with a key of the kind that its data need",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Config dynamodb-table-encrypted-kms"],
        calls: &[
            "CreateTable",
            "ImportTable",
            "RestoreTableFromBackup",
            "RestoreTableToPointInTime",
            "TagResource",
            "UntagResource",
            "UpdateTable",
        ],
    },
    reads: &[TableFact::Encryption],
    changes: &[TableFact::Encryption],
    judge: &judge,
};

fn judge(table: &Table, context: &JudgeContext<'_>) -> Judgement<TableChange> {
    let Judgement::Violated(mut finding) = by_level(table, context) else {
        return being_changed(table, context).map_or(Judgement::Compliant, Judgement::from);
    };
    let replicas: Vec<_> = table.replicas.get().into_iter().flatten().cloned().collect();
    if finding.remedies.is_empty() {
        return finding.into();
    }
    if !replicas.is_empty() {
        finding = finding.only_notify(format!(
            "it is a global table with replicas in {}: each has a key of its own, which AWS sets only when the replica is made anew",
            replicas.join(", ")
        ));
    } else if table.is_ledger.get() == Some(&true) {
        finding = finding.only_notify(
            "it is the ledger of Portcullis, which would lose it with a key that its roles may not use: the stack sets the key",
        );
    }
    table.unless_stuck(finding).into()
}

fn by_level(table: &Table, context: &JudgeContext<'_>) -> Judgement<TableChange> {
    let severity = if is_particular(context) {
        Severity::High
    } else {
        Severity::Medium
    };
    let level = context.level;
    match table.encryption.get() {
        None if level.key.is_none() && level.encryption == Encryption::AwsManagedKey => {
            let need = need(context).unwrap_or_default();
            let key = Key {
                arn: AWS_MANAGED.into(),
                manager: Manager::Aws,
            };
            Finding::new(
                severity,
                Clause::is(format!("encrypted with keys that its service owns, and {need}")),
                format!("encrypt it with the AWS-managed key of DynamoDB, {AWS_MANAGED}"),
                vec![TableChange::Encryption(Some(key))],
            )
            .into()
        }
        key => key_by_level(key.map_or(With::ServiceOwned, With::Key), context, severity, |key| {
            TableChange::Encryption(Some(key))
        }),
    }
}

/// What AWS shows while it changes the key is not the truth before it has done so.
fn being_changed(table: &Table, context: &JudgeContext<'_>) -> Option<Finding<TableChange>> {
    let (status, key) = (table.encrypting.get()?, table.encryption.get());
    need(context)?;
    Some(Finding::new(
        Severity::Medium,
        Clause::has(format!("an encryption that is being changed ({status})")),
        "wait until it is",
        vec![TableChange::Encryption(key.cloned())],
    ))
}

#[cfg(test)]
mod tests {
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Observed, Settings};

    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn judged(table: &Table, asked: Encryption, named: Option<&str>) -> Judgement<TableChange> {
        let mut settings = Settings::default();
        let level = settings.classification.levels.get_mut("internal").unwrap();
        level.encryption = asked;
        level.key = named.map(str::to_owned);
        let of = resource(
            "AWS::DynamoDB::Table",
            "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
        );
        judging(&of, &settings, |context| judge(table, context))
    }

    fn under(arn: &str, manager: Manager) -> Table {
        Table {
            encryption: Observed::Is(Key {
                arn: arn.into(),
                manager,
            }),
            ..Table::default()
        }
    }

    fn owned_by_dynamodb() -> Table {
        Table {
            encryption: Observed::Absent,
            ..Table::default()
        }
    }

    fn remedy(arn: &str, manager: Manager) -> Vec<TableChange> {
        let key = Key {
            arn: arn.into(),
            manager,
        };
        vec![TableChange::Encryption(Some(key))]
    }

    #[test]
    fn the_level_says_which_key_and_nothing_is_weakened() {
        let (owned, aws, own) = (
            owned_by_dynamodb(),
            under(AWS_MANAGED, Manager::Aws),
            under(KEY, Manager::Customer),
        );
        for table in [&owned, &aws, &own] {
            assert_eq!(judged(table, Encryption::Any, None), Judgement::Compliant);
        }
        let found = judged(&owned, Encryption::AwsManagedKey, None).finding().unwrap();
        assert_eq!(
            (found.severity, found.remedies),
            (Severity::Medium, remedy(AWS_MANAGED, Manager::Aws))
        );
        for table in [&aws, &own] {
            assert_eq!(judged(table, Encryption::AwsManagedKey, None), Judgement::Compliant);
        }
        for table in [&owned, &aws] {
            let found = judged(table, Encryption::CustomerManagedKey, Some(KEY))
                .finding()
                .unwrap();
            assert_eq!(
                (found.severity, found.remedies),
                (Severity::High, remedy(KEY, Manager::Customer))
            );
            let found = judged(table, Encryption::CustomerManagedKey, None).finding().unwrap();
            assert!(found.remedies.is_empty() && found.only_notify.is_some());
        }
        for (asked, named) in [
            (Encryption::CustomerManagedKey, None),
            (Encryption::DualLayer, Some(KEY)),
        ] {
            assert_eq!(judged(&own, asked, named), Judgement::Compliant);
        }
    }

    #[test]
    fn what_aws_would_refuse_and_what_would_lock_us_out_is_told() {
        let told = |table: &Table| {
            let found = judged(table, Encryption::CustomerManagedKey, Some(KEY))
                .finding()
                .unwrap();
            found.only_notify.unwrap_or_default()
        };
        let global = Table {
            replicas: Observed::Is(["eu-central-1".to_owned()].into()),
            ..owned_by_dynamodb()
        };
        assert!(told(&global).contains("eu-central-1"));
        let ledger = Table {
            is_ledger: Observed::Is(true),
            ..owned_by_dynamodb()
        };
        assert!(told(&ledger).contains("ledger"));
        for status in ["INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVED"] {
            let stuck = Table {
                status: Observed::Is(status.into()),
                ..owned_by_dynamodb()
            };
            assert!(told(&stuck).contains("its key"), "{status}");
        }
    }

    #[test]
    fn a_key_counts_once_its_table_is_encrypted_with_it() {
        let table = Table {
            encrypting: Observed::Is("UPDATING".into()),
            ..under(KEY, Manager::Customer)
        };
        let found = judged(&table, Encryption::CustomerManagedKey, Some(KEY))
            .finding()
            .unwrap();
        assert_eq!(found.remedies, remedy(KEY, Manager::Customer));
        assert_eq!(judged(&table, Encryption::Any, None), Judgement::Compliant);
    }
}
