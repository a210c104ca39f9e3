//! General purpose buckets: which events name them, what is read of them, what can be changed.

use portcullis_access::{Grant, Service};
use portcullis_core::event::{Call, EventError, field, is_region, string};
use portcullis_core::{Arn, Control, Guard, Location, Observed, Resource, Tags, partition_of};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::Ipv4Addr;

use crate::policies::is_public_to_s3;
use crate::{PublicAccessBlock, SOURCE, controls};

/// The guard of buckets.
pub struct Bucket;

/// What can be read of a bucket, one API call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `GetBucketTagging`
    Tags,
    /// `GetPublicAccessBlock`
    PublicAccessBlock,
    /// `GetPublicAccessBlock` of S3 Control, for the account.
    AccountBlock,
    /// `GetBucketEncryption`
    Encryption,
    /// `GetBucketPolicy`
    Policy,
    /// `GetBucketAcl`
    Acl,
    /// `GetBucketOwnershipControls`
    Ownership,
    /// `GetBucketVersioning`
    Versioning,
    /// `GetBucketWebsite`
    Website,
}

/// A bucket as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Its tags; none reads as an empty map.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub tags: Observed<Tags>,
    /// Its own public access block.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub public_access_block: Observed<PublicAccessBlock>,
    /// That of its account.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub account_block: Observed<PublicAccessBlock>,
    /// Its default encryption.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub encryption: Observed<Encryption>,
    /// Its policy, byte for byte.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub policy: Observed<String>,
    /// Its access control list.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub acl: Observed<Acl>,
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub ownership: Observed<String>,
    /// Whether versions are kept.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub versioning: Observed<Versioning>,
    /// Its website configuration.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub website: Observed<Website>,
}

/// Default encryption. Source: S3 API Reference, `ServerSideEncryptionRule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Encryption {
    /// What every bucket has since January 2023. Source: S3 User Guide, "Default encryption FAQ".
    pub fn sse_s3() -> Self {
        Self {
            algorithm: "AES256".into(),
            key: None,
            bucket_key: false,
            blocked: None,
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

/// A change to a bucket: each writes one document as a whole, or deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// `PutPublicAccessBlock`, `DeletePublicAccessBlock`
    PublicAccessBlock(Option<PublicAccessBlock>),
    /// `PutBucketOwnershipControls`, `DeleteBucketOwnershipControls`
    Ownership(Option<String>),
    /// `PutBucketAcl`
    Acl(Acl),
    /// `PutBucketPolicy`, `DeleteBucketPolicy`
    Policy(Option<String>),
    /// `PutBucketEncryption`, `DeleteBucketEncryption`
    Encryption(Option<Encryption>),
    /// `PutBucketVersioning`
    Versioning(Versioning),
    /// `PutBucketWebsite`, `DeleteBucketWebsite`
    Website(Option<Website>),
}

impl State {
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

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, remedy: &Remedy) -> Self {
        let mut after = self.clone();
        match remedy.clone() {
            Remedy::PublicAccessBlock(block) => after.public_access_block = block.into(),
            Remedy::Ownership(ownership) => after.ownership = ownership.into(),
            Remedy::Acl(acl) => after.acl = Observed::Is(acl),
            Remedy::Policy(policy) => after.policy = policy.into(),
            // Deleting it leaves SSE-S3. Source: S3 API Reference, `DeleteBucketEncryption`.
            Remedy::Encryption(encryption) => {
                after.encryption = Observed::Is(encryption.unwrap_or_else(Encryption::sse_s3));
            }
            Remedy::Versioning(versioning) => after.versioning = Observed::Is(versioning),
            Remedy::Website(website) => after.website = website.into(),
        }
        after
    }

    fn inverse(&self, remedy: &Remedy) -> Option<Remedy> {
        fn put_back<T: Clone>(was: &Observed<T>, remedy: impl Fn(Option<T>) -> Remedy) -> Option<Remedy> {
            (!was.is_unread()).then(|| remedy(was.get().cloned()))
        }
        match remedy {
            Remedy::PublicAccessBlock(_) => put_back(&self.public_access_block, Remedy::PublicAccessBlock),
            Remedy::Ownership(_) => put_back(&self.ownership, Remedy::Ownership),
            Remedy::Acl(_) => self.acl.get().cloned().map(Remedy::Acl),
            Remedy::Policy(_) => put_back(&self.policy, Remedy::Policy),
            Remedy::Encryption(_) => put_back(&self.encryption, Remedy::Encryption),
            Remedy::Versioning(_) => self.versioning.get().map(|was| match was {
                Versioning::Off | Versioning::Suspended => Remedy::Versioning(Versioning::Suspended),
                Versioning::Enabled => Remedy::Versioning(Versioning::Enabled),
            }),
            Remedy::Website(_) => put_back(&self.website, Remedy::Website),
        }
    }

    /// Under a block S3 refuses to put a public policy or ACL, even one that was there before it: those flags step aside for
    /// the two calls. They refuse what is new; what is there they do not touch, so nothing is open in between that is not
    /// afterwards. The account's block is not this restore's to lift.
    fn restore_plan(&self, changes: Vec<Remedy>) -> Result<Vec<Remedy>, String> {
        let needs = |change: &Remedy| match change {
            Remedy::Policy(Some(policy)) => (is_public_to_s3(policy, Service::S3Bucket), false),
            Remedy::Acl(acl) => (false, acl.grants.iter().any(|grant| grant.public().is_some())),
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
        let above = stands(of(&self.account_block));
        if !above.is_empty() {
            return Err(format!(
                "the account's {} would refuse what was there before: lift it for as long as the restore takes",
                above.join(" and ")
            ));
        }
        let last = changes.iter().fold(self.clone(), |state, change| state.after(change));
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
            .filter(|change| !matches!(change, Remedy::PublicAccessBlock(_)));
        Ok([Remedy::PublicAccessBlock(Some(aside))]
            .into_iter()
            .chain(others)
            .chain([Remedy::PublicAccessBlock(Some(block))])
            .collect())
    }

    fn tags(&self) -> Option<&Tags> {
        self.tags.get()
    }
}

impl portcullis_core::Remedy for Remedy {
    fn target(&self) -> Cow<'static, str> {
        match self {
            Self::PublicAccessBlock(_) => "public_access_block",
            Self::Ownership(_) => "ownership",
            Self::Acl(_) => "acl",
            Self::Policy(_) => "policy",
            Self::Encryption(_) => "encryption",
            Self::Versioning(_) => "versioning",
            Self::Website(_) => "website",
        }
        .into()
    }

    /// S3 answers 409 to access settings of one bucket that are changed at the same time; the others don't touch them.
    fn concurrency_group(&self) -> u8 {
        match self {
            Self::PublicAccessBlock(_) | Self::Ownership(_) | Self::Acl(_) | Self::Policy(_) => 0,
            Self::Encryption(_) => 1,
            Self::Versioning(_) => 2,
            Self::Website(_) => 3,
        }
    }

    /// Under a block S3 refuses every policy that it takes for public, even one that only adds a deny: the block goes last.
    fn apply_order(&self) -> u8 {
        u8::from(matches!(self, Self::PublicAccessBlock(_)))
    }

    /// A block refuses the public policy or ACL that a restore puts back, and disabled ACLs refuse any: these go first.
    fn restore_order(&self) -> u8 {
        match self {
            Self::PublicAccessBlock(_) => 0,
            Self::Ownership(_) => 1,
            _ => 2,
        }
    }

    fn writes(&self) -> &'static [&'static str] {
        match self {
            Self::PublicAccessBlock(_) => &["s3:PutBucketPublicAccessBlock"],
            Self::Ownership(_) => &["s3:PutBucketOwnershipControls"],
            Self::Acl(_) => &["s3:PutBucketAcl"],
            Self::Policy(_) => &["s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
            Self::Encryption(_) => &["s3:PutEncryptionConfiguration"],
            Self::Versioning(_) => &["s3:PutBucketVersioning"],
            Self::Website(_) => &["s3:PutBucketWebsite", "s3:DeleteBucketWebsite"],
        }
    }
}

impl Guard for Bucket {
    const KIND: &'static str = "AWS::S3::Bucket";
    const SOURCE: &'static str = SOURCE;
    const REGIONAL: bool = false;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::BUCKET
    }

    fn quarantines() -> &'static [&'static str] {
        controls::EXPOSURES
    }

    /// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
    fn reads(fact: Fact) -> &'static [&'static str] {
        match fact {
            Fact::Tags => &["s3:GetBucketTagging"],
            Fact::PublicAccessBlock => &["s3:GetBucketPublicAccessBlock"],
            Fact::AccountBlock => &["s3:GetAccountPublicAccessBlock"],
            Fact::Encryption => &["s3:GetEncryptionConfiguration"],
            Fact::Policy => &["s3:GetBucketPolicy"],
            Fact::Acl => &["s3:GetBucketAcl"],
            Fact::Ownership => &["s3:GetBucketOwnershipControls"],
            Fact::Versioning => &["s3:GetBucketVersioning"],
            Fact::Website => &["s3:GetBucketWebsite"],
        }
    }

    /// The classification of the data is in its tags.
    fn always() -> &'static [Fact] {
        &[Fact::Tags]
    }

    fn restore_reads() -> &'static [Fact] {
        &[Fact::PublicAccessBlock, Fact::AccountBlock]
    }

    fn touches(remedy: &Remedy) -> Fact {
        match remedy {
            Remedy::PublicAccessBlock(_) => Fact::PublicAccessBlock,
            Remedy::Ownership(_) => Fact::Ownership,
            Remedy::Acl(_) => Fact::Acl,
            Remedy::Policy(_) => Fact::Policy,
            Remedy::Encryption(_) => Fact::Encryption,
            Remedy::Versioning(_) => Fact::Versioning,
            Remedy::Website(_) => Fact::Website,
        }
    }

    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        let Some(name) = named(call)? else {
            return Ok(Vec::new());
        };
        let bucket = resource(&name, &region(call)?, &call.account);
        // The record that the caller's account gets of a call across accounts names the owner.
        let is_foreign = call.owners.get(&bucket.arn).is_some_and(|owner| *owner != call.account);
        Ok(if is_foreign { Vec::new() } else { vec![bucket] })
    }

    fn deletes() -> &'static [&'static str] {
        &["DeleteBucket"]
    }

    /// By its name. That the bucket is this account's is checked by S3, with each call.
    fn identified(id: &str, place: &Location) -> Option<Resource> {
        let name = match id.parse::<Arn>() {
            Ok(arn) if is_bucket_arn(&arn) => arn.resource,
            Ok(_) => return None,
            Err(_) => id.to_owned(),
        };
        is_bucket_name(&name).then(|| resource(&name, &place.region, &place.account))
    }

    fn lists() -> &'static [&'static str] {
        &["s3:ListAllMyBuckets"]
    }
}

/// The bucket that a call names; of a call whose parameters were omitted, the one among the record's resources. None where it
/// names something else.
fn named(call: &Call) -> Result<Option<String>, EventError> {
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
        kind: Bucket::KIND.into(),
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
