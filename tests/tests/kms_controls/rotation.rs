//! Rotation: on, and often enough, where a key can rotate.

use aws_sdk_kms::types::{KeySpec, KeyUsageType, OriginType};
use portcullis_testkit::{Fault, assert_only_reads};
use portcullis_tests::{Answered, Arranged, Subject, controls_in, resource_of};
use serde_json::json;

use super::support::{Key, Kms, round_trip, told, writes};

const CONTROL: &str = "kms-key-rotation";

#[tokio::test]
async fn a_new_key_rotates() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let metadata = json!({"keyMetadata": {"keyId": key.id, "arn": key.arn, "keyState": "Enabled"}});
    let created = kms.call("CreateKey", json!({"origin": "AWS_KMS"})).response(metadata);
    let arranged = Arranged::new(&key, created)
        .settings("kms: {rotation-days: 180}\n")
        .told("MEDIUM", "remediated")
        .fixed_by(&["EnableKeyRotation"])
        .right("rotation", "every 180 days")
        .undone_by(&["DisableKeyRotation"]);
    round_trip(CONTROL, arranged).await;
}

#[tokio::test]
async fn too_long_a_period_is_shortened_and_put_back() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let rotate = kms.client.enable_key_rotation().key_id(&key.id);
    rotate.rotation_period_in_days(730).send().await.unwrap();
    let arranged = key
        .broken_by("EnableKeyRotation")
        .told("MEDIUM", "remediated")
        .fixed_by(&["EnableKeyRotation"])
        .right("rotation", "every 365 days")
        .undone_by(&["EnableKeyRotation"]);
    round_trip(CONTROL, arranged).await;
}

#[tokio::test]
async fn what_cannot_rotate_or_rotates_more_often_is_left() {
    let kms = Kms::new().await;
    let often = kms.key().await;
    let rotate = kms.client.enable_key_rotation().key_id(&often.id);
    rotate.rotation_period_in_days(90).send().await.unwrap();
    let signing = |create: aws_sdk_kms::operation::create_key::builders::CreateKeyFluentBuilder| {
        create.key_spec(KeySpec::Rsa2048).key_usage(KeyUsageType::SignVerify)
    };
    let disabled = kms.key().await;
    disabled.disable().await;
    let keys = [
        (kms.key_with(signing).await, "RSA_2048"),
        (
            kms.key_with(|create| create.origin(OriginType::External)).await,
            "EXTERNAL",
        ),
        (disabled, "Disabled"),
    ];
    let function = kms.enforcing(&[CONTROL], "").await;
    for (key, why) in keys {
        let left = function.invoke(key.call("DisableKeyRotation").event()).await;
        assert_eq!(left.outcome(), "not-applicable", "{:?}", left.result);
        let reason = resource_of(left.answer())["not_applicable"][CONTROL]
            .as_str()
            .unwrap_or_default();
        assert!(reason.contains(why), "{reason}");
        let logged = |line: &String| line.contains("not-applicable") && line.contains(why);
        assert!(left.logs.iter().any(logged), "{:#?}", left.logs);
        assert_only_reads(&left.calls);
    }
    let left = function.invoke(often.call("DisableKeyRotation").event()).await;
    assert_eq!(left.outcome(), "compliant", "{:?}", left.result);
    assert_only_reads(&left.calls);
    assert_eq!(often.rotation().await, Some(90));
}

/// While the deletion of a key is pending AWS says that it does not rotate, whatever it did and will do.
#[tokio::test]
async fn a_sweep_that_saves_a_key_leaves_its_rotation_alone() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let rotate = kms.client.enable_key_rotation().key_id(&key.id);
    rotate.rotation_period_in_days(90).send().await.unwrap();
    key.schedule_deletion(7).await;
    let function = kms.function().start().await;
    let swept = function.invoke(json!({"sweep": {}})).await;
    swept.answer();
    assert_eq!(writes(&swept.calls), ["CancelKeyDeletion", "EnableKey"]);
    assert_eq!(
        (key.state().await.as_str(), key.rotation().await),
        ("Enabled", Some(90))
    );
    // Once it can be seen, it is judged: this one rotates often enough.
    let again = function.invoke(json!({"sweep": {}})).await;
    again.answer();
    assert_eq!(writes(&again.calls), [""; 0]);
}

/// KMS refuses to change a key while it moves to another region, and nothing is lost by that.
#[tokio::test]
async fn a_key_that_is_being_moved_is_put_right_once_it_is_ready() {
    let kms = Kms::in_region("eu-west-1").await;
    let there = aws_sdk_kms::Client::new(&kms.world.aws.sdk_config_in("us-east-1"));
    let made = there.create_key().multi_region(true).send().await.unwrap();
    let id = made.key_metadata.unwrap().key_id;
    let replicate = there.replicate_key().key_id(&id).replica_region("eu-west-1");
    replicate.send().await.unwrap();
    let arn = format!("arn:aws:kms:eu-west-1:{}:key/{id}", kms.world.aws.account());
    let key = Key {
        kms: kms.clone(),
        id,
        arn,
    };
    let function = kms.enforcing(&[CONTROL], "").await;
    let moved = there
        .update_primary_region()
        .key_id(&key.id)
        .primary_region("eu-west-1");
    moved.send().await.unwrap();
    let waits = function.invoke(key.call("UpdatePrimaryRegion").event()).await;
    assert_eq!(
        controls_in(waits.answer()),
        told(CONTROL, "deferred"),
        "{:?}",
        waits.result
    );
    assert_eq!(key.rotation().await, None);
    let alert = kms.world.alerts().await.pop().unwrap();
    assert!(
        alert.text.contains("its primary region is being changed"),
        "{}",
        alert.text
    );
    let scheduled = waits.calls.iter().filter(|call| call.service == "scheduler");
    assert_eq!(scheduled.count(), 1, "{:?}", waits.calls);

    while key.state().await == "Updating" {}
    let ready = function.invoke(key.call("EnableKeyRotation").event()).await;
    assert_eq!(
        controls_in(ready.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        ready.result
    );
    assert_eq!(key.rotation().await, Some(365));
}

#[tokio::test]
async fn a_new_key_that_is_not_shown_yet_is_looked_at_again() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let function = kms.enforcing(&[CONTROL], "").await;
    let created = kms
        .call("CreateKey", json!({}))
        .response(json!({"keyMetadata": {"arn": key.arn}}));
    let unseen = Fault::on("kms", "DescribeKey").status(400, "NotFoundException");
    kms.world.aws.fault(unseen.clone()).await;
    let early = function.invoke(created.event()).await;
    let error = early.result.as_ref().unwrap_err();
    assert_eq!(error.error_type, "NotVisibleYet");
    assert!(error.to_string().contains(&key.arn), "{error}");
    assert_only_reads(&early.calls);
    let retried = function.retry(&early).await;
    assert_eq!(
        controls_in(retried.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        retried.result
    );

    // What is not there minutes later is gone, and so is what another call names.
    kms.world.aws.fault(unseen.times(2)).await;
    let late = created.time("2026-01-01T00:00:00Z").event();
    assert_eq!(function.invoke(late).await.outcome(), "gone");
    let gone = function.invoke(key.call("DisableKeyRotation").event()).await;
    assert_eq!(gone.outcome(), "gone");
    assert_eq!(kms.world.alerts().await.len(), 1);
}
