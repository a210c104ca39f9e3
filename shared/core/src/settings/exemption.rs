//! What is left as it is, by whom, why, until when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Resource, Tags};

/// One thing that is left as it is: the resources that a pattern matches, those that carry a tag, or those for which both holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exemption {
    /// The control's id, or `*` for all.
    pub control: String,
    /// The resource's ARN; `*` stands for any text.
    #[serde(default)]
    pub resource: Option<String>,
    /// A tag that the resource must carry. Whoever may set it on a resource can exempt it.
    #[serde(default)]
    pub tag: Option<ByTag>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The moment from which it no longer holds (RFC 3339).
    #[cfg_attr(feature = "schema", schemars(with = "String", extend("format" = "date-time")))]
    pub until: Timestamp,
    /// Says that a pattern which matches everything is no mistake.
    #[serde(default)]
    pub i_mean_everything: bool,
}

/// A tag, as AWS compares it: with regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ByTag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl Exemption {
    pub(super) fn fits(&self, control: &str, resource: &Resource, tags: Option<&Tags>) -> bool {
        let carries = |tag: &ByTag| tags.and_then(|tags| tags.get(&tag.key)) == Some(&tag.value);
        (self.control == "*" || self.control == control)
            && self
                .resource
                .as_ref()
                .is_none_or(|pattern| matches(pattern, &resource.arn))
            && self.tag.as_ref().is_none_or(carries)
    }

    /// What it is about, in words: its pattern, its tag, or both.
    pub fn about(&self) -> String {
        let tag = self
            .tag
            .as_ref()
            .map(|ByTag { key, value }| format!("what is tagged {key}={value}"));
        match (&self.resource, tag) {
            (Some(pattern), Some(tag)) => format!("{pattern}, {tag}"),
            (pattern, tag) => pattern.clone().or(tag).unwrap_or_default(),
        }
    }

    /// The field that is wrong, and what is wrong with it.
    pub(super) fn check(&self, arn_forms: &[&str]) -> Result<(), (&'static str, String)> {
        for (field, text) in [(".reason", &self.reason), (".owner", &self.owner)] {
            if text.trim().is_empty() {
                return Err((field, "expected some words, found none".into()));
            }
        }
        if self.resource.is_none() && self.tag.is_none() {
            return Err(("", "expected a resource, a tag or both, found neither".into()));
        }
        if self.tag.as_ref().is_some_and(|tag| tag.key.is_empty()) {
            return Err((".tag.key", "expected the key of a tag, found an empty text".into()));
        }
        let everything = self
            .resource
            .as_ref()
            .filter(|pattern| is_everything(pattern, arn_forms));
        if let Some(pattern) = everything.filter(|_| !self.i_mean_everything && self.tag.is_none()) {
            let what = format!(
                "expected a pattern that names something of the resource itself, found {pattern:?}, which would match \
                     everything of some type; write a part of the name, as in arn:…:s3:::legacy-*, or say \
                     i-mean-everything: true if that is what you mean"
            );
            return Err((".resource", what));
        }
        Ok(())
    }
}

/// Two names, and two ids, that nobody chose: with all letters and digits, and neither beginning nor end in common.
const NAMES: [(&str, &str); 2] = [
    ("q0.x9jw8-vk7yh6ug5tf4sd3rc2pb1nmloieaz", "0f1e2d3c4b5a69788"),
    ("z7ab.cdefghijklm-nop1qrstuvwxy2345689-0q", "8a9b6c7d5e4f31200"),
];

/// Whether a pattern names nothing of a resource itself: it matches resources of some type, account and region whatever they
/// are called.
fn is_everything(pattern: &str, arn_forms: &[&str]) -> bool {
    if !pattern.chars().any(char::is_alphanumeric) {
        return true;
    }
    // The account and the region are the pattern's own where it names them.
    let mut accounts = vec!["204060801357".to_owned()];
    let digits = pattern.split(|letter: char| !letter.is_ascii_digit());
    accounts.extend(
        digits
            .filter(|run| (2..=12).contains(&run.len()))
            .map(|run| format!("{run:7<12}")),
    );
    let mut regions = vec![
        "us-east-1",
        "eu-central-1",
        "ap-south-1",
        "ca-west-1",
        "sa-east-1",
        "cn-north-1",
        "us-gov-west-1",
    ];
    regions.extend(
        pattern
            .split([':', '*', '/'])
            .filter(|part| part.matches('-').count() >= 2),
    );
    let called = |form: &str, account: &str, region: &str, (name, id): (&str, &str)| {
        let filled = form.replace("{r}", region).replace("{a}", account);
        filled.replace("{n}", name).replace("{i}", id)
    };
    ["aws", "aws-cn", "aws-us-gov"].iter().any(|partition| {
        accounts.iter().any(|account| {
            regions.iter().any(|region| {
                arn_forms.iter().any(|form| {
                    let arn = |names| format!("arn:{partition}:{}", called(form, account, region, names));
                    NAMES.into_iter().all(|names| matches(pattern, &arn(names)))
                })
            })
        })
    })
}

/// Whether `text` fits `pattern`, in which `*` stands for any text. Linear in both but for repeated prefixes.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let mut parts: Vec<_> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::is_everything;

    const FORMS: [&str; 6] = [
        "s3:::{n}",
        "s3:{r}:{a}:accesspoint/{n}",
        "kms:{r}:{a}:key/{i}",
        "ec2:{r}:{a}:instance/i-{i}",
        "ec2:{r}:{a}:volume/vol-{i}",
        "ec2:{r}:{a}:security-group/sg-{i}",
    ];

    #[test]
    fn what_names_nothing_of_a_resource_is_everything() {
        for everything in [
            "*",
            "*:*",
            "arn:*",
            "arn:aws:s3*",
            "arn:aws:s3:::*",
            "arn:*:s3:::**",
            "arn:aws:kms:*:*:key/*",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/*",
            "*:s3:::*",
            "*:111122223333:*",
            "arn:aws:kms:*:1111*:key/*",
            "*aws*",
            "arn*s3*",
            "*a*",
            "*x*",
            "*7*",
            "*.*",
            "*key/*",
            "*security-group*",
            "arn:aws:ec2:eu-west-3:*:instance/i-*",
            "arn:aws:ec2:eu-*:111122223333:volume/*",
            "arn:aws-cn:s3:::*",
        ] {
            assert!(is_everything(everything, &FORMS), "{everything}");
        }
        for some in [
            "arn:aws:s3:::logs-*",
            "arn:aws:s3:::a*",
            "*:logs-*",
            "arn:aws:kms:*:*:key/1234*",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/a",
            "arn:aws:s3:::exact",
            "arn:aws:s3:::q*",
            "arn:aws:s3:::*-logs",
            "*prod*",
            "arn:aws:ec2:*:*:instance/i-0abc*",
            "arn:aws:ec2:eu-west-3:111122223333:security-group/sg-0a1b2c3d",
        ] {
            assert!(!is_everything(some, &FORMS), "{some}");
        }
    }
}
