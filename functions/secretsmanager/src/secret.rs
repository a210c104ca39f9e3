//! Secrets: what is read and changed of them, never their values, and which events name them.

use portcullis_controls::encryption::Key;
use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Finding, JudgeContext, Judgement, Location, Observed, Resource, ResourceType, Settings, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

/// The event source of Secrets Manager's calls.
pub const SOURCE: &str = "secretsmanager.amazonaws.com";

/// The key of a secret that names none. Source: Secrets Manager API Reference, `DescribeSecret`, `KmsKeyId`.
pub const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// A secret as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct Secret {
    /// Its scheduled deletion; absent where there is none.
    #[fact(
        read("secretsmanager:DescribeSecret"),
        write("secretsmanager:DeleteSecret", "secretsmanager:RestoreSecret")
    )]
    pub deletion: Observed<Deletion>,
    /// Its policy, byte for byte. Not read of one that is to be deleted: Secrets Manager refuses that.
    #[fact(
        read("secretsmanager:GetResourcePolicy"),
        write("secretsmanager:DeleteResourcePolicy", "secretsmanager:PutResourcePolicy"),
        policy
    )]
    pub policy: Observed<String>,
    /// The key that it is encrypted with.
    #[fact(
        read("secretsmanager:DescribeSecret", "kms:DescribeKey"),
        write("secretsmanager:UpdateSecret"),
        required
    )]
    pub encryption: Observed<Encryption>,
    /// Whether it is rotated.
    #[fact(name = Description)]
    pub rotates: Observed<bool>,
    /// The region of its primary, where it is a replica.
    #[fact(name = Description)]
    pub primary_region: Observed<String>,
    /// The service that made it, and deletes it: `rds`, as of the secret of a database's administrator.
    #[fact(name = Description)]
    pub owning_service: Observed<String>,
    /// Its tags; none reads as an empty map.
    #[fact(tags, name = Description, read("secretsmanager:DescribeSecret"))]
    pub tags: Observed<Tags>,
}

/// Encryption at rest: a secret is always encrypted with a key of KMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The key as the secret names it, by id, ARN or alias.
    pub name: String,
    /// The one that the name stands for.
    pub key: Key,
}

/// A scheduled deletion.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was asked for, or is to be (RFC 3339).
    pub date: String,
    /// The days that were left when it was read, as far as Secrets Manager takes them for a new schedule: 7 to 30.
    pub days: u16,
}

/// Two schedules are the same state: the date is counted from the moment of the call, so none can be put back exactly.
impl PartialEq for Deletion {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Secrets. The classification of the data is in their tags.
pub const TYPE: ResourceType<Secret> = ResourceType {
    name: "AWS::SecretsManager::Secret",
    arn_form: "secretsmanager:{r}:{a}:secret:{n}",
    source: SOURCE,
    always: &[SecretFact::Description, SecretFact::Deletion],
    list_actions: &["secretsmanager:ListSecrets"],
    creates: &["CreateSecret"],
    named,
    identified: |id, location| parsed(id, location).filter(|secret| secret.place() == *location),
    matters,
    ..ResourceType::REGIONAL
};

impl Secret {
    /// A replica has its primary's policy, rotation and tags, and can't be changed in them: it is told where that can be done. Source:
    /// Secrets Manager User Guide, "Replicate AWS Secrets Manager secrets across Regions".
    pub fn by_its_primary(
        &self,
        judged: Judgement<SecretChange>,
        context: &JudgeContext<'_>,
    ) -> Judgement<SecretChange> {
        let primary = self
            .primary_region
            .get()
            .filter(|region| **region != context.resource.region);
        match (judged, primary) {
            (Judgement::Violated(finding), Some(region)) => {
                let why =
                    format!("it is a replica: only its primary in {region} can be changed, which changes this one too");
                Finding {
                    remedies: Vec::new(),
                    ..finding.only_notify(why)
                }
                .into()
            }
            (judged, _) => judged,
        }
    }
}

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    // `arn` in some answers, `aRN` in others; each is the whole one.
    let answered = field(&call.response, "arn").and_then(string);
    let secret = answered.or(call.parameter("secretId")?).or(call.parameter("name")?);
    let secret = secret.ok_or_else(|| EventError::Missing("requestParameters.secretId".into()))?;
    let found = parsed(&secret, &call.place());
    let found = found.ok_or_else(|| EventError::parameter("secretId", "a secret's ARN or name", &secret.into()))?;
    Ok([found]
        .into_iter()
        .filter(|secret| secret.account == call.account)
        .collect())
}

/// The secret that an ARN, whole or without its last six characters, or a name stands for: which one, only AWS knows. Source: Secrets
/// Manager API Reference, `DescribeSecret`, `SecretId`; `CreateSecret`, `Name`.
fn parsed(text: &str, location: &Location) -> Option<Resource> {
    let secret = Resource::named(TYPE.name, "secretsmanager", "secret:", text, location)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+=.@-!".contains(&byte);
    let is_name = !secret.id.is_empty() && secret.id.len() <= 519 && secret.id.bytes().all(allowed);
    is_name.then_some(secret)
}

/// Most tags change nothing that is judged.
fn matters(call: &Call, settings: &Settings) -> bool {
    match call.name.as_str() {
        "TagResource" | "UntagResource" => call.tags_matter(settings),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_by_arn_and_by_name_and_other_things_are_none() {
        let (account, region) = ("111122223333".to_owned(), "eu-west-1".to_owned());
        let location = Location { account, region };
        let found = |text: &str| parsed(text, &location).map(|secret| (secret.arn, secret.id));
        let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:partner/api-AbCdEf";
        assert_eq!(found(arn), Some((arn.to_owned(), "partner/api-AbCdEf".to_owned())));
        let by_name = found("partner/api").unwrap();
        assert_eq!(by_name.0, arn.strip_suffix("-AbCdEf").unwrap());
        for text in [
            "",
            "a b",
            "arn:aws:ssm:eu-west-1:111122223333:parameter/a",
            &"a".repeat(600),
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
