//! What the adapters have in common: their clients, and answers in our words.

use aws_sdk_rds::Client;
use aws_sdk_rds::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rds::types::{StorageEncryptionType, Tag};
use portcullis_controls::Keys;
use portcullis_core::{Observed, Resource, Tags};
use portcullis_runtime::{AwsError, ErrorCodes, Kind, Regional};

use crate::storage::Encryption;

/// So many of a page: the most that RDS answers. Source: RDS API Reference, `DescribeDBInstances`, `MaxRecords`.
pub const PAGE: i32 = 100;

/// What codes mean that their names do not say. Source: RDS API Reference, the errors of each action: on the wire some are without
/// the `Fault` of their names.
const CODES: &ErrorCodes = &[
    ("DBClusterNotFoundFault", Kind::NotFound),
    ("DBClusterSnapshotNotFoundFault", Kind::NotFound),
    ("InvalidDBClusterSnapshotStateFault", Kind::NotReady),
    ("InvalidDBClusterStateFault", Kind::NotReady),
    ("InvalidDBInstanceState", Kind::NotReady),
    ("InvalidDBSnapshotState", Kind::NotReady),
    ("KMSKeyNotAccessibleFault", Kind::Rejected),
    ("SharedSnapshotQuotaExceeded", Kind::Rejected),
    ("UnauthorizedOperation", Kind::Denied), // EC2's
];

/// The clients of all types.
pub struct Clients {
    pub rds: Regional<Client>,
    pub ec2: Regional<aws_sdk_ec2::Client>,
    pub keys: Keys,
}

/// An answer, with an error in our words.
pub fn done<T, E, R>(operation: &'static str, answer: Result<T, SdkError<E, R>>) -> Result<T, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    answer.map_err(|error| AwsError::with_codes(operation, &error, CODES))
}

pub fn tags(of: Option<Vec<Tag>>) -> Observed<Tags> {
    let pairs = of.unwrap_or_default().into_iter();
    Observed::Is(
        pairs
            .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
            .collect(),
    )
}

impl Clients {
    /// What something is encrypted with. Where RDS does not say how, whether it is. Source: Aurora User Guide, "Encrypting Amazon Aurora
    /// resources": `StorageEncrypted` is false of what RDS encrypts with a key of its own.
    pub async fn encryption(
        &self,
        of: &Resource,
        how: Option<&StorageEncryptionType>,
        encrypted: Option<bool>,
        key: Option<&str>,
    ) -> Result<Observed<Encryption>, AwsError> {
        let by_kms = match how {
            Some(StorageEncryptionType::Sse) => return Ok(Observed::Is(Encryption::Rds)),
            Some(StorageEncryptionType::Cmk) => true,
            // DocumentDB and Neptune do not say how.
            _ => encrypted == Some(true),
        };
        match key.filter(|_| by_kms) {
            Some(key) => Ok(Observed::Is(Encryption::Kms(self.keys.named(of, key).await?))),
            None if by_kms => Ok(Observed::Is(Encryption::Rds)),
            None => Ok(Observed::Absent),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::error::ErrorMetadata;

    use super::*;

    #[test]
    fn the_codes_of_rds_have_their_meaning() {
        for (code, kind) in [
            ("DBInstanceNotFound", Kind::NotFound),
            ("DBSnapshotNotFound", Kind::NotFound),
            ("DBClusterNotFoundFault", Kind::NotFound),
            ("DBClusterSnapshotNotFoundFault", Kind::NotFound),
            ("InvalidDBInstanceState", Kind::NotReady),
            ("InvalidDBClusterStateFault", Kind::NotReady),
            ("InvalidDBSnapshotState", Kind::NotReady),
            ("InvalidDBClusterSnapshotStateFault", Kind::NotReady),
            ("InvalidParameterCombination", Kind::Rejected),
            ("InvalidParameterValue", Kind::Rejected),
            ("InvalidSubnet", Kind::Rejected),
            ("KMSKeyNotAccessibleFault", Kind::Rejected),
            ("SharedSnapshotQuotaExceeded", Kind::Rejected),
            ("AccessDenied", Kind::Denied),
            ("Throttling", Kind::Transient),
            ("RequestLimitExceeded", Kind::Transient),
        ] {
            let error = ErrorMetadata::builder().code(code).build();
            let answer = done("ModifyDBInstance", Err::<(), _>(SdkError::service_error(error, ())));
            assert_eq!(answer.map_err(|error| error.kind), Err(kind), "{code}");
        }
    }
}
