use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Actor, Resource, Severity};

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
    /// It was closed off.
    Quarantined,
    /// It will be looked at again later.
    Deferred,
    /// It is wrong, and was left so: notify mode, or a change that needs a person.
    WouldRemediate,
    /// It is wrong, and could not be put right.
    Failed,
}

impl Outcome {
    /// Whether the resource was changed, as far as the outcome tells.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Remediated | Self::Quarantined)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compliant => "compliant",
            Self::Gone => "gone",
            Self::Exempt => "exempt",
            Self::Released => "released",
            Self::Restored => "restored",
            Self::Remediated => "remediated",
            Self::Quarantined => "quarantined",
            Self::Deferred => "deferred",
            Self::WouldRemediate => "would-remediate",
            Self::Failed => "failed",
        })
    }
}

/// What is told of one control.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Told {
    /// The control's id.
    pub control: String,
    /// How bad it was.
    pub severity: Severity,
    /// What came of it.
    pub outcome: Outcome,
    /// What was wrong.
    pub summary: String,
    /// What was, or would be, changed.
    pub change: String,
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
}

/// All that one event came to for one resource: what the ledger keeps and the alert tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The id of the ledger's record, which a restore names.
    pub ledger_id: String,
    /// The resource.
    pub resource: Resource,
    /// CloudTrail's name of the call, or what else led here.
    pub event: String,
    /// The event's id.
    pub event_id: String,
    /// When the call was made, as the event says it.
    pub event_time: String,
    /// Whether CloudTrail left out the call's parameters for their size: a known way to hide a change.
    pub parameters_omitted: bool,
    /// Who made the call.
    pub actor: Actor,
    /// What is told, control by control.
    pub told: Vec<Told>,
    /// The facts before the change, as far as they changed.
    pub before: Value,
    /// The same facts afterwards.
    pub after: Value,
    /// The stack or tool that manages the resource, where its tags or the event tell.
    pub managed_by: Option<String>,
}

impl Report {
    /// The highest severity in it.
    pub fn severity(&self) -> Severity {
        self.told
            .iter()
            .map(|told| told.severity)
            .max()
            .unwrap_or(Severity::Low)
    }

    /// The gravest outcome in it.
    pub fn outcome(&self) -> Outcome {
        self.told
            .iter()
            .map(|told| told.outcome)
            .max()
            .unwrap_or(Outcome::Compliant)
    }
}
