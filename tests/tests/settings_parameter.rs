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

/// The last good settings stay where the parameter breaks, loudly, until it is good again.
#[tokio::test]
async fn a_broken_override_leaves_the_last_good_one_in_force() {
    let world = World::new().await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS_PARAMETER", NAME)
        .env("PORTCULLIS_SETTINGS_LIFETIME", "0");
    put(&world, &settings::only(&["s3-bucket-versioning"], "")).await;
    let function = function.start().await;
    let handled = async || {
        let bucket = world.bucket("by-override").await;
        let event = world.call("CreateBucket", json!({"bucketName": bucket.name})).event();
        let handled = function.invoke(event).await;
        let controls = handled.result.as_ref().unwrap()["resources"][0]["controls"].clone();
        let loud = |text: &str| handled.logs.iter().any(|line| line.contains(text));
        let says = ["the last good ones stay", "mode: expected", "\"SettingsUnusable\":1"].map(loud);
        (controls, says)
    };
    let versioned = json!({"s3-bucket-versioning": "remediated"});
    assert_eq!(handled().await, (versioned.clone(), [false; 3]));
    put(&world, "mode: sometimes").await;
    assert_eq!(handled().await, (versioned.clone(), [true; 3]));
    assert_eq!(handled().await, (versioned, [true; 3]));
    put(&world, &settings::only(&["s3-bucket-tls-only"], "")).await;
    assert_eq!(
        handled().await,
        (json!({"s3-bucket-tls-only": "remediated"}), [false; 3])
    );
}

/// The stack says what the role may do, the settings what is wanted: the stricter counts.
#[tokio::test]
async fn the_mode_is_the_stricter_of_the_stacks_and_the_settings() {
    let on = settings::only(&["s3-bucket-versioning"], "");
    for (stack, settings, outcome) in [
        ("notify", "mode: enforce\n", "would-remediate"),
        ("notify", "", "would-remediate"),
        ("enforce", "mode: notify\n", "would-remediate"),
        ("enforce", "mode: enforce\n", "remediated"),
        ("enforce", "", "remediated"),
    ] {
        let world = World::new().await;
        put(&world, &(on.clone() + settings)).await;
        let function = world.function().mode(stack).env("PORTCULLIS_SETTINGS_PARAMETER", NAME);
        let function = function.start().await;
        let bucket = world.bucket("bounded").await;
        let event = world.call("CreateBucket", json!({"bucketName": bucket.name})).event();
        let answer = function.invoke(event).await.result.unwrap();
        assert_eq!(answer["resources"][0]["outcome"], outcome, "{stack} {settings}");
    }
}

#[tokio::test]
async fn without_usable_settings_nothing_is_done() {
    for wrong in [
        None,
        Some("mode: sometimes"),
        Some("controls: {s3-bucket-acl-disabled: {mode: off}}"),
        Some("trustd: {accounts: ['444455556666']}"),
        Some("kms: 5"),
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
        // Once they are right, the retry does what there is to do. What is in another service's section is not its to check.
        let others = "kms: {rotation-days: never}\nec2: {doors: [1]}\n";
        put(&world, &settings::only(&["s3-bucket-versioning"], others)).await;
        let retried = function.invoke(event).await.result.unwrap();
        assert_eq!(retried["resources"][0]["outcome"], "remediated");
    }
}
