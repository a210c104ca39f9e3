use std::collections::BTreeSet;
use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketVersioningStatus, OwnershipControls, OwnershipControlsRule, VersioningConfiguration};
use portcullis_controls::Keys;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, PAGE, Page};

use super::clients::Clients;
use super::convert;
use crate::bucket::{Bucket, BucketChange, BucketFact, Versioning, resource};

pub struct Aws(pub Clients);

/// Sends a request of a bucket, which must be its owner's: a name may be somebody else's by now.
macro_rules! send {
    ($client:expr, $resource:expr, $operation:ident, $name:literal $(, $set:ident = $value:expr)*) => {
        convert::done(
            $name,
            $client
                .$operation()
                .bucket(&$resource.id)
                .expected_bucket_owner(&$resource.account)
                $(.$set($value))*
                .send()
                .await,
        )
    };
}

impl Adapter for Aws {
    type State = Bucket;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<BucketFact>) -> Result<Option<Bucket>, AwsError> {
        let s3 = &self.0.s3.of(&resource.region);
        let read = Read {
            s3,
            keys: &self.0.keys,
            resource,
            facts,
        };
        let ((tags, public_access_block, account_block, encryption, policy), (acl, ownership, versioning, website)) = tokio::join!(
            async {
                tokio::join!(
                    read.fact(BucketFact::Tags, read.tags()),
                    read.fact(BucketFact::PublicAccessBlock, read.block()),
                    read.fact(BucketFact::AccountBlock, self.0.account_block(&resource.account)),
                    read.fact(BucketFact::Encryption, read.encryption()),
                    read.fact(BucketFact::Policy, read.policy()),
                )
            },
            async {
                tokio::join!(
                    read.fact(BucketFact::Acl, read.acl()),
                    read.fact(BucketFact::Ownership, read.ownership()),
                    read.fact(BucketFact::Versioning, read.versioning()),
                    read.fact(BucketFact::Website, read.website()),
                )
            }
        );
        let state = || {
            Ok(Bucket {
                tags: tags?,
                public_access_block: public_access_block?,
                account_block: account_block?,
                encryption: encryption?,
                policy: policy?,
                acl: acl?,
                ownership: ownership?,
                versioning: versioning?,
                website: website?,
            })
        };
        match state() {
            Ok(state) => Ok(Some(state)),
            Err(AwsError { code, .. }) if code == "NoSuchBucket" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The buckets of this region: those of others have a function there.
    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let Location { account, region } = place;
        let list = self
            .0
            .s3
            .of(region)
            .list_buckets()
            .bucket_region(region)
            .max_buckets(PAGE);
        let answer = list.set_continuation_token(from).send().await;
        let answer = convert::done("ListBuckets", answer)?;
        let buckets = answer.buckets.unwrap_or_default().into_iter();
        Ok(Page {
            resources: buckets
                .filter_map(|bucket| bucket.name)
                .map(|name| resource(&name, region, account))
                .collect(),
            next: answer.continuation_token,
        })
    }

    async fn execute(&self, resource: &Resource, change: &BucketChange) -> Result<(), AwsError> {
        let s3 = &self.0.s3.of(&resource.region);
        match change {
            BucketChange::PublicAccessBlock(Some(block)) => {
                let block = convert::to_block(*block);
                send!(
                    s3,
                    resource,
                    put_public_access_block,
                    "PutPublicAccessBlock",
                    public_access_block_configuration = block
                )?;
            }
            BucketChange::PublicAccessBlock(None) => {
                send!(s3, resource, delete_public_access_block, "DeletePublicAccessBlock")?;
            }
            BucketChange::Ownership(Some(ownership)) => {
                let rule = OwnershipControlsRule::builder()
                    .object_ownership(ownership.as_str().into())
                    .build();
                let rules = rule.map_err(|error| convert::built("PutBucketOwnershipControls", &error))?;
                let controls = OwnershipControls::builder().rules(rules).build();
                let controls = controls.map_err(|error| convert::built("PutBucketOwnershipControls", &error))?;
                send!(
                    s3,
                    resource,
                    put_bucket_ownership_controls,
                    "PutBucketOwnershipControls",
                    ownership_controls = controls
                )?;
            }
            BucketChange::Ownership(None) => {
                send!(
                    s3,
                    resource,
                    delete_bucket_ownership_controls,
                    "DeleteBucketOwnershipControls"
                )?;
            }
            BucketChange::Acl(acl) => {
                let acl = convert::to_acl(acl)?;
                send!(
                    s3,
                    resource,
                    put_bucket_acl,
                    "PutBucketAcl",
                    access_control_policy = acl
                )?;
            }
            BucketChange::Policy(Some(policy)) => {
                // A policy that would lock this role out is refused, as the default asks.
                send!(s3, resource, put_bucket_policy, "PutBucketPolicy", policy = policy)?;
            }
            BucketChange::Policy(None) => {
                send!(s3, resource, delete_bucket_policy, "DeleteBucketPolicy")?;
            }
            BucketChange::Encryption(Some(encryption)) => {
                let encryption = convert::to_encryption(encryption)?;
                send!(
                    s3,
                    resource,
                    put_bucket_encryption,
                    "PutBucketEncryption",
                    server_side_encryption_configuration = encryption
                )?;
            }
            BucketChange::Encryption(None) => {
                send!(s3, resource, delete_bucket_encryption, "DeleteBucketEncryption")?;
            }
            BucketChange::Versioning(versioning) => {
                let status = match versioning {
                    Versioning::Enabled => BucketVersioningStatus::Enabled,
                    Versioning::Off | Versioning::Suspended => BucketVersioningStatus::Suspended,
                };
                let configuration = VersioningConfiguration::builder().status(status).build();
                send!(
                    s3,
                    resource,
                    put_bucket_versioning,
                    "PutBucketVersioning",
                    versioning_configuration = configuration
                )?;
            }
            BucketChange::Website(Some(website)) => {
                let website = convert::to_website(website)?;
                send!(
                    s3,
                    resource,
                    put_bucket_website,
                    "PutBucketWebsite",
                    website_configuration = website
                )?;
            }
            BucketChange::Website(None) => {
                send!(s3, resource, delete_bucket_website, "DeleteBucketWebsite")?;
            }
        }
        Ok(())
    }
}

/// The reads of one observation.
struct Read<'a> {
    keys: &'a Keys,
    s3: &'a Client,
    resource: &'a Resource,
    facts: &'a BTreeSet<BucketFact>,
}

impl Read<'_> {
    /// Reads a fact if it is asked for.
    async fn fact<T>(
        &self,
        fact: BucketFact,
        read: impl Future<Output = Result<Option<T>, AwsError>>,
    ) -> Result<Observed<T>, AwsError> {
        if self.facts.contains(&fact) {
            read.await.map(Observed::from)
        } else {
            Ok(Observed::Unread)
        }
    }

    async fn tags(&self) -> Result<Option<portcullis_core::Tags>, AwsError> {
        let answer = send!(self.s3, self.resource, get_bucket_tagging, "GetBucketTagging");
        let answer = convert::unless(&["NoSuchTagSet"], answer)?;
        let tags = answer.map(|answer| answer.tag_set).unwrap_or_default();
        Ok(Some(tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
    }

    async fn block(&self) -> Result<Option<crate::PublicAccessBlock>, AwsError> {
        let answer = send!(self.s3, self.resource, get_public_access_block, "GetPublicAccessBlock");
        let answer = convert::unless(&["NoSuchPublicAccessBlockConfiguration"], answer)?;
        Ok(answer
            .and_then(|answer| answer.public_access_block_configuration)
            .map(|block| convert::block(&block)))
    }

    async fn encryption(&self) -> Result<Option<crate::bucket::Encryption>, AwsError> {
        let answer = send!(self.s3, self.resource, get_bucket_encryption, "GetBucketEncryption");
        let answer = convert::unless(&["ServerSideEncryptionConfigurationNotFoundError"], answer)?;
        let rules = answer
            .and_then(|answer| answer.server_side_encryption_configuration)
            .map(|found| found.rules);
        let rule = rules.and_then(|rules| rules.into_iter().next());
        let Some(mut encryption) = rule.map(convert::encryption) else {
            return Ok(None);
        };
        if let Some(name) = &encryption.key {
            encryption.stands_for = Some(self.keys.named(self.resource, name).await?);
        }
        Ok(Some(encryption))
    }

    async fn policy(&self) -> Result<Option<String>, AwsError> {
        let answer = send!(self.s3, self.resource, get_bucket_policy, "GetBucketPolicy");
        let answer = convert::unless(&["NoSuchBucketPolicy"], answer)?;
        AwsError::policy("GetBucketPolicy", answer.and_then(|answer| answer.policy))
    }

    async fn acl(&self) -> Result<Option<crate::bucket::Acl>, AwsError> {
        let answer = send!(self.s3, self.resource, get_bucket_acl, "GetBucketAcl")?;
        Ok(Some(convert::acl(answer)))
    }

    async fn ownership(&self) -> Result<Option<String>, AwsError> {
        let answer = send!(
            self.s3,
            self.resource,
            get_bucket_ownership_controls,
            "GetBucketOwnershipControls"
        );
        let answer = convert::unless(&["OwnershipControlsNotFoundError"], answer)?;
        let rules = answer
            .and_then(|answer| answer.ownership_controls)
            .map(|controls| controls.rules);
        Ok(rules
            .and_then(|rules| rules.into_iter().next())
            .map(|rule| rule.object_ownership.as_str().to_owned()))
    }

    async fn versioning(&self) -> Result<Option<Versioning>, AwsError> {
        let answer = send!(self.s3, self.resource, get_bucket_versioning, "GetBucketVersioning")?;
        Ok(Some(match answer.status {
            Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(_) => Versioning::Suspended,
            None => Versioning::Off,
        }))
    }

    async fn website(&self) -> Result<Option<crate::bucket::Website>, AwsError> {
        let answer = send!(self.s3, self.resource, get_bucket_website, "GetBucketWebsite");
        let answer = convert::unless(&["NoSuchWebsiteConfiguration"], answer)?;
        Ok(answer.map(convert::website))
    }
}
