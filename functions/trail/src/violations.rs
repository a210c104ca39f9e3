//! A violation of each control of CloudTrail, and what its sample events come to.
//!
//! What is right afterwards is what AWS documents: CloudTrail API Reference, `StartLogging`, `UpdateTrail`, `PutEventSelectors`; CloudTrail
//! User Guide, "Validating CloudTrail log file integrity", "Logging management events".
#![allow(clippy::unwrap_used, reason = "this is test support: a panic is how a test fails")]

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{EventSelector, ReadWriteType, Tag};
use portcullis_testkit::{CloudTrail, Sample, ServiceUnderTest, Snapshot, Subject, World, levels, violation};
use serde_json::json;

/// CloudTrail as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: &[
        violation!("cloudtrail-trail-logging", |world: World| {
            let trail = Trail::new(world).await;
            trail.client.stop_logging().name(NAME).send().await.unwrap();
            let arranged = trail.broken_by("StopLogging").told("CRITICAL", "remediated");
            let arranged = arranged.fixed_by(&["StartLogging"]).undone_by(&["StopLogging"]);
            arranged.right("logging", "true")
        }),
        violation!("cloudtrail-trail-deleted", |world: World| {
            let trail = Trail::new(world).await;
            trail.client.delete_trail().name(NAME).send().await.unwrap();
            let arranged = trail.broken_by("DeleteTrail").told("CRITICAL", "needs-action");
            arranged.says("aws cloudtrail create-trail")
        }),
        violation!("cloudtrail-trail-selectors", |world: World| {
            let trail = Trail::new(world).await;
            let reads = EventSelector::builder().read_write_type(ReadWriteType::ReadOnly);
            let reads = reads.include_management_events(true).build();
            let put = trail
                .client
                .put_event_selectors()
                .trail_name(NAME)
                .event_selectors(reads);
            put.send().await.unwrap();
            let arranged = trail.broken_by("PutEventSelectors").told("CRITICAL", "needs-action");
            arranged.says("events that change something")
        }),
        violation!("cloudtrail-trail-delivery", |world: World| {
            let trail = Trail::new(world).await;
            let arranged = trail.broken_by("UpdateTrail").told("CRITICAL", "needs-action");
            arranged.settings("trail: {buckets: [the-right-one]}\n")
        }),
        violation!("cloudtrail-trail-validation", |world: World| {
            let trail = Trail::new(world).await;
            let update = trail.client.update_trail().name(NAME).enable_log_file_validation(false);
            update.send().await.unwrap();
            let arranged = trail.remediated("UpdateTrail", "HIGH", &["UpdateTrail"]);
            arranged.right("validation", "true")
        }),
        violation!("cloudtrail-trail-encrypted", |world: World| {
            let trail = Trail::new(world).await;
            let tag = Tag::builder()
                .key("DataClassification")
                .value("restricted")
                .build()
                .unwrap();
            let add = trail.client.add_tags().resource_id(trail.arn()).tags_list(tag);
            add.send().await.unwrap();
            let key = trail.world.arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab");
            let needs =
                format!("restricted: {{values: [restricted], encryption: customer-managed-key, key: \"{key}\"}}");
            let arranged = trail.remediated("AddTags", "MEDIUM", &["UpdateTrail"]);
            arranged.settings(levels(&needs)).right("key", key)
        }),
    ],
    samples: &[
        Sample::of("AddTags", "cloudtrail-trail-encrypted").left("trail-encrypted"),
        Sample::of("CreateTrail", "cloudtrail-trail-validation").right("trail-validation"),
        Sample::of("DeleteTrail", "cloudtrail-trail-deleted").left("trail-deleted"),
        Sample::of("PutEventSelectors", "cloudtrail-trail-selectors").left("trail-selectors"),
        Sample::of("RemoveTags", "cloudtrail-trail-encrypted").left("trail-encrypted"),
        Sample::of("StopLogging", "cloudtrail-trail-logging").right("trail-logging"),
        Sample::of("UpdateTrail", "cloudtrail-trail-validation").right("trail-validation"),
    ],
    ways: &[],
};

/// The name of the trail.
const NAME: &str = "audit";

/// A trail of the test's.
#[derive(Clone)]
struct Trail {
    world: World,
    client: Client,
}

impl Trail {
    /// One that records all management events of all regions, and validates its files.
    async fn new(world: World) -> Self {
        let config = world.sdk_config();
        let bucket = format!("trail-logs-{}", world.aws.account());
        let create = aws_sdk_s3::Client::new(&config).create_bucket().bucket(&bucket);
        create.send().await.unwrap();
        let client = Client::new(&config);
        let create = client.create_trail().name(NAME).s3_bucket_name(bucket);
        let create = create.is_multi_region_trail(true).enable_log_file_validation(true);
        create.send().await.unwrap();
        client.start_logging().name(NAME).send().await.unwrap();
        Self { world, client }
    }

    fn arn(&self) -> String {
        self.world.arn("cloudtrail", &format!("trail/{NAME}"))
    }
}

impl Subject for Trail {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("trail {NAME}")
    }

    fn call(&self, name: &str) -> CloudTrail {
        let params = match name {
            "PutEventSelectors" => json!({"trailName": NAME}),
            "AddTags" | "RemoveTags" => json!({"resourceId": self.arn()}),
            _ => json!({"name": self.arn()}),
        };
        self.world.call(crate::trail::SOURCE, name, params)
    }

    async fn snapshot(&self) -> Snapshot {
        let all = self
            .client
            .describe_trails()
            .send()
            .await
            .unwrap()
            .trail_list
            .unwrap_or_default();
        let Some(trail) = all.into_iter().find(|one| one.name.as_deref() == Some(NAME)) else {
            return Snapshot([("logging", "gone".to_owned())].into());
        };
        let status = self.client.get_trail_status().name(NAME).send().await.unwrap();
        let selectors = self.client.get_event_selectors().trail_name(NAME).send().await.unwrap();
        let shown = |on: Option<bool>| on.unwrap_or_default().to_string();
        Snapshot(
            [
                ("logging", shown(status.is_logging)),
                ("validation", shown(trail.log_file_validation_enabled)),
                (
                    "key",
                    trail
                        .kms_key_id
                        .filter(|key| !key.is_empty())
                        .unwrap_or_else(|| "none".into()),
                ),
                ("selectors", format!("{:?}", selectors.event_selectors())),
            ]
            .into(),
        )
    }
}
