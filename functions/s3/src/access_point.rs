//! Access points: their policies can be changed, their public access block only at creation.

use portcullis_access::Service;
use portcullis_core::event::{Call, EventError};
use portcullis_core::{Arn, Control, Guard, Location, Observed, Resource, Tags, partition_of};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use crate::policies::is_public_to_s3;
use crate::{PublicAccessBlock, SOURCE, controls};

/// The guard of access points.
pub struct AccessPoint;

/// What can be read of an access point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `GetAccessPoint`: its block, and whether it is bound to a VPC.
    Settings,
    /// `GetAccessPointPolicy`
    Policy,
    /// `GetPublicAccessBlock` for its bucket.
    BucketBlock,
    /// `GetPublicAccessBlock` for the account.
    AccountBlock,
}

/// An access point as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Its own block and network.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub settings: Observed<Settings>,
    /// Its policy, byte for byte.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub policy: Observed<String>,
    /// Its bucket's block; none is known of a bucket of another account.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub bucket_block: Observed<PublicAccessBlock>,
    /// The account's block.
    #[serde(skip_serializing_if = "Observed::is_unread")]
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

/// A change to an access point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// `PutAccessPointPolicy`, `DeleteAccessPointPolicy`
    Policy(Option<String>),
}

impl State {
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

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, remedy: &Remedy) -> Self {
        let Remedy::Policy(policy) = remedy.clone();
        Self {
            policy: policy.into(),
            ..self.clone()
        }
    }

    fn inverse(&self, _: &Remedy) -> Option<Remedy> {
        (!self.policy.is_unread()).then(|| Remedy::Policy(self.policy.get().cloned()))
    }

    /// A point's block is what it was made with: nothing can step aside for a policy that S3 takes for public.
    fn restore_plan(&self, changes: Vec<Remedy>) -> Result<Vec<Remedy>, String> {
        let public = |change: &Remedy| {
            let Remedy::Policy(policy) = change;
            policy
                .as_deref()
                .is_some_and(|policy| is_public_to_s3(policy, Service::S3AccessPoint))
        };
        if self.effective_block().block_public_policy && changes.iter().any(public) {
            return Err(
                "BlockPublicPolicy of the point, its bucket or its account would refuse the policy from before".into(),
            );
        }
        Ok(changes)
    }

    fn tags(&self) -> Option<&Tags> {
        None
    }
}

impl portcullis_core::Remedy for Remedy {
    fn target(&self) -> Cow<'static, str> {
        "policy".into()
    }

    fn writes(&self) -> &'static [&'static str] {
        &["s3:PutAccessPointPolicy", "s3:DeleteAccessPointPolicy"]
    }
}

impl Guard for AccessPoint {
    const KIND: &'static str = "AWS::S3::AccessPoint";
    const SOURCE: &'static str = SOURCE;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::ACCESS_POINT
    }

    fn restore_reads() -> &'static [Fact] {
        &[Fact::Settings, Fact::BucketBlock, Fact::AccountBlock]
    }

    fn reads(fact: Fact) -> &'static [&'static str] {
        match fact {
            Fact::Settings => &["s3:GetAccessPoint"],
            Fact::Policy => &["s3:GetAccessPointPolicy"],
            // Which bucket it is, the settings say.
            Fact::BucketBlock => &["s3:GetAccessPoint", "s3:GetBucketPublicAccessBlock"],
            Fact::AccountBlock => &["s3:GetAccountPublicAccessBlock"],
        }
    }

    fn touches(_: &Remedy) -> Fact {
        Fact::Policy
    }

    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        let name = match call.parameter("name")? {
            Some(name) => name,
            None => listed(call).ok_or_else(|| EventError::Missing("requestParameters.name".into()))?,
        };
        if !is_name(&name) {
            return Err(EventError::parameter("name", "an access point's name", &name.into()));
        }
        Ok(vec![resource(&name, &call.region, &call.account)])
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        let name = match id.parse::<Arn>() {
            Ok(arn) if arn.account == place.account && arn.region == place.region => {
                arn.resource.strip_prefix("accesspoint/")?.to_owned()
            }
            Ok(_) => return None,
            Err(_) => id.to_owned(),
        };
        is_name(&name).then(|| resource(&name, &place.region, &place.account))
    }

    fn lists() -> &'static [&'static str] {
        &["s3:ListAccessPoints"]
    }
}

/// An access point in a region of an account.
pub(crate) fn resource(name: &str, region: &str, account: &str) -> Resource {
    Resource {
        kind: AccessPoint::KIND.into(),
        arn: format!("arn:{}:s3:{region}:{account}:accesspoint/{name}", partition_of(region)),
        account: account.into(),
        region: region.into(),
        id: name.into(),
    }
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
