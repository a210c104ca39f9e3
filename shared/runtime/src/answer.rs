//! What an invocation answers: typed here, JSON at the Lambda's edge only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use portcullis_core::alert::clean;
use portcullis_core::event::{Counts, SweepPage};
use portcullis_core::{ControlResult, Outcome, Resource};
use serde::{Serialize, Serializer};

/// What one resource came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The resource's ARN.
    pub resource: String,
    /// What came of it as a whole.
    pub conclusion: Conclusion,
    /// What came of each control that was violated, or had been.
    pub results: Vec<ControlResult>,
    /// The ledger's record, where one was written.
    pub record: Option<String>,
    /// The controls that can't be asked of the resource, and why.
    pub not_applicable: Vec<(&'static str, String)>,
}

/// What a resource came to as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// It is no more.
    Gone,
    /// Settings switch off all controls that the event is about.
    Ignored,
    /// None of the controls can be asked of it.
    NotApplicable,
    /// All controls hold.
    Compliant,
    /// What is wrong is known, and was told lately enough.
    ToldBefore,
    /// It was recorded and told: the gravest outcome.
    Told(Outcome),
}

impl Answer {
    /// An answer about a resource of which nothing was recorded.
    pub fn of(resource: &Resource, conclusion: Conclusion) -> Self {
        Self {
            resource: resource.arn.clone(),
            conclusion,
            results: Vec::new(),
            record: None,
            not_applicable: Vec::new(),
        }
    }

    /// The answer with the controls that can't be asked of the resource.
    #[must_use]
    pub fn with_not_applicable(mut self, controls: &[(&'static str, String)]) -> Self {
        self.not_applicable.extend_from_slice(controls);
        self
    }
}

impl Conclusion {
    /// Its word in answers and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Ignored => "ignored",
            Self::NotApplicable => "not-applicable",
            Self::Compliant => "compliant",
            Self::ToldBefore => "told-before",
            Self::Told(outcome) => outcome.as_str(),
        }
    }
}

impl Serialize for Conclusion {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            resource: &'a str,
            outcome: Conclusion,
            controls: BTreeMap<&'a str, Outcome>,
            findings: BTreeMap<&'a str, String>,
            record: Option<&'a str>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            not_applicable: BTreeMap<&'a str, &'a str>,
        }
        let results = || self.results.iter();
        let not_applicable = self.not_applicable.iter();
        Shown {
            resource: &self.resource,
            outcome: self.conclusion,
            controls: results().map(|one| (one.control.as_str(), one.outcome)).collect(),
            findings: results()
                .map(|one| (one.control.as_str(), clean(&one.summary)))
                .collect(),
            record: self.record.as_deref(),
            not_applicable: not_applicable.map(|(control, why)| (*control, why.as_str())).collect(),
        }
        .serialize(to)
    }
}

/// What the function answers to whoever invoked it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Response {
    /// The event leads nowhere.
    Ignored {
        /// Why.
        ignored: String,
    },
    /// An event led to these resources.
    Resources {
        /// What each came to.
        resources: Vec<Answer>,
    },
    /// One resource was named.
    Resource(Answer),
    /// A schedule came for what is not due.
    NotDue(NotDue),
    /// A hold was ended.
    Released(Released),
    /// A sweep, or a part of it.
    Sweep {
        /// What it came to.
        sweep: SweepAnswer,
    },
    /// What an earlier hour's budget had put off.
    Waiting {
        /// What it came to.
        waiting: WaitingAnswer,
    },
    /// What settings require.
    Preflight {
        /// How many are right, wrong, unchecked.
        preflight: PreflightCounts,
        /// What each came to.
        resources: Vec<Checked>,
    },
    /// AWS Config's rule got its evaluations.
    Rule {
        /// Its name.
        rule: String,
        /// How many there were of each compliance type.
        evaluations: BTreeMap<String, u64>,
    },
    /// A heartbeat.
    Heartbeat(Heartbeat),
}

/// A schedule that came for what is not due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum NotDue {
    /// Nothing is deferred there any more.
    Ignored {
        /// The resource's ARN.
        resource: String,
        /// Why nothing was done.
        why: &'static str,
    },
    /// It is due later, and was scheduled again.
    Deferred {
        /// The resource's ARN.
        resource: String,
        /// When it is due.
        until: Timestamp,
    },
}

/// A hold that was ended, and what the resource is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename = "released")]
pub struct Released {
    /// The resource's ARN.
    pub resource: String,
    /// The record that says so.
    pub record: String,
    /// What looking at it anew came to.
    pub now: Answer,
}

/// What a sweep, or a part of it, came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepAnswer {
    /// What was counted so far.
    pub counts: Counts,
    /// What is left, in pages of which each is work for one invocation.
    pub more: Vec<SweepPage>,
    /// The ARNs of the resources that were looked at before their page came.
    pub ahead: BTreeSet<String>,
    /// At its end: how many findings were told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<usize>,
}

/// What looking at an earlier hour's deferrals came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitingAnswer {
    /// What was counted.
    pub counts: Counts,
    /// How many resources are left to the next hour.
    pub left: usize,
}

/// How many of the required resources are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PreflightCounts {
    /// Those that are as required.
    pub right: usize,
    /// Those that aren't.
    pub wrong: usize,
    /// Those of other accounts.
    pub unchecked: usize,
}

/// What a required resource came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Checked {
    /// It was looked at.
    Answer(Answer),
    /// It was not, or it could not be put right.
    Without(WithoutAnswer),
}

/// Why there is no more to say of a required resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum WithoutAnswer {
    /// It is another account's.
    Unchecked {
        /// The resource's ARN.
        resource: String,
        /// Why it can't be looked at.
        why: String,
    },
    /// It could not be read, or not be put right.
    Failed {
        /// The resource's ARN.
        resource: String,
        /// What went wrong.
        why: String,
    },
}

impl Checked {
    /// Whether it is as required.
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Answer(answer) if answer.conclusion == Conclusion::Compliant)
    }

    /// Whether nobody looked.
    pub fn is_unchecked(&self) -> bool {
        matches!(self, Self::Without(WithoutAnswer::Unchecked { .. }))
    }
}

/// What a heartbeat found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "heartbeat", rename_all = "lowercase")]
pub enum Heartbeat {
    /// Settings, ledger and topic can be used, by the other functions as well.
    Alive,
    /// The same, but other functions have missed theirs.
    Alone {
        /// Their names.
        silent: Vec<String>,
    },
    /// Nobody gets the alerts.
    Unheard {
        /// What is missing.
        why: &'static str,
    },
}
