//! What came of a control.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Change as _, Severity, State};

/// What came of a control for a resource. The order is that of gravity: the gravest of a message decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds; nothing was done.
    Compliant,
    /// The resource is no more.
    Gone,
    /// Settings or a hold say to leave it.
    Exempt,
    /// A hold that a restore had left was ended.
    Released,
    /// The state from before a remediation was put back.
    Restored,
    /// It was put right, and read again to prove it.
    Remediated,
    /// AWS took the change and is applying it: the proof is scheduled.
    Remediating,
    /// It was closed off.
    Quarantined,
    /// It will be looked at again later.
    Deferred,
    /// It is wrong, and was left so, since settings say only to tell.
    WouldRemediate,
    /// It is wrong, and no change of ours would put it right: a person has to act.
    NeedsAction,
    /// It is wrong, and could not be put right.
    Failed,
}

impl Outcome {
    /// Whether the resource was changed, as far as the outcome tells.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Remediated | Self::Remediating | Self::Quarantined)
    }
}

impl Outcome {
    /// Its word in answers, alerts and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "compliant",
            Self::Gone => "gone",
            Self::Exempt => "exempt",
            Self::Released => "released",
            Self::Restored => "restored",
            Self::Remediated => "remediated",
            Self::Remediating => "remediating",
            Self::Quarantined => "quarantined",
            Self::Deferred => "deferred",
            Self::WouldRemediate => "would-remediate",
            Self::NeedsAction => "needs-action",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a restore can undo of a control's changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// All of them.
    #[default]
    All,
    /// All but those to these targets, for which AWS has no way back.
    AllBut(Vec<String>),
    /// Nothing: AWS has no way back for any of these targets, or, where none is named, it was a restore itself.
    Nothing(Vec<String>),
}

impl Undo {
    /// What can be undone of changes that were made to a state.
    pub fn of<S: State>(before: &S, changes: &[S::Change]) -> Self {
        let lost = changes.iter().filter(|change| change.inverse(before).is_none());
        let lost: Vec<_> = lost.map(|change| change.target().into_owned()).collect();
        match lost.len() {
            0 => Self::All,
            all if all == changes.len() => Self::Nothing(lost),
            _ => Self::AllBut(lost),
        }
    }

    fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// What can't be undone, in words.
    pub fn no_way_back(&self) -> Option<String> {
        match self {
            Self::AllBut(lost) | Self::Nothing(lost) if !lost.is_empty() => {
                Some(format!("AWS offers no way back for its {}", lost.join(", ")))
            }
            _ => None,
        }
    }
}

/// What came of one control for one resource, as the ledger and the alert have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ControlResult {
    /// The control's id.
    pub control: String,
    /// How bad it was.
    pub severity: Severity,
    /// What came of it.
    pub outcome: Outcome,
    /// What was wrong, as a clause that follows the resource's name, in the present.
    pub summary: String,
    /// The same in the past, where the resource was changed so that it is not so any more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub was: String,
    /// What was, or would be, changed.
    pub change: String,
    /// What a restore can undo of that, if not all.
    #[serde(default, skip_serializing_if = "Undo::is_all")]
    pub undo: Undo,
    /// Why this outcome: the mode, the exemption, the hold, the error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// When it is looked at again, where it is deferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", extend("format" = "date-time")))]
    pub until: Option<Timestamp>,
    /// What else somebody who is woken by it should know: an exemption that ended, a fight with somebody's tool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whether the control could not be judged, since a read was refused: nobody knows then whether it is violated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unjudged: bool,
}

impl ControlResult {
    /// The result of a control about which there is nothing to say but this: no change, no reason, no notes.
    pub fn new(control: &str, severity: Severity, outcome: Outcome, summary: impl Into<String>) -> Self {
        Self {
            control: control.to_owned(),
            severity,
            outcome,
            summary: summary.into(),
            was: String::new(),
            change: String::new(),
            undo: Undo::All,
            why: String::new(),
            until: None,
            notes: Vec::new(),
            unjudged: false,
        }
    }

    /// Gives it another outcome, and says why. What is no change leaves what was wrong as it is.
    pub fn turn(&mut self, outcome: Outcome, why: impl Into<String>) {
        (self.outcome, self.why) = (outcome, why.into());
        if !outcome.is_change() || outcome == Outcome::Remediating {
            self.was.clear();
        }
    }

    /// Whether something was, or is to be, changed for it: a mark leaves what is wrong to people.
    pub fn is_intended(&self) -> bool {
        self.outcome.is_change() || (self.outcome == Outcome::NeedsAction && !self.was.is_empty())
    }

    /// What was wrong, in the tense of its outcome. Version 0.1.0 kept the present only.
    pub fn clause(&self) -> &str {
        if self.was.is_empty() { &self.summary } else { &self.was }
    }
}
