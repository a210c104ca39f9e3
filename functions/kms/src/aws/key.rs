use std::collections::BTreeSet;
use std::future::Future;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::KeyMetadata;
use portcullis_core::{Location, Observed, Resource, Tags};
use portcullis_runtime::{Adapter, AwsError, Kind, PAGE, Page, Regional};

use super::convert;
use crate::key::{Grants, Key, KeyChange, KeyFact, LastUse};
use crate::naming;

/// A key can have 50,000 grants; past so many pages of a hundred the rest is told, not read.
const MOST_PAGES: usize = 50;

pub struct Aws(pub Regional<Client>);

impl Adapter for Aws {
    type State = Key;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<KeyFact>) -> Result<Option<Key>, AwsError> {
        let kms = &self.0.of(&resource.region);
        let read = Read {
            kms,
            key: &resource.arn,
            facts,
        };
        let (metadata, tags, rotation, policy, grants, aliases, last_use) = tokio::join!(
            read.metadata(),
            read.fact(KeyFact::Tags, read.tags()),
            read.fact(KeyFact::Rotation, read.rotation()),
            read.fact(KeyFact::Policy, read.policy()),
            read.fact(KeyFact::Grants, read.grants(&resource.account)),
            read.fact(KeyFact::Aliases, read.aliases()),
            read.fact(KeyFact::LastUse, read.last_use()),
        );
        let Some(metadata) = metadata? else {
            let gone = Key {
                key_state: Observed::Absent,
                ..Key::default()
            };
            return Ok(facts.contains(&KeyFact::Existence).then_some(gone));
        };
        let mut state = convert::state(&metadata);
        // AWS's own keys are not judged, and not all of this can be asked of them.
        if state.customer_managed().is_some() {
            let told = state.key_state.get().is_some_and(|state| state.tells_rotation());
            state = Key {
                tags: tags?,
                rotation: if told { rotation? } else { Observed::Unread },
                policy: policy?,
                grants: grants?,
                aliases: aliases?,
                last_use: last_use?,
                ..state
            };
        }
        Ok(Some(state))
    }

    async fn resolve(&self, resource: Resource) -> Result<Option<Resource>, AwsError> {
        if !resource.id.starts_with("alias/") {
            return Ok(Some(resource));
        }
        let answer = self
            .0
            .of(&resource.region)
            .describe_key()
            .key_id(&resource.arn)
            .send()
            .await;
        let answer = match convert::found(convert::error("DescribeKey", answer)) {
            // So it is told, of the alias: whose key it is can't be seen.
            Err(error) if error.kind == Kind::Denied => return Ok(Some(resource)),
            answer => answer?,
        };
        let arn = answer.and_then(|answer| answer.key_metadata).and_then(|key| key.arn);
        Ok(arn.and_then(|arn| naming::key_of_arn(&arn)))
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let Location { account, region } = place;
        let list = self.0.of(region).list_keys().limit(PAGE).set_marker(from).send().await;
        let answer = convert::error("ListKeys", list)?;
        let keys = answer.keys.unwrap_or_default().into_iter();
        Ok(Page {
            resources: keys
                .filter_map(|key| key.key_id)
                .map(|id| naming::resource(&id, region, account))
                .collect(),
            next: answer.next_marker.filter(|_| answer.truncated),
        })
    }

    async fn execute(&self, resource: &Resource, change: &KeyChange) -> Result<(), AwsError> {
        let kms = &self.0.of(&resource.region);
        let key = &resource.arn;
        match change {
            KeyChange::CancelDeletion => {
                let answer = kms.cancel_key_deletion().key_id(key).send().await;
                convert::error("CancelKeyDeletion", answer)?;
            }
            KeyChange::ScheduleDeletion(days) => {
                let call = kms
                    .schedule_key_deletion()
                    .key_id(key)
                    .pending_window_in_days(i32::from(*days));
                convert::error("ScheduleKeyDeletion", call.send().await)?;
            }
            KeyChange::SetEnabled(true) => {
                let answer = kms.enable_key().key_id(key).send().await;
                convert::error("EnableKey", answer)?;
            }
            KeyChange::SetEnabled(false) => {
                let answer = kms.disable_key().key_id(key).send().await;
                convert::error("DisableKey", answer)?;
            }
            KeyChange::SetRotation(Some(days)) => {
                let call = kms
                    .enable_key_rotation()
                    .key_id(key)
                    .rotation_period_in_days(i32::from(*days));
                let answer = convert::error("EnableKeyRotation", call.send().await);
                if let Err(error) = answer {
                    return Err(not_ready_yet(kms, key, error).await);
                }
            }
            KeyChange::SetRotation(None) => {
                let answer = kms.disable_key_rotation().key_id(key).send().await;
                convert::error("DisableKeyRotation", answer)?;
            }
            KeyChange::SetPolicy(policy) => {
                // KMS refuses a policy under which this role could not put another one.
                let call = kms
                    .put_key_policy()
                    .key_id(key)
                    .policy_name("default")
                    .policy(policy)
                    .bypass_policy_lockout_safety_check(false);
                convert::error("PutKeyPolicy", call.send().await)?;
            }
            KeyChange::RevokeGrant(grant) => {
                let answer = kms.revoke_grant().key_id(key).grant_id(&grant.id).send().await;
                // Revoked or retired meanwhile.
                convert::found(convert::error("RevokeGrant", answer))?;
            }
        }
        Ok(())
    }
}

/// KMS refuses to change a key that is being made, or moved to another region, as it does one that somebody else disabled.
/// Source: KMS Developer Guide, "Key states of AWS KMS keys".
async fn not_ready_yet(kms: &Client, key: &str, error: AwsError) -> AwsError {
    if error.kind != Kind::Conflict {
        return error;
    }
    let answer = kms.describe_key().key_id(key).send().await;
    let state = answer.ok().and_then(|answer| answer.key_metadata?.key_state);
    match state {
        Some(aws_sdk_kms::types::KeyState::Creating | aws_sdk_kms::types::KeyState::Updating) => AwsError {
            kind: Kind::NotReady,
            ..error
        },
        _ => error,
    }
}

/// The reads of one observation.
struct Read<'a> {
    kms: &'a Client,
    key: &'a str,
    facts: &'a BTreeSet<KeyFact>,
}

impl Read<'_> {
    /// Reads a fact if it is asked for.
    async fn fact<T>(
        &self,
        fact: KeyFact,
        read: impl Future<Output = Result<Option<T>, AwsError>>,
    ) -> Result<Observed<T>, AwsError> {
        if self.facts.contains(&fact) {
            read.await.map(Observed::from)
        } else {
            Ok(Observed::Unread)
        }
    }

    /// Always read: it tells whether the key is there, and whose it is to manage.
    async fn metadata(&self) -> Result<Option<KeyMetadata>, AwsError> {
        let answer = self.kms.describe_key().key_id(self.key).send().await;
        let answer = convert::found(convert::error("DescribeKey", answer))?;
        Ok(answer.and_then(|answer| answer.key_metadata))
    }

    async fn tags(&self) -> Result<Option<Tags>, AwsError> {
        let mut tags = Tags::new();
        let mut pages = self.kms.list_resource_tags().key_id(self.key).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = convert::error("ListResourceTags", page)?;
            tags.extend(page.tags.into_iter().flatten().map(|tag| (tag.tag_key, tag.tag_value)));
        }
        Ok(Some(tags))
    }

    /// Keys of a kind that can't rotate are refused: they don't.
    async fn rotation(&self) -> Result<Option<u16>, AwsError> {
        let answer = self.kms.get_key_rotation_status().key_id(self.key).send().await;
        let answer = match convert::error("GetKeyRotationStatus", answer) {
            Err(error) if convert::REFUSED_BY_KIND.contains(&error.code.as_str()) => return Ok(None),
            answer => answer?,
        };
        // KMS API Reference, `EnableKeyRotation`: 365 days unless the call says otherwise.
        let days = answer
            .rotation_period_in_days
            .and_then(|days| u16::try_from(days).ok())
            .unwrap_or(365);
        Ok(answer.key_rotation_enabled.then_some(days))
    }

    async fn policy(&self) -> Result<Option<String>, AwsError> {
        let answer = self
            .kms
            .get_key_policy()
            .key_id(self.key)
            .policy_name("default")
            .send()
            .await;
        AwsError::policy("GetKeyPolicy", convert::error("GetKeyPolicy", answer)?.policy)
    }

    async fn grants(&self, account: &str) -> Result<Option<Grants>, AwsError> {
        let mut all = Vec::new();
        let mut pages = self
            .kms
            .list_grants()
            .key_id(self.key)
            .limit(100)
            .into_paginator()
            .send();
        let mut read = 0;
        while let Some(page) = pages.next().await {
            if read == MOST_PAGES {
                return Ok(Some(Grants::new(all, account, true)));
            }
            let page = convert::error("ListGrants", page)?;
            all.extend(page.grants.into_iter().flatten().map(convert::grant));
            read += 1;
        }
        Ok(Some(Grants::new(all, account, false)))
    }

    async fn aliases(&self) -> Result<Option<Vec<String>>, AwsError> {
        let mut names = Vec::new();
        let mut pages = self.kms.list_aliases().key_id(self.key).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = convert::error("ListAliases", page)?;
            names.extend(page.aliases.into_iter().flatten().filter_map(|alias| alias.alias_name));
        }
        Ok(Some(names))
    }

    /// It only helps people to decide, and not every partition has it: without it the rest is told.
    async fn last_use(&self) -> Result<Option<LastUse>, AwsError> {
        let answer = self.kms.get_key_last_usage().key_id(self.key).send().await;
        Ok(answer.ok().map(|answer| convert::last_use(&answer)))
    }
}
