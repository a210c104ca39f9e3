//! A violation of each control of DynamoDB, and what DynamoDB's sample events come to.
//!
//! What is right afterwards is what AWS documents: DynamoDB Developer Guide, "DynamoDB encryption at rest", "Using resource-based
//! policies for DynamoDB", "Point-in-time backups for DynamoDB", "Using deletion protection".
#![allow(clippy::unwrap_used, reason = "this is test support: a panic is how a test fails")]

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification, ScalarAttributeType,
    StreamSpecification, StreamViewType, Tag,
};
use portcullis_testkit::{CloudTrail, Sample, ServiceUnderTest, Snapshot, Subject, World, levels, policy, violation};
use serde_json::{Value, json};

/// DynamoDB as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: &[
        violation!("dynamodb-table-public-policy", |world: World| {
            let table = Table::new(world, "orders").await;
            let (own, all) = (table.lets_in(table.world.aws.account()), table.lets_in("*"));
            table.put_policy(&table.arn(), &[own.clone(), all]).await;
            table
                .remediated("PutResourcePolicy", "CRITICAL", &["PutResourcePolicy"])
                .right("policy", policy(&[own]))
        }),
        violation!("dynamodb-table-external-access", |world: World| {
            let table = Table::new(world, "orders").await;
            table.put_policy(&table.arn(), &[table.lets_in("777788889999")]).await;
            let arranged = table.broken_by("PutResourcePolicy").told("HIGH", "remediated");
            let arranged = arranged.fixed_by(&["DeleteResourcePolicy"]).right("policy", "none");
            arranged.undone_by(&["PutResourcePolicy"])
        }),
        violation!("dynamodb-stream-public-policy", |world: World| {
            let table = Table::new(world, "orders").await;
            let (own, all) = (table.reads_stream(table.world.aws.account()), table.reads_stream("*"));
            table.put_policy(&table.stream, &[own.clone(), all]).await;
            table
                .remediated("PutResourcePolicy", "CRITICAL", &["PutResourcePolicy"])
                .right("stream policy", policy(&[own]))
        }),
        violation!("dynamodb-stream-external-access", |world: World| {
            let table = Table::new(world, "orders").await;
            let (own, partner) = (
                table.reads_stream(table.world.aws.account()),
                table.reads_stream("777788889999"),
            );
            table.put_policy(&table.stream, &[own.clone(), partner]).await;
            table
                .remediated("PutResourcePolicy", "HIGH", &["PutResourcePolicy"])
                .right("stream policy", policy(&[own]))
        }),
        violation!("dynamodb-table-encryption", |world: World| {
            let key = Table::key(&world).await;
            let table = Table::new(world, "payroll").await;
            table.tag("restricted").await;
            let needs =
                format!("restricted: {{values: [restricted], encryption: customer-managed-key, key: \"{key}\"}}");
            table
                .remediated("TagResource", "HIGH", &["UpdateTable"])
                .settings(levels(&needs))
                .own(&key, "KEY")
                .right("encryption", format!("KMS {key}"))
        }),
        violation!("dynamodb-table-point-in-time-recovery", |world: World| {
            let table = Table::new(world, "payroll").await;
            table.tag("confidential").await;
            table.recover(false).await;
            table
                .remediated("UpdateContinuousBackups", "MEDIUM", &["UpdateContinuousBackups"])
                .right("point-in-time recovery", "on")
        }),
        violation!("dynamodb-table-deletion-protection", |world: World| {
            let table = Table::new(world, "orders").await;
            let update = table.client.update_table().table_name(table.name);
            update.deletion_protection_enabled(false).send().await.unwrap();
            table
                .remediated("UpdateTable", "MEDIUM", &["UpdateTable"])
                .right("deletion protection", "on")
        }),
    ],
    samples: &[
        Sample::of("CreateTable", "dynamodb-table-deletion-protection").told("table-deletion-protection"),
        Sample::of("DeleteTable", "dynamodb-table-deletion-protection"),
        Sample::of("ImportTable", "dynamodb-table-deletion-protection").told("table-deletion-protection"),
        Sample::of("PutResourcePolicy", "dynamodb-table-external-access").told("table-external-access"),
        Sample::of("RestoreTableFromBackup", "dynamodb-table-deletion-protection").told("table-deletion-protection"),
        Sample::of("RestoreTableToPointInTime", "dynamodb-table-point-in-time-recovery")
            .right("table-point-in-time-recovery table-encryption"),
        Sample::of("TagResource", "dynamodb-table-encryption").left("table-encryption"),
        Sample::of("UntagResource", "dynamodb-table-deletion-protection"),
        Sample::of("UpdateContinuousBackups", "dynamodb-table-point-in-time-recovery")
            .right("table-point-in-time-recovery"),
        Sample::of("UpdateTable", "dynamodb-table-deletion-protection").told("table-deletion-protection"),
    ],
    ways: &[],
};

/// A table of the test's, with a stream.
#[derive(Clone)]
struct Table {
    world: World,
    client: Client,
    name: &'static str,
    stream: String,
}

impl Table {
    /// One that can't be deleted and can be restored, under a key that DynamoDB owns.
    async fn new(world: World, name: &'static str) -> Self {
        let client = Client::new(&world.sdk_config());
        let id = AttributeDefinition::builder().attribute_name("id");
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
        let stream = StreamSpecification::builder().stream_enabled(true);
        let stream = stream.stream_view_type(StreamViewType::NewAndOldImages);
        let create = client
            .create_table()
            .table_name(name)
            .billing_mode(BillingMode::PayPerRequest);
        let create = create.attribute_definitions(id.attribute_type(ScalarAttributeType::S).build().unwrap());
        let create = create
            .key_schema(key.build().unwrap())
            .deletion_protection_enabled(true);
        let made = create
            .stream_specification(stream.build().unwrap())
            .send()
            .await
            .unwrap();
        let stream = made.table_description.unwrap().latest_stream_arn.unwrap();
        let table = Self {
            world,
            client,
            name,
            stream,
        };
        table.recover(true).await;
        table
    }

    /// A key of the account's.
    async fn key(world: &World) -> String {
        let create = aws_sdk_kms::Client::new(&world.sdk_config()).create_key();
        create.send().await.unwrap().key_metadata.unwrap().arn.unwrap()
    }

    fn arn(&self) -> String {
        self.world.arn("dynamodb", &format!("table/{}", self.name))
    }

    fn lets_in(&self, account: &str) -> Value {
        json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "dynamodb:Query", "Resource": self.arn()})
    }

    fn reads_stream(&self, account: &str) -> Value {
        json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "dynamodb:GetRecords", "Resource": self.stream})
    }

    async fn put_policy(&self, arn: &str, statements: &[Value]) {
        let put = self.client.put_resource_policy().resource_arn(arn);
        put.policy(policy(statements)).send().await.unwrap();
    }

    async fn tag(&self, level: &str) {
        let tag = Tag::builder().key("DataClassification").value(level).build().unwrap();
        let call = self.client.tag_resource().resource_arn(self.arn());
        call.tags(tag).send().await.unwrap();
    }

    async fn recover(&self, on: bool) {
        let recovery = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(on);
        let update = self.client.update_continuous_backups().table_name(self.name);
        let update = update.point_in_time_recovery_specification(recovery.build().unwrap());
        update.send().await.unwrap();
    }

    async fn policy_of(&self, arn: &str) -> String {
        let get = self.client.get_resource_policy().resource_arn(arn).send().await;
        get.ok()
            .and_then(|answer| answer.policy)
            .unwrap_or_else(|| "none".into())
    }
}

impl Subject for Table {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("table {}", self.name)
    }

    fn call(&self, name: &str) -> CloudTrail {
        let named = if name.ends_with("Resource") || name == "PutResourcePolicy" {
            json!({"resourceArn": self.arn()})
        } else if name == "UpdateTable" {
            json!({"tableName": self.name, "deletionProtectionEnabled": false})
        } else {
            json!({"tableName": self.name})
        };
        self.world.call(crate::table::SOURCE, name, named)
    }

    async fn snapshot(&self) -> Snapshot {
        let answer = self.client.describe_table().table_name(self.name).send().await.unwrap();
        let table = answer.table.unwrap();
        let key = table.sse_description.and_then(|sse| sse.kms_master_key_arn);
        let backups = self
            .client
            .describe_continuous_backups()
            .table_name(self.name)
            .send()
            .await;
        let backups = backups.unwrap().continuous_backups_description.unwrap();
        let recovery = backups.point_in_time_recovery_description.unwrap();
        let on = |is_on: bool| if is_on { "on" } else { "off" }.to_owned();
        Snapshot(
            [
                ("policy", self.policy_of(&self.arn()).await),
                ("stream policy", self.policy_of(&self.stream).await),
                (
                    "encryption",
                    key.map_or_else(|| "DynamoDB's".into(), |key| format!("KMS {key}")),
                ),
                (
                    "point-in-time recovery",
                    on(recovery.point_in_time_recovery_status.unwrap().as_str() == "ENABLED"),
                ),
                (
                    "deletion protection",
                    on(table.deletion_protection_enabled == Some(true)),
                ),
            ]
            .into(),
        )
    }
}
