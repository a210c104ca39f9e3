use aws_sdk_kms::Client;
use aws_sdk_kms::types::KeyManagerType;
use portcullis_core::Resource;
use portcullis_runtime::{AwsError, Kind, Regional};

use super::calls::{Ahead, done};
use crate::encryption::{Key, Manager};

/// The aliases of keys that AWS manages: nobody else can make one. Source: KMS Developer Guide, "Aliases in AWS KMS".
const OF_AWS: &str = "alias/aws/";
/// No such key any more, or nothing that could be one. Source: KMS API Reference, `DescribeKey`, "Errors".
const NO_KEY: [&str; 3] = ["NotFoundException", "InvalidArnException", "ValidationException"];

/// Whose the keys of disks are.
pub struct Keys {
    pub kms: Regional<Client>,
    /// Of those that were asked for by their ARN: that never changes.
    pub known: Ahead<Manager>,
}

impl Keys {
    /// Whose a key is. One of another account is never AWS's.
    pub async fn manager(&self, of: &Resource, key: &str) -> Result<Manager, AwsError> {
        if let Some(known) = self.known.known(key) {
            return Ok(known);
        }
        let found = self.named(of, key).await?;
        if found.arn == key {
            self.known.put([(found.arn, found.manager)]);
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
        let metadata = match done("DescribeKey", answer) {
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
