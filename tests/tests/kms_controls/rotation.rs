//! Rotation: on, and often enough, where a key can rotate.

use aws_sdk_kms::types::{KeySpec, KeyUsageType, OriginType};
use portcullis_testkit::assert_only_reads;
use portcullis_tests::Answered;
use serde_json::json;

use super::support::{Kms, enforce, only, restore};

const CONTROL: &str = "kms-key-rotation";

#[tokio::test]
async fn a_new_key_rotates() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let settings = only(&[CONTROL], "kms: {rotation-days: 180}\n");
    let metadata = json!({"keyMetadata": {"keyId": key.id, "arn": key.arn, "keyState": "Enabled"}});
    let event = kms
        .call("CreateKey", json!({"origin": "AWS_KMS"}))
        .response(metadata)
        .event();
    let (alert, id) = enforce(&key, CONTROL, &settings, &event, &["EnableKeyRotation"]).await;
    assert_eq!(key.rotation().await, Some(180));
    assert_eq!(alert.attributes["severity"], "MEDIUM");
    restore(&key, CONTROL, &settings, &event, &id, &["DisableKeyRotation"]).await;
    assert_eq!(key.rotation().await, None);
}

#[tokio::test]
async fn too_long_a_period_is_shortened_and_put_back() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let rotate = kms.client.enable_key_rotation().key_id(&key.id);
    rotate.rotation_period_in_days(730).send().await.unwrap();
    let settings = only(&[CONTROL], "");
    let event = key.call("EnableKeyRotation").event();
    let (_, id) = enforce(&key, CONTROL, &settings, &event, &["EnableKeyRotation"]).await;
    assert_eq!(key.rotation().await, Some(365));
    restore(&key, CONTROL, &settings, &event, &id, &["EnableKeyRotation"]).await;
    assert_eq!(key.rotation().await, Some(730));
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
        often.clone(),
        kms.key_with(signing).await,
        kms.key_with(|create| create.origin(OriginType::External)).await,
        disabled,
    ];
    let function = kms.enforcing(&[CONTROL], "").await;
    for key in keys {
        let left = function.invoke(key.call("DisableKeyRotation").event()).await;
        assert_eq!(left.outcome(), "compliant", "{:?}", left.result);
        assert_only_reads(&left.calls);
    }
    assert_eq!(often.rotation().await, Some(90));
}
