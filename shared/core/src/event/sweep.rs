//! A sweep: looking at all resources, whatever events told of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// A request to sweep. Without any field it begins one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Where to go on: what an earlier answer said was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<Vec<SweepPage>>,
    /// What earlier parts of these pages came to.
    #[serde(default)]
    pub counts: Counts,
    /// The ARNs of those that its beginning looked at before their page came: they are counted already.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ahead: BTreeSet<String>,
    /// To end it: what each of the parts after the first came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Vec<Counts>>,
}

/// A part of a sweep: one page of a type's resources, or those named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepPage {
    /// The type, by CloudFormation's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the page before said; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Whether the pages after it are to be looked at as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub onward: bool,
    /// The ids or ARNs of the resources, where it is not a page that AWS lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
}

/// What a sweep, or a part of it, came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Counts {
    /// The resources that were looked at.
    pub resources: u64,
    /// Those of them that satisfy all their controls.
    pub compliant: u64,
    /// Those that could not be looked at, or whose handling failed before anything could be told; the log says why.
    pub unseen: u64,
    /// The parts that were lost as a whole.
    pub lost: u64,
    /// The findings by their outcome, those that were told before included.
    pub findings: BTreeMap<Outcome, u64>,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.resources += other.resources;
        self.compliant += other.compliant;
        self.unseen += other.unseen;
        self.lost += other.lost;
        for (outcome, more) in &other.findings {
            *self.findings.entry(*outcome).or_default() += more;
        }
        self
    }

    /// One more finding.
    pub fn found(&mut self, outcome: Outcome) {
        *self.findings.entry(outcome).or_default() += 1;
    }
}
