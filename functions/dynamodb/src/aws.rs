//! Talking to AWS: the only file of this function that does.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, SseSpecification, SseStatus, SseType, TableDescription,
};
use portcullis_controls::encryption::{Key, Manager};
use portcullis_controls::{Keys, RevisedPolicy};
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{
    Adapter, AwsError, Environment, ErrorCodes, Handler, Kind, Page, Regional, SdkConfig, done, serve as handler,
    unless,
};

use crate::controls::TABLES;
use crate::table::{AWS_MANAGED, TYPE, Table, TableChange, TableFact};

/// The most that a page of `ListTables` has. Source: DynamoDB API Reference, `ListTables`.
const PAGE: i32 = 100;

/// The revision that there is where there is no policy. Source: DynamoDB API Reference, `PutResourcePolicy`, `ExpectedRevisionId`.
const NO_POLICY: &str = "NO_POLICY";

/// What DynamoDB's own codes mean of a change. Source: DynamoDB API Reference, the errors of `UpdateTable` (of which too many at once, and
/// too many changes of one table's key in a day, have one code), `UpdateContinuousBackups` and `PutResourcePolicy`, where a policy of
/// the expected revision is what is not found.
const CODES: &ErrorCodes = &[
    ("ContinuousBackupsUnavailableException", Kind::NotReady),
    ("LimitExceededException", Kind::NotReady),
    ("PolicyNotFoundException", Kind::Conflict),
    ("ResourceInUseException", Kind::NotReady),
];

struct Aws {
    dynamodb: Regional<Client>,
    keys: Keys,
    /// The name of the ledger's table.
    ledger: String,
}

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let (dynamodb, keys) = (Regional::new(&config, Client::new), Keys::new(&config));
    let ledger = Environment::from_process().map(|environment| environment.ledger_table);
    let aws = Aws {
        dynamodb,
        keys,
        ledger: ledger.unwrap_or_default(),
    };
    vec![handler(TABLES, aws)]
}

impl Aws {
    async fn description(&self, table: &Resource) -> Result<Option<TableDescription>, AwsError> {
        let describe = self.dynamodb.of(&table.region).describe_table().table_name(&table.id);
        let answer = done("DescribeTable", describe.send().await);
        Ok(unless(&["ResourceNotFoundException"], answer)?.and_then(|answer| answer.table))
    }

    async fn tags(&self, table: &Resource) -> Result<portcullis_core::Tags, AwsError> {
        let (dynamodb, mut tags, mut from) = (self.dynamodb.of(&table.region), Vec::new(), None);
        loop {
            let list = dynamodb.list_tags_of_resource().resource_arn(&table.arn);
            let page = done("ListTagsOfResource", list.set_next_token(from).send().await)?;
            tags.extend(page.tags.unwrap_or_default());
            from = page.next_token;
            if from.is_none() {
                return Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect());
            }
        }
    }

    async fn policy(&self, region: &str, arn: &str) -> Result<RevisedPolicy, AwsError> {
        let get = self.dynamodb.of(region).get_resource_policy().resource_arn(arn);
        let answer = done("GetResourcePolicy", get.send().await);
        Ok(match unless(&["PolicyNotFoundException"], answer)? {
            Some(answer) => RevisedPolicy {
                text: AwsError::policy("GetResourcePolicy", answer.policy)?,
                revision: answer.revision_id,
            },
            None => RevisedPolicy {
                text: None,
                revision: Some(NO_POLICY.into()),
            },
        })
    }

    async fn recovery(&self, table: &Resource) -> Result<Observed<bool>, AwsError> {
        let describe = self.dynamodb.of(&table.region).describe_continuous_backups();
        let answer = done("DescribeContinuousBackups", describe.table_name(&table.id).send().await);
        // Of an archived table, which is described still, it says so as well.
        let Some(answer) = unless(&["TableNotFoundException"], answer)? else {
            return Ok(Observed::Absent);
        };
        let backups = answer.continuous_backups_description;
        let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description);
        let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status);
        Ok(Observed::Is(status == Some(PointInTimeRecoveryStatus::Enabled)))
    }

    /// The key of KMS that a table is encrypted with, or will be once that is done.
    async fn key(&self, table: &Resource, description: &TableDescription) -> Result<Observed<Key>, AwsError> {
        let encryption = description.sse_description.as_ref();
        let Some(arn) = encryption
            .filter(|sse| !matches!(sse.status, Some(SseStatus::Disabled | SseStatus::Disabling)))
            .and_then(|sse| sse.kms_master_key_arn.as_ref())
        else {
            return Ok(Observed::Absent);
        };
        let manager = self.keys.manager(table, arn).await?;
        let arn = if manager == Manager::Aws { AWS_MANAGED } else { arn };
        Ok(Observed::Is(Key {
            arn: arn.into(),
            manager,
        }))
    }

    async fn put(&self, region: &str, arn: &str, policy: &RevisedPolicy) -> Result<(), AwsError> {
        let (dynamodb, expected) = (self.dynamodb.of(region), policy.revision.clone());
        match &policy.text {
            Some(text) => {
                let put = dynamodb.put_resource_policy().resource_arn(arn).policy(text);
                changed("PutResourcePolicy", put.set_expected_revision_id(expected).send().await)
            }
            // Deleting none succeeds, unless a revision is expected.
            None if expected.as_deref() == Some(NO_POLICY) => Ok(()),
            None => {
                let delete = dynamodb.delete_resource_policy().resource_arn(arn);
                changed(
                    "DeleteResourcePolicy",
                    delete.set_expected_revision_id(expected).send().await,
                )
            }
        }
    }
}

impl Adapter for Aws {
    type State = Table;

    async fn observe(&self, table: &Resource, facts: &BTreeSet<TableFact>) -> Result<Option<Table>, AwsError> {
        let wanted = |fact| facts.contains(&fact);
        let described = async {
            let Some(description) = self.description(table).await? else {
                return Ok(None);
            };
            let key = if wanted(TableFact::Encryption) {
                self.key(table, &description).await?
            } else {
                Observed::Unread
            };
            let stream_policy = match &description.latest_stream_arn {
                _ if !wanted(TableFact::StreamPolicy) => Observed::Unread,
                Some(stream) => Observed::Is(self.policy(&table.region, stream).await?),
                None => Observed::Absent,
            };
            Ok(Some((description, key, stream_policy)))
        };
        let (described, tags, recovery, policy) = tokio::join!(
            described,
            read(wanted(TableFact::Tags), async {
                self.tags(table).await.map(Observed::Is)
            }),
            read(wanted(TableFact::PointInTimeRecovery), self.recovery(table)),
            read(wanted(TableFact::Policy), async {
                self.policy(&table.region, &table.arn).await.map(Observed::Is)
            }),
        );
        // Of a table that is being made the others may say that there is none.
        let Some((description, encryption, stream_policy)) = described? else {
            return Ok(None);
        };
        let status = description.sse_description.and_then(|sse| sse.status);
        let replicas = description.replicas.unwrap_or_default().into_iter();
        let elsewhere = replicas
            .filter_map(|replica| replica.region_name)
            .filter(|region| *region != table.region);
        Ok(Some(Table {
            tags: tags?,
            status: description.table_status.map(|status| status.as_str().to_owned()).into(),
            encrypting: status
                .filter(|status| !matches!(status, SseStatus::Enabled | SseStatus::Disabled))
                .map(|status| status.as_str().to_owned())
                .into(),
            replicas: Observed::Is(elsewhere.collect()),
            is_ledger: Observed::Is(table.id == self.ledger),
            encryption,
            deletion_protection: Observed::Is(description.deletion_protection_enabled == Some(true)),
            point_in_time_recovery: recovery?,
            policy: policy?,
            stream_policy,
        }))
    }

    async fn list(&self, location: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let list = self.dynamodb.of(&location.region).list_tables().limit(PAGE);
        let page = done("ListTables", list.set_exclusive_start_table_name(from).send().await)?;
        let names = page.table_names.unwrap_or_default().into_iter();
        Ok(Page {
            resources: names.filter_map(|name| (TYPE.identified)(&name, location)).collect(),
            next: page.last_evaluated_table_name,
        })
    }

    async fn execute(&self, table: &Resource, change: &TableChange) -> Result<(), AwsError> {
        let dynamodb = self.dynamodb.of(&table.region);
        let update = dynamodb.update_table().table_name(&table.id);
        match change {
            TableChange::Encryption(key) => {
                let encryption = SseSpecification::builder().enabled(key.is_some());
                let encryption = match key {
                    None => encryption,
                    Some(key) => {
                        // Without a key it is the AWS-managed one. Source: DynamoDB API Reference, `SSESpecification`.
                        let named = Some(&key.arn).filter(|arn| *arn != AWS_MANAGED).cloned();
                        encryption.sse_type(SseType::Kms).set_kms_master_key_id(named)
                    }
                };
                changed("UpdateTable", update.sse_specification(encryption.build()).send().await)
            }
            TableChange::DeletionProtection(on) => {
                changed("UpdateTable", update.deletion_protection_enabled(*on).send().await)
            }
            TableChange::PointInTimeRecovery(on) => {
                let recovery = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(*on);
                let recovery = recovery
                    .build()
                    .map_err(|error| refused("UpdateContinuousBackups", &error))?;
                let update = dynamodb.update_continuous_backups().table_name(&table.id);
                changed(
                    "UpdateContinuousBackups",
                    update.point_in_time_recovery_specification(recovery).send().await,
                )
            }
            TableChange::Policy(policy) => self.put(&table.region, &table.arn, policy).await,
            TableChange::StreamPolicy(policy) => {
                let stream = self.description(table).await?.and_then(|table| table.latest_stream_arn);
                match stream {
                    Some(stream) => self.put(&table.region, &stream, policy).await,
                    None => Err(refused("PutResourcePolicy", &"the table has no stream any more")),
                }
            }
        }
    }
}

/// What is read of a fact that is wanted.
async fn read<T>(
    wanted: bool,
    reading: impl Future<Output = Result<Observed<T>, AwsError>>,
) -> Result<Observed<T>, AwsError> {
    if wanted { reading.await } else { Ok(Observed::Unread) }
}

fn changed<T, E, R>(operation: &'static str, answer: Result<T, SdkError<E, R>>) -> Result<(), AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let answer = answer.map_err(|error| AwsError::with_codes(operation, &error, CODES));
    answer.map(drop)
}

fn refused(operation: &'static str, why: &impl ToString) -> AwsError {
    AwsError {
        operation,
        code: "not sent".into(),
        message: why.to_string(),
        kind: Kind::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::error::ErrorMetadata;

    use super::*;

    #[test]
    fn the_codes_of_dynamodb_have_their_meaning() {
        for (code, kind) in [
            ("ContinuousBackupsUnavailableException", Kind::NotReady),
            ("LimitExceededException", Kind::NotReady),
            ("ResourceInUseException", Kind::NotReady),
            ("PolicyNotFoundException", Kind::Conflict),
            ("ResourceNotFoundException", Kind::NotFound),
            ("TableNotFoundException", Kind::NotFound),
            ("ValidationException", Kind::Rejected),
            ("AccessDeniedException", Kind::Denied),
            ("ProvisionedThroughputExceededException", Kind::Transient),
        ] {
            let error = ErrorMetadata::builder().code(code).build();
            let answer = changed("UpdateTable", Err::<(), _>(SdkError::service_error(error, ())));
            assert_eq!(answer.map_err(|error| error.kind), Err(kind), "{code}");
        }
        let error = ErrorMetadata::builder().code("PolicyNotFoundException").build();
        let read = done("GetResourcePolicy", Err::<(), _>(SdkError::service_error(error, ())));
        assert_eq!(read.map_err(|error| error.kind), Err(Kind::NotFound));
    }
}
