//! Access points: their policies can be changed, their public access block only at creation.

use portcullis_access::Service;
use portcullis_core::event::{Call, EventError};
use portcullis_core::{Arn, Location, Observed, Resource, ResourceType};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::block::PublicAccessBlock;
use crate::public_to_s3::is_public_to_s3;

/// An access point as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct AccessPoint {
    /// Its own block and network: `GetAccessPoint`.
    #[fact(read("s3:GetAccessPoint"))]
    pub settings: Observed<Settings>,
    /// Its policy, byte for byte: `GetAccessPointPolicy`.
    #[fact(
        read("s3:GetAccessPointPolicy"),
        write("s3:PutAccessPointPolicy", "s3:DeleteAccessPointPolicy"),
        policy
    )]
    pub policy: Observed<String>,
    /// Its bucket's block, for which `GetAccessPoint` says the bucket; none is known of a bucket of another account.
    #[fact(read("s3:GetAccessPoint", "s3:GetBucketPublicAccessBlock"))]
    pub bucket_block: Observed<PublicAccessBlock>,
    /// The account's block: `GetPublicAccessBlock` of S3 Control.
    #[fact(read("s3:GetAccountPublicAccessBlock"))]
    pub account_block: Observed<PublicAccessBlock>,
}

/// What is fixed when an access point is created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Its block.
    pub public_access_block: PublicAccessBlock,
    /// The VPC that it is bound to, if any: then it is never public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// Its bucket.
    pub bucket: String,
}

/// Access points.
pub const TYPE: ResourceType<AccessPoint> = ResourceType {
    name: "AWS::S3::AccessPoint",
    arn_form: "s3:{r}:{a}:accesspoint/{n}",
    source: "s3.amazonaws.com",
    restore_reads: &[
        AccessPointFact::Settings,
        AccessPointFact::BucketBlock,
        AccessPointFact::AccountBlock,
    ],
    list_actions: &["s3:ListAccessPoints"],
    creates: &["CreateAccessPoint"],
    named,
    identified,
    restore_plan,
    ..ResourceType::REGIONAL
};

impl AccessPoint {
    fn own_block(&self) -> PublicAccessBlock {
        let settings = self.settings.get();
        settings
            .map(|settings| settings.public_access_block)
            .unwrap_or_default()
    }

    /// The block in effect: of access point, bucket and account, the most restrictive. Source: S3 User Guide, "Managing public
    /// access to access points for general purpose buckets".
    pub fn effective_block(&self) -> PublicAccessBlock {
        let block = |seen: &Observed<PublicAccessBlock>| seen.get().copied().unwrap_or_default();
        self.own_block()
            .or(block(&self.bucket_block))
            .or(block(&self.account_block))
    }

    /// The block that leaves a public policy to the owner's account, if one does.
    pub fn restricted_by(&self) -> Option<&'static str> {
        let restricts =
            |seen: &Observed<PublicAccessBlock>| seen.get().is_some_and(|block| block.restrict_public_buckets);
        if self.own_block().restrict_public_buckets {
            Some("its block")
        } else if restricts(&self.bucket_block) {
            Some("the block of its bucket")
        } else {
            restricts(&self.account_block).then_some("the block of its account")
        }
    }
}

/// A point's block is what it was made with: nothing can step aside for a policy that S3 takes for public.
fn restore_plan(point: &AccessPoint, changes: Vec<AccessPointChange>) -> Result<Vec<AccessPointChange>, String> {
    let public = |change: &AccessPointChange| {
        let AccessPointChange::Policy(policy) = change;
        policy
            .as_deref()
            .is_some_and(|policy| is_public_to_s3(policy, Service::S3AccessPoint))
    };
    if point.effective_block().block_public_policy && changes.iter().any(public) {
        return Err(
            "BlockPublicPolicy of the point, its bucket or its account would refuse the policy from before".into(),
        );
    }
    Ok(changes)
}

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    let name = match call.parameter("name")? {
        Some(name) => name,
        None => listed(call).ok_or_else(|| EventError::Missing("requestParameters.name".into()))?,
    };
    if !is_name(&name) {
        return Err(EventError::parameter("name", "an access point's name", &name.into()));
    }
    Ok(vec![resource(&name, &call.region, &call.account)])
}

fn identified(id: &str, location: &Location) -> Option<Resource> {
    let name = match id.parse::<Arn>() {
        Ok(arn) if arn.account == location.account && arn.region == location.region => {
            arn.resource.strip_prefix("accesspoint/")?.to_owned()
        }
        Ok(_) => return None,
        Err(_) => id.to_owned(),
    };
    is_name(&name).then(|| resource(&name, &location.region, &location.account))
}

/// An access point in a region of an account.
pub(crate) fn resource(name: &str, region: &str, account: &str) -> Resource {
    let (account, region) = (account.into(), region.into());
    Resource::regional(TYPE.name, "s3", "accesspoint/", name, &Location { account, region })
}

/// The access point among the record's resources, for a call whose parameters were omitted.
fn listed(call: &Call) -> Option<String> {
    let arns = call.resources.iter().filter_map(|arn| arn.parse::<Arn>().ok());
    let mut names = arns.filter(|arn| arn.service == "s3" && arn.account == call.account);
    names.find_map(|arn| arn.resource.strip_prefix("accesspoint/").map(str::to_owned))
}

/// Source: S3 User Guide, "Rules for naming Amazon S3 access points".
fn is_name(name: &str) -> bool {
    (3..=50).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
