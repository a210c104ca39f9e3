//! Volumes: encrypted with the right key, or set apart.

use aws_sdk_ec2::types::{
    EbsInstanceBlockDeviceSpecification, Filter, InstanceBlockDeviceMappingSpecification, ResourceType, Tag,
    TagSpecification,
};
use portcullis_testkit::Fault;
use portcullis_tests::{Answered, controls_in};
use serde_json::{Value, json};

use super::support::{Ec2, keys, only, writes};

const ENCRYPTED: &str = "ec2-volume-encrypted";
const MARKED: &str = "ec2-volume-marked";
const QUARANTINE: &str = "ec2-volume-quarantine";

async fn volume(ec2: &Ec2, key: Option<&str>, level: &str) -> String {
    let tag = Tag::builder().key("DataClassification").value(level).build();
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Volume)
        .tags(tag);
    let create = ec2.client.create_volume().availability_zone("us-east-1a").size(1);
    let create = create.tag_specifications(tags.build()).encrypted(key.is_some());
    let made = create.set_kms_key_id(key.map(str::to_owned)).send().await.unwrap();
    made.volume_id.unwrap()
}

async fn instances(ec2: &Ec2, count: i32) -> Vec<String> {
    let run = ec2.client.run_instances().image_id("ami-12c6146b");
    let made = run.min_count(count).max_count(count).send().await.unwrap();
    made.instances()
        .iter()
        .map(|one| one.instance_id.clone().unwrap())
        .collect()
}

async fn attach(ec2: &Ec2, volume: &str, instance: &str) {
    let call = ec2.client.attach_volume().volume_id(volume).instance_id(instance);
    call.device("/dev/sdf").send().await.unwrap();
}

/// Has it deleted when the instance is terminated.
async fn goes_with(ec2: &Ec2, volume: &str, instance: &str) {
    let ebs = EbsInstanceBlockDeviceSpecification::builder()
        .volume_id(volume)
        .delete_on_termination(true);
    let mapping = InstanceBlockDeviceMappingSpecification::builder()
        .device_name("/dev/sdf")
        .ebs(ebs.build());
    let call = ec2.client.modify_instance_attribute().instance_id(instance);
    call.block_device_mappings(mapping.build()).send().await.unwrap();
}

/// What it is attached to, whether that runs, and its tags of ours.
async fn look(ec2: &Ec2, volume: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let answer = ec2.client.describe_volumes().volume_ids(volume).send().await.unwrap();
    let volume = &answer.volumes()[0];
    let ids: Vec<_> = volume
        .attachments()
        .iter()
        .filter_map(|one| one.instance_id.clone())
        .collect();
    let devices = volume.attachments().iter().filter_map(|one| {
        let goes = one.delete_on_termination == Some(true);
        Some(format!("{}{}", one.device()?, if goes { ", goes with it" } else { "" }))
    });
    let mut states = Vec::new();
    for id in &ids {
        let answer = ec2.client.describe_instances().instance_ids(id).send().await.unwrap();
        let state = answer.reservations()[0].instances()[0]
            .state()
            .and_then(|state| state.name().cloned());
        states.push(state.unwrap().as_str().to_owned());
    }
    let ours = volume
        .tags()
        .iter()
        .filter(|tag| tag.key().is_some_and(|key| key.starts_with("portcullis")));
    let ours = ours
        .map(|tag| format!("{}={}", tag.key().unwrap(), tag.value().unwrap()))
        .collect();
    (devices.collect(), states, ours)
}

fn made(ec2: &Ec2, volume: &str) -> Value {
    ec2.call(
        "CreateVolume",
        json!({"size": "1", "zone": "us-east-1a", "encrypted": false}),
    )
    .response(json!({"volumeId": volume, "encrypted": false}))
    .event()
}

#[tokio::test]
async fn an_unencrypted_volume_is_told_and_tagged_and_a_restore_takes_the_tag_off() {
    let ec2 = Ec2::new().await;
    let id = volume(&ec2, None, "internal").await;
    let event = made(&ec2, &id);
    let notify = ec2.function().mode("notify").start().await;
    let told = notify.invoke(&event).await;
    let would = controls_in(told.answer());
    assert_eq!(
        (would[ENCRYPTED].as_str(), would[MARKED].as_str()),
        ("needs-action", "would-remediate")
    );
    assert_eq!(writes(&told.calls), [""; 0]);
    drop(notify);

    let function = ec2.function().start().await;
    let done = function.invoke(&event).await;
    let controls = controls_in(done.answer());
    assert_eq!(controls[MARKED], "needs-action", "{:?}", done.result);
    assert_eq!(controls[ENCRYPTED], "needs-action");
    assert_eq!(writes(&done.calls), ["CreateTags"]);
    let tag = vec!["portcullis:quarantine=unencrypted".to_owned()];
    assert_eq!(look(&ec2, &id).await, (vec![], vec![], tag));
    let again = function.invoke(&event).await;
    assert_eq!(writes(&again.calls), [""; 0]);

    let restored = portcullis_tests::put_back(&function, &done).await;
    assert_eq!(writes(&restored.calls), ["DeleteTags"]);
    assert_eq!(look(&ec2, &id).await, (vec![], vec![], vec![]));
    let held = function.invoke(&event).await;
    assert_eq!(controls_in(held.answer())[MARKED], "exempt");
}

#[tokio::test]
async fn by_setting_it_is_detached_or_its_instance_stopped_and_a_restore_undoes_that() {
    let tag = vec!["portcullis:quarantine=unencrypted".to_owned()];
    let device = vec!["/dev/sdf, goes with it".to_owned()];
    for (how, calls, back, expected) in [
        (
            "detach",
            ["CreateTags", "DetachVolume"],
            &["AttachVolume", "DeleteTags", "ModifyInstanceAttribute"][..],
            (vec![], vec![], tag.clone()),
        ),
        (
            "stop",
            ["CreateTags", "StopInstances"],
            &["DeleteTags", "StartInstances"],
            (device.clone(), vec!["stopped".to_owned()], tag.clone()),
        ),
    ] {
        let ec2 = Ec2::new().await;
        let id = volume(&ec2, None, "internal").await;
        let instance = instances(&ec2, 1).await.remove(0);
        attach(&ec2, &id, &instance).await;
        goes_with(&ec2, &id, &instance).await;
        let before = look(&ec2, &id).await;
        let settings = only(
            &[MARKED, QUARANTINE, ENCRYPTED],
            &format!("ec2: {{unencrypted-volumes: {how}}}\n"),
        );
        let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
        let event = ec2.call(
            "AttachVolume",
            json!({"volumeId": id, "instanceId": instance, "device": "/dev/sdf"}),
        );
        let done = function.invoke(event.event()).await;
        assert_eq!(
            controls_in(done.answer())[QUARANTINE],
            "quarantined",
            "{how}: {:?}",
            done.result
        );
        assert_eq!(writes(&done.calls), calls, "{how}");
        assert_eq!(look(&ec2, &id).await, expected, "{how}");
        let restored = portcullis_tests::put_back(&function, &done).await;
        let mut made = writes(&restored.calls);
        made.sort();
        assert_eq!(made, back, "{how}");
        assert_eq!(look(&ec2, &id).await, before, "{how}");
    }
}

#[tokio::test]
async fn by_setting_a_tag_has_it_swapped_and_once_that_is_done_it_is_left() {
    let ec2 = Ec2::new().await;
    let id = volume(&ec2, None, "internal").await;
    let settings = only(
        &[MARKED, QUARANTINE, ENCRYPTED],
        "ec2: {unencrypted-volumes: re-encrypt}\n",
    );
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let done = function.invoke(made(&ec2, &id)).await;
    assert_eq!(
        controls_in(done.answer())[QUARANTINE],
        "remediating",
        "{:?}",
        done.result
    );
    let mut tags = look(&ec2, &id).await.2;
    tags.sort();
    assert_eq!(
        tags,
        ["portcullis:quarantine=re-encrypt", "portcullis:re-encrypt=keep-days=30"]
    );
    let failed = Tag::builder()
        .key("portcullis:quarantine")
        .value("re-encrypt-failed")
        .build();
    ec2.client
        .create_tags()
        .resources(&id)
        .tags(failed)
        .send()
        .await
        .unwrap();
    let told = function.invoke(made(&ec2, &id)).await;
    assert_eq!(controls_in(told.answer())[QUARANTINE], "needs-action");
    assert_eq!(writes(&told.calls), [""; 0], "it is left to a person");
    let replaced = Tag::builder().key("portcullis:quarantine").value("replaced").build();
    ec2.client
        .create_tags()
        .resources(&id)
        .tags(replaced)
        .send()
        .await
        .unwrap();
    let again = function.invoke(made(&ec2, &id)).await;
    assert_eq!(writes(&again.calls), [""; 0], "{:?}", again.result);
}

/// EBS tells of a volume by itself, with or without a trail: one that was told by both is told once.
#[tokio::test]
async fn what_ebs_tells_by_itself_is_handled_as_the_call_is() {
    let ec2 = Ec2::new().await;
    let id = volume(&ec2, None, "internal").await;
    let text = portcullis_tests::samples::in_folder("ec2/native")["createVolume"].clone();
    let text = text.replace("111122223333", ec2.world.aws.account());
    let text = text
        .replace("eu-west-1", "us-east-1")
        .replace("vol-0a6b8c4d1e700d9f3", &id);
    let event: Value = serde_json::from_str(&text).unwrap();
    let function = ec2.function().start().await;
    let done = function.invoke(&event).await;
    assert_eq!(controls_in(done.answer())[MARKED], "needs-action", "{:?}", done.result);
    assert_eq!(look(&ec2, &id).await.2, ["portcullis:quarantine=unencrypted"]);
    function.invoke(made(&ec2, &id)).await.answer();
    assert_eq!(ec2.world.alerts().await.len(), 1);
}

#[tokio::test]
async fn what_an_instance_starts_from_stays_attached() {
    let ec2 = Ec2::new().await;
    let instance = instances(&ec2, 1).await.remove(0);
    let of = Filter::builder()
        .name("attachment.instance-id")
        .values(&instance)
        .build();
    let found = ec2.client.describe_volumes().filters(of).send().await.unwrap();
    let root = found.volumes()[0].volume_id.clone().unwrap();
    let settings = only(&[MARKED, QUARANTINE, ENCRYPTED], "ec2: {unencrypted-volumes: detach}\n");
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let done = function.invoke(made(&ec2, &root)).await;
    assert_eq!(
        controls_in(done.answer())[QUARANTINE],
        "needs-action",
        "{:?}",
        done.result
    );
    assert_eq!(writes(&done.calls), ["CreateTags"]);
    let alert = &ec2.world.alerts().await[0];
    assert!(alert.text.contains("starts from it"), "{}", alert.text);
}

#[tokio::test]
async fn the_key_is_of_the_kind_that_the_data_need() {
    let ec2 = Ec2::new().await;
    let kms = aws_sdk_kms::Client::new(&ec2.world.aws.sdk_config());
    let (own, aws) = keys(&ec2).await;
    let function = ec2.function().start().await;
    for (key, level, expected) in [
        (&own, "restricted", "compliant"),
        (&aws, "restricted", "needs-action"),
        (&aws, "confidential", "compliant"),
    ] {
        let id = volume(&ec2, Some(key), level).await;
        let done = function.invoke(made(&ec2, &id)).await;
        assert_eq!(done.outcome(), expected, "{level} with {key}: {:?}", done.result);
        assert_eq!(writes(&done.calls), [""; 0]);
    }
    // One that may not be described is none of AWS's.
    let other = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn;
    let id = volume(&ec2, other.as_deref(), "restricted").await;
    let denied = Fault::on("kms", "DescribeKey").denied().always();
    ec2.world.aws.fault(denied).await;
    let done = function.invoke(made(&ec2, &id)).await;
    assert_eq!(done.outcome(), "compliant", "{:?}", done.result);
}

#[tokio::test]
async fn a_launch_of_fifty_is_read_in_three_calls() {
    let ec2 = Ec2::new().await;
    ec2.client.enable_ebs_encryption_by_default().send().await.unwrap();
    let ids = instances(&ec2, 50).await;
    let items: Vec<_> = ids.iter().map(|id| json!({"instanceId": id})).collect();
    let settings = only(&[ENCRYPTED, MARKED, QUARANTINE, "ec2-instance-exposed"], "");
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let answer = json!({"instancesSet": {"items": items}});
    let event = ec2.call("RunInstances", json!({})).response(answer).event();
    let done = function.invoke(&event).await;
    let resources = done.answer()["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 100, "each instance, and its volume");
    assert!(
        resources.iter().all(|one| one["outcome"] == "compliant"),
        "{resources:?}"
    );
    let mut reads: Vec<_> = done
        .calls
        .iter()
        .filter(|call| call.service == "ec2")
        .map(|call| call.action.as_str())
        .collect();
    reads.sort_unstable();
    assert_eq!(
        reads,
        ["DescribeInstances", "DescribeSecurityGroupRules", "DescribeVolumes"]
    );

    // The next event reads again.
    let one = json!({"instanceId": ids[0]});
    let again = function.invoke(ec2.call("ModifyInstanceAttribute", one).event()).await;
    assert_eq!(again.calls.iter().filter(|call| call.service == "ec2").count(), 2);
}

#[tokio::test]
async fn an_instance_without_volumes_stands_for_none_and_a_volume_that_is_no_more_is_gone() {
    let ec2 = Ec2::new().await;
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[ENCRYPTED], ""))
        .start()
        .await;
    let gone = json!({"volumeId": "vol-0d9f3a5e7c414b8e9", "instanceId": "i-0d9f3a5e7c414b8e9"});
    let event = ec2.call("AttachVolume", gone).event();
    assert_eq!(function.invoke(event).await.outcome(), "gone");
    let answer = json!({"instancesSet": {"items": [{"instanceId": "i-0d9f3a5e7c414b8e9"}]}});
    let launch = ec2.call("RunInstances", json!({})).response(answer).event();
    let done = function.invoke(launch).await;
    assert_eq!(done.answer()["resources"][0]["outcome"], "gone", "{:?}", done.result);
}
