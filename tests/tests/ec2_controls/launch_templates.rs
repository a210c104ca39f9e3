//! Launch templates: told, and never changed.

use aws_sdk_ec2::types::{
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState,
    LaunchTemplateInstanceMetadataOptionsRequest, LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
    RequestLaunchTemplateData, Tag,
};
use portcullis_tests::{Answered, controls_in};
use serde_json::{Value, json};

use super::support::{Ec2, keys, writes};

fn data(wrong: bool) -> RequestLaunchTemplateData {
    let tokens = if wrong {
        LaunchTemplateHttpTokensState::Optional
    } else {
        LaunchTemplateHttpTokensState::Required
    };
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder().http_tokens(tokens);
    let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder().device_index(0);
    let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
        .encrypted(!wrong)
        .volume_size(8);
    let device = LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda");
    RequestLaunchTemplateData::builder()
        .metadata_options(metadata.build())
        .network_interfaces(interface.associate_public_ip_address(wrong).build())
        .block_device_mappings(device.ebs(disk.build()).build())
        .build()
}

async fn template(ec2: &Ec2, wrong: bool) -> String {
    let create = ec2.client.create_launch_template().launch_template_name("web");
    let made = create.launch_template_data(data(wrong)).send().await.unwrap();
    made.launch_template.unwrap().launch_template_id.unwrap()
}

fn event(ec2: &Ec2, name: &str, id: &str) -> Value {
    let answer = json!({format!("{name}Response"): {"launchTemplate": {"launchTemplateId": id}}});
    ec2.call(name, json!({})).response(answer).event()
}

#[tokio::test]
async fn what_a_template_gives_its_instances_is_told_and_left() {
    let ec2 = Ec2::new().await;
    let id = template(&ec2, true).await;
    let function = ec2.function().start().await;
    let told = function.invoke(event(&ec2, "CreateLaunchTemplate", &id)).await;
    let controls = controls_in(told.answer());
    let all = ["encrypted", "imdsv2", "public-address"].map(|what| format!("ec2-launch-template-{what}"));
    assert!(controls.keys().eq(&all), "{controls:?}");
    assert!(
        controls.values().all(|outcome| outcome == "needs-action"),
        "{controls:?}"
    );
    assert_eq!(writes(&told.calls), [""; 0]);
    let alert = &ec2.world.alerts().await[0];
    assert_eq!(alert.attributes["severity"], "HIGH");
    assert!(alert.text.contains("version 1: /dev/xvda"), "{}", alert.text);
}

#[tokio::test]
async fn the_default_version_counts_and_the_latest_and_no_other() {
    let ec2 = Ec2::new().await;
    let id = template(&ec2, false).await;
    let function = ec2.function().start().await;
    let outcome = async |name: &str| function.invoke(event(&ec2, name, &id)).await.outcome();
    assert_eq!(outcome("CreateLaunchTemplate").await, "compliant");
    let version = async |wrong: bool| {
        let create = ec2.client.create_launch_template_version().launch_template_id(&id);
        create.launch_template_data(data(wrong)).send().await.unwrap();
    };
    version(true).await;
    assert_eq!(outcome("ModifyLaunchTemplate").await, "needs-action");
    version(false).await;
    assert_eq!(outcome("ModifyLaunchTemplate").await, "compliant");
}

#[tokio::test]
async fn the_key_that_a_template_names_is_of_the_kind_that_its_data_need() {
    let ec2 = Ec2::new().await;
    let (own, aws) = keys(&ec2).await;
    let function = ec2.function().start().await;
    let mut told = 0;
    for (name, key, expected) in [
        ("own", Some(own.as_str()), "compliant"),
        ("none", None, "compliant"),
        ("alias", Some("alias/aws/ebs"), "needs-action"),
        ("arn", Some(aws.as_str()), "needs-action"),
    ] {
        let disk = LaunchTemplateEbsBlockDeviceRequest::builder().encrypted(true);
        let disk = disk.set_kms_key_id(key.map(str::to_owned)).volume_size(8).build();
        let device = LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda");
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder();
        let metadata = metadata.http_tokens(LaunchTemplateHttpTokensState::Required).build();
        let data = RequestLaunchTemplateData::builder().block_device_mappings(device.ebs(disk).build());
        let create = ec2.client.create_launch_template().launch_template_name(name);
        let create = create.launch_template_data(data.metadata_options(metadata).build());
        let made = create.send().await.unwrap().launch_template.unwrap();
        let id = made.launch_template_id.unwrap();
        let tag = Tag::builder().key("DataClassification").value("restricted").build();
        ec2.client.create_tags().resources(&id).tags(tag).send().await.unwrap();
        let done = function.invoke(event(&ec2, "CreateLaunchTemplate", &id)).await;
        assert_eq!(done.outcome(), expected, "{name}: {:?}", done.result);
        told += usize::from(expected != "compliant");
        let alerts = ec2.world.alerts().await;
        assert_eq!(alerts.len(), told);
        if let Some(alert) = alerts.last() {
            let expected =
                "names in version 1 the AWS-managed key for /dev/xvda, and data of the level restricted need";
            assert!(alert.text.contains(expected), "{}", alert.text);
        }
    }
}

#[tokio::test]
async fn a_template_that_is_no_more_is_gone() {
    let ec2 = Ec2::new().await;
    let function = ec2.function().start().await;
    let gone = function
        .invoke(event(&ec2, "ModifyLaunchTemplate", "lt-0d9f3a5e7c414b8e9"))
        .await;
    assert_eq!(gone.outcome(), "gone", "{:?}", gone.result);
}
