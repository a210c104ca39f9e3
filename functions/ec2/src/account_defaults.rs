//! What new volumes, snapshots, images and instances of a region get unless their creator says otherwise.

use std::borrow::Cow;

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Control, Guard, Location, Observed, Resource, Tags, partition_of};
use serde::{Deserialize, Serialize};

use crate::{SOURCE, controls};

/// The guard of a region's defaults.
pub struct AccountDefaults;

/// What can be read of them, one API call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `GetEbsEncryptionByDefault`
    EncryptionByDefault,
    /// `GetEbsDefaultKmsKeyId`
    DefaultKey,
    /// `GetSnapshotBlockPublicAccessState`
    SnapshotBlock,
    /// `GetImageBlockPublicAccessState`
    ImageBlock,
    /// `GetInstanceMetadataDefaults`
    MetadataTokens,
}

/// The defaults as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Whether new volumes and snapshot copies are encrypted.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub encryption_by_default: Observed<bool>,
    /// The key that they are encrypted with.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub default_key: Observed<String>,
    /// `unblocked`, `block-new-sharing` or `block-all-sharing`.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub snapshot_block: Observed<String>,
    /// `unblocked` or `block-new-sharing`.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub image_block: Observed<String>,
    /// Whether instances ask for a token: `required`, `optional`; absent where there is no preference.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub metadata_tokens: Observed<String>,
}

/// No sharing of snapshots or images with everybody.
pub const UNBLOCKED: &str = "unblocked";

/// A change to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// `EnableEbsEncryptionByDefault`, `DisableEbsEncryptionByDefault`
    EncryptionByDefault(bool),
    /// `ModifyEbsDefaultKmsKeyId`
    DefaultKey(String),
    /// `EnableSnapshotBlockPublicAccess`, `DisableSnapshotBlockPublicAccess`
    SnapshotBlock(String),
    /// `EnableImageBlockPublicAccess`, `DisableImageBlockPublicAccess`
    ImageBlock(String),
}

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, remedy: &Remedy) -> Self {
        let mut after = self.clone();
        match remedy.clone() {
            Remedy::EncryptionByDefault(on) => after.encryption_by_default = Observed::Is(on),
            Remedy::DefaultKey(key) => after.default_key = Observed::Is(key),
            Remedy::SnapshotBlock(block) => after.snapshot_block = Observed::Is(block),
            Remedy::ImageBlock(block) => after.image_block = Observed::Is(block),
        }
        after
    }

    fn inverse(&self, remedy: &Remedy) -> Option<Remedy> {
        match remedy {
            Remedy::EncryptionByDefault(_) => self
                .encryption_by_default
                .get()
                .copied()
                .map(Remedy::EncryptionByDefault),
            Remedy::DefaultKey(_) => self.default_key.get().cloned().map(Remedy::DefaultKey),
            Remedy::SnapshotBlock(_) => self.snapshot_block.get().cloned().map(Remedy::SnapshotBlock),
            Remedy::ImageBlock(_) => self.image_block.get().cloned().map(Remedy::ImageBlock),
        }
    }

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

impl portcullis_core::Remedy for Remedy {
    fn target(&self) -> Cow<'static, str> {
        match self {
            Self::EncryptionByDefault(_) => "encryption_by_default",
            Self::DefaultKey(_) => "default_key",
            Self::SnapshotBlock(_) => "snapshot_block",
            Self::ImageBlock(_) => "image_block",
        }
        .into()
    }

    /// They don't touch each other.
    fn concurrency_group(&self) -> u8 {
        match self {
            Self::EncryptionByDefault(_) => 0,
            Self::DefaultKey(_) => 1,
            Self::SnapshotBlock(_) => 2,
            Self::ImageBlock(_) => 3,
        }
    }

    fn writes(&self) -> &'static [&'static str] {
        match self {
            Self::EncryptionByDefault(_) => &["ec2:EnableEbsEncryptionByDefault", "ec2:DisableEbsEncryptionByDefault"],
            Self::DefaultKey(_) => &["ec2:ModifyEbsDefaultKmsKeyId"],
            Self::SnapshotBlock(_) => &[
                "ec2:EnableSnapshotBlockPublicAccess",
                "ec2:DisableSnapshotBlockPublicAccess",
            ],
            Self::ImageBlock(_) => &["ec2:EnableImageBlockPublicAccess", "ec2:DisableImageBlockPublicAccess"],
        }
    }
}

impl Guard for AccountDefaults {
    const KIND: &'static str = "AWS::EC2::AccountDefaults";
    const CONFIG_KIND: &'static str = "AWS::::Account";
    const SOURCE: &'static str = SOURCE;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::ACCOUNT_DEFAULTS
    }

    /// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
    fn reads(fact: Fact) -> &'static [&'static str] {
        match fact {
            Fact::EncryptionByDefault => &["ec2:GetEbsEncryptionByDefault"],
            Fact::DefaultKey => &["ec2:GetEbsDefaultKmsKeyId"],
            Fact::SnapshotBlock => &["ec2:GetSnapshotBlockPublicAccessState"],
            Fact::ImageBlock => &["ec2:GetImageBlockPublicAccessState"],
            Fact::MetadataTokens => &["ec2:GetInstanceMetadataDefaults"],
        }
    }

    fn touches(remedy: &Remedy) -> Fact {
        match remedy {
            Remedy::EncryptionByDefault(_) => Fact::EncryptionByDefault,
            Remedy::DefaultKey(_) => Fact::DefaultKey,
            Remedy::SnapshotBlock(_) => Fact::SnapshotBlock,
            Remedy::ImageBlock(_) => Fact::ImageBlock,
        }
    }

    /// Such a call names nothing: it is about the region in which it was made.
    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        Ok(vec![resource(&call.place())])
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        let own = resource(place);
        (id == own.id || id == own.arn || id == own.account).then_some(own)
    }

    /// There is one, and it is always there.
    fn lists() -> &'static [&'static str] {
        &[]
    }
}

/// The defaults of a region.
pub(crate) fn resource(place: &Location) -> Resource {
    let Location { account, region } = place;
    Resource {
        kind: AccountDefaults::KIND.into(),
        arn: format!("arn:{}:ec2:{region}:{account}:account-defaults", partition_of(region)),
        id: region.clone(),
        account: account.clone(),
        region: region.clone(),
    }
}
