//! What the ledger is to hold of an event: what was found, what will be changed, what was there before.

use std::borrow::Cow;

use jiff::Timestamp;
use portcullis_core::{
    Asks, Cause, Circumstances, Decision, Guard, Memory, Outcome, Plan, Remedy, Report, Severity, Tags, Told,
};
use serde_json::{Value, json};

use super::tell::gone;
use super::{UNJUDGED, Work};
use crate::error::Failure;
use crate::ledger::Record;
use crate::status::Status;

impl Work<'_> {
    pub(super) fn record(&self, cause: &Cause, told: Vec<Told>, prior: Value, tags: Option<&Tags>) -> Record {
        let drawn = self.carried.is_some_and(|record| record.drawn);
        let carried = self.carried.map(|record| &record.report);
        let cause = &*self.origin(cause, &told);
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
            drawn,
            opened: self.carried.map_or_else(Timestamp::now, |record| record.opened),
        }
    }

    /// What led to it: where nobody called but its time has come, who opened the hole then.
    fn origin<'a>(&self, cause: &'a Cause, told: &[Told]) -> Cow<'a, Cause> {
        let waited = |told: &Told| self.view.status.deferred.get(&told.control);
        match told.iter().find_map(waited) {
            Some(first) if cause.asks != Asks::Breakable => Cow::Owned(Cause {
                event: first.event.clone(),
                id: first.event_id.clone(),
                time: first.event_time.clone(),
                actor: first.actor.clone(),
                ..cause.clone()
            }),
            _ => Cow::Borrowed(cause),
        }
    }
}

/// What the ledger knows of a resource when it is judged.
pub(super) fn memory(circumstances: &Circumstances<'_>, status: &Status, carried: Option<&Record>) -> Memory {
    let judged = || {
        status
            .told
            .iter()
            .filter(|(_, last)| !last.summary.starts_with(UNJUDGED))
    };
    let broken_off = carried.into_iter().flat_map(|record| &record.report.told);
    Memory {
        violated: judged().map(|(control, last)| (control.clone(), last.at)).collect(),
        begun: broken_off
            .filter(|told| told.outcome.is_change())
            .map(|told| told.control.clone())
            .chain(
                judged()
                    .filter(|(_, last)| last.outcome == Outcome::Failed)
                    .map(|(control, _)| control.clone()),
            )
            .collect(),
        fights: status
            .remedied
            .keys()
            .filter(|control| circumstances.fight(control).is_some())
            .cloned()
            .collect(),
        remedied: status
            .remedied
            .iter()
            .filter_map(|(control, times)| Some((control.clone(), times.last()?.at)))
            .collect(),
        calls: status.calls.clone(),
    }
}

/// What the findings come to, if all goes well.
pub(super) fn told_of<G: Guard>(plan: &Plan<G>, omitted: bool) -> Vec<Told> {
    let told = plan.findings.iter().map(|judged| {
        let finding = &judged.finding;
        let ruling = &judged.ruling;
        let (outcome, why, until) = match &ruling.decision {
            Decision::Enforce if finding.quarantine => (Outcome::Quarantined, String::new(), None),
            Decision::Enforce => (Outcome::Remediated, String::new(), None),
            Decision::Notify(why) => (Outcome::WouldRemediate, why.clone(), None),
            Decision::Exempt(why) => (Outcome::Exempt, why.clone(), None),
            Decision::Defer(wait) => (Outcome::Deferred, wait.why.clone(), Some(wait.until)),
        };
        let raised = |severity: Severity| {
            if omitted || ruling.fight {
                severity.raised()
            } else {
                severity
            }
        };
        Told {
            control: judged.control.id.into(),
            severity: raised(finding.severity),
            outcome,
            summary: finding.summary.clone(),
            change: finding.change.clone(),
            why,
            until,
            notes: ruling.notes.clone(),
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
        let is_told = told.iter().any(|told| told.control == intended.control);
        if clears(&intended.control) && !is_told {
            let mut intended = intended.clone();
            if is_gone {
                gone(&mut intended);
            } else if !intended.outcome.is_change() {
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
    use portcullis_core::{Actor, Resource, Settings};

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
            until: None,
            notes: Vec::new(),
        };
        let mut status = Status::default();
        let all = [
            told("left", Outcome::WouldRemediate, "is open"),
            told("restored", Outcome::Restored, "is again as before"),
            told("exempt", Outcome::Exempt, "is open"),
            told("fixed", Outcome::Remediated, "was open"),
            told("half", Outcome::Failed, "is open"),
            told("unseen", Outcome::Failed, "can't be judged: DescribeKey was denied"),
        ];
        let resource = Resource {
            kind: "AWS::S3::Bucket".into(),
            arn: "arn:aws:s3:::b".into(),
            id: "b".into(),
            account: "111122223333".into(),
            region: "eu-west-1".into(),
        };
        let cause = Cause {
            event: "CreateBucket".into(),
            id: String::new(),
            time: String::new(),
            actor: Actor::default(),
            omitted: false,
            asks: Asks::All,
        };
        let report = Report {
            ledger_id: "r-1".into(),
            resource: resource.clone(),
            event: cause.event.clone(),
            event_id: String::new(),
            event_time: String::new(),
            parameters_omitted: false,
            actor: Actor::default(),
            told: all.into(),
            before: json!({}),
            after: json!({}),
            managed_by: None,
        };
        status.note(&report, Timestamp::UNIX_EPOCH);
        let circumstances = Circumstances {
            resource: &resource,
            tags: None,
            settings: &Settings::default(),
            cause: &cause,
            holds: &status.holds,
            deferred: &status.deferred,
            history: &status.remedied,
            budget_spent: false,
            now: Timestamp::UNIX_EPOCH,
        };
        let known = memory(&circumstances, &status, None);
        assert_eq!(
            known.violated.keys().collect::<Vec<_>>(),
            ["exempt", "half", "left", "restored"]
        );
        assert_eq!(known.remedied.keys().collect::<Vec<_>>(), ["fixed"]);
        assert_eq!(known.begun.iter().collect::<Vec<_>>(), ["half"]);
    }
}
