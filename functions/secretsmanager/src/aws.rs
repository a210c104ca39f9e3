//! Talking to AWS: the only file of this function that does.

use std::collections::BTreeSet;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use jiff::Timestamp;
use portcullis_controls::Keys;
use portcullis_core::{Location, Observed, Resource, Tags};
use portcullis_runtime::{Adapter, AwsError, Handler, Page, Regional, SdkConfig, done, unless};

use crate::controls::SECRETS;
use crate::secret::{DEFAULT_KEY, Deletion, Encryption, Secret, SecretChange, SecretFact, TYPE};

/// There is no such secret. Source: Secrets Manager API Reference, `DescribeSecret`, "Errors".
const GONE: [&str; 1] = ["ResourceNotFoundException"];
/// A policy that lets in everybody, by Secrets Manager's own judgement. Source: the same, `PutResourcePolicy`, "Errors".
const PUBLIC: &str = "PublicPolicyException";
/// The most that a page may have. Source: the same, `ListSecrets`.
const PAGE: i32 = 100;
/// The seconds of a day.
const DAY: i64 = 24 * 60 * 60;

struct Aws {
    secrets: Regional<Client>,
    keys: Keys,
}

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let (secrets, keys) = (Regional::new(&config, Client::new), Keys::new(&config));
    vec![portcullis_runtime::serve(SECRETS, Aws { secrets, keys })]
}

impl Aws {
    async fn described(&self, region: &str, id: &str) -> Result<Option<DescribeSecretOutput>, AwsError> {
        let answer = self.secrets.of(region).describe_secret().secret_id(id).send().await;
        unless(&GONE, done("DescribeSecret", answer))
    }

    async fn policy(&self, secret: &Resource) -> Result<Option<String>, AwsError> {
        let get = self.secrets.of(&secret.region).get_resource_policy();
        let answer = unless(
            &GONE,
            done("GetResourcePolicy", get.secret_id(&secret.arn).send().await),
        )?;
        AwsError::policy("GetResourcePolicy", answer.and_then(|answer| answer.resource_policy))
    }

    /// Puts a policy, with Secrets Manager's own judgement as a second opinion. One that it takes for public is put all the same: a
    /// restore brings back what was there, and what a control leaves was judged here.
    async fn put_policy(&self, secret: &Resource, policy: &str) -> Result<(), AwsError> {
        let put = |block| {
            let put = self
                .secrets
                .of(&secret.region)
                .put_resource_policy()
                .secret_id(&secret.arn);
            put.resource_policy(policy).block_public_policy(block).send()
        };
        match done("PutResourcePolicy", put(true).await) {
            Err(refused) if refused.code == PUBLIC => {
                tracing::warn!(secret = secret.arn, "Secrets Manager takes the policy for public");
                done("PutResourcePolicy", put(false).await).map(drop)
            }
            answer => answer.map(drop),
        }
    }
}

impl Adapter for Aws {
    type State = Secret;

    async fn observe(&self, secret: &Resource, facts: &BTreeSet<SecretFact>) -> Result<Option<Secret>, AwsError> {
        let Some(found) = self.described(&secret.region, &secret.arn).await? else {
            return Ok(None);
        };
        let deletion = found.deleted_date.map(|date| deletion(date.secs()));
        let policy = if facts.contains(&SecretFact::Policy) && deletion.is_none() {
            self.policy(secret).await?.into()
        } else {
            Observed::Unread
        };
        let encryption = if facts.contains(&SecretFact::Encryption) {
            let name = found.kms_key_id.filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| DEFAULT_KEY.to_owned());
            let key = self.keys.named(secret, &name).await?;
            Observed::Is(Encryption { name, key })
        } else {
            Observed::Unread
        };
        let tags = found.tags.unwrap_or_default().into_iter();
        Ok(Some(Secret {
            deletion: deletion.into(),
            policy,
            encryption,
            rotates: Observed::Is(found.rotation_enabled.unwrap_or_default()),
            primary_region: found.primary_region.into(),
            owning_service: found.owning_service.into(),
            tags: Observed::Is(tags.filter_map(|tag| Some((tag.key?, tag.value?))).collect::<Tags>()),
        }))
    }

    /// By its ARN, whole or in part, or by its name: one that ends as an ARN does, with a hyphen and six characters, is found by
    /// nothing else.
    async fn resolve(&self, secret: Resource) -> Result<Option<Resource>, AwsError> {
        let found = match self.described(&secret.region, &secret.arn).await? {
            None => self.described(&secret.region, &secret.id).await?,
            found => found,
        };
        let arn = found.and_then(|found| found.arn);
        Ok(arn.and_then(|arn| (TYPE.identified)(&arn, &secret.place())))
    }

    async fn list(&self, location: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let list = self.secrets.of(&location.region).list_secrets().max_results(PAGE);
        let list = list.include_planned_deletion(true).set_next_token(from);
        let page = done("ListSecrets", list.send().await)?;
        let arns = page
            .secret_list
            .unwrap_or_default()
            .into_iter()
            .filter_map(|secret| secret.arn);
        Ok(Page {
            resources: arns.filter_map(|arn| (TYPE.identified)(&arn, location)).collect(),
            next: page.next_token,
        })
    }

    async fn execute(&self, secret: &Resource, change: &SecretChange) -> Result<(), AwsError> {
        let (secrets, id) = (self.secrets.of(&secret.region), &secret.arn);
        match change {
            SecretChange::Deletion(None) => {
                done("RestoreSecret", secrets.restore_secret().secret_id(id).send().await).map(drop)
            }
            SecretChange::Deletion(Some(Deletion { days, .. })) => {
                let delete = secrets.delete_secret().secret_id(id);
                let delete = delete.recovery_window_in_days(i64::from(*days));
                done("DeleteSecret", delete.send().await).map(drop)
            }
            SecretChange::Policy(Some(policy)) => self.put_policy(secret, policy).await,
            SecretChange::Policy(None) => {
                let delete = secrets.delete_resource_policy().secret_id(id).send().await;
                done("DeleteResourcePolicy", delete).map(drop)
            }
            SecretChange::Encryption(Encryption { name, .. }) => {
                let update = secrets.update_secret().secret_id(id).kms_key_id(name).send().await;
                done("UpdateSecret", update).map(drop)
            }
        }
    }
}

/// What is left of the time until a secret is deleted for good. Source: Secrets Manager API Reference, `DeleteSecret`,
/// `RecoveryWindowInDays`: 7 to 30.
fn deletion(date: i64) -> Deletion {
    let days = (date - Timestamp::now().as_second() + DAY - 1) / DAY;
    Deletion {
        date: Timestamp::from_second(date).unwrap_or_default().to_string(),
        days: u16::try_from(days.clamp(7, 30)).unwrap_or(30),
    }
}
