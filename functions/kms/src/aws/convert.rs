//! Between the SDK's types and our own.

use aws_sdk_kms::error::SdkError;
use aws_sdk_kms::operation::get_key_last_usage::GetKeyLastUsageOutput;
use aws_sdk_kms::primitives::DateTime;
use aws_sdk_kms::types as kms;
use jiff::Timestamp;
use portcullis_core::Observed;
use portcullis_runtime::{AwsError, ErrorCodes, Kind};

use crate::key::{Deletion, Grant, Key, KeyState, LastUse, Metadata, MultiRegion};

/// What KMS's own codes mean: a key that is not in a state for the call any more was disabled, or its deletion scheduled, by somebody
/// else. Source: KMS API Reference, "Errors" of each operation.
const CODES: &ErrorCodes = &[("KMSInvalidStateException", Kind::Conflict)];

/// What KMS answers where a key of this kind, or in this state, has no such thing.
pub const REFUSED_BY_KIND: [&str; 2] = ["UnsupportedOperationException", "KMSInvalidStateException"];

/// An answer, with an error in our words. Where it was the key's own policy that refused, it says so.
pub fn error<T, E, R>(operation: &'static str, answer: Result<T, SdkError<E, R>>) -> Result<T, AwsError>
where
    E: aws_sdk_kms::error::ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    answer.map_err(|error| by_key_policy(AwsError::with_codes(operation, &error, CODES)))
}

/// IAM User Guide, "Troubleshoot access denied error messages": the key's policy is its resource-based one.
fn by_key_policy(mut error: AwsError) -> AwsError {
    if error.kind == Kind::Denied && error.message.contains("resource-based policy") {
        error.message = format!("access denied by the key policy: {}", error.message);
    }
    error
}

/// An answer, or none where KMS says that there is none.
pub fn found<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What `DescribeKey` says.
pub fn state(key: &kms::KeyMetadata) -> Key {
    let state = key.key_state.as_ref().map_or(
        // The member is optional.
        if key.enabled {
            KeyState::Enabled
        } else {
            KeyState::Disabled
        },
        key_state,
    );
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let region = |key: &kms::MultiRegionKey| key.region.clone().unwrap_or_default();
    Key {
        key_state: Observed::Is(state),
        deletion: state.is_pending_deletion().then(|| deletion(key)).into(),
        metadata: Observed::Is(Metadata {
            manager: text(key.key_manager.as_ref().map(kms::KeyManagerType::as_str)),
            spec: text(key.key_spec.as_ref().map(kms::KeySpec::as_str)),
            usage: text(key.key_usage.as_ref().map(kms::KeyUsageType::as_str)),
            origin: text(key.origin.as_ref().map(kms::OriginType::as_str)),
            key_store: key.custom_key_store_id.clone(),
            multi_region: key.multi_region_configuration.as_ref().map(|all| {
                let mut replicas: Vec<_> = all.replica_keys().iter().map(region).collect();
                replicas.sort();
                MultiRegion {
                    replica: all.multi_region_key_type == Some(kms::MultiRegionKeyType::Replica),
                    primary: all.primary_key.as_ref().map(region).unwrap_or_default(),
                    replicas,
                }
            }),
            material_expires: key.valid_to.as_ref().and_then(time),
        }),
        ..Key::default()
    }
}

fn key_state(state: &kms::KeyState) -> KeyState {
    match state {
        kms::KeyState::Creating => KeyState::Creating,
        kms::KeyState::Enabled => KeyState::Enabled,
        kms::KeyState::Disabled => KeyState::Disabled,
        kms::KeyState::PendingDeletion => KeyState::PendingDeletion,
        kms::KeyState::PendingImport => KeyState::PendingImport,
        kms::KeyState::PendingReplicaDeletion => KeyState::PendingReplicaDeletion,
        kms::KeyState::Unavailable => KeyState::Unavailable,
        kms::KeyState::Updating => KeyState::Updating,
        _ => KeyState::Other,
    }
}

fn deletion(key: &kms::KeyMetadata) -> Deletion {
    const DAY: i64 = 24 * 60 * 60;
    let left = key
        .deletion_date
        .map(|date| (date.secs() - Timestamp::now().as_second() + DAY - 1) / DAY);
    let days = left
        .or_else(|| key.pending_deletion_window_in_days.map(i64::from))
        .unwrap_or(30);
    Deletion {
        date: key.deletion_date.as_ref().and_then(time),
        // KMS API Reference, `ScheduleKeyDeletion`: 7 to 30.
        days: u16::try_from(days.clamp(7, 30)).unwrap_or(30),
    }
}

pub fn grant(entry: kms::GrantListEntry) -> Grant {
    let (mut constraints, mut source_arn) = (std::collections::BTreeMap::new(), None);
    if let Some(limits) = entry.constraints {
        source_arn = limits.source_arn;
        let contexts = [
            ("equals", limits.encryption_context_equals),
            ("subset", limits.encryption_context_subset),
        ];
        for (name, context) in contexts {
            if let Some(context) = context {
                constraints.insert(name.to_owned(), context.into_iter().collect());
            }
        }
    }
    Grant {
        id: entry.grant_id.unwrap_or_default(),
        // KMS names a service in either member.
        grantee: entry
            .grantee_principal
            .or(entry.grantee_service_principal)
            .unwrap_or_default(),
        retiring: entry.retiring_principal.or(entry.retiring_service_principal),
        issuer: entry.issuing_account,
        operations: entry
            .operations
            .into_iter()
            .flatten()
            .map(|operation| operation.as_str().to_owned())
            .collect(),
        constraints,
        source_arn,
        name: entry.name,
        created: entry.creation_date.as_ref().and_then(time),
    }
}

pub fn last_use(answer: &GetKeyLastUsageOutput) -> LastUse {
    let used = answer.key_last_usage.as_ref();
    LastUse {
        operation: used
            .and_then(|used| used.operation.as_ref())
            .map(|operation| operation.as_str().to_owned()),
        at: used.and_then(|used| used.timestamp.as_ref()).and_then(time),
        since: answer.tracking_start_date.as_ref().and_then(time),
    }
}

/// RFC 3339, to the second.
fn time(time: &DateTime) -> Option<String> {
    Timestamp::from_second(time.secs()).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use aws_sdk_kms::error::ErrorMetadata;

    use super::*;

    #[test]
    fn the_codes_of_kms_have_their_meaning() {
        for (code, kind) in [
            ("KMSInvalidStateException", Kind::Conflict),
            ("AlreadyExistsException", Kind::Conflict),
            ("NotFoundException", Kind::NotFound),
            ("MalformedPolicyDocumentException", Kind::Rejected),
            ("UnsupportedOperationException", Kind::Rejected),
            ("KMSInternalException", Kind::Transient),
        ] {
            let refused = ErrorMetadata::builder().code(code).build();
            let answer = error("EnableKey", Err::<(), _>(SdkError::service_error(refused, ())));
            assert_eq!(answer.map_err(|error| error.kind), Err(kind), "{code}");
        }
    }

    #[test]
    fn a_refusal_says_whether_the_key_s_own_policy_refused() {
        let denied = |message: &str| {
            let error = AwsError {
                operation: "DescribeKey",
                code: "AccessDeniedException".into(),
                message: message.into(),
                kind: Kind::Denied,
            };
            by_key_policy(error).to_string()
        };
        let own = denied("not authorized to perform: kms:DescribeKey because no resource-based policy allows it");
        assert!(own.contains("access denied by the key policy"), "{own}");
        let iam = denied("not authorized to perform: kms:DescribeKey because no identity-based policy allows it");
        assert!(!iam.contains("by the key policy"), "{iam}");
    }

    #[test]
    fn a_schedule_is_put_back_within_what_kms_takes() {
        let days = |left: i64| {
            let date = Timestamp::now().as_second() + left * 24 * 60 * 60 - 60;
            let key = kms::KeyMetadata::builder()
                .key_id("k-1")
                .key_state(kms::KeyState::PendingDeletion)
                .deletion_date(DateTime::from_secs(date));
            state(&key.build().unwrap())
                .deletion
                .get()
                .map(|deletion| deletion.days)
        };
        assert_eq!(
            [days(1), days(7), days(12), days(30)],
            [Some(7), Some(7), Some(12), Some(30)]
        );
    }
}
