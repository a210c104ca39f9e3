//! All that one event came to for one resource.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ControlResult, Origin, Outcome, Resource, Severity, Undo};

/// All that one event came to for one resource: what the ledger keeps and the alert tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The id of the ledger's record, which a restore names.
    pub ledger_id: String,
    /// The resource.
    pub resource: Resource,
    /// What led here.
    #[serde(flatten)]
    pub origin: Origin,
    /// What came of it, control by control.
    #[serde(rename = "told")]
    pub results: Vec<ControlResult>,
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
        self.results
            .iter()
            .map(|result| result.severity)
            .max()
            .unwrap_or(Severity::Low)
    }

    /// The gravest outcome in it.
    pub fn outcome(&self) -> Outcome {
        self.results
            .iter()
            .map(|result| result.outcome)
            .max()
            .unwrap_or(Outcome::Compliant)
    }

    /// Whether a result may have left something changed: what failed may have been done in part.
    pub fn has_changed(&self, told: &ControlResult) -> bool {
        let differs = self.before.as_object().is_some_and(|facts| !facts.is_empty());
        told.is_intended() || (told.outcome == Outcome::Failed && !told.change.is_empty() && differs)
    }

    /// Whether a restore would find anything to undo. What has become of the resource since may stand in its way all the same.
    pub fn can_be_undone(&self) -> bool {
        let undoable = |told: &ControlResult| self.has_changed(told) && !matches!(told.undo, Undo::Nothing(_));
        self.results.iter().any(undoable)
    }
}
