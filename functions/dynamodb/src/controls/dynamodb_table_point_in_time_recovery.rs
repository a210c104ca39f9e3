//! # What it requires
//! The table can be restored to any second of the last weeks: point-in-time recovery is on.
//!
//! # Why
//! What somebody deletes or overwrites, by mistake or not, is lost otherwise. A table that was restored or imported does not have it,
//! whatever its source had.
//!
//! # What it changes
//! `UpdateContinuousBackups`, for data of a level that asks for more than any encryption; of other data it is told, since it costs by the
//! size of the table. How many days it keeps is left as it is, 35 by default. Undoing this with a restore turns it off again, and AWS
//! deletes the history that it kept until then.
//!
//! # What may break
//! Nothing; it costs by the size of the table.
//!
//! # References
//! DynamoDB Developer Guide, "Point-in-time backups for DynamoDB"; Security Hub DynamoDB.2; Config dynamodb-pitr-enabled.

use portcullis_controls::prelude::*;
use portcullis_core::JudgeContext;
use portcullis_core::settings::Encryption;

use crate::table::{Table, TableChange, TableFact};

pub const CONTROL: Control<Table> = Control {
    meta: Meta {
        id: "dynamodb-table-point-in-time-recovery",
        title: "A table can be restored to any second of the last weeks",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &["Security Hub DynamoDB.2", "Config dynamodb-pitr-enabled"],
        calls: &[
            "CreateTable",
            "ImportTable",
            "RestoreTableFromBackup",
            "RestoreTableToPointInTime",
            "TagResource",
            "UntagResource",
            "UpdateContinuousBackups",
        ],
    },
    reads: &[TableFact::PointInTimeRecovery],
    changes: &[TableFact::PointInTimeRecovery],
    judge: &judge,
};

fn judge(table: &Table, context: &JudgeContext<'_>) -> Judgement<TableChange> {
    if table.point_in_time_recovery.get() != Some(&false) {
        return Judgement::Compliant;
    }
    let finding = Finding::new(
        Severity::Medium,
        Clause::new(
            "can't be restored to a moment before a mistake: its point-in-time recovery is off",
            "could not be restored to a moment before a mistake: its point-in-time recovery was off",
        ),
        "turn on point-in-time recovery (undoing that later deletes the history that it keeps)",
        vec![TableChange::PointInTimeRecovery(true)],
    );
    let finding = table.unless_stuck(finding);
    if context.level.encryption > Encryption::Any {
        return finding.into();
    }
    let why = format!(
        "it costs by the size of the table, and data of the level {} do not ask for it",
        context.level_name
    );
    finding.only_notify(why).into()
}

#[cfg(test)]
mod tests {
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Observed, Settings};

    use super::*;

    #[test]
    fn sensitive_data_get_it_and_of_others_it_is_told() {
        let judged = |is_on: bool, asked: Encryption| {
            let mut settings = Settings::default();
            settings.classification.levels.get_mut("internal").unwrap().encryption = asked;
            let table = Table {
                point_in_time_recovery: Observed::Is(is_on),
                ..Table::default()
            };
            let of = resource(
                "AWS::DynamoDB::Table",
                "arn:aws:dynamodb:eu-west-1:111122223333:table/orders",
            );
            judging(&of, &settings, |context| judge(&table, context)).finding()
        };
        assert_eq!(judged(true, Encryption::AwsManagedKey), None);
        let found = judged(false, Encryption::AwsManagedKey).unwrap();
        assert_eq!(
            (found.remedies, found.only_notify),
            (vec![TableChange::PointInTimeRecovery(true)], None)
        );
        assert!(judged(false, Encryption::Any).unwrap().only_notify.is_some());
    }
}
