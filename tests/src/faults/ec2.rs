//! The controls of EC2.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, Filter, InstanceNetworkInterfaceSpecification,
    IpPermission, IpRange, LaunchPermission, LaunchPermissionModifications, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, PermissionGroup, RequestLaunchTemplateData,
    ResourceType, SnapshotAttributeName, Tag, TagSpecification,
};
use portcullis_testkit::CloudTrail;
use serde_json::{Value, json};

use super::scenarios::{Path, Scenario};
use crate::World;
use crate::settings::only;

/// The path of a control: how it comes to be violated; yields the resource's id, and parameters and answer of the call that tells.
macro_rules! ec2 {
    ($control:literal, $call:literal, |$ec2:ident| $make:expr) => {
        Path {
            control: $control,
            arrange: |world| {
                Box::pin(async move {
                    let $ec2 = &Client::new(&world.aws.sdk_config());
                    let (id, parameters, answer): (String, Value, Value) = $make;
                    scenario(&world, $control, id, call($call, parameters).response(answer))
                })
            },
        }
    };
}

fn call(name: &str, parameters: Value) -> CloudTrail {
    CloudTrail::call("ec2.amazonaws.com", name).params(parameters)
}

fn scenario(world: &World, control: &str, id: String, event: CloudTrail) -> Scenario {
    let mut settings = only(&[control], "");
    if control == "ec2-volume-quarantine" {
        settings.push_str("ec2: {unencrypted-volumes: stop}\n");
    }
    if ["ec2-volume-marked", "ec2-volume-quarantine"].contains(&control) {
        // They follow from the one that only tells.
        settings = settings.replace(
            "ec2-volume-encrypted: {mode: off}",
            "ec2-volume-encrypted: {mode: notify}",
        );
    }
    let account = world.aws.account().to_owned();
    Scenario {
        function: "portcullis-ec2",
        settings,
        event: event.account(&account).region(&world.region).event(),
        names: vec![(id, "RESOURCE"), (account, "ACCOUNT")],
        forced: &[],
    }
}

/// What violates each control.
pub const PATHS: &[Path] = &[
    ec2!(
        "ec2-ebs-encryption-by-default",
        "DisableEbsEncryptionByDefault",
        |ec2| {
            ec2.disable_ebs_encryption_by_default().send().await.unwrap();
            ("no-resource".into(), json!({}), json!({}))
        }
    ),
    ec2!(
        "ec2-snapshot-block-public-access",
        "DisableSnapshotBlockPublicAccess",
        |ec2| {
            ec2.disable_snapshot_block_public_access().send().await.unwrap();
            ("no-resource".into(), json!({}), json!({}))
        }
    ),
    ec2!(
        "ec2-image-block-public-access",
        "DisableImageBlockPublicAccess",
        |ec2| {
            ec2.disable_image_block_public_access().send().await.unwrap();
            ("no-resource".into(), json!({}), json!({}))
        }
    ),
    ec2!(
        "ec2-instance-metadata-defaults",
        "ModifyInstanceMetadataDefaults",
        |ec2| {
            ec2.get_instance_metadata_defaults().send().await.unwrap();
            ("no-resource".into(), json!({}), json!({}))
        }
    ),
    ec2!("ec2-snapshot-public", "ModifySnapshotAttribute", |ec2| {
        let id = snapshot(ec2, Some("all")).await;
        (id.clone(), json!({"snapshotId": id}), json!({}))
    }),
    ec2!("ec2-snapshot-external-access", "ModifySnapshotAttribute", |ec2| {
        let id = snapshot(ec2, Some("444455556666")).await;
        (id.clone(), json!({"snapshotId": id}), json!({}))
    }),
    ec2!("ec2-snapshot-encrypted", "CreateSnapshot", |ec2| {
        let id = snapshot(ec2, None).await;
        (id.clone(), json!({}), json!({"snapshotId": id}))
    }),
    ec2!("ec2-image-public", "ModifyImageAttribute", |ec2| {
        let id = image(ec2, Some("all")).await;
        (id.clone(), json!({"imageId": id}), json!({}))
    }),
    ec2!("ec2-image-external-access", "ModifyImageAttribute", |ec2| {
        let id = image(ec2, Some("444455556666")).await;
        (id.clone(), json!({"imageId": id}), json!({}))
    }),
    ec2!("ec2-image-encrypted", "CreateImage", |ec2| {
        let id = image(ec2, None).await;
        (id.clone(), json!({}), json!({"imageId": id}))
    }),
    ec2!(
        "ec2-security-group-open-ingress",
        "AuthorizeSecurityGroupIngress",
        |ec2| {
            let id = group(ec2, &network(ec2).await.0).await;
            (id.clone(), json!({"groupId": id}), json!({}))
        }
    ),
    ec2!("ec2-security-group-default", "AuthorizeSecurityGroupIngress", |ec2| {
        let vpc = network(ec2).await.0;
        let of = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let found = ec2.describe_security_groups().filters(of("vpc-id", &vpc));
        let found = found.filters(of("group-name", "default")).send().await.unwrap();
        let id = found.security_groups()[0].group_id.clone().unwrap();
        (id.clone(), json!({"groupId": id}), json!({}))
    }),
    ec2!("ec2-instance-exposed", "ModifyInstanceAttribute", |ec2| {
        let id = instance(ec2).await;
        (id.clone(), json!({"instanceId": id}), json!({}))
    }),
    ec2!("ec2-instance-imdsv2", "ModifyInstanceMetadataOptions", |ec2| {
        let id = instance(ec2).await;
        (
            id.clone(),
            json!({"ModifyInstanceMetadataOptionsRequest": {"InstanceId": id}}),
            json!({}),
        )
    }),
    ec2!("ec2-volume-encrypted", "AttachVolume", |ec2| {
        let id = volume(ec2).await;
        (id.clone(), json!({"volumeId": id}), json!({}))
    }),
    ec2!("ec2-volume-marked", "AttachVolume", |ec2| {
        let id = volume(ec2).await;
        (id.clone(), json!({"volumeId": id}), json!({}))
    }),
    ec2!("ec2-volume-quarantine", "AttachVolume", |ec2| {
        let (id, instance) = (volume(ec2).await, instance(ec2).await);
        let attach = ec2.attach_volume().volume_id(&id).instance_id(instance);
        attach.device("/dev/sdf").send().await.unwrap();
        (id.clone(), json!({"volumeId": id}), json!({}))
    }),
    ec2!("ec2-launch-template-encrypted", "CreateLaunchTemplate", |ec2| template(
        ec2
    )
    .await),
    ec2!("ec2-launch-template-imdsv2", "CreateLaunchTemplate", |ec2| template(
        ec2
    )
    .await),
    ec2!("ec2-launch-template-public-address", "CreateLaunchTemplate", |ec2| {
        template(ec2).await
    }),
];

async fn volume(ec2: &Client) -> String {
    let create = ec2.create_volume().availability_zone("us-east-1a").size(1);
    create.send().await.unwrap().volume_id.unwrap()
}

async fn snapshot(ec2: &Client, with: Option<&str>) -> String {
    let made = ec2.create_snapshot().volume_id(volume(ec2).await).send().await.unwrap();
    let id = made.snapshot_id.unwrap();
    if let Some(with) = with {
        let permission = match with {
            "all" => CreateVolumePermission::builder().group(PermissionGroup::All),
            account => CreateVolumePermission::builder().user_id(account),
        };
        let add = CreateVolumePermissionModifications::builder().add(permission.build());
        let share = ec2.modify_snapshot_attribute().snapshot_id(&id);
        let share = share.attribute(SnapshotAttributeName::CreateVolumePermission);
        share.create_volume_permission(add.build()).send().await.unwrap();
    }
    id
}

async fn image(ec2: &Client, with: Option<&str>) -> String {
    let id = ec2.register_image().name("web").send().await.unwrap().image_id.unwrap();
    if let Some(with) = with {
        let permission = match with {
            "all" => LaunchPermission::builder().group(PermissionGroup::All),
            account => LaunchPermission::builder().user_id(account),
        };
        let add = LaunchPermissionModifications::builder().add(permission.build());
        let share = ec2
            .modify_image_attribute()
            .image_id(&id)
            .launch_permission(add.build());
        share.send().await.unwrap();
    }
    id
}

/// A VPC and a subnet in it.
async fn network(ec2: &Client) -> (String, String) {
    let vpc = ec2
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .send()
        .await
        .unwrap()
        .vpc
        .unwrap()
        .vpc_id
        .unwrap();
    let create = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.0.0.0/24");
    let subnet = create.send().await.unwrap().subnet.unwrap().subnet_id.unwrap();
    (vpc, subnet)
}

/// A group that lets in SSH from everywhere.
async fn group(ec2: &Client, vpc: &str) -> String {
    let create = ec2
        .create_security_group()
        .group_name("open")
        .description("open")
        .vpc_id(vpc);
    let id = create.send().await.unwrap().group_id.unwrap();
    let range = IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22);
    let open = ec2.authorize_security_group_ingress().group_id(&id);
    open.ip_permissions(ssh.ip_ranges(range).build()).send().await.unwrap();
    id
}

/// One with restricted data, a public address and an open group, and with IMDSv1.
async fn instance(ec2: &Client) -> String {
    let (vpc, subnet) = network(ec2).await;
    let interface = InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .subnet_id(subnet)
        .associate_public_ip_address(true)
        .groups(group(ec2, &vpc).await);
    let restricted = Tag::builder().key("DataClassification").value("restricted").build();
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .tags(restricted);
    let run = ec2.run_instances().image_id("ami-12c6146b").min_count(1).max_count(1);
    let run = run
        .network_interfaces(interface.build())
        .tag_specifications(tags.build());
    run.send().await.unwrap().instances()[0].instance_id.clone().unwrap()
}

async fn template(ec2: &Client) -> (String, Value, Value) {
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder();
    let metadata = metadata.http_tokens(LaunchTemplateHttpTokensState::Optional).build();
    let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder().device_index(0);
    let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
        .encrypted(false)
        .volume_size(8)
        .build();
    let device = LaunchTemplateBlockDeviceMappingRequest::builder()
        .device_name("/dev/xvda")
        .ebs(disk);
    let data = RequestLaunchTemplateData::builder()
        .metadata_options(metadata)
        .network_interfaces(interface.associate_public_ip_address(true).build())
        .block_device_mappings(device.build());
    let create = ec2.create_launch_template().launch_template_name("web");
    let made = create.launch_template_data(data.build()).send().await.unwrap();
    let id = made.launch_template.unwrap().launch_template_id.unwrap();
    let answer = json!({"CreateLaunchTemplateResponse": {"launchTemplate": {"launchTemplateId": id}}});
    (id, json!({}), answer)
}
