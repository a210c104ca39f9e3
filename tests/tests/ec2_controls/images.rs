//! Images: whom they are shared with, and the snapshots behind them.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{ImageAttributeName, LaunchPermission, LaunchPermissionModifications, PermissionGroup, Tag};
use portcullis_tests::{Answered, controls_in};
use serde_json::json;

use super::support::{Ec2, keys, only, writes};

const STRANGERS: &str = "arn:aws:organizations::777788889999:organization/o-strangers0";
const PARTNERS: &str = "arn:aws:organizations::777788889999:ou/o-partners0/ou-ab12-cdef3456";

async fn image(ec2: &Ec2) -> String {
    let made = ec2.client.register_image().name("web").send().await.unwrap();
    made.image_id.unwrap()
}

async fn share(ec2: &Ec2, image: &str, with: &[&str]) {
    let entry = |who: &&str| {
        let entry = LaunchPermission::builder();
        match *who {
            "all" => entry.group(PermissionGroup::All),
            unit if unit.contains(":ou/") => entry.organizational_unit_arn(unit),
            organization if organization.starts_with("arn:") => entry.organization_arn(organization),
            account => entry.user_id(account),
        }
        .build()
    };
    let permission = LaunchPermissionModifications::builder().set_add(Some(with.iter().map(entry).collect()));
    let call = ec2.client.modify_image_attribute().image_id(image);
    call.launch_permission(permission.build()).send().await.unwrap();
}

async fn shared_with(ec2: &Ec2, image: &str) -> BTreeSet<String> {
    let call = ec2.client.describe_image_attribute().image_id(image);
    let answer = call
        .attribute(ImageAttributeName::LaunchPermission)
        .send()
        .await
        .unwrap();
    let who = answer.launch_permissions.unwrap_or_default().into_iter();
    who.filter_map(|one| {
        let organization = one.organization_arn.or(one.organizational_unit_arn);
        let group = one.group.map(|group| group.as_str().to_owned());
        one.user_id.or(organization).or(group)
    })
    .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test]
async fn strangers_are_taken_out_by_setting_and_a_trusted_unit_stays() {
    let ec2 = Ec2::new().await;
    let id = image(&ec2).await;
    let with = ["444455556666", "777788889999", STRANGERS, PARTNERS];
    share(&ec2, &id, &with).await;
    let trusted =
        "trusted: {accounts: ['444455556666'], organization-paths: ['o-partners0/r-ab12/ou-ab12-cdef3456/*']}\n";
    let event = ec2.call("ModifyImageAttribute", json!({"imageId": id})).event();
    let control = "ec2-image-external-access";
    let settings = only(&[control], trusted);
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let done = function.invoke(&event).await;
    assert_eq!(controls_in(done.answer())[control], "remediated", "{:?}", done.result);
    assert_eq!(writes(&done.calls), ["ModifyImageAttribute"]);
    assert_eq!(shared_with(&ec2, &id).await, set(&["444455556666", PARTNERS]));
    let alert = ec2.world.alerts().await.remove(0);
    assert!(alert.text.contains(STRANGERS), "{}", alert.text);
    portcullis_tests::put_back(&function, &done).await;
    assert_eq!(shared_with(&ec2, &id).await, set(&with));

    let ec2 = Ec2::new().await;
    let id = image(&ec2).await;
    share(&ec2, &id, &["777788889999"]).await;
    let by_default = ec2.function().start().await;
    let event = ec2.call("ModifyImageAttribute", json!({"imageId": id})).event();
    let told = by_default.invoke(&event).await;
    assert_eq!(controls_in(told.answer())[control], "would-remediate");
    assert_eq!(writes(&told.calls), [""; 0]);
}

#[tokio::test]
async fn an_image_with_plain_snapshots_is_told_with_what_to_do() {
    let ec2 = Ec2::new().await;
    let open = image(&ec2).await;
    ec2.client.enable_ebs_encryption_by_default().send().await.unwrap();
    let sealed = image(&ec2).await;
    let function = ec2.function().start().await;
    let made = |id: &str| {
        let params = json!({"sourceRegion": "us-east-1", "sourceImageId": "ami-0b8e90d9f3a5e7c41", "name": "web"});
        let copied = json!({"requestId": "1", "imageId": id});
        ec2.call("CopyImage", params).response(copied).event()
    };
    let told = function.invoke(made(&open)).await;
    assert_eq!(controls_in(told.answer())["ec2-image-encrypted"], "needs-action");
    assert_eq!(writes(&told.calls), [""; 0]);
    let alert = &ec2.world.alerts().await[0];
    assert!(
        alert.text.contains("copy-image --encrypted") && alert.text.contains("snap-"),
        "{}",
        alert.text
    );
    assert_eq!(function.invoke(made(&sealed)).await.outcome(), "compliant");
}

#[tokio::test]
async fn the_keys_of_the_snapshots_behind_an_image_are_of_the_kind_that_its_data_need() {
    let ec2 = Ec2::new().await;
    keys(&ec2).await;
    ec2.client.enable_ebs_encryption_by_default().send().await.unwrap();
    let id = image(&ec2).await;
    let function = ec2.function().start().await;
    let event = ec2
        .call("CreateImage", json!({}))
        .response(json!({"imageId": id}))
        .event();
    for (level, expected) in [("confidential", "compliant"), ("restricted", "needs-action")] {
        let tag = Tag::builder().key("DataClassification").value(level).build();
        ec2.client.create_tags().resources(&id).tags(tag).send().await.unwrap();
        let done = function.invoke(&event).await;
        assert_eq!(done.outcome(), expected, "{level}: {:?}", done.result);
        assert_eq!(writes(&done.calls), [""; 0]);
    }
    let alert = &ec2.world.alerts().await[0];
    for part in [
        "with the AWS-managed key",
        "data of the level restricted need",
        "--kms-key-id",
    ] {
        assert!(alert.text.contains(part), "{part}: {}", alert.text);
    }
}

#[tokio::test]
async fn an_image_that_is_no_more_is_gone() {
    let ec2 = Ec2::new().await;
    let function = ec2.function().start().await;
    let event = ec2
        .call("ModifyImageAttribute", json!({"imageId": "ami-0d9f3a5e7c414b8e9"}))
        .event();
    assert_eq!(function.invoke(event).await.outcome(), "gone");
    assert_eq!(ec2.world.alerts().await.len(), 0);
}
