//! What the ledger is to hold of an event: what was found, what will be changed, what was there before.

use jiff::Timestamp;
use portcullis_core::{Cause, Decision, Guard, Memory, Outcome, Plan, Remedy, Report, Tags, Told};
use serde_json::{Value, json};

use super::tell::gone;
use super::{UNJUDGED, Work};
use crate::error::Failure;
use crate::ledger::{Record, Status};

impl Work<'_> {
    pub(super) fn record(&self, cause: &Cause, told: Vec<Told>, prior: Value, tags: Option<&Tags>) -> Record {
        let carried = self.carried.map(|record| &record.report);
        // An unfinished record keeps its id and its event: who opened the hole matters, not who came by later.
        let report = carried.map_or_else(
            || Report {
                ledger_id: uuid::Uuid::now_v7().to_string(),
                resource: self.resource.clone(),
                event: cause.event.clone(),
                event_id: cause.id.clone(),
                event_time: cause.time.clone(),
                parameters_omitted: cause.omitted,
                actor: cause.actor.clone(),
                told: Vec::new(),
                before: json!({}),
                after: json!({}),
                managed_by: cause.managed_by(tags),
            },
            Clone::clone,
        );
        Record {
            report: Report { told, ..report },
            prior,
            remedies: Vec::new(),
            restores: None,
            opened: self.carried.map_or_else(Timestamp::now, |record| record.opened),
        }
    }
}

/// What the ledger knows of a resource when it is judged.
pub(super) fn memory(status: &Status, carried: Option<&Record>) -> Memory {
    let begun = carried.into_iter().flat_map(|record| &record.report.told);
    Memory {
        violated: status
            .told
            .iter()
            .filter(|(_, last)| !last.summary.starts_with(UNJUDGED))
            .map(|(control, _)| control.clone())
            .collect(),
        begun: begun
            .filter(|told| matches!(told.outcome, Outcome::Remediated | Outcome::Quarantined))
            .map(|told| told.control.clone())
            .collect(),
    }
}

/// What the findings come to, if all goes well.
pub(super) fn told_of<G: Guard>(plan: &Plan<G>, omitted: bool) -> Vec<Told> {
    let told = plan.findings.iter().map(|judged| {
        let finding = &judged.finding;
        let (outcome, why) = match &judged.decision {
            Decision::Enforce if finding.quarantine => (Outcome::Quarantined, String::new()),
            Decision::Enforce => (Outcome::Remediated, String::new()),
            Decision::Notify(why) => (Outcome::WouldRemediate, why.clone()),
            Decision::Exempt(why) => (Outcome::Exempt, why.clone()),
        };
        Told {
            control: judged.control.id.into(),
            severity: if omitted {
                finding.severity.raised()
            } else {
                finding.severity
            },
            outcome,
            summary: finding.summary.clone(),
            change: finding.change.clone(),
            why,
        }
    });
    told.collect()
}

/// Adds what an unfinished record had set out to do and what now holds: it was done, but not told.
pub(super) fn merge_intentions(
    told: &mut Vec<Told>,
    carried: Option<&Record>,
    is_gone: bool,
    clears: impl Fn(&str) -> bool,
) {
    for intended in carried.into_iter().flat_map(|record| &record.report.told) {
        if clears(&intended.control) {
            let mut intended = intended.clone();
            if is_gone {
                gone(&mut intended);
            } else if !matches!(intended.outcome, Outcome::Remediated | Outcome::Quarantined) {
                intended.outcome = Outcome::Compliant;
                intended.why = "it was put right meanwhile, not by this function".into();
            }
            told.push(intended);
        }
    }
}

/// The plan's remedies, and those of an unfinished record that the plan need not repeat.
pub(super) fn remedies_of<G: Guard>(plan: &Plan<G>, carried: Option<&Record>) -> Result<Vec<Value>, Failure> {
    let mut remedies = Vec::new();
    for earlier in carried.into_iter().flat_map(|record| &record.remedies) {
        let remedy: G::Remedy =
            serde_json::from_value(earlier.clone()).map_err(|error| Failure::LedgerRecord(error.to_string()))?;
        if !plan.remedies.iter().any(|planned| planned.target() == remedy.target()) {
            remedies.push(earlier.clone());
        }
    }
    for remedy in &plan.remedies {
        remedies.push(json_of(remedy)?);
    }
    Ok(remedies)
}

/// A state as read now, with what an unfinished record knows from before its changes.
pub(super) fn merged(state: &Value, earlier: Option<&Value>) -> Value {
    let mut merged = state.clone();
    if let (Some(merged), Some(earlier)) = (merged.as_object_mut(), earlier.and_then(Value::as_object)) {
        merged.extend(earlier.clone());
    }
    merged
}

pub fn json_of(value: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::LedgerRecord(error.to_string()))
}

#[cfg(test)]
mod tests {
    use portcullis_core::Severity;

    use super::*;

    #[test]
    fn the_ledger_remembers_what_was_violated_and_not_what_could_not_be_seen() {
        let told = |control: &str, outcome, summary: &str| Told {
            control: control.into(),
            severity: Severity::High,
            outcome,
            summary: summary.into(),
            change: String::new(),
            why: String::new(),
        };
        let mut status = Status::default();
        let all = [
            told("left", Outcome::WouldRemediate, "is open"),
            told("restored", Outcome::Restored, "is again as before"),
            told("exempt", Outcome::Exempt, "is open"),
            told("fixed", Outcome::Remediated, "was open"),
            told("unseen", Outcome::Failed, "can't be judged: DescribeKey was denied"),
        ];
        status.note(&all, "r-1", Timestamp::UNIX_EPOCH);
        let known = memory(&status, None);
        assert_eq!(
            known.violated.iter().collect::<Vec<_>>(),
            ["exempt", "left", "restored"]
        );
        assert!(known.begun.is_empty());
    }
}
