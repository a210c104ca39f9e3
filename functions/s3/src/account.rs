//! The account's own public access block, above those of all its buckets.

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Control, Guard, Location, Observed, Resource, Tags, partition_of};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use crate::{PublicAccessBlock, SOURCE, controls};

/// The guard of the account's block.
pub struct Account;

/// What can be read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `GetPublicAccessBlock` of S3 Control.
    PublicAccessBlock,
}

/// The account's block as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The block.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub public_access_block: Observed<PublicAccessBlock>,
}

/// A change to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// `PutPublicAccessBlock`, `DeletePublicAccessBlock` of S3 Control.
    PublicAccessBlock(Option<PublicAccessBlock>),
}

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, remedy: &Remedy) -> Self {
        let Remedy::PublicAccessBlock(block) = *remedy;
        Self {
            public_access_block: block.into(),
        }
    }

    fn inverse(&self, _: &Remedy) -> Option<Remedy> {
        let block = &self.public_access_block;
        (!block.is_unread()).then(|| Remedy::PublicAccessBlock(block.get().copied()))
    }

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

impl portcullis_core::Remedy for Remedy {
    fn target(&self) -> Cow<'static, str> {
        "public_access_block".into()
    }

    fn writes(&self) -> &'static [&'static str] {
        &["s3:PutAccountPublicAccessBlock"]
    }
}

impl Guard for Account {
    const KIND: &'static str = "AWS::S3::AccountPublicAccessBlock";
    const CONFIG_KIND: &'static str = "AWS::::Account";
    const SOURCE: &'static str = SOURCE;
    const REGIONAL: bool = false;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::ACCOUNT
    }

    fn reads(_: Fact) -> &'static [&'static str] {
        &["s3:GetAccountPublicAccessBlock"]
    }

    fn touches(_: &Remedy) -> Fact {
        Fact::PublicAccessBlock
    }

    /// The call's parameters name an account too, but the record's recipient is the one that owns the block.
    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        Ok(vec![resource(&call.region, &call.account)])
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        let own = resource(&place.region, &place.account);
        (id == own.id || id == own.arn).then_some(own)
    }

    /// There is one, and it is always there.
    fn lists() -> &'static [&'static str] {
        &[]
    }
}

/// The block of an account, as seen from a region.
pub(crate) fn resource(region: &str, account: &str) -> Resource {
    Resource {
        kind: Account::KIND.into(),
        arn: format!("arn:{}:s3::{account}:account-public-access-block", partition_of(region)),
        account: account.into(),
        region: region.into(),
        id: account.into(),
    }
}
