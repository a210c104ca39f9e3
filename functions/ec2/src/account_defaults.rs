//! What new volumes, snapshots, images and instances of a region get unless their creator says otherwise.

use portcullis_core::{Location, Observed, Resource, ResourceType, partition_of};
use portcullis_derive::Facts;

use crate::naming::SOURCE;

/// The defaults as read, one API call a fact; none touches another. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct AccountDefaults {
    /// Whether new volumes and snapshot copies are encrypted: `GetEbsEncryptionByDefault`.
    #[fact(
        read("ec2:GetEbsEncryptionByDefault"),
        write("ec2:EnableEbsEncryptionByDefault", "ec2:DisableEbsEncryptionByDefault"),
        required,
        group = 0
    )]
    pub encryption_by_default: Observed<bool>,
    /// The key that they are encrypted with: `GetEbsDefaultKmsKeyId`.
    #[fact(
        read("ec2:GetEbsDefaultKmsKeyId"),
        write("ec2:ModifyEbsDefaultKmsKeyId"),
        required,
        group = 1
    )]
    pub default_key: Observed<String>,
    /// `unblocked`, `block-new-sharing` or `block-all-sharing`: `GetSnapshotBlockPublicAccessState`.
    #[fact(
        read("ec2:GetSnapshotBlockPublicAccessState"),
        write("ec2:EnableSnapshotBlockPublicAccess", "ec2:DisableSnapshotBlockPublicAccess"),
        required,
        group = 2
    )]
    pub snapshot_block: Observed<String>,
    /// Who decides that: `account`, or `declarative-policy`, one of the organisation's.
    #[fact(name = SnapshotBlock)]
    pub snapshot_block_by: Observed<String>,
    /// `unblocked` or `block-new-sharing`: `GetImageBlockPublicAccessState`.
    #[fact(
        read("ec2:GetImageBlockPublicAccessState"),
        write("ec2:EnableImageBlockPublicAccess", "ec2:DisableImageBlockPublicAccess"),
        required,
        group = 3,
        settles_minutes = 11
    )]
    pub image_block: Observed<String>,
    /// Who decides that: `account`, or `declarative-policy`, one of the organisation's.
    #[fact(name = ImageBlock)]
    pub image_block_by: Observed<String>,
    /// Whether instances ask for a token: `required`, `optional`; absent where there is no preference:
    /// `GetInstanceMetadataDefaults`.
    #[fact(read("ec2:GetInstanceMetadataDefaults"))]
    pub metadata_tokens: Observed<String>,
    /// Who decides that: `account`, or `declarative-policy`, one of the organisation's.
    #[fact(name = MetadataTokens)]
    pub metadata_by: Observed<String>,
}

/// No sharing of snapshots or images with everybody.
pub const UNBLOCKED: &str = "unblocked";

/// The calls that set the block of images. For up to ten minutes AWS goes on answering what was so before them. Source: EC2 API
/// Reference, `EnableImageBlockPublicAccess`, `DisableImageBlockPublicAccess`.
pub const IMAGE_BLOCK_CALLS: [&str; 2] = ["DisableImageBlockPublicAccess", "EnableImageBlockPublicAccess"];

/// Why a default can't be judged where AWS does not know it.
pub const NOT_OFFERED: &str = "AWS does not offer it in this region";

/// Why a finding is left to the organisation, where that decides. Source: Organizations User Guide, "Declarative policy syntax".
pub fn decided_elsewhere(by: &Observed<String>) -> Option<String> {
    let is_policy = by.get().is_some_and(|by| by == "declarative-policy");
    is_policy.then(|| {
        "a declarative policy of the organisation decides it, and the account can't change it: nothing was tried; ask whoever manages \
         that policy"
            .into()
    })
}

/// A region's defaults. There is one, and it is always there, so nothing has to be listed. A call about them names nothing: it is
/// about the region in which it was made.
pub const TYPE: ResourceType<AccountDefaults> = ResourceType {
    name: "AWS::EC2::AccountDefaults",
    config_name: Some("AWS::::Account"),
    source: SOURCE,
    remembers: &IMAGE_BLOCK_CALLS,
    named: |call| Ok(vec![resource(&call.place())]),
    identified,
    ..ResourceType::REGIONAL
};

fn identified(id: &str, location: &Location) -> Option<Resource> {
    let own = resource(location);
    (id == own.id || id == own.arn || id == own.account).then_some(own)
}

/// The defaults of a region.
pub(crate) fn resource(location: &Location) -> Resource {
    let Location { account, region } = location;
    Resource {
        kind: TYPE.name.into(),
        arn: format!("arn:{}:ec2:{region}:{account}:account-defaults", partition_of(region)),
        id: region.clone(),
        account: account.clone(),
        region: region.clone(),
    }
}
