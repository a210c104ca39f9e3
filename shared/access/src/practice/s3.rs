//! Which uploads a bucket policy refuses to everyone: those that name the wrong encryption.
//!
//! Sources: S3 User Guide, "Protecting data with server-side encryption", "Blocking or unblocking SSE-C".

use serde::Serialize;

use super::refusal::{Known, covers, denies_everyone, kinds_of_resource, refuses};
use crate::condition::{Comparison, Condition, Quantifier};
use crate::evaluate::fits;
use crate::parse::{Policy, Statement};
use crate::service::Service;

const ALGORITHM: &str = "s3:x-amz-server-side-encryption";
const KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";
const VPC_ENDPOINT: &str = "aws:sourcevpce";
const CUSTOMER: &str = "s3:x-amz-server-side-encryption-customer-algorithm";

/// How an upload says what encrypts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Upload {
    /// SSE-S3 by name.
    #[serde(rename = "AES256")]
    Aes256,
    /// SSE-KMS without a key's name: with the AWS-managed one.
    #[serde(rename = "kms-default-key")]
    KmsDefaultKey,
    /// SSE-KMS with the required key, or one of the owner's.
    #[serde(rename = "kms-own-key")]
    KmsOwnKey,
    /// SSE-KMS with somebody else's key.
    #[serde(rename = "kms-other-key")]
    KmsOtherKey,
    /// DSSE-KMS with the required key.
    #[serde(rename = "dsse")]
    Dsse,
    /// Nothing: the bucket's default decides. Most clients.
    #[serde(rename = "no-header")]
    NoHeader,
    /// A key that the client brings.
    #[serde(rename = "sse-c")]
    SseC,
}

impl Upload {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Aes256,
        Self::KmsDefaultKey,
        Self::KmsOwnKey,
        Self::KmsOtherKey,
        Self::Dsse,
        Self::NoHeader,
        Self::SseC,
    ];

    fn known<'a>(self, own_key: &'a str, other_key: &'a str) -> Known<'a> {
        let (algorithm, key, customer) = match self {
            Self::Aes256 => (Some("AES256"), None, None),
            Self::KmsDefaultKey => (Some("aws:kms"), None, None),
            Self::KmsOwnKey => (Some("aws:kms"), Some(own_key), None),
            Self::KmsOtherKey => (Some("aws:kms"), Some(other_key), None),
            Self::Dsse => (Some("aws:kms:dsse"), Some(own_key), None),
            Self::NoHeader => (None, None, None),
            Self::SseC => (None, None, Some("AES256")),
        };
        Known::from([(ALGORITHM, algorithm), (KEY, key), (CUSTOMER, customer)])
    }
}

/// A key of somebody else, in the bucket's partition.
fn other_key(bucket_arn: &str) -> String {
    let partition = bucket_arn.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:kms:us-east-1:999988887777:key/00000000-0000-4000-8000-000000000000")
}

fn is_refused(policy: &Policy, kinds: &[String], action: &str, known: &Known) -> bool {
    let refusing: Vec<&Statement> = policy.statements().iter().filter(|one| refuses(one, known)).collect();
    let mut objects = kinds.iter().filter(|resource| resource.contains('/')).peekable();
    objects.peek().is_some()
        && objects.all(|object| {
            refusing
                .iter()
                .any(|statement| covers(statement, Service::S3Bucket, action, object))
        })
}

/// The uploads that the policy refuses to everyone, whatever object they write. `own_key` is a key of the owner.
pub fn refused_uploads(policy: &Policy, bucket_arn: &str, own_key: &str) -> Vec<Upload> {
    let Some(kinds) = kinds_of_resource(policy, Service::S3Bucket, bucket_arn) else {
        return Vec::new();
    };
    let other_key = other_key(bucket_arn);
    let refused = |upload: &Upload| is_refused(policy, &kinds, "s3:PutObject", &upload.known(own_key, &other_key));
    Upload::ALL.into_iter().filter(refused).collect()
}

/// What uploads may name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequiredEncryption {
    /// Values of `x-amz-server-side-encryption` that will do.
    pub algorithms: Vec<String>,
    /// The one key that will do, if one is required.
    pub key: Option<String>,
    /// Whether the AWS-managed key will not do. S3 takes it for an upload that asks for KMS and names no key, whatever the
    /// bucket's default is. Source: S3 API Reference, `PutObject`, `x-amz-server-side-encryption-aws-kms-key-id`.
    pub own_key: bool,
}

/// What a bucket policy does about uploads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "independent answers")]
pub struct EncryptedWrites {
    /// Every upload that names another encryption than required is refused.
    pub refuses_wrong: bool,
    /// Uploads that name nothing are refused: that breaks every client that relies on the bucket's default, and secures
    /// nothing, since S3 encrypts by that default.
    pub refuses_unnamed: bool,
    /// Uploads with a key of the client's are refused.
    pub refuses_sse_c: bool,
    /// Uploads that name just what is required are refused.
    pub refuses_right: bool,
    /// Other calls than uploads, which never name an encryption, are refused too: tagging and ACLs of objects.
    pub breaks_other_calls: bool,
}

/// Whether the policy refuses uploads that name the wrong encryption, and whom that breaks.
pub fn encrypted_writes(policy: Option<&Policy>, bucket_arn: &str, required: &RequiredEncryption) -> EncryptedWrites {
    let mut found = EncryptedWrites {
        refuses_wrong: false,
        refuses_unnamed: false,
        refuses_sse_c: false,
        refuses_right: false,
        breaks_other_calls: false,
    };
    let Some((policy, kinds)) =
        policy.and_then(|policy| Some((policy, kinds_of_resource(policy, Service::S3Bucket, bucket_arn)?)))
    else {
        return found;
    };
    let refused = |action: &str, algorithm: Option<&str>, key: Option<&str>, customer: Option<&str>| {
        is_refused(
            policy,
            &kinds,
            action,
            &Known::from([(ALGORITHM, algorithm), (KEY, key), (CUSTOMER, customer)]),
        )
    };
    let put = |algorithm: &str, key: Option<&str>| refused("s3:PutObject", Some(algorithm), key, None);
    let own = required.key.as_deref();
    let other = other_key(bucket_arn);
    let other = Some(other.as_str());
    let is_right = |algorithm: &&str| required.algorithms.iter().any(|right| right == algorithm);
    let all = ["AES256", "aws:kms", "aws:kms:dsse"];
    found.refuses_wrong = all.iter().all(|algorithm| {
        let keys: &[Option<&str>] = if *algorithm == "AES256" {
            &[None]
        } else {
            &[None, own, other]
        };
        if is_right(algorithm) {
            let names_its_key = !required.own_key && own.is_none() || put(algorithm, None);
            *algorithm == "AES256" || (names_its_key && (own.is_none() || put(algorithm, other)))
        } else {
            keys.iter().all(|key| put(algorithm, *key))
        }
    });
    found.refuses_unnamed = refused("s3:PutObject", None, None, None);
    found.refuses_sse_c = refused("s3:PutObject", None, None, Some("AES256"));
    found.refuses_right = all.iter().filter(|algorithm| is_right(algorithm)).any(|algorithm| {
        let named = own.or(other.filter(|_| required.own_key));
        put(algorithm, named.filter(|_| *algorithm != "AES256"))
    });
    let others = [
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
        "s3:PutObjectRetention",
        "s3:PutObjectLegalHold",
    ];
    found.breaks_other_calls = others.iter().any(|action| refused(action, None, None, None));
    found
}

/// Whether the policy refuses these actions to everyone who comes by another way than one of these VPC endpoints, but for
/// AWS services and the principals `spared`. An action may end in `*`.
pub fn endpoints_only(
    policy: Option<&Policy>,
    bucket_arn: &str,
    actions: &[&str],
    endpoints: &[String],
    spared: &[String],
) -> bool {
    let Some((policy, kinds)) =
        policy.and_then(|policy| Some((policy, kinds_of_resource(policy, Service::S3Bucket, bucket_arn)?)))
    else {
        return false;
    };
    let qualifies = |statement: &&Statement| {
        let mut conditions = statement.conditions.iter();
        denies_everyone(statement)
            && statement.conditions.iter().any(|one| one.key == VPC_ENDPOINT)
            && conditions.all(|one| spares_only(one, endpoints, spared))
    };
    let denying: Vec<&Statement> = policy.statements().iter().filter(qualifies).collect();
    let asked = |action: &str| {
        let named = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(prefix) => action.starts_with(prefix),
            None => action == *pattern,
        };
        actions.iter().any(named)
    };
    kinds.iter().all(|resource| {
        let known = Service::S3Bucket.actions().iter().map(|one| one.name.as_str());
        let mut known = known.filter(|action| asked(action) && fits(Service::S3Bucket, action, resource));
        known.all(|action| {
            denying
                .iter()
                .any(|statement| covers(statement, Service::S3Bucket, action, resource))
        })
    })
}

/// Whether a condition of a Deny spares nobody but whoever comes through the endpoints, the given principals, and services.
/// Source: IAM User Guide, "AWS global condition context keys": requests that are not signed lack `aws:PrincipalIsAWSService`.
fn spares_only(condition: &Condition, endpoints: &[String], spared: &[String]) -> bool {
    let operator = &condition.operator;
    let only = |known: &[String]| {
        condition
            .values
            .iter()
            .all(|value| known.iter().any(|one| one == value.source()))
    };
    let text = matches!(
        operator.comparison,
        Comparison::Equals | Comparison::EqualsIgnoreCase | Comparison::Like
    );
    let says_no = || operator.comparison == Comparison::Bool && only(&["false".to_owned()]);
    operator.quantifier == Quantifier::Single
        && !condition.values.is_empty()
        && match condition.key.as_str() {
            VPC_ENDPOINT => operator.negated && text && only(endpoints),
            "aws:principalarn" => operator.negated && (text || operator.comparison == Comparison::Arn) && only(spared),
            "aws:principalisawsservice" => says_no() && operator.if_exists,
            "aws:viaawsservice" => says_no(),
            _ => false,
        }
}
