//! A bucket under test: how to make it insecure, and what AWS says of it.

use std::fmt::Write as _;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::get_bucket_website::GetBucketWebsiteOutput;
use aws_sdk_s3::types::{
    AccessControlPolicy, BlockedEncryptionTypes, BucketCannedAcl, BucketVersioningStatus, CreateBucketConfiguration,
    Grant, Grantee, IndexDocument, Owner, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, Type,
    VersioningConfiguration, WebsiteConfiguration,
};
use portcullis_testkit::{CloudTrail, Snapshot, Subject, World, policy};
use serde_json::{Value, json};

use super::account::S3;

/// Everybody.
pub const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
/// Every AWS account.
pub const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// What writes server access logs.
pub const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// A bucket in the test's account.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Where it is.
    pub world: S3,
    /// Its name.
    pub name: String,
}

impl S3 {
    /// A bucket as made before April 2023: SSE-S3, no public access block, ACLs enabled.
    pub async fn bucket(&self, name: &str) -> Bucket {
        let name = self.aws.unique(name);
        let mut create = self.s3.create_bucket().bucket(&name);
        if self.region != "us-east-1" {
            let place = CreateBucketConfiguration::builder().location_constraint(self.region.as_str().into());
            create = create.create_bucket_configuration(place.build());
        }
        create.send().await.expect("create the bucket");
        Bucket {
            world: self.clone(),
            name,
        }
    }

    /// A bucket on which every control finds something that settings do not have to ask for.
    pub async fn open_bucket(&self) -> Bucket {
        let bucket = self.bucket("open").await;
        let partner = bucket.lets_in("Partner", &json!({"AWS": self.role("Partner")}));
        bucket
            .put_policy(policy(&[partner, bucket.lets_in("Everybody", &json!("*"))]))
            .await;
        bucket.put_canned_acl("public-read").await;
        bucket.put_website(least_website()).await;
        bucket
    }
}

impl Bucket {
    /// Its ARN.
    pub fn arn(&self) -> String {
        let partition = portcullis_core::partition_of(&self.world.region);
        format!("arn:{partition}:s3:::{}", self.name)
    }

    /// A statement that lets somebody read its objects.
    pub fn lets_in(&self, sid: &str, principal: &Value) -> Value {
        lets_in(sid, principal, &format!("{}/*", self.arn()))
    }

    /// A statement that denies everything under a condition.
    pub(super) fn denies(&self, sid: &str, condition: &Value) -> Value {
        json!({
            "Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [self.arn(), format!("{}/*", self.arn())],
            "Condition": condition,
        })
    }

    /// Sets the four flags of its block.
    pub async fn put_block(&self, [acls, ignore, policy, restrict]: [bool; 4]) -> &Self {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(acls)
            .ignore_public_acls(ignore)
            .block_public_policy(policy)
            .restrict_public_buckets(restrict)
            .build();
        let put = self.world.s3.put_public_access_block().bucket(&self.name);
        put.public_access_block_configuration(block).send().await.unwrap();
        self
    }

    /// Sets its policy, byte for byte.
    pub async fn put_policy(&self, text: impl Into<String>) -> &Self {
        let put = self.world.s3.put_bucket_policy().bucket(&self.name);
        put.policy(text).send().await.unwrap();
        self
    }

    /// Sets one of the ACLs that S3 has names for.
    pub async fn put_canned_acl(&self, name: &str) -> &Self {
        let put = self.world.s3.put_bucket_acl().bucket(&self.name);
        put.acl(BucketCannedAcl::from(name)).send().await.unwrap();
        self
    }

    /// Adds grants to what its ACL grants the owner: a group's URI or a canonical id, and a permission.
    pub async fn put_grants(&self, grants: &[(&str, &str)]) -> &Self {
        let acl = self.world.s3.get_bucket_acl().bucket(&self.name).send().await.unwrap();
        let owner = acl.owner.and_then(|owner| owner.id).unwrap();
        let of = |grantee: &str, permission: &str| {
            let who = if grantee.starts_with("http") {
                Grantee::builder().r#type(Type::Group).uri(grantee)
            } else {
                Grantee::builder().r#type(Type::CanonicalUser).id(grantee)
            };
            Grant::builder()
                .grantee(who.build().unwrap())
                .permission(permission.into())
                .build()
        };
        let mut all = vec![of(&owner, "FULL_CONTROL")];
        all.extend(grants.iter().map(|(grantee, permission)| of(grantee, permission)));
        let policy = AccessControlPolicy::builder()
            .owner(Owner::builder().id(owner).build())
            .set_grants(Some(all));
        let put = self.world.s3.put_bucket_acl().bucket(&self.name);
        put.access_control_policy(policy.build()).send().await.unwrap();
        self
    }

    /// Sets who owns objects: `ObjectWriter`, `BucketOwnerPreferred`, `BucketOwnerEnforced`.
    pub async fn put_ownership(&self, ownership: &str) -> &Self {
        let rule = OwnershipControlsRule::builder().object_ownership(ownership.into());
        let controls = OwnershipControls::builder().rules(rule.build().unwrap());
        let put = self.world.s3.put_bucket_ownership_controls().bucket(&self.name);
        put.ownership_controls(controls.build().unwrap()).send().await.unwrap();
        self
    }

    /// Sets its default encryption.
    pub async fn put_encryption(
        &self,
        algorithm: &str,
        key: Option<&str>,
        bucket_key: bool,
        blocked: &[&str],
    ) -> &Self {
        let default = ServerSideEncryptionByDefault::builder()
            .sse_algorithm(algorithm.into())
            .set_kms_master_key_id(key.map(str::to_owned))
            .build();
        let kinds = BlockedEncryptionTypes::builder()
            .set_encryption_type(Some(blocked.iter().map(|&kind| kind.into()).collect()))
            .build();
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(default.unwrap())
            .bucket_key_enabled(bucket_key)
            .set_blocked_encryption_types((!blocked.is_empty()).then_some(kinds))
            .build();
        let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build();
        let put = self.world.s3.put_bucket_encryption().bucket(&self.name);
        put.server_side_encryption_configuration(configuration.unwrap())
            .send()
            .await
            .unwrap();
        self
    }

    /// Enables or suspends versioning.
    pub async fn put_versioning(&self, enabled: bool) -> &Self {
        let status = if enabled {
            BucketVersioningStatus::Enabled
        } else {
            BucketVersioningStatus::Suspended
        };
        let versioning = VersioningConfiguration::builder().status(status).build();
        let put = self.world.s3.put_bucket_versioning().bucket(&self.name);
        put.versioning_configuration(versioning).send().await.unwrap();
        self
    }

    /// Serves it as a website.
    pub async fn put_website(&self, website: WebsiteConfiguration) -> &Self {
        let put = self.world.s3.put_bucket_website().bucket(&self.name);
        put.website_configuration(website).send().await.unwrap();
        self
    }

    /// Replaces its tags.
    pub async fn put_tags(&self, tags: &[(&str, &str)]) -> &Self {
        let tags = tags
            .iter()
            .map(|(key, value)| Tag::builder().key(*key).value(*value).build().unwrap());
        let tagging = Tagging::builder().set_tag_set(Some(tags.collect())).build();
        let put = self.world.s3.put_bucket_tagging().bucket(&self.name);
        put.tagging(tagging.unwrap()).send().await.unwrap();
        self
    }

    /// Says how sensitive its data is.
    pub async fn classify(&self, level: &str) -> &Self {
        self.put_tags(&[("DataClassification", level)]).await
    }

    /// A bucket on which no control has anything to say.
    pub async fn make_safe(&self) -> &Self {
        let tls_only = self.denies("Tls", &json!({"Bool": {"aws:SecureTransport": "false"}}));
        self.put_block([true; 4]).await;
        self.put_policy(policy(&[tls_only])).await;
        self.put_ownership("BucketOwnerEnforced").await;
        self.put_encryption("AES256", None, false, &["SSE-C"]).await;
        self.put_versioning(true).await
    }

    async fn facts(&self) -> Snapshot {
        let (s3, name) = (&self.world.s3, &self.name);
        let mut facts = Snapshot::default();
        let mut fact = |what, text| facts.0.insert(what, text);
        let tags = s3.get_bucket_tagging().bucket(name).send().await;
        fact(
            "tags",
            read(tags, |found| {
                let tags = found
                    .tag_set
                    .into_iter()
                    .map(|tag| format!("{}={}", tag.key, tag.value));
                tags.collect::<Vec<_>>().join(", ")
            }),
        );
        let found = s3.get_public_access_block().bucket(name).send().await;
        fact(
            "block",
            read(found, |found| {
                let block_of = |one: PublicAccessBlockConfiguration| {
                    [
                        one.block_public_acls,
                        one.ignore_public_acls,
                        one.block_public_policy,
                        one.restrict_public_buckets,
                    ]
                    .map(Option::unwrap_or_default)
                };
                block(found.public_access_block_configuration.map(block_of))
            }),
        );
        let found = s3.get_bucket_encryption().bucket(name).send().await;
        fact(
            "encryption",
            read(found, |found| {
                encryption(found.server_side_encryption_configuration.unwrap())
            }),
        );
        let found = s3.get_bucket_policy().bucket(name).send().await;
        fact("policy", read(found, |found| found.policy.unwrap_or_default()));
        let found = s3.get_bucket_acl().bucket(name).send().await;
        fact("acl", read(found, |found| grants(found.grants.unwrap_or_default())));
        let found = s3.get_bucket_ownership_controls().bucket(name).send().await;
        fact(
            "ownership",
            read(found, |found| {
                found.ownership_controls.unwrap().rules[0].object_ownership.to_string()
            }),
        );
        let found = s3.get_bucket_versioning().bucket(name).send().await;
        fact(
            "versioning",
            read(found, |found| {
                found.status.map_or("Off".into(), |status| status.to_string())
            }),
        );
        let found = s3.get_bucket_website().bucket(name).send().await;
        fact("website", read(found, |found| website(&found)));
        facts
    }
}

impl Subject for Bucket {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("bucket {}", self.name)
    }

    async fn snapshot(&self) -> Snapshot {
        self.facts().await
    }

    fn call(&self, name: &str) -> CloudTrail {
        self.world.call(name, self.params())
    }
}

impl Bucket {
    /// The parameters of a call on it, as far as the function reads them.
    pub fn params(&self) -> Value {
        json!({"bucketName": self.name})
    }
}

/// A statement that lets somebody read objects.
pub(super) fn lets_in(sid: &str, principal: &Value, objects: &str) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": objects})
}

/// A fact in words, `absent` where AWS says that there is none.
pub(super) fn read<T, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, aws_sdk_s3::error::SdkError<E, R>>,
    show: impl FnOnce(T) -> String,
) -> String {
    match answer {
        Ok(found) => show(found),
        Err(error) => match error.code() {
            Some(code) if code.starts_with("NoSuch") || code.contains("NotFound") => "absent".into(),
            _ => panic!("{error:?}"),
        },
    }
}

fn encryption(found: ServerSideEncryptionConfiguration) -> String {
    let rule = found.rules.into_iter().next().unwrap();
    let default = rule.apply_server_side_encryption_by_default.unwrap();
    let mut text = default.sse_algorithm.to_string();
    if let Some(key) = default.kms_master_key_id {
        write!(text, " {key}").unwrap();
    }
    if rule.bucket_key_enabled == Some(true) {
        text += " bucket-key";
    }
    for kind in rule
        .blocked_encryption_types
        .and_then(|blocked| blocked.encryption_type)
        .unwrap_or_default()
    {
        write!(text, " blocks {kind}").unwrap();
    }
    text
}

fn grants(grants: Vec<Grant>) -> String {
    let grant = |grant: Grant| {
        let grantee = grant.grantee.unwrap();
        let who = match (grantee.uri, grantee.id) {
            (Some(uri), _) => uri.rsplit('/').next().unwrap_or_default().to_owned(),
            (None, id) => id.unwrap_or_default().chars().take(8).collect(),
        };
        format!("{} {who}", grant.permission.unwrap())
    };
    grants.into_iter().map(grant).collect::<Vec<_>>().join(", ")
}

fn website(found: &GetBucketWebsiteOutput) -> String {
    format!(
        "{:?} {:?} {:?} {:?}",
        found.index_document, found.error_document, found.redirect_all_requests_to, found.routing_rules
    )
}

/// Four flags in words: those that are on, `all four`, `none` or `absent`.
pub(super) fn block(flags: Option<[bool; 4]>) -> String {
    const NAMES: [&str; 4] = [
        "BlockPublicAcls",
        "IgnorePublicAcls",
        "BlockPublicPolicy",
        "RestrictPublicBuckets",
    ];
    match flags {
        None => "absent".into(),
        Some([true, true, true, true]) => "all four".into(),
        Some([false, false, false, false]) => "none".into(),
        Some(flags) => {
            let on = NAMES.iter().zip(flags).filter(|(_, on)| *on).map(|(name, _)| *name);
            on.collect::<Vec<_>>().join("+")
        }
    }
}

/// The least that is a website.
pub(super) fn least_website() -> WebsiteConfiguration {
    let index = IndexDocument::builder().suffix("index.html").build().unwrap();
    WebsiteConfiguration::builder().index_document(index).build()
}
