//! Which key a name stands for, and whose it is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_kms::Client;
use aws_sdk_kms::types::KeyManagerType;
use portcullis_core::Resource;
use portcullis_runtime::{AwsError, Kind, Regional, SdkConfig};

use crate::encryption::{Key, Manager};

/// The aliases of keys that AWS manages: nobody else can make one. Source: KMS Developer Guide, "Aliases in AWS KMS".
const OF_AWS: &str = "alias/aws/";
/// No such key any more, or nothing that could be one. Source: KMS API Reference, `DescribeKey`, "Errors".
const NO_KEY: [&str; 3] = ["NotFoundException", "InvalidArnException", "ValidationException"];

/// The keys of one process, as their names are resolved.
pub struct Keys {
    kms: Regional<Client>,
    /// Of those that were asked for by their ARN: that never changes.
    known: Mutex<HashMap<String, Manager>>,
}

impl Keys {
    /// Asks KMS in the region of each resource.
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            kms: Regional::new(config, Client::new),
            known: Mutex::default(),
        }
    }

    /// Whose a key is. One of another account is never AWS's.
    pub async fn manager(&self, of: &Resource, key: &str) -> Result<Manager, AwsError> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manager) = known().get(key) {
            return Ok(*manager);
        }
        let found = self.named(of, key).await?;
        if found.arn == key {
            known().insert(found.arn, found.manager);
        }
        Ok(found.manager)
    }

    /// The key that an ARN, an id or an alias stands for.
    pub async fn named(&self, of: &Resource, name: &str) -> Result<Key, AwsError> {
        let called = |manager| Key {
            arn: name.to_owned(),
            manager,
        };
        if name.split(':').nth(4).is_some_and(|account| account != of.account) {
            return Ok(called(Manager::Customer));
        }
        // Asking for one that is not there yet would make it. Source: KMS API Reference, `DescribeKey`.
        let alias = name.rsplit(':').next().unwrap_or(name);
        if alias.starts_with(OF_AWS) {
            return Ok(called(Manager::Aws));
        }
        let answer = self.kms.of(&of.region).describe_key().key_id(name).send().await;
        let metadata = match answer.map_err(|error| AwsError::new("DescribeKey", &error)) {
            Ok(answer) => answer.key_metadata,
            // The policy of an AWS-managed key lets the account describe it (KMS Developer Guide, "AWS managed keys"), and nobody
            // can delete one.
            Err(error) if error.kind == Kind::Denied || NO_KEY.contains(&error.code.as_str()) => {
                return Ok(called(Manager::Customer));
            }
            Err(error) => return Err(error),
        };
        let Some(metadata) = metadata else {
            return Ok(called(Manager::Customer));
        };
        Ok(Key {
            arn: metadata.arn.unwrap_or_else(|| name.to_owned()),
            manager: match metadata.key_manager {
                Some(KeyManagerType::Aws) => Manager::Aws,
                _ => Manager::Customer,
            },
        })
    }
}
