//! Tables: what is read and changed of them, and which events name them.

use std::collections::BTreeSet;

use portcullis_controls::RevisedPolicy;
use portcullis_controls::encryption::Key;
use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Arn, Finding, Location, Observed, Resource, ResourceType, Settings, Tags};
use portcullis_derive::Facts;
use serde_json::Value;

/// The event source of DynamoDB's calls.
pub const SOURCE: &str = "dynamodb.amazonaws.com";

/// What the key is called that AWS manages for the tables of a region. Source: DynamoDB Developer Guide, "Managing encrypted tables".
pub const AWS_MANAGED: &str = "alias/aws/dynamodb";

/// A table as read. A replica of a global table is a table of its region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct Table {
    /// Its tags; none reads as an empty map.
    #[fact(tags, read("dynamodb:ListTagsOfResource"))]
    pub tags: Observed<Tags>,
    /// Its status, as in `ACTIVE`.
    #[fact(name = Description, read("dynamodb:DescribeTable"))]
    pub status: Observed<String>,
    /// Whether its encryption is being changed now, as in `UPDATING`; absent where it is not.
    #[fact(name = Description, read("dynamodb:DescribeTable"))]
    pub encrypting: Observed<String>,
    /// The regions of its replicas, if it is a global table.
    #[fact(name = Description, read("dynamodb:DescribeTable"))]
    pub replicas: Observed<BTreeSet<String>>,
    /// Whether it is the ledger of Portcullis.
    #[fact(name = Description, read("dynamodb:DescribeTable"))]
    pub is_ledger: Observed<bool>,
    /// The key of KMS that it is encrypted with; absent where it is one that DynamoDB owns.
    #[fact(
        read("dynamodb:DescribeTable", "kms:DescribeKey"),
        write(
            "dynamodb:UpdateTable",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:Encrypt",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*"
        ),
        apply_order = 1,
        settles_minutes = 1440
    )]
    pub encryption: Observed<Key>,
    /// Whether it can't be deleted.
    #[fact(read("dynamodb:DescribeTable"), write("dynamodb:UpdateTable"), required)]
    pub deletion_protection: Observed<bool>,
    /// Whether it can be restored to any moment of the last weeks.
    #[fact(
        read("dynamodb:DescribeContinuousBackups"),
        write("dynamodb:UpdateContinuousBackups"),
        required
    )]
    pub point_in_time_recovery: Observed<bool>,
    /// Its policy, byte for byte.
    #[fact(
        read("dynamodb:GetResourcePolicy"),
        write("dynamodb:DeleteResourcePolicy", "dynamodb:PutResourcePolicy"),
        required,
        policy,
        undo = RevisedPolicy::of_any_revision
    )]
    pub policy: Observed<RevisedPolicy>,
    /// The policy of its stream, byte for byte; absent where it has no stream.
    #[fact(
        read("dynamodb:DescribeTable", "dynamodb:GetResourcePolicy"),
        write("dynamodb:DeleteResourcePolicy", "dynamodb:PutResourcePolicy"),
        required,
        policy,
        undo = RevisedPolicy::of_any_revision
    )]
    pub stream_policy: Observed<RevisedPolicy>,
}

impl Table {
    /// A finding as it is told where AWS takes no change of the table, whatever it waits for.
    pub fn unless_stuck(&self, finding: Finding<TableChange>) -> Finding<TableChange> {
        match self.status.get().map(String::as_str) {
            Some("INACCESSIBLE_ENCRYPTION_CREDENTIALS") => finding
                .only_notify("DynamoDB can't use its key, and takes no change before somebody has given that back"),
            Some("ARCHIVING" | "ARCHIVED") => finding.only_notify(
                "it is archived, for DynamoDB could not use its key for a week, and takes no change any more",
            ),
            _ => finding,
        }
    }
}

/// Tables. The classification of the data is in their tags.
pub const TYPE: ResourceType<Table> = ResourceType {
    name: "AWS::DynamoDB::Table",
    arn_form: "dynamodb:{r}:{a}:table/{n}",
    source: SOURCE,
    always: &[TableFact::Tags, TableFact::Description],
    list_actions: &["dynamodb:ListTables"],
    creates: &[
        "CreateTable",
        "ImportTable",
        "RestoreTableFromBackup",
        "RestoreTableToPointInTime",
    ],
    deletes: &["DeleteTable"],
    named,
    identified: |id, location| parsed(id, location).filter(|table| table.place() == *location),
    matters,
    restore_plan: |state, changes| Ok(changes.into_iter().map(|change| expecting(state, change)).collect()),
    busy,
    comparable,
    ..ResourceType::REGIONAL
};

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    // UpdateTable may name its table in the answer alone. Source: DynamoDB Developer Guide, "Logging DynamoDB operations by using AWS
    // CloudTrail", the example of `UpdateTable`.
    let answered = || field(field(&call.response, "tableDescription")?, "tableName").and_then(string);
    let (parameter, table) = match call.name.as_str() {
        "PutResourcePolicy" | "TagResource" | "UntagResource" => ("resourceArn", call.parameter("resourceArn")?),
        "RestoreTableFromBackup" | "RestoreTableToPointInTime" => {
            ("targetTableName", call.parameter("targetTableName")?)
        }
        "ImportTable" => {
            let creation = field(&call.parameters, "tableCreationParameters");
            let name = creation
                .and_then(|creation| field(creation, "tableName"))
                .and_then(string);
            ("tableCreationParameters.tableName", name)
        }
        _ => ("tableName", call.parameter("tableName")?),
    };
    let table = table.or_else(answered).or_else(|| call.resources.first().cloned());
    let table = table.ok_or_else(|| EventError::Missing(format!("requestParameters.{parameter}")))?;
    let found = parsed(&table, &call.place());
    let found = found.ok_or_else(|| EventError::parameter(parameter, "a table's name or ARN", &table.into()))?;
    Ok([found]
        .into_iter()
        .filter(|table| table.place() == call.place())
        .collect())
}

/// The table that a name stands for, an ARN, or the ARN of its stream or index. Source: DynamoDB Developer Guide, "Supported data types
/// and naming rules"; a parameter may have up to 1,024 characters, for an ARN.
fn parsed(text: &str, location: &Location) -> Option<Resource> {
    let whole = Resource::named(TYPE.name, "dynamodb", "table/", text, location)?;
    let name = if text.parse::<Arn>().is_ok() {
        whole.id.split('/').next()?
    } else {
        &whole.id
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let is_name = (3..=255).contains(&name.len()) && name.bytes().all(allowed);
    is_name.then(|| Resource::regional(TYPE.name, "dynamodb", "table/", name, &whole.place()))
}

/// Auto scaling changes the throughput of tables all day, which is not judged; nor are most tags.
fn matters(call: &Call, settings: &Settings) -> bool {
    const JUDGED: [&str; 4] = [
        "sSESpecification",
        "deletionProtectionEnabled",
        "streamSpecification",
        "replicaUpdates",
    ];
    let tags = |name: &str, key: &dyn Fn(&Value) -> Option<String>| {
        let tags = field(&call.parameters, name).and_then(Value::as_array);
        tags.is_none_or(|tags| {
            tags.iter()
                .any(|tag| key(tag).is_none_or(|key| settings.knows_tag(&key)))
        })
    };
    match call.name.as_str() {
        "UpdateTable" => call.parameters.is_null() || JUDGED.iter().any(|name| field(&call.parameters, name).is_some()),
        "TagResource" => tags("tags", &|tag| field(tag, "key").and_then(string)),
        "UntagResource" => tags("tagKeys", &string),
        _ => true,
    }
}

/// A restore's change of a policy, which expects the revision that was read for the restore.
fn expecting(state: &Table, change: TableChange) -> TableChange {
    let expecting = |read: &Observed<RevisedPolicy>, policy: RevisedPolicy| {
        read.get().cloned().unwrap_or_default().with_text(policy.text)
    };
    match change {
        TableChange::Policy(policy) => TableChange::Policy(expecting(&state.policy, policy)),
        TableChange::StreamPolicy(policy) => TableChange::StreamPolicy(expecting(&state.stream_policy, policy)),
        other => other,
    }
}

/// Source: DynamoDB API Reference, `TableDescription`, `TableStatus`.
fn busy(table: &Table) -> Option<String> {
    let doing = match table.status.get()?.as_str() {
        "CREATING" => "created",
        "UPDATING" => "updated",
        "DELETING" => "deleted",
        _ => return None,
    };
    Some(format!("it is being {doing}"))
}

/// Each put of a policy makes another revision of it; statuses come and go.
fn comparable(table: &Table) -> Table {
    let any = |policy: &Observed<RevisedPolicy>| match policy {
        Observed::Is(policy) => Observed::Is(policy.clone().of_any_revision()),
        other => other.clone(),
    };
    Table {
        status: Observed::Unread,
        encrypting: Observed::Unread,
        policy: any(&table.policy),
        stream_policy: any(&table.stream_policy),
        ..table.clone()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::Change as _;
    use portcullis_core::testing::{ACCOUNT, REGION};
    use serde_json::json;

    use super::*;

    fn place() -> Location {
        Location {
            account: ACCOUNT.into(),
            region: REGION.into(),
        }
    }

    fn call(name: &str, parameters: &Value, response: &Value) -> Call {
        let record = json!({"eventSource": SOURCE, "eventName": name, "recipientAccountId": ACCOUNT, "awsRegion": REGION,
            "requestParameters": parameters, "responseElements": response});
        match portcullis_core::Event::from_slice(record.to_string().as_bytes(), &[]) {
            Ok(portcullis_core::Event::Call(call)) => *call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_table_is_named_by_name_by_arn_and_by_what_belongs_to_it() {
        let arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/orders.v-2";
        for text in [
            "orders.v-2",
            arn,
            &format!("{arn}/stream/2026-11-23T09:00:00.000"),
            &format!("{arn}/index/by-day"),
        ] {
            assert_eq!(
                parsed(text, &place()).map(|table| table.arn).as_deref(),
                Some(arn),
                "{text}"
            );
        }
        let long = "x".repeat(256);
        for text in [
            "",
            "ab",
            "a/b",
            "orders/stream",
            &long,
            "arn:aws:dynamodb:eu-west-1:111122223333:backup/orders",
        ] {
            assert_eq!(parsed(text, &place()), None, "{text}");
        }
    }

    #[test]
    fn each_call_names_its_table_wherever_cloudtrail_says_it() {
        for (name, parameters, response) in [
            ("CreateTable", json!({"tableName": "orders"}), Value::Null),
            (
                "UpdateTable",
                json!({"provisionedThroughput": {}}),
                json!({"tableDescription": {"tableName": "orders"}}),
            ),
            (
                "UpdateContinuousBackups",
                json!({"tableName": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders"}),
                Value::Null,
            ),
            (
                "PutResourcePolicy",
                json!({"resourceArn": "arn:aws:dynamodb:eu-west-1:111122223333:table/orders/stream/2026-11-23T09:00:00.000"}),
                Value::Null,
            ),
            (
                "RestoreTableToPointInTime",
                json!({"sourceTableName": "old", "targetTableName": "orders"}),
                Value::Null,
            ),
            (
                "ImportTable",
                json!({"tableCreationParameters": {"tableName": "orders"}}),
                Value::Null,
            ),
        ] {
            let found = named(&call(name, &parameters, &response)).unwrap();
            assert_eq!(
                found.iter().map(|table| table.id.as_str()).collect::<Vec<_>>(),
                ["orders"],
                "{name}"
            );
        }
        let others = json!({"tableName": "arn:aws:dynamodb:eu-west-1:444455556666:table/orders"});
        assert_eq!(named(&call("UpdateTable", &others, &Value::Null)).unwrap(), []);
        for bad in [
            json!({}),
            json!({"tableName": ["a", "b"]}),
            json!({"tableName": "no/table"}),
        ] {
            named(&call("DeleteTable", &bad, &Value::Null)).unwrap_err();
        }
    }

    #[test]
    fn what_scaling_and_billing_do_to_a_table_is_not_looked_at() {
        let looked_at =
            |name: &str, parameters: Value| matters(&call(name, &parameters, &Value::Null), &Settings::default());
        assert!(!looked_at(
            "UpdateTable",
            json!({"tableName": "orders", "provisionedThroughput": {}})
        ));
        assert!(looked_at(
            "UpdateTable",
            json!({"tableName": "orders", "sSESpecification": {"sSEEnabled": false}})
        ));
        assert!(looked_at("UpdateTable", Value::Null));
        assert!(!looked_at(
            "TagResource",
            json!({"tags": [{"key": "team", "value": "a"}]})
        ));
        assert!(looked_at(
            "TagResource",
            json!({"tags": [{"key": "DataClassification", "value": "a"}]})
        ));
        assert!(looked_at(
            "UntagResource",
            json!({"tagKeys": ["team", "DataClassification"]})
        ));
        assert!(!looked_at("UntagResource", json!({"tagKeys": ["team"]})));
    }

    #[test]
    fn a_change_expects_the_revision_that_was_read_and_a_restore_that_of_its_own_read() {
        let read = |text: &str, revision: &str| {
            Observed::Is(RevisedPolicy {
                text: Some(text.into()),
                revision: Some(revision.into()),
            })
        };
        let before = Table {
            policy: read("{}", "1"),
            ..Table::default()
        };
        let change = TableChange::Policy(before.policy.get().unwrap().with_text(None));
        let after = Table {
            policy: Observed::Is(RevisedPolicy {
                text: None,
                revision: Some("NO_POLICY".into()),
            }),
            ..Table::default()
        };
        assert_eq!(comparable(&change.after(&before)), comparable(&after));
        let back = expecting(&after, change.inverse(&before).unwrap());
        let expected = RevisedPolicy {
            text: Some("{}".into()),
            revision: Some("NO_POLICY".into()),
        };
        assert_eq!(back, TableChange::Policy(expected));
    }

    #[test]
    fn only_what_passes_is_busy() {
        let busy_in = |status: &str| {
            let table = Table {
                status: Observed::Is(status.into()),
                ..Table::default()
            };
            busy(&table).is_some()
        };
        for status in ["CREATING", "UPDATING", "DELETING"] {
            assert!(busy_in(status), "{status}");
        }
        for status in ["ACTIVE", "ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"] {
            assert!(!busy_in(status), "{status}");
        }
    }
}
