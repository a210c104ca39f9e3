//! General purpose buckets: which events name them, what is read of them, what can be changed.

use std::net::Ipv4Addr;

use portcullis_access::{Grant, Service};
use portcullis_controls::ResourcePolicy;
use portcullis_controls::encryption::Key;
use portcullis_core::event::{Call, EventError, field, is_region, string};
use portcullis_core::{Arn, JudgeContext, Location, Observed, Resource, ResourceType, Tags, partition_of};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::block::PublicAccessBlock;
use crate::public_to_s3::is_public_to_s3;

/// A bucket as read, one API call a fact. Source: Service Authorization Reference, "Actions, resources, and condition keys for
/// Amazon S3".
///
/// S3 answers 409 to access settings of one bucket that are changed at the same time, so these are one group; the others don't
/// touch them. Under a block S3 refuses every policy that it takes for public, even one that only adds a deny: the block goes
/// last. It also refuses the public policy or ACL that a restore puts back, and disabled ACLs refuse any: there they go first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct Bucket {
    /// `GetBucketTagging`; none reads as an empty map.
    #[fact(tags, read("s3:GetBucketTagging"))]
    pub tags: Observed<Tags>,
    /// Its own block: `GetPublicAccessBlock`.
    #[fact(
        read("s3:GetBucketPublicAccessBlock"),
        write("s3:PutBucketPublicAccessBlock"),
        apply_order = 1,
        restore_order = 0
    )]
    pub public_access_block: Observed<PublicAccessBlock>,
    /// That of its account: `GetPublicAccessBlock` of S3 Control.
    #[fact(read("s3:GetAccountPublicAccessBlock"))]
    pub account_block: Observed<PublicAccessBlock>,
    /// Its default encryption: `GetBucketEncryption`. Deleting it leaves SSE-S3 (S3 API Reference, `DeleteBucketEncryption`).
    #[fact(
        read("s3:GetEncryptionConfiguration", "kms:DescribeKey"),
        write("s3:PutEncryptionConfiguration"),
        absent = Encryption::sse_s3,
        group = 1,
        restore_order = 2
    )]
    pub encryption: Observed<Encryption>,
    /// Its policy, byte for byte: `GetBucketPolicy`.
    #[fact(
        read("s3:GetBucketPolicy"),
        write("s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
        policy,
        restore_order = 2
    )]
    pub policy: Observed<String>,
    /// Its access control list: `GetBucketAcl`.
    #[fact(
        read("s3:GetBucketAcl"),
        write("s3:PutBucketAcl"),
        required,
        document,
        restore_order = 2
    )]
    pub acl: Observed<Acl>,
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`: `GetBucketOwnershipControls`.
    #[fact(
        read("s3:GetBucketOwnershipControls"),
        write("s3:PutBucketOwnershipControls"),
        restore_order = 1
    )]
    pub ownership: Observed<String>,
    /// Whether versions are kept: `GetBucketVersioning`.
    #[fact(
        read("s3:GetBucketVersioning"),
        write("s3:PutBucketVersioning"),
        required,
        undo = Versioning::way_back,
        group = 2,
        restore_order = 2
    )]
    pub versioning: Observed<Versioning>,
    /// Its website configuration: `GetBucketWebsite`.
    #[fact(
        read("s3:GetBucketWebsite"),
        write("s3:PutBucketWebsite", "s3:DeleteBucketWebsite"),
        group = 3,
        restore_order = 2
    )]
    pub website: Observed<Website>,
}

/// Buckets. The classification of the data is in their tags.
pub const TYPE: ResourceType<Bucket> = ResourceType {
    name: "AWS::S3::Bucket",
    arn_form: "s3:::{n}",
    source: "s3.amazonaws.com",
    regional: false,
    always: &[BucketFact::Tags],
    restore_reads: &[BucketFact::PublicAccessBlock, BucketFact::AccountBlock],
    list_actions: &["s3:ListAllMyBuckets"],
    creates: &["CreateBucket"],
    deletes: &["DeleteBucket"],
    named,
    identified,
    restore_plan,
    ..ResourceType::REGIONAL
};

/// Default encryption. Source: S3 API Reference, `ServerSideEncryptionRule`.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The KMS key; none is the AWS-managed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether an S3 Bucket Key spares calls to KMS.
    #[serde(default)]
    pub bucket_key: bool,
    /// The kinds of encryption that uploads may not ask for, as in `SSE-C`; none where AWS did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Vec<String>>,
    /// The key that its name stands for, and whose it is; none where no key is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<Key>,
}

/// What is set is compared, not what it stands for at the moment.
impl PartialEq for Encryption {
    fn eq(&self, other: &Self) -> bool {
        (&self.algorithm, &self.key, self.bucket_key, &self.blocked)
            == (&other.algorithm, &other.key, other.bucket_key, &other.blocked)
    }
}

impl Encryption {
    /// What every bucket has since January 2023. Source: S3 User Guide, "Default encryption FAQ".
    pub fn sse_s3() -> Self {
        Self {
            algorithm: "AES256".into(),
            key: None,
            bucket_key: false,
            blocked: None,
            stands_for: None,
        }
    }
}

/// An access control list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acl {
    /// The owner's canonical id.
    pub owner: String,
    /// Who may do what.
    pub grants: Vec<Grant>,
}

/// Whether versions are kept. Once enabled, AWS has no way back to off: only to suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Never enabled.
    Off,
    /// On.
    Enabled,
    /// Was on.
    Suspended,
}

impl Versioning {
    fn way_back(self) -> Self {
        match self {
            Self::Off | Self::Suspended => Self::Suspended,
            Self::Enabled => Self::Enabled,
        }
    }
}

/// A website configuration. Source: S3 API Reference, `WebsiteConfiguration`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Website {
    /// The suffix of index documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The key of the error document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Host and protocol to which all requests are redirected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_all: Option<(String, Option<String>)>,
    /// Redirections of single requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RoutingRule>,
}

/// One redirection of a website. Source: S3 API Reference, `RoutingRule`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoutingRule {
    /// The HTTP error code that it is for.
    pub on_error: Option<String>,
    /// The prefix of keys that it is for.
    pub on_prefix: Option<String>,
    /// The host to redirect to.
    pub host: Option<String>,
    /// The HTTP code of the redirection.
    pub code: Option<String>,
    /// `http` or `https`.
    pub protocol: Option<String>,
    /// What replaces the prefix.
    pub prefix: Option<String>,
    /// What replaces the key.
    pub key: Option<String>,
}

impl Bucket {
    /// Its policy, to be judged.
    pub(crate) fn policy_in<'a>(&'a self, context: &'a JudgeContext<'a>) -> ResourcePolicy<'a> {
        ResourcePolicy::of(Service::S3Bucket, &self.policy, context)
    }

    /// The block in effect: of bucket and account, the more restrictive.
    pub fn effective_block(&self) -> PublicAccessBlock {
        let block = |seen: &Observed<PublicAccessBlock>| seen.get().copied().unwrap_or_default();
        block(&self.public_access_block).or(block(&self.account_block))
    }

    /// The encryption in effect: AWS encrypts with SSE-S3 where nothing is said.
    pub fn effective_encryption(&self) -> Encryption {
        self.encryption.get().cloned().unwrap_or_else(Encryption::sse_s3)
    }
}

/// Under a block S3 refuses to put a public policy or ACL, even one that was there before it: those flags step aside for
/// the two calls. They refuse what is new; what is there they do not touch, so nothing is open in between that is not
/// afterwards. The account's block is not this restore's to lift.
fn restore_plan(bucket: &Bucket, changes: Vec<BucketChange>) -> Result<Vec<BucketChange>, String> {
    let needs = |change: &BucketChange| match change {
        BucketChange::Policy(Some(policy)) => (is_public_to_s3(policy, Service::S3Bucket), false),
        BucketChange::Acl(acl) => (false, acl.grants.iter().any(|grant| grant.public().is_some())),
        _ => (false, false),
    };
    let (policy, acl) = changes
        .iter()
        .map(needs)
        .fold((false, false), |(policy, acl), more| (policy || more.0, acl || more.1));
    let stands = |block: PublicAccessBlock| {
        let flags = [
            (policy && block.block_public_policy, "BlockPublicPolicy"),
            (acl && block.block_public_acls, "BlockPublicAcls"),
        ];
        flags
            .into_iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| name)
            .collect::<Vec<_>>()
    };
    let of = |seen: &Observed<PublicAccessBlock>| seen.get().copied().unwrap_or_default();
    let above = stands(of(&bucket.account_block));
    if !above.is_empty() {
        return Err(format!(
            "the account's {} would refuse what was there before: lift it for as long as the restore takes",
            above.join(" and ")
        ));
    }
    let last = ResourceType::after(bucket, &changes);
    let block = of(&last.public_access_block);
    if stands(block).is_empty() {
        return Ok(changes);
    }
    let aside = PublicAccessBlock {
        block_public_policy: block.block_public_policy && !policy,
        block_public_acls: block.block_public_acls && !acl,
        ..block
    };
    let others = changes
        .into_iter()
        .filter(|change| !matches!(change, BucketChange::PublicAccessBlock(_)));
    Ok([BucketChange::PublicAccessBlock(Some(aside))]
        .into_iter()
        .chain(others)
        .chain([BucketChange::PublicAccessBlock(Some(block))])
        .collect())
}

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    let Some(name) = name_of(call)? else {
        return Ok(Vec::new());
    };
    let bucket = resource(&name, &region(call)?, &call.account);
    // The record that the caller's account gets of a call across accounts names the owner.
    let is_foreign = call.owners.get(&bucket.arn).is_some_and(|owner| *owner != call.account);
    Ok(if is_foreign { Vec::new() } else { vec![bucket] })
}

/// By its name. That the bucket is this account's is checked by S3, with each call.
fn identified(id: &str, location: &Location) -> Option<Resource> {
    let name = match id.parse::<Arn>() {
        Ok(arn) if is_bucket_arn(&arn) => arn.resource,
        Ok(_) => return None,
        Err(_) => id.to_owned(),
    };
    is_bucket_name(&name).then(|| resource(&name, &location.region, &location.account))
}

/// The bucket that a call names; of a call whose parameters were omitted, the one among the record's resources. None where it
/// names something else.
fn name_of(call: &Call) -> Result<Option<String>, EventError> {
    if let Some(name) = call.parameter("bucketName")? {
        return is_bucket_name(&name)
            .then(|| Some(name.clone()))
            .ok_or_else(|| EventError::parameter("bucketName", "a bucket's name", &name.into()));
    }
    // Tags of a bucket with attribute-based access control are set by ARN. Source: S3 API Reference, `PutBucketAbac`.
    if let Some(text) = call.parameter("resourceArn")? {
        return match text.parse::<Arn>() {
            Ok(arn) if !is_bucket_arn(&arn) => Ok(None),
            Ok(arn) if is_bucket_name(&arn.resource) => Ok(Some(arn.resource)),
            _ => Err(EventError::parameter("resourceArn", "an ARN", &text.into())),
        };
    }
    let arns = call.resources.iter().filter_map(|arn| arn.parse::<Arn>().ok());
    let mut buckets = arns.filter(is_bucket_arn).map(|arn| arn.resource);
    buckets
        .find(|name| is_bucket_name(name))
        .map(Some)
        .ok_or_else(|| EventError::Missing("requestParameters.bucketName".into()))
}

/// Access points, Storage Lens groups and all else that has tags have an account in their ARN.
fn is_bucket_arn(arn: &Arn) -> bool {
    arn.service == "s3" && arn.account.is_empty()
}

/// The bucket's region: a call that creates one may be made in another. Without a constraint S3 takes only the region of the
/// endpoint that was called, which is `us-east-1` in the partition `aws`: all others answer
/// `IllegalLocationConstraintException`, so such a call has failed. Source: S3 API Reference, `CreateBucket`.
fn region(call: &Call) -> Result<String, EventError> {
    let constraint = field(&call.parameters, "CreateBucketConfiguration")
        .and_then(|configuration| field(configuration, "LocationConstraint"))
        .and_then(string)
        .filter(|region| !region.is_empty());
    match constraint.as_deref() {
        // Source: S3 API Reference, `CreateBucketConfiguration`: the name from before there were two regions in Europe.
        Some("EU") => Ok("eu-west-1".into()),
        Some(region) if is_region(region) => Ok(region.into()),
        Some(other) => {
            let field = "CreateBucketConfiguration.LocationConstraint";
            Err(EventError::parameter(field, "a region's name", &other.into()))
        }
        None => Ok(call.region.clone()),
    }
}

pub(crate) fn resource(name: &str, region: &str, account: &str) -> Resource {
    Resource {
        kind: TYPE.name.into(),
        arn: format!("arn:{}:s3:::{name}", partition_of(region)),
        account: account.into(),
        region: region.into(),
        id: name.into(),
    }
}

/// Whether it can name a bucket, old ones included. Source: S3 User Guide, "Bucket naming rules".
pub fn is_bucket_name(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && name.parse::<Ipv4Addr>().is_err()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod tests;
