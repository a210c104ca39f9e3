use serde::{Deserialize, Serialize};

use crate::arn::{Arn, partition_of};

/// One AWS thing, of a type that is looked after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resource {
    /// CloudFormation's name of its type, as in `AWS::S3::Bucket`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its ARN, in its own partition.
    pub arn: String,
    /// The name or id that its API takes: a bucket's name, a key's id.
    pub id: String,
    /// The account that owns it.
    pub account: String,
    /// The region it is in.
    pub region: String,
}

/// An account in a region: where a function looks after resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The account's id.
    pub account: String,
    /// The region's name.
    pub region: String,
}

impl From<Arn> for Location {
    fn from(arn: Arn) -> Self {
        Self {
            account: arn.account,
            region: arn.region,
        }
    }
}

impl Resource {
    /// A resource of a service in a region, whose ARN ends with a path, such as `table/`, and its name.
    pub fn regional(kind: &str, service: &str, path: &str, name: &str, location: &Location) -> Self {
        let Location { account, region } = location;
        Self {
            kind: kind.into(),
            arn: format!("arn:{}:{service}:{region}:{account}:{path}{name}", partition_of(region)),
            id: name.into(),
            account: account.clone(),
            region: region.clone(),
        }
    }

    /// The resource of a service that a name stands for, or an ARN that ends with a path, such as `table/`, and the name.
    pub fn named(kind: &str, service: &str, path: &str, text: &str, location: &Location) -> Option<Self> {
        let Ok(arn) = text.parse::<Arn>() else {
            return Some(Self::regional(kind, service, path, text, location));
        };
        let name = arn.resource.strip_prefix(path)?.to_owned();
        let is_of_service = arn.service == service;
        is_of_service.then(|| Self::regional(kind, service, path, &name, &arn.into()))
    }

    /// Where it is.
    pub fn place(&self) -> Location {
        Location {
            account: self.account.clone(),
            region: self.region.clone(),
        }
    }

    /// The type in a word or two for a sentence: `bucket` for `AWS::S3::Bucket`, `security group`, `DB instance`.
    pub fn noun(&self) -> String {
        let last = self.kind.rsplit("::").next().unwrap_or(&self.kind);
        let letters: Vec<char> = last.chars().collect();
        let is_upper = |at: usize| letters.get(at).is_some_and(|letter| letter.is_uppercase());
        let is_lower = |at: usize| letters.get(at).is_some_and(|letter| letter.is_lowercase());
        let mut noun = String::new();
        for (at, letter) in letters.iter().enumerate() {
            // A word begins where a capital follows a small letter, or where a small one follows the last capital of an acronym.
            if at > 0 && is_upper(at) && (is_lower(at - 1) || is_lower(at + 1)) {
                noun.push(' ');
            }
            // Capitals side by side are an acronym, which keeps them.
            let in_acronym = is_upper(at)
                && (is_upper(at + 1) && !is_lower(at + 1) || at > 0 && is_upper(at - 1) && !is_lower(at + 1));
            if in_acronym {
                noun.push(*letter);
            } else {
                noun.extend(letter.to_lowercase());
            }
        }
        noun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_called_as_a_sentence_would_call_it() {
        for (kind, noun) in [
            ("AWS::S3::Bucket", "bucket"),
            ("AWS::EC2::SecurityGroup", "security group"),
            ("AWS::S3::AccountPublicAccessBlock", "account public access block"),
            ("AWS::RDS::DBInstance", "DB instance"),
            ("AWS::RDS::DBClusterSnapshot", "DB cluster snapshot"),
            ("AWS::SecretsManager::Secret", "secret"),
        ] {
            let resource = Resource {
                kind: kind.into(),
                arn: String::new(),
                id: String::new(),
                account: String::new(),
                region: String::new(),
            };
            assert_eq!(resource.noun(), noun);
        }
    }
}
