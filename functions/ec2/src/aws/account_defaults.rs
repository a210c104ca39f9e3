use std::collections::BTreeSet;
use std::future::Future;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{ImageBlockPublicAccessEnabledState, ManagedBy, SnapshotBlockPublicAccessState};
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
            let answer = done("GetSnapshotBlockPublicAccessState", answer)?;
            let state = answer.state.map(|state| state.as_str().to_owned());
            Ok(Some((state, by(answer.managed_by.as_ref()))))
        };
        let images = async {
            let answer = ec2.get_image_block_public_access_state().send().await;
            let answer = done("GetImageBlockPublicAccessState", answer)?;
            Ok(Some((
                answer.image_block_public_access_state,
                by(answer.managed_by.as_ref()),
            )))
        };
        let tokens = async {
            let answer = ec2.get_instance_metadata_defaults().send().await;
            let defaults = done("GetInstanceMetadataDefaults", answer)?.account_level;
            let managed = defaults.as_ref().and_then(|defaults| by(defaults.managed_by.as_ref()));
            let tokens = defaults
                .and_then(|defaults| defaults.http_tokens)
                .map(|tokens| tokens.as_str().to_owned());
            Ok(Some((tokens, managed)))
        };
        let (encryption_by_default, default_key, snapshot_block, image_block, metadata_tokens) = tokio::join!(
            read(facts, AccountDefaultsFact::EncryptionByDefault, encryption),
            read(facts, AccountDefaultsFact::DefaultKey, key),
            read(facts, AccountDefaultsFact::SnapshotBlock, snapshots),
            read(facts, AccountDefaultsFact::ImageBlock, images),
            read(facts, AccountDefaultsFact::MetadataTokens, tokens),
        );
        let (snapshot_block, snapshot_block_by) = parted(snapshot_block?);
        let (image_block, image_block_by) = parted(image_block?);
        let (metadata_tokens, metadata_by) = parted(metadata_tokens?);
        Ok(Some(AccountDefaults {
            encryption_by_default: encryption_by_default?,
            default_key: default_key?,
            snapshot_block,
            snapshot_block_by,
            image_block,
            image_block_by,
            metadata_tokens,
            metadata_by,
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

/// Who decides a default, as AWS says it.
fn by(manager: Option<&ManagedBy>) -> Option<String> {
    manager.map(|manager| manager.as_str().to_owned())
}

/// What one call answers, as two facts.
fn parted<A, B>(answer: Observed<(Option<A>, Option<B>)>) -> (Observed<A>, Observed<B>) {
    match answer {
        Observed::Is((one, other)) => (one.into(), other.into()),
        Observed::Absent => (Observed::Absent, Observed::Absent),
        Observed::Unread => (Observed::Unread, Observed::Unread),
    }
}

/// What AWS says of a call that a region or a partition does not have. Source: EC2 API Reference, "Error codes".
const NOT_OFFERED: [&str; 3] = ["InvalidAction", "UnsupportedOperation", "Unsupported"];

/// Reads a fact if it is asked for. One that AWS does not offer here keeps nobody from reading the others.
async fn read<T>(
    facts: &BTreeSet<AccountDefaultsFact>,
    fact: AccountDefaultsFact,
    read: impl Future<Output = Result<Option<T>, AwsError>>,
) -> Result<Observed<T>, AwsError> {
    if facts.contains(&fact) {
        match read.await {
            Err(error) if NOT_OFFERED.contains(&error.code.as_str()) => Ok(Observed::Unread),
            read => read.map(Observed::from),
        }
    } else {
        Ok(Observed::Unread)
    }
}
