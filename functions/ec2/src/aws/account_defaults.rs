use std::collections::BTreeSet;
use std::future::Future;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ImageBlockPublicAccessEnabledState, SnapshotBlockPublicAccessState};
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, Page, Regional};

use super::calls::done;
use crate::account_defaults::{AccountDefaults, AccountDefaultsChange, AccountDefaultsFact, UNBLOCKED, resource};

pub struct Aws(pub Regional<Client>);

impl Adapter for Aws {
    type State = AccountDefaults;

    async fn observe(
        &self,
        resource: &Resource,
        facts: &BTreeSet<AccountDefaultsFact>,
    ) -> Result<Option<AccountDefaults>, AwsError> {
        let ec2 = &self.0.of(&resource.region);
        let encryption = async {
            let answer = ec2.get_ebs_encryption_by_default().send().await;
            Ok(done("GetEbsEncryptionByDefault", answer)?.ebs_encryption_by_default)
        };
        let key = async {
            let answer = ec2.get_ebs_default_kms_key_id().send().await;
            Ok(done("GetEbsDefaultKmsKeyId", answer)?.kms_key_id)
        };
        let snapshots = async {
            let answer = ec2.get_snapshot_block_public_access_state().send().await;
            let state = done("GetSnapshotBlockPublicAccessState", answer)?.state;
            Ok(state.map(|state| state.as_str().to_owned()))
        };
        let images = async {
            let answer = ec2.get_image_block_public_access_state().send().await;
            Ok(done("GetImageBlockPublicAccessState", answer)?.image_block_public_access_state)
        };
        let tokens = async {
            let answer = ec2.get_instance_metadata_defaults().send().await;
            let defaults = done("GetInstanceMetadataDefaults", answer)?.account_level;
            Ok(defaults
                .and_then(|defaults| defaults.http_tokens)
                .map(|tokens| tokens.as_str().to_owned()))
        };
        let (encryption_by_default, default_key, snapshot_block, image_block, metadata_tokens) = tokio::join!(
            read(facts, AccountDefaultsFact::EncryptionByDefault, encryption),
            read(facts, AccountDefaultsFact::DefaultKey, key),
            read(facts, AccountDefaultsFact::SnapshotBlock, snapshots),
            read(facts, AccountDefaultsFact::ImageBlock, images),
            read(facts, AccountDefaultsFact::MetadataTokens, tokens),
        );
        Ok(Some(AccountDefaults {
            encryption_by_default: encryption_by_default?,
            default_key: default_key?,
            snapshot_block: snapshot_block?,
            image_block: image_block?,
            metadata_tokens: metadata_tokens?,
        }))
    }

    async fn list(&self, place: &Location, _: Option<String>) -> Result<Page, AwsError> {
        Ok(Page {
            resources: vec![resource(place)],
            next: None,
        })
    }

    async fn execute(&self, resource: &Resource, change: &AccountDefaultsChange) -> Result<(), AwsError> {
        let ec2 = &self.0.of(&resource.region);
        match change {
            AccountDefaultsChange::EncryptionByDefault(true) => {
                done(
                    "EnableEbsEncryptionByDefault",
                    ec2.enable_ebs_encryption_by_default().send().await,
                )?;
            }
            AccountDefaultsChange::EncryptionByDefault(false) => {
                done(
                    "DisableEbsEncryptionByDefault",
                    ec2.disable_ebs_encryption_by_default().send().await,
                )?;
            }
            AccountDefaultsChange::DefaultKey(key) => {
                let answer = ec2.modify_ebs_default_kms_key_id().kms_key_id(key).send().await;
                done("ModifyEbsDefaultKmsKeyId", answer)?;
            }
            AccountDefaultsChange::SnapshotBlock(block) if block == UNBLOCKED => {
                let answer = ec2.disable_snapshot_block_public_access().send().await;
                done("DisableSnapshotBlockPublicAccess", answer)?;
            }
            AccountDefaultsChange::SnapshotBlock(block) => {
                let state = SnapshotBlockPublicAccessState::from(block.as_str());
                let answer = ec2.enable_snapshot_block_public_access().state(state).send().await;
                done("EnableSnapshotBlockPublicAccess", answer)?;
            }
            AccountDefaultsChange::ImageBlock(block) if block == UNBLOCKED => {
                let answer = ec2.disable_image_block_public_access().send().await;
                done("DisableImageBlockPublicAccess", answer)?;
            }
            AccountDefaultsChange::ImageBlock(_) => {
                let state = ImageBlockPublicAccessEnabledState::BlockNewSharing;
                let call = ec2
                    .enable_image_block_public_access()
                    .image_block_public_access_state(state);
                done("EnableImageBlockPublicAccess", call.send().await)?;
            }
        }
        Ok(())
    }
}

/// Reads a fact if it is asked for.
async fn read<T>(
    facts: &BTreeSet<AccountDefaultsFact>,
    fact: AccountDefaultsFact,
    read: impl Future<Output = Result<Option<T>, AwsError>>,
) -> Result<Observed<T>, AwsError> {
    if facts.contains(&fact) {
        read.await.map(Observed::from)
    } else {
        Ok(Observed::Unread)
    }
}
