//! Talking to AWS: the only file of this function that does.

use std::collections::BTreeSet;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability, Repository as Described, ScanFrequency};
use portcullis_controls::Keys;
use portcullis_core::{Location, Observed, Resource, Tags};
use portcullis_runtime::{Adapter, AwsError, Handler, PAGE, Page, Regional, SdkConfig, done, unless};

use crate::controls::REPOSITORIES;
use crate::repository::{Repository, RepositoryChange, RepositoryFact, TYPE};

/// There is no such repository. Source: ECR API Reference, `DescribeRepositories`, "Errors".
const GONE: [&str; 1] = ["RepositoryNotFoundException"];
/// It has no policy. Source: the same, `GetRepositoryPolicy`, "Errors".
const NO_POLICY: [&str; 1] = ["RepositoryPolicyNotFoundException"];

struct Aws {
    ecr: Regional<Client>,
    keys: Keys,
}

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let (ecr, keys) = (Regional::new(&config, Client::new), Keys::new(&config));
    vec![portcullis_runtime::serve(REPOSITORIES, Aws { ecr, keys })]
}

impl Aws {
    async fn described(&self, repository: &Resource) -> Result<Option<Described>, AwsError> {
        let describe = self.ecr.of(&repository.region).describe_repositories();
        let answer = describe.repository_names(&repository.id).send().await;
        Ok(done("DescribeRepositories", answer)?
            .repositories
            .unwrap_or_default()
            .into_iter()
            .next())
    }

    async fn policy(&self, repository: &Resource) -> Result<Option<String>, AwsError> {
        let get = self.ecr.of(&repository.region).get_repository_policy();
        let answer = done("GetRepositoryPolicy", get.repository_name(&repository.id).send().await);
        let policy = unless(&NO_POLICY, answer)?.and_then(|answer| answer.policy_text);
        AwsError::policy("GetRepositoryPolicy", policy)
    }

    /// Its own setting does not say it: rules of the registry count as well. Source: ECR User Guide, "Scan images for software
    /// vulnerabilities in Amazon ECR".
    async fn is_scanned(&self, repository: &Resource) -> Result<Observed<bool>, AwsError> {
        let get = self
            .ecr
            .of(&repository.region)
            .batch_get_repository_scanning_configuration();
        let answer = get.repository_names(&repository.id).send().await;
        let answer = done("BatchGetRepositoryScanningConfiguration", answer)?;
        let is = answer.scanning_configurations().first().map(|one| {
            let scanned = [ScanFrequency::ScanOnPush, ScanFrequency::ContinuousScan];
            one.scan_on_push()
                || one
                    .scan_frequency()
                    .is_some_and(|frequency| scanned.contains(frequency))
        });
        Ok(is.map_or(Observed::Unread, Observed::Is))
    }

    async fn read(
        &self,
        repository: &Resource,
        facts: &BTreeSet<RepositoryFact>,
    ) -> Result<Option<Repository>, AwsError> {
        let Some(is) = self.described(repository).await? else {
            return Ok(None);
        };
        let list = self.ecr.of(&repository.region).list_tags_for_resource();
        let tags = done("ListTagsForResource", list.resource_arn(&repository.arn).send().await)?;
        let tags = tags
            .tags
            .unwrap_or_default()
            .into_iter()
            .map(|tag| (tag.key, tag.value));
        let mut read = Repository {
            immutable_tags: Observed::Is(is.image_tag_mutability != Some(ImageTagMutability::Mutable)),
            tags: Observed::Is(tags.collect::<Tags>()),
            ..Repository::default()
        };
        if facts.contains(&RepositoryFact::Policy) {
            read.policy = self.policy(repository).await?.into();
        }
        if facts.contains(&RepositoryFact::ScanOnPush) {
            read.scan_on_push = self.is_scanned(repository).await?;
        }
        if facts.contains(&RepositoryFact::Encryption) {
            let key = is.encryption_configuration.and_then(|encryption| encryption.kms_key);
            read.encryption = match key {
                None => Observed::Absent,
                Some(name) => Observed::Is(self.keys.named(repository, &name).await?),
            };
        }
        Ok(Some(read))
    }
}

impl Adapter for Aws {
    type State = Repository;

    async fn observe(
        &self,
        repository: &Resource,
        facts: &BTreeSet<RepositoryFact>,
    ) -> Result<Option<Repository>, AwsError> {
        Ok(unless(&GONE, self.read(repository, facts).await)?.flatten())
    }

    async fn list(&self, location: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let list = self.ecr.of(&location.region).describe_repositories().max_results(PAGE);
        let page = done("DescribeRepositories", list.set_next_token(from).send().await)?;
        let arns = page
            .repositories
            .unwrap_or_default()
            .into_iter()
            .filter_map(|one| one.repository_arn);
        Ok(Page {
            resources: arns.filter_map(|arn| (TYPE.identified)(&arn, location)).collect(),
            next: page.next_token,
        })
    }

    async fn execute(&self, repository: &Resource, change: &RepositoryChange) -> Result<(), AwsError> {
        let (ecr, name) = (self.ecr.of(&repository.region), &repository.id);
        match change {
            // Without `force`: ECR refuses a policy under which this role could set no other one.
            RepositoryChange::Policy(Some(policy)) => {
                let set = ecr.set_repository_policy().repository_name(name).policy_text(policy);
                done("SetRepositoryPolicy", set.send().await).map(drop)
            }
            RepositoryChange::Policy(None) => {
                let answer = ecr.delete_repository_policy().repository_name(name).send().await;
                unless(&NO_POLICY, done("DeleteRepositoryPolicy", answer)).map(drop)
            }
            RepositoryChange::ScanOnPush(on) => {
                let scanning = ImageScanningConfiguration::builder().scan_on_push(*on).build();
                let put = ecr.put_image_scanning_configuration().repository_name(name);
                let put = put.image_scanning_configuration(scanning);
                done("PutImageScanningConfiguration", put.send().await).map(drop)
            }
            RepositoryChange::ImmutableTags(immutable) => {
                let kept = if *immutable {
                    ImageTagMutability::Immutable
                } else {
                    ImageTagMutability::Mutable
                };
                let put = ecr.put_image_tag_mutability().repository_name(name);
                done("PutImageTagMutability", put.image_tag_mutability(kept).send().await).map(drop)
            }
        }
    }
}
