//! Settings from the SSM parameter that the stack names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use portcullis_testkit::assert_no_changes;
use portcullis_tests::{World, settings};
use serde_json::json;

const NAME: &str = "/portcullis/settings";

async fn put(world: &World, yaml: &str) {
    let ssm = aws_sdk_ssm::Client::new(&world.aws.sdk_config());
    let put = ssm.put_parameter().name(NAME).value(yaml).overwrite(true);
    let kind = aws_sdk_ssm::types::ParameterType::String;
    put.r#type(kind).send().await.expect("put the parameter");
}

#[tokio::test]
async fn the_parameter_replaces_the_packed_settings() {
    let world = World::new().await;
    put(&world, &settings::only(&["s3-bucket-versioning"], "")).await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS_PARAMETER", NAME)
        .start()
        .await;
    let bucket = world.bucket("by-parameter").await;
    let event = world.call("CreateBucket", json!({"bucketName": bucket.name})).event();
    let answer = function.invoke(event.clone()).await.result.unwrap();
    assert_eq!(
        answer["resources"][0]["controls"],
        json!({"s3-bucket-versioning": "remediated"})
    );
    // A warm process does not read them for each event.
    let again = function.invoke(event).await;
    assert!(
        again.calls.iter().all(|call| call.service != "ssm"),
        "{:?}",
        again.calls
    );
}

#[tokio::test]
async fn without_usable_settings_nothing_is_done() {
    for wrong in [
        None,
        Some("mode: sometimes"),
        Some("controls: {s3-bucket-acl-disabled: {mode: off}}"),
    ] {
        let world = World::new().await;
        if let Some(yaml) = wrong {
            put(&world, yaml).await;
        }
        let function = world
            .function()
            .env("PORTCULLIS_SETTINGS_PARAMETER", NAME)
            .start()
            .await;
        let bucket = world.bucket("unsettled").await;
        let event = world.call("CreateBucket", json!({"bucketName": bucket.name})).event();
        let failed = function.invoke(event.clone()).await;
        assert_eq!(failed.result.unwrap_err().error_type, "SettingsUnusable");
        assert_no_changes(&failed.calls);
        // Once they are right, the retry does what there is to do.
        put(&world, &settings::only(&["s3-bucket-versioning"], "")).await;
        let retried = function.invoke(event).await.result.unwrap();
        assert_eq!(retried["resources"][0]["outcome"], "remediated");
    }
}
