//! A violation of each control of EC2, and what EC2's sample events come to.
//!
//! What is right afterwards is what AWS documents: Amazon EBS User Guide, "Enable Amazon EBS encryption by default", "Block public
//! access for Amazon EBS snapshots", "Share an Amazon EBS snapshot"; Amazon EC2 User Guide, "Block public access to your AMIs",
//! "Share an AMI with specific AWS accounts", "Use IMDSv2"; Amazon VPC User Guide, "Default security groups for your VPCs".
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is test support: a panic is how a test fails"
)]

mod account;
mod balanced;
mod resource;
mod ways;

use portcullis_testkit::{Finds, Sample, ServiceUnderTest, Subject as _, Violation, arrangement, violation};

pub use account::Ec2;
pub use balanced::balance;
pub use resource::Resource;

/// EC2 as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: VIOLATIONS,
    samples: SAMPLES,
    ways: ways::WAYS,
};

const PARTNER: &str = "444455556666";
const STRANGER: &str = "777788889999";
const TRUSTED: &str = "trusted: {accounts: ['444455556666']}\n";

const VIOLATIONS: &[Violation] = &[
    violation!("ec2-ebs-encryption-by-default", |ec2: Ec2| {
        ec2.client.disable_ebs_encryption_by_default().send().await.unwrap();
        ec2.defaults()
            .broken_by("DisableEbsEncryptionByDefault")
            .told("MEDIUM", "remediated")
            .fixed_by(&["EnableEbsEncryptionByDefault"])
            .right("new volumes", "encrypted")
            .undone_by(&["DisableEbsEncryptionByDefault"])
    }),
    violation!("ec2-snapshot-block-public-access", |ec2: Ec2| {
        ec2.client.disable_snapshot_block_public_access().send().await.unwrap();
        ec2.defaults()
            .broken_by("DisableSnapshotBlockPublicAccess")
            .told("HIGH", "remediated")
            .fixed_by(&["EnableSnapshotBlockPublicAccess"])
            .right("public snapshots", "block-all-sharing")
            .undone_by(&["DisableSnapshotBlockPublicAccess"])
    }),
    violation!("ec2-image-block-public-access", |ec2: Ec2| {
        ec2.client.disable_image_block_public_access().send().await.unwrap();
        ec2.defaults()
            .broken_by("DisableImageBlockPublicAccess")
            .told("HIGH", "remediating")
            .fixed_by(&["EnableImageBlockPublicAccess"])
            .right("public images", "block-new-sharing")
            .undone_by(&["DisableImageBlockPublicAccess"])
    }),
    violation!("ec2-instance-metadata-defaults", |ec2: Ec2| {
        let told = ec2.defaults().broken_by("ModifyInstanceMetadataDefaults");
        told.told("MEDIUM", "needs-action")
            .says("modify-instance-metadata-defaults")
    }),
    violation!("ec2-snapshot-public", |ec2: Ec2| {
        let snapshot = ec2.snapshot().await;
        snapshot.share(&["all", PARTNER]).await;
        snapshot
            .broken_by("ModifySnapshotAttribute")
            .told("CRITICAL", "remediated")
            .fixed_by(&["ModifySnapshotAttribute"])
            .right("shared with", PARTNER)
            .undone_by(&["ModifySnapshotAttribute"])
    }),
    violation!("ec2-snapshot-external-access", |ec2: Ec2| {
        let snapshot = ec2.snapshot().await;
        snapshot.share(&[PARTNER, STRANGER]).await;
        snapshot
            .broken_by("ModifySnapshotAttribute")
            .settings(TRUSTED)
            .told("HIGH", "remediated")
            .says(STRANGER)
            .fixed_by(&["ModifySnapshotAttribute"])
            .right("shared with", PARTNER)
            .undone_by(&["ModifySnapshotAttribute"])
    }),
    violation!("ec2-snapshot-encrypted", |ec2: Ec2| {
        let told = ec2.snapshot().await.broken_by("CreateSnapshot");
        told.told("MEDIUM", "needs-action").says("copy-snapshot --encrypted")
    }),
    violation!("ec2-image-public", |ec2: Ec2| {
        let image = ec2.image().await;
        image.share(&["all", PARTNER]).await;
        image
            .broken_by("ModifyImageAttribute")
            .told("CRITICAL", "remediated")
            .fixed_by(&["ModifyImageAttribute"])
            .right("shared with", PARTNER)
            .undone_by(&["ModifyImageAttribute"])
    }),
    violation!("ec2-image-external-access", |ec2: Ec2| {
        let image = ec2.image().await;
        image.share(&[PARTNER, STRANGER]).await;
        image
            .broken_by("ModifyImageAttribute")
            .settings(TRUSTED)
            .told("HIGH", "remediated")
            .says(STRANGER)
            .fixed_by(&["ModifyImageAttribute"])
            .right("shared with", PARTNER)
            .undone_by(&["ModifyImageAttribute"])
    }),
    violation!("ec2-image-encrypted", |ec2: Ec2| {
        let told = ec2.image().await.broken_by("CreateImage");
        told.told("MEDIUM", "needs-action").says("copy-image --encrypted")
    }),
    violation!("ec2-security-group-open-ingress", |ec2: Ec2| {
        let group = ec2.group("web", None).await;
        for (port, from) in [(22, "10.0.0.0/8"), (22, "0.0.0.0/0"), (443, "0.0.0.0/0")] {
            group.lets_in(port, from).await;
        }
        group
            .broken_by("AuthorizeSecurityGroupIngress")
            .told("CRITICAL", "remediated")
            .says("tcp 22 from 0.0.0.0/0")
            .fixed_by(&["RevokeSecurityGroupIngress"])
            .right("lets in", "22 from 10.0.0.0/8 (why), 443 from 0.0.0.0/0 (why)")
            .undone_by(&["AuthorizeSecurityGroupIngress"])
    }),
    violation!("ec2-security-group-default", |ec2: Ec2| {
        let group = ec2.default_group().await;
        group.lets_in(5432, "10.0.0.0/8").await;
        group
            .broken_by("AuthorizeSecurityGroupIngress")
            .told("HIGH", "remediated")
            .says("default group")
            .fixed_by(&["RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"])
            .right("lets in", "")
            .right("lets out", "")
            .changes(1)
            .undone_by(&["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"])
    }),
    violation!("ec2-security-group-quarantine", |ec2: Ec2| {
        let group = ec2.quarantine_group().await;
        group.lets_in(22, "198.51.100.7/32").await;
        group
            .broken_by("AuthorizeSecurityGroupIngress")
            .told("CRITICAL", "remediated")
            .says("tcp 22 from 198.51.100.7/32")
            .fixed_by(&["RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"])
            .right("lets in", "")
            .right("lets out", "")
            .changes(1)
            .undone_by(&["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"])
    }),
    violation!("ec2-instance-exposed", |ec2: Ec2| {
        let (instance, open) = ec2.exposed_instance().await;
        instance
            .broken_by("AssociateAddress")
            .told("CRITICAL", "quarantined")
            .says("tcp 22 from 0.0.0.0/0")
            .fixed_by(&[
                "CreateTags",
                "CreateSecurityGroup",
                "RevokeSecurityGroupEgress",
                "ModifyNetworkInterfaceAttribute",
            ])
            .right("groups", format!("portcullis-quarantine, once {}", open.id))
            .undone_by(&["ModifyNetworkInterfaceAttribute", "DeleteTags"])
            .own(&open.id, "OPEN")
    }),
    violation!("ec2-instance-imdsv2", |ec2: Ec2| {
        let instance = ec2.instance().await;
        instance
            .broken_by("ModifyInstanceMetadataOptions")
            .told("HIGH", "remediated")
            .fixed_by(&["ModifyInstanceMetadataOptions"])
            .right("tokens", "required")
            .undone_by(&["ModifyInstanceMetadataOptions"])
    }),
    violation!("ec2-volume-encrypted", |ec2: Ec2| {
        ec2.volume()
            .await
            .broken_by("AttachVolume")
            .told("MEDIUM", "needs-action")
    }),
    violation!("ec2-volume-marked", |ec2: Ec2| {
        let volume = ec2.volume().await;
        volume
            .broken_by("AttachVolume")
            .beside(&["ec2-volume-encrypted"])
            .told("MEDIUM", "needs-action")
            .headline("needs-action")
            .fixed_by(&["CreateTags"])
            .right("tags", "portcullis:quarantine=unencrypted")
            .undone_by(&["DeleteTags"])
    }),
    violation!("ec2-volume-quarantine", |ec2: Ec2| {
        let (volume, instance) = (ec2.volume().await, ec2.instance().await);
        volume.attach_to(&instance).await;
        volume
            .broken_by("AttachVolume")
            .settings("ec2: {unencrypted-volumes: stop}\n")
            .beside(&["ec2-volume-encrypted"])
            .told("MEDIUM", "quarantined")
            .headline("needs-action")
            .fixed_by(&["StopInstances"])
            .right("attached", format!("/dev/sdf of {}, stopped", instance.id))
            .undone_by(&["StartInstances"])
            .own(&instance.id, "INSTANCE")
    }),
    violation!("ec2-launch-template-encrypted", |ec2: Ec2| {
        let told = ec2.launch_template().await.broken_by("CreateLaunchTemplate");
        told.told("MEDIUM", "needs-action").says("version 1: /dev/xvda")
    }),
    violation!("ec2-launch-template-imdsv2", |ec2: Ec2| {
        let told = ec2.launch_template().await.broken_by("CreateLaunchTemplate");
        told.told("MEDIUM", "needs-action")
    }),
    violation!("ec2-launch-template-public-address", |ec2: Ec2| {
        let told = ec2.launch_template().await.broken_by("CreateLaunchTemplate");
        told.told("HIGH", "needs-action")
    }),
];

/// What each call comes to by default.
const SAMPLES: &[Sample] = &[
    exposed("AssociateAddress").closed("instance-exposed"),
    exposed("ModifyInstanceAttribute").closed("instance-exposed"),
    exposed("StartInstances").closed("instance-exposed"),
    exposed("AttachNetworkInterface").closed("instance-exposed"),
    exposed("DeleteTags")
        .closed("instance-exposed")
        .right("instance-imdsv2"),
    // It is about the disks, too.
    exposed("RunInstances")
        .closed("instance-exposed")
        .right("instance-imdsv2")
        .told("volume-encrypted volume-marked"),
    // The event names an interface, which leads to its instance.
    Sample::new("ModifyNetworkInterfaceAttribute", BY_INTERFACE).closed("instance-exposed"),
    Sample::of("ModifyInstanceMetadataOptions", "ec2-instance-imdsv2").right("instance-imdsv2"),
    Sample::of("AuthorizeSecurityGroupEgress", "ec2-security-group-default").told("security-group-default"),
    Sample::of("AuthorizeSecurityGroupIngress", "ec2-security-group-open-ingress").right("security-group-open-ingress"),
    Sample::of("ModifySecurityGroupRules", "ec2-security-group-open-ingress").right("security-group-open-ingress"),
    Sample::new(
        "ModifyManagedPrefixList",
        Finds::This(arrangement!(|ec2: Ec2| {
            let (group, list) = ec2.listed_group().await;
            group.broken_by("AuthorizeSecurityGroupIngress").named_as(list)
        })),
    )
    .right("security-group-open-ingress"),
    Sample::new("AssignIpv6Addresses", BY_INTERFACE).closed("instance-exposed"),
    Sample::new("CreateVpc", NEW_VPC).told("security-group-default"),
    Sample::new("CreateDefaultVpc", NEW_VPC).told("security-group-default"),
    volume("AttachVolume"),
    volume("CopyVolumes"),
    volume("CreateVolume"),
    volume("CreateTags"),
    volume("RestoreVolumeFromRecycleBin"),
    Sample::of("CreateReplaceRootVolumeTask", "ec2-instance-exposed").told("volume-encrypted volume-marked"),
    Sample::of("CopySnapshot", "ec2-snapshot-encrypted").told("snapshot-encrypted"),
    Sample::of("CreateSnapshot", "ec2-snapshot-encrypted").told("snapshot-encrypted"),
    Sample::of("CreateSnapshots", "ec2-snapshot-encrypted").told("snapshot-encrypted"),
    Sample::of("ModifySnapshotAttribute", "ec2-snapshot-public")
        .right("snapshot-public")
        .told("snapshot-external-access"),
    Sample::of("RestoreSnapshotFromRecycleBin", "ec2-snapshot-public")
        .right("snapshot-public")
        .told("snapshot-encrypted snapshot-external-access"),
    Sample::of("RestoreImageFromRecycleBin", "ec2-image-public")
        .right("image-public")
        .told("image-encrypted image-external-access"),
    Sample::of("CreateRestoreImageTask", "ec2-image-encrypted").told("image-encrypted"),
    Sample::of("CopyImage", "ec2-image-encrypted").told("image-encrypted"),
    Sample::of("CreateImage", "ec2-image-encrypted").told("image-encrypted"),
    Sample::of("RegisterImage", "ec2-image-encrypted").told("image-encrypted"),
    Sample::of("ModifyImageAttribute", "ec2-image-public")
        .right("image-public")
        .told("image-external-access"),
    launch_template("CreateLaunchTemplate"),
    launch_template("CreateLaunchTemplateVersion"),
    launch_template("ModifyLaunchTemplate"),
    Sample::of("DisableEbsEncryptionByDefault", "ec2-ebs-encryption-by-default").right("ebs-encryption-by-default"),
    Sample::of("EnableEbsEncryptionByDefault", "ec2-ebs-encryption-by-default").right("ebs-encryption-by-default"),
    Sample::of("ModifyEbsDefaultKmsKeyId", "ec2-ebs-encryption-by-default").right("ebs-encryption-by-default"),
    Sample::of("ResetEbsDefaultKmsKeyId", "ec2-ebs-encryption-by-default").right("ebs-encryption-by-default"),
    Sample::of("DisableImageBlockPublicAccess", "ec2-image-block-public-access").right("image-block-public-access"),
    Sample::of("EnableImageBlockPublicAccess", "ec2-image-block-public-access").right("image-block-public-access"),
    Sample::of("DisableSnapshotBlockPublicAccess", "ec2-snapshot-block-public-access")
        .right("snapshot-block-public-access"),
    Sample::of("EnableSnapshotBlockPublicAccess", "ec2-snapshot-block-public-access")
        .right("snapshot-block-public-access"),
    Sample::of("ModifyInstanceMetadataDefaults", "ec2-instance-metadata-defaults").told("instance-metadata-defaults"),
];

/// An exposed instance that the event names by its network interface.
const BY_INTERFACE: Finds = Finds::This(arrangement!(|ec2: Ec2| {
    let (instance, _) = ec2.exposed_instance().await;
    let interface = instance.interfaces().await.remove(0);
    let arranged = instance.broken_by("AssociateAddress");
    arranged.named_as(interface.network_interface_id.unwrap())
}));

/// The default group of a VPC that the event names.
const NEW_VPC: Finds = Finds::This(arrangement!(|ec2: Ec2| {
    let (group, vpc) = ec2.default_group_of_a_vpc().await;
    group.broken_by("AuthorizeSecurityGroupIngress").named_as(vpc)
}));

const fn exposed(call: &'static str) -> Sample {
    Sample::of(call, "ec2-instance-exposed")
}

const fn volume(call: &'static str) -> Sample {
    let sample = Sample::of(call, "ec2-volume-marked");
    sample.told("volume-encrypted volume-marked")
}

const fn launch_template(call: &'static str) -> Sample {
    let sample = Sample::of(call, "ec2-launch-template-encrypted");
    sample.told("launch-template-encrypted launch-template-imdsv2 launch-template-public-address")
}
