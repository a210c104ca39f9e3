use crate::clause::{Clause, Resources, Variant};
use crate::guardrail::{Exempt, Guardrail, scp};
use crate::kind::{Group, Tier};
use crate::values::Values;

const GROUP: Group = Group::Ec2;
const VOLUME: &str = "arn:*:ec2:*:*:volume/*";
const SNAPSHOT: &str = "arn:*:ec2:*::snapshot/*";

pub(super) const ALL: &[Guardrail] = &[
    scp(
        GROUP,
        "EbsDefault",
        &["ec2-ebs-encryption-by-default"],
        &[
            "ec2:DisableEbsEncryptionByDefault",
            "ec2:ModifyEbsDefaultKmsKeyId",
            "ec2:ResetEbsDefaultKmsKeyId",
        ],
    )
    .breaks("changes of the default key by others than the exempt roles"),
    // EnableSnapshotBlockPublicAccess is among them: it can lower block-all-sharing to block-new-sharing.
    scp(
        GROUP,
        "Ec2Defaults",
        &[
            "ec2-snapshot-block-public-access",
            "ec2-image-block-public-access",
            "ec2-instance-metadata-defaults",
        ],
        &[
            "ec2:DisableImageBlockPublicAccess",
            "ec2:DisableSnapshotBlockPublicAccess",
            "ec2:EnableSnapshotBlockPublicAccess",
            "ec2:ModifyInstanceMetadataDefaults",
        ],
    )
    .breaks("turning on the snapshot block and stricter metadata defaults as well"),
    // On volumes only: on its source snapshot the same key says whether the source is encrypted.
    scp(
        GROUP,
        "EbsUnencrypted",
        &["ec2-volume-encrypted", "ec2-launch-template-encrypted"],
        &["ec2:CreateVolume", "ec2:ImportVolume", "ec2:RunInstances"],
    )
    .on(&[VOLUME])
    .when(&[("Bool", "ec2:Encrypted", &["false"])]),
    scp(GROUP, "EbsAttach", &["ec2-volume-encrypted"], &["ec2:AttachVolume"])
        .tier(Tier::Strict)
        .on(&[VOLUME])
        .when(&[("Bool", "ec2:Encrypted", &["false"])])
        .breaks("volumes from before, which can't be attached again until they are swapped for encrypted ones"),
    scp(
        GROUP,
        "EbsKey",
        &["ec2-volume-encrypted"],
        &["ec2:CreateVolume", "ec2:RunInstances"],
    )
    .tier(Tier::Levels)
    .made(ebs_key)
    .breaks("calls that name the level's key by its id or an alias: only its ARN passes"),
    // Nobody needs it in an emergency, so that nobody is exempt.
    scp(
        GROUP,
        "SnapshotPublic",
        &["ec2-snapshot-public"],
        &["ec2:ModifySnapshotAttribute"],
    )
    .on(&[SNAPSHOT])
    .when(&[("ForAnyValue:StringEquals", "ec2:Add/group", &["all"])])
    .sparing(Exempt::Nobody),
    scp(
        GROUP,
        "SnapshotForeign",
        &["ec2-snapshot-external-access"],
        &["ec2:ModifySnapshotAttribute"],
    )
    .tier(Tier::Accounts)
    .made(snapshot_foreign)
    .breaks("sharing with accounts that joined after the list was made: generate it again"),
    // Images have no ec2:Add/* keys, so that the whole call is denied.
    scp(
        GROUP,
        "ImageShare",
        &["ec2-image-external-access", "ec2-image-public"],
        &["ec2:ModifyImageAttribute"],
    )
    .tier(Tier::Strict)
    .breaks("any change of an image's attributes, its description included"),
    // ec2:MetadataHttpTokens would be the state before the call; ec2:Attribute/… is what is asked for.
    scp(
        GROUP,
        "Imdsv1",
        &["ec2-instance-imdsv2"],
        &["ec2:ModifyInstanceMetadataOptions"],
    )
    .when(&[("StringEquals", "ec2:Attribute/HttpTokens", &["optional"])])
    .breaks("software that can only use IMDSv1"),
    scp(
        GROUP,
        "Imdsv1Launch",
        &["ec2-instance-imdsv2", "ec2-launch-template-imdsv2"],
        &["ec2:RunInstances"],
    )
    .tier(Tier::Strict)
    .on(&["arn:*:ec2:*:*:instance/*"])
    .when(&[("StringNotEquals", "ec2:MetadataHttpTokens", &["required"])])
    .breaks("launches that say nothing of IMDS, though the account's default may be right"),
    scp(
        GROUP,
        "PublicAddress",
        &["ec2-launch-template-public-address", "ec2-instance-exposed"],
        &["ec2:RunInstances"],
    )
    .tier(Tier::Strict)
    .on(&["arn:*:ec2:*:*:network-interface/*"])
    .when(&[("Bool", "ec2:AssociatePublicIpAddress", &["true"])])
    .breaks("instances that are meant to have a public address"),
    scp(
        GROUP,
        "VpcBlock",
        &["ec2-instance-exposed"],
        &[
            "ec2:CreateVpcBlockPublicAccessExclusion",
            "ec2:ModifyVpcBlockPublicAccessExclusion",
            "ec2:ModifyVpcBlockPublicAccessOptions",
        ],
    )
    .breaks("turning VPC Block Public Access on, by others than the exempt roles"),
];

/// The ARN of the key as the call has to write it: the key holds what the caller wrote.
fn ebs_key(values: &Values) -> Result<Vec<Variant>, String> {
    values.each_level(
        "a key: classification.levels.….key",
        |level| level.key.as_ref().filter(|_| !level.values.is_empty()),
        |level, key| Variant {
            suffix: level.suffix(),
            resources: Resources::These(vec![VOLUME.to_owned()]),
            conditions: vec![
                values.tagged_at_creation(level),
                Clause::new("StringNotEquals", "ec2:KmsKeyId", [key]),
            ],
        },
    )
}

fn snapshot_foreign(values: &Values) -> Result<Vec<Variant>, String> {
    if values.own_accounts.is_empty() {
        return Err("the organisation's accounts: --accounts FILE".into());
    }
    let mut accounts: Vec<_> = values.own_accounts.iter().chain(&values.accounts).collect();
    accounts.sort();
    accounts.dedup();
    Ok(vec![Variant {
        suffix: String::new(),
        resources: Resources::These(vec![SNAPSHOT.to_owned()]),
        conditions: vec![Clause::new("ForAnyValue:StringNotEquals", "ec2:Add/userId", accounts)],
    }])
}
