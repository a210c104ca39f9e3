//! The account's own public access block, above those of all its buckets.

use portcullis_core::{Location, Observed, Resource, ResourceType, partition_of};
use portcullis_derive::Facts;

use crate::block::PublicAccessBlock;

/// The account's block as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct Account {
    /// `GetPublicAccessBlock` of S3 Control.
    #[fact(read("s3:GetAccountPublicAccessBlock"), write("s3:PutAccountPublicAccessBlock"))]
    pub public_access_block: Observed<PublicAccessBlock>,
}

/// The account's block. There is one, and it is always there, so nothing has to be listed.
pub const TYPE: ResourceType<Account> = ResourceType {
    name: "AWS::S3::AccountPublicAccessBlock",
    config_name: Some("AWS::::Account"),
    source: "s3.amazonaws.com",
    regional: false,
    // The call's parameters name an account too, but the record's recipient is the one that owns the block.
    named: |call| Ok(vec![resource(&call.region, &call.account)]),
    identified,
    ..ResourceType::REGIONAL
};

fn identified(id: &str, location: &Location) -> Option<Resource> {
    let own = resource(&location.region, &location.account);
    (id == own.id || id == own.arn).then_some(own)
}

/// The block of an account, as seen from a region.
pub(crate) fn resource(region: &str, account: &str) -> Resource {
    Resource {
        kind: TYPE.name.into(),
        arn: format!("arn:{}:s3::{account}:account-public-access-block", partition_of(region)),
        account: account.into(),
        region: region.into(),
        id: account.into(),
    }
}
