use serde::{Deserialize, Serialize};

/// One AWS thing that a guard looks after.
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

impl Resource {
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
