//! Snapshots: whom they are shared with.

use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, PermissionGroup, ResourceType, SnapshotAttributeName,
    Tag, TagSpecification,
};
use portcullis_tests::{Answered, controls_in};
use serde_json::json;

use super::support::{Ec2, keys, writes};

async fn snapshot(ec2: &Ec2, encrypted: bool) -> String {
    let volume = ec2
        .client
        .create_volume()
        .availability_zone("us-east-1a")
        .size(1)
        .encrypted(encrypted);
    let volume = volume.send().await.unwrap().volume_id.unwrap();
    let made = ec2.client.create_snapshot().volume_id(volume).send().await.unwrap();
    made.snapshot_id.unwrap()
}

async fn share(ec2: &Ec2, snapshot: &str, with: &[&str]) {
    let entry = |who: &&str| match *who {
        "all" => CreateVolumePermission::builder().group(PermissionGroup::All).build(),
        account => CreateVolumePermission::builder().user_id(account).build(),
    };
    let permission = CreateVolumePermissionModifications::builder().set_add(Some(with.iter().map(entry).collect()));
    ec2.client
        .modify_snapshot_attribute()
        .snapshot_id(snapshot)
        .attribute(SnapshotAttributeName::CreateVolumePermission)
        .create_volume_permission(permission.build())
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stranger_is_told_by_default() {
    let ec2 = Ec2::new().await;
    let id = snapshot(&ec2, true).await;
    share(&ec2, &id, &["444455556666", "777788889999"]).await;
    let control = "ec2-snapshot-external-access";
    let event = ec2.call("ModifySnapshotAttribute", json!({"snapshotId": id})).event();

    let by_default = ec2.function().start().await;
    let told = by_default.invoke(&event).await;
    assert_eq!(controls_in(told.answer())[control], "would-remediate");
    assert_eq!(writes(&told.calls), [""; 0]);
}

#[tokio::test]
async fn an_unencrypted_snapshot_is_told_with_what_to_do() {
    let ec2 = Ec2::new().await;
    let (open, sealed) = (snapshot(&ec2, false).await, snapshot(&ec2, true).await);
    let function = ec2.function().start().await;
    let made = |id: &str| {
        ec2.call("CreateSnapshot", json!({"volumeId": "vol-0a6b8c4d1e700d9f3"}))
            .response(json!({"snapshotId": id}))
            .event()
    };
    let told = function.invoke(made(&open)).await;
    assert_eq!(controls_in(told.answer())["ec2-snapshot-encrypted"], "needs-action");
    assert_eq!(writes(&told.calls), [""; 0]);
    assert!(ec2.world.alerts().await[0].text.contains("copy-snapshot --encrypted"));
    assert_eq!(function.invoke(made(&sealed)).await.outcome(), "compliant");
}

#[tokio::test]
async fn the_key_of_a_snapshot_is_of_the_kind_that_its_data_need() {
    let ec2 = Ec2::new().await;
    let (own, aws) = keys(&ec2).await;
    let made = async |key: &str, level: &str| {
        let create = ec2.client.create_volume().availability_zone("us-east-1a").size(1);
        let volume = create.encrypted(true).kms_key_id(key).send().await.unwrap();
        let classified = Tag::builder().key("DataClassification").value(level).build();
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::Snapshot)
            .tags(classified);
        let create = ec2.client.create_snapshot().set_volume_id(volume.volume_id);
        let made = create.tag_specifications(tags.build()).send().await.unwrap();
        let id = made.snapshot_id.unwrap();
        ec2.call("CreateSnapshot", json!({}))
            .response(json!({"snapshotId": id}))
            .event()
    };
    let function = ec2.function().start().await;
    for (key, level, expected) in [
        (&own, "restricted", "compliant"),
        (&aws, "confidential", "compliant"),
        (&aws, "restricted", "needs-action"),
    ] {
        let done = function.invoke(made(key, level).await).await;
        assert_eq!(done.outcome(), expected, "{level} with {key}: {:?}", done.result);
        assert_eq!(writes(&done.calls), [""; 0]);
    }
    let alerts = ec2.world.alerts().await;
    let [alert] = alerts.as_slice() else {
        panic!("expected one alert, found {alerts:#?}")
    };
    assert_eq!(alert.attributes["severity"], "MEDIUM");
    let need = "data of the level restricted need a key of the customer's";
    assert!(alert.text.contains(need), "{}", alert.text);
}

#[tokio::test]
async fn snapshots_made_at_once_are_looked_at_each() {
    let ec2 = Ec2::new().await;
    let (one, other) = (snapshot(&ec2, false).await, snapshot(&ec2, false).await);
    let function = ec2.function().start().await;
    let set =
        json!({"CreateSnapshotsResponse": {"snapshotSet": {"item": [{"snapshotId": one}, {"snapshotId": other}]}}});
    let params = json!({"CreateSnapshotsRequest": {"InstanceSpecification": {"InstanceId": "i-0b8c4d1e700d9f3a6"}}});
    let told = function
        .invoke(ec2.call("CreateSnapshots", params).response(set).event())
        .await;
    assert_eq!(told.answer()["resources"].as_array().unwrap().len(), 2);
    assert_eq!(ec2.world.alerts().await.len(), 2);
}

#[tokio::test]
async fn a_snapshot_that_is_no_more_is_gone() {
    let ec2 = Ec2::new().await;
    let function = ec2.function().start().await;
    let event = ec2
        .call(
            "ModifySnapshotAttribute",
            json!({"snapshotId": "snap-0d9f3a5e7c414b8e9"}),
        )
        .event();
    assert_eq!(function.invoke(event).await.outcome(), "gone");
    assert_eq!(ec2.world.alerts().await.len(), 0);
}
