//! What is left as it is, by whom, why, until when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pattern::{can_match, example, is_everything, matches, meant};
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

    /// The field that is wrong, and what is wrong with it. `arn_forms` are those of all types; `forms` those of the types that the
    /// control is about, none where they are not known.
    pub(super) fn check(&self, arn_forms: &[&str], forms: &[String]) -> Result<(), (&'static str, String)> {
        for (field, text) in [(".reason", &self.reason), (".owner", &self.owner)] {
            if text.trim().is_empty() {
                return Err((field, "expected some words, found none".into()));
            }
        }
        if self.resource.is_none() && self.tag.is_none() {
            return Err(("", "expected a resource, a tag or both, found neither".into()));
        }
        if self.tag.as_ref().is_some_and(|tag| tag.key.trim().is_empty()) {
            return Err((".tag.key", "expected the key of a tag, found an empty text".into()));
        }
        let can = |pattern: &&String| forms.is_empty() || forms.iter().any(|form| can_match(pattern, form));
        if let Some(pattern) = self.resource.as_ref().filter(|pattern| !can(pattern)) {
            let mut examples: Vec<_> = forms.iter().map(|form| example(form)).collect();
            examples.dedup();
            let more = if examples.len() > 3 { ", …" } else { "" };
            examples.truncate(3);
            let write = meant(pattern, forms).map_or_else(String::new, |meant| format!("; write {meant}"));
            let about = if self.control == "*" {
                "a control"
            } else {
                &self.control
            };
            let what = format!(
                "expected the ARN of a resource that {about} looks at, as in {}{more}, found {pattern:?}, which none of them can \
                 have{write}",
                examples.join(" or ")
            );
            return Err((".resource", what));
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
