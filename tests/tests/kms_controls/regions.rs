//! Multi-Region keys: where they live, and who is primary.

use aws_sdk_kms::Client;
use portcullis_tests::{Answered, Subject, controls_in};
use serde_json::json;

use super::support::{Kms, told, writes};

const CONTROL: &str = "kms-key-region";

#[tokio::test]
async fn replicas_and_a_new_primary_are_told_each_time() {
    let kms = Kms::new().await;
    let key = kms.key_with(|create| create.multi_region(true)).await;
    let function = kms.enforcing(&[CONTROL], "").await;
    assert_eq!(
        function.invoke(key.call("CreateKey").event()).await.outcome(),
        "compliant"
    );

    kms.client
        .replicate_key()
        .key_id(&key.id)
        .replica_region("eu-west-1")
        .send()
        .await
        .unwrap();
    let replicated = function.invoke(key.call("ReplicateKey").event()).await;
    assert_eq!(controls_in(replicated.answer()), told(CONTROL, "needs-action"));
    let moved = kms
        .client
        .update_primary_region()
        .key_id(&key.id)
        .primary_region("eu-west-1");
    moved.send().await.unwrap();
    let event = kms.call(
        "UpdatePrimaryRegion",
        json!({"keyId": key.id, "primaryRegion": "eu-west-1"}),
    );
    let moved = function.invoke(event.event()).await;
    assert_eq!(controls_in(moved.answer()), told(CONTROL, "needs-action"));
    assert_eq!(writes(&moved.calls), [""; 0]);
    let alerts = kms.world.alerts().await;
    assert_eq!(alerts.len(), 2);
    assert!(alerts[0].text.contains("replicas in eu-west-1"), "{}", alerts[0].text);
    assert!(alerts[1].text.contains("primary is in eu-west-1"), "{}", alerts[1].text);

    let known = kms.enforcing(&[CONTROL], "kms: {regions: [eu-west-1]}\n").await;
    assert_eq!(
        known.invoke(key.call("ReplicateKey").event()).await.outcome(),
        "compliant"
    );
}

#[tokio::test]
async fn a_replica_does_not_rotate_by_itself_and_is_left() {
    let kms = Kms::new().await;
    let key = kms.key_with(|create| create.multi_region(true)).await;
    kms.client
        .replicate_key()
        .key_id(&key.id)
        .replica_region("eu-west-1")
        .send()
        .await
        .unwrap();
    let there = Client::new(&kms.world.aws.sdk_config_in("eu-west-1"));
    let replica = there.describe_key().key_id(&key.id).send().await.unwrap();
    let arn = replica.key_metadata.unwrap().arn.unwrap();
    assert!(arn.contains(":eu-west-1:"));
    let function = kms.enforcing(&["kms-key-rotation"], "").await;
    let left = function
        .invoke(kms.call("DisableKeyRotation", json!({"keyId": arn})).event())
        .await;
    assert_eq!(left.outcome(), "not-applicable", "{:?}", left.result);
    assert!(
        left.answer()
            .to_string()
            .contains("rotates with its primary, in us-east-1")
    );
}
