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

    /// The type in a word or two for a sentence: `bucket` for `AWS::S3::Bucket`, `security group`.
    pub fn noun(&self) -> String {
        let last = self.kind.rsplit("::").next().unwrap_or(&self.kind);
        let mut noun = String::new();
        for (at, letter) in last.char_indices() {
            if at > 0 && letter.is_uppercase() {
                noun.push(' ');
            }
            noun.extend(letter.to_lowercase());
        }
        noun
    }
}
