//! Controls, what they judge by, and what judging comes to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::settings::{Level, Settings};
use crate::{Clause, Meta, Resource, Severity, State};

/// What a control's judgement is: whether a state satisfies it, and if not, what would.
pub type Judge<S> = dyn Fn(&S, &JudgeContext<'_>) -> Judgement<<S as State>::Change> + Sync;

/// One requirement on a type of resource.
pub struct Control<S: State> {
    /// What is known without running it.
    pub meta: Meta,
    /// The facts that its judgement needs.
    pub reads: &'static [S::Fact],
    /// The facts that its remedies, and what undoes them, change.
    pub changes: &'static [S::Fact],
    /// Whether a state satisfies it, and if not, what would.
    pub judge: &'static Judge<S>,
}

/// What a judgement may lean on besides the state.
#[derive(Debug, Clone, Copy)]
pub struct JudgeContext<'a> {
    /// The resource that is judged.
    pub resource: &'a Resource,
    /// The settings in force.
    pub settings: &'a Settings,
    /// The level of the data's classification, by the resource's tags.
    pub level: &'a Level,
    /// The name of that level.
    pub level_name: &'a str,
    /// The function's own role, which a quarantine has to spare.
    pub own_role: &'a str,
    /// The topic of its alerts: an alert that can't be sent is no alert.
    pub own_topic: &'a str,
    /// The region of the function. A resource that settings name may be in another.
    pub region: &'a str,
    /// The moment of judging, for exemptions that end.
    pub now: Timestamp,
    /// What the ledger knows of the resource: what AWS itself does not remember.
    pub history: &'a History,
}

/// What the ledger knows of a resource when it is judged, by the ids of controls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Those that it was last told to violate, or that a restore brought back to be violated, and when that was told.
    pub violated: BTreeMap<String, Timestamp>,
    /// Those whose remedies were begun and are not known to be complete: by this event, by one that broke off, or by one
    /// that was told to have failed.
    pub begun: BTreeSet<String>,
    /// Those that were put right so often that doing it again is a fight.
    pub fights: BTreeSet<String>,
    /// When those that were put right before were so last.
    pub remedied: BTreeMap<String, Timestamp>,
    /// The last calls of the names that the resource type has remembered, this event's included.
    pub calls: BTreeMap<String, RememberedCall>,
}

/// A call that the ledger remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RememberedCall {
    /// When it was made.
    pub made: Timestamp,
    /// When its event was first handled: what was done before was done without knowing of it.
    pub heard: Timestamp,
}

/// What judging a control came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement<R> {
    /// It holds.
    Compliant,
    /// Nothing of the kind can be asked of this resource: why.
    NotApplicable(String),
    /// It does not.
    Violated(Finding<R>),
}

/// A control that a state fails, with the evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<R> {
    /// How bad it is here: the control's severity, lessened by what already stands in the way.
    pub severity: Severity,
    /// What is wrong.
    pub summary: Clause,
    /// What the remedies do, in the imperative: `turn on all four flags of its public access block`.
    pub change: String,
    /// The changes, in order; empty where AWS or prudence allows none.
    pub remedies: Vec<R>,
    /// Why this one must not be changed without a person, whatever the mode: undecided, or it would break logs.
    pub only_notify: Option<String>,
    /// What the remedies come to.
    pub effect: Effect,
}

/// What the remedies of a finding come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effect {
    /// They put it right.
    #[default]
    Cure,
    /// They close the resource off.
    Quarantine,
    /// They say on the resource what is wrong with it, and leave it so: a person has to act.
    Mark,
    /// They begin what puts it right later.
    Begin,
}

impl<R> Finding<R> {
    /// A finding with its remedies.
    pub fn new(severity: Severity, summary: Clause, change: impl Into<String>, remedies: Vec<R>) -> Self {
        Self {
            severity,
            summary,
            change: change.into(),
            remedies,
            only_notify: None,
            effect: Effect::Cure,
        }
    }

    /// The same, but told and left as it is.
    #[must_use]
    pub fn only_notify(mut self, why: impl Into<String>) -> Self {
        self.only_notify = Some(why.into());
        self
    }
}

impl<R> Judgement<R> {
    /// What is wrong, if anything is.
    pub fn finding(self) -> Option<Finding<R>> {
        match self {
            Self::Violated(finding) => Some(finding),
            Self::Compliant | Self::NotApplicable(_) => None,
        }
    }
}

impl<R> From<Finding<R>> for Judgement<R> {
    fn from(finding: Finding<R>) -> Self {
        Self::Violated(finding)
    }
}
