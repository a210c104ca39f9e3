//! What is left as it is, by whom, why, until when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Settings;
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

impl Settings {
    /// The exemption of a control on a resource that holds now.
    pub fn exemption(
        &self,
        control: &str,
        resource: &Resource,
        tags: Option<&Tags>,
        now: Timestamp,
    ) -> Option<&Exemption> {
        let mut fitting = self.exemptions.iter().filter(|one| one.fits(control, resource, tags));
        fitting.find(|exemption| now < exemption.until)
    }

    /// The exemption that would hold, had it not ended: of several the last to end.
    pub fn ended_exemption(
        &self,
        control: &str,
        resource: &Resource,
        tags: Option<&Tags>,
        now: Timestamp,
    ) -> Option<&Exemption> {
        let fitting = self.exemptions.iter().filter(|one| one.fits(control, resource, tags));
        fitting
            .max_by_key(|exemption| exemption.until)
            .filter(|exemption| exemption.until <= now)
    }
}

impl Exemption {
    fn fits(&self, control: &str, resource: &Resource, tags: Option<&Tags>) -> bool {
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
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
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
        let everything = self.resource.as_ref().filter(|pattern| is_everything(pattern));
        if let Some(pattern) = everything.filter(|_| !self.i_mean_everything && self.tag.is_none()) {
            let what =
                format!("{pattern:?} would match everything; say i-mean-everything: true if that is what you mean");
            return Err((".resource", what));
        }
        Ok(())
    }
}

/// Whether a pattern names nothing of a resource itself: neither all that there is, nor all of a service, nor all of a type.
fn is_everything(pattern: &str) -> bool {
    let name = pattern.splitn(6, ':').nth(5).unwrap_or_else(|| {
        // A pattern that leaves out parts of the ARN: what its first `*` does not swallow.
        pattern.split_once('*').map_or(pattern, |(_, rest)| rest)
    });
    let name = name.split_once(['/', ':']).map_or(name, |(_, name)| name);
    !name.chars().any(char::is_alphanumeric)
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
        ] {
            assert!(is_everything(everything), "{everything}");
        }
        for some in [
            "arn:aws:s3:::logs-*",
            "arn:aws:s3:::a*",
            "*:logs-*",
            "arn:aws:kms:*:*:key/1234*",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/a",
            "arn:aws:s3:::exact",
        ] {
            assert!(!is_everything(some), "{some}");
        }
    }
}
