//! What the ledger is to hold of an event: what was found, what will be changed, what was there before.

use std::borrow::Cow;

use jiff::Timestamp;
use portcullis_core::{
    Cause, Change as _, ControlResult, Decision, DecisionContext, Effect, History, Origin, Outcome, Plan, Report,
    Selector, Severity, State, Tags, Undo,
};
use serde_json::{Value, json};

use super::work::Work;
use crate::error::Failure;
use crate::ledger::{Record, json_of};
use crate::resource_status::Status;

impl Work<'_> {
    pub(super) fn record(
        &self,
        cause: &Cause,
        results: Vec<ControlResult>,
        prior: Value,
        managers: (Option<&Tags>, Option<&str>),
    ) -> Record {
        let drawn = self.carried.is_some_and(|record| record.drawn);
        let carried = self.carried.map(|record| &record.report);
        let cause = &*self.cause(cause, &results);
        // An unfinished record keeps its id and its event: who opened the hole matters, not who came by later.
        let report = carried.map_or_else(
            || Report {
                ledger_id: uuid::Uuid::now_v7().to_string(),
                resource: self.resource.clone(),
                origin: cause.origin.clone(),
                results: Vec::new(),
                before: json!({}),
                after: json!({}),
                managed_by: managers
                    .1
                    .map(ToOwned::to_owned)
                    .or_else(|| cause.managed_by(managers.0)),
            },
            Clone::clone,
        );
        Record {
            report: Report { results, ..report },
            prior,
            remedies: Vec::new(),
            restores: None,
            drawn,
            opened: self.carried.map_or_else(Timestamp::now, |record| record.opened),
        }
    }

    /// What led to it: where nobody called but its time has come, who opened the hole then.
    fn cause<'a>(&self, cause: &'a Cause, results: &[ControlResult]) -> Cow<'a, Cause> {
        let waited = |result: &ControlResult| self.view.status.deferred.get(&result.control);
        match results.iter().find_map(waited) {
            Some(first) if cause.selector != Selector::Breakable => Cow::Owned(Cause {
                origin: Origin {
                    omitted: cause.origin.omitted,
                    ..first.origin.clone()
                },
                selector: cause.selector.clone(),
            }),
            _ => Cow::Borrowed(cause),
        }
    }
}

/// What the ledger knows of a resource when it is judged.
pub(super) fn history(decision_context: &DecisionContext<'_>, status: &Status, carried: Option<&Record>) -> History {
    let judged = || status.told.iter().filter(|(_, last)| !last.unjudged);
    let broken_off = carried.into_iter().flat_map(|record| &record.report.results);
    History {
        violated: judged().map(|(control, last)| (control.clone(), last.at)).collect(),
        begun: broken_off
            .filter(|told| told.is_intended())
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
            .filter(|control| decision_context.fight(control).is_some())
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
pub(super) fn results_of<S: State>(plan: &Plan<S>, state: &S, omitted: bool) -> Vec<ControlResult> {
    let told = plan.findings.iter().map(|judged| {
        let finding = &judged.finding;
        let ruling = &judged.ruling;
        let (outcome, why, until) = match &ruling.decision {
            Decision::Enforce => {
                let outcome = match finding.effect {
                    Effect::Cure => Outcome::Remediated,
                    Effect::Quarantine => Outcome::Quarantined,
                    Effect::Mark => Outcome::NeedsAction,
                    Effect::Begin => Outcome::Remediating,
                };
                (outcome, String::new(), None)
            }
            Decision::NeedsAction(why) => (Outcome::NeedsAction, why.clone(), None),
            Decision::Notify(why) => (Outcome::WouldRemediate, why.clone(), None),
            Decision::Exempt(why) => (Outcome::Exempt, why.clone(), None),
            Decision::Defer(wait) => (Outcome::Deferred, wait.why.clone(), Some(wait.until)),
            Decision::Settle(wait) => (Outcome::Remediating, wait.why.clone(), Some(wait.until)),
            Decision::Overdue(why) => (Outcome::Failed, why.clone(), None),
        };
        let (was, undo) = if ruling.decision == Decision::Enforce {
            (&*finding.summary.was, Undo::of(state, &finding.remedies))
        } else {
            ("", Undo::All)
        };
        let raised = |severity: Severity| {
            if omitted || ruling.fight {
                severity.raised()
            } else {
                severity
            }
        };
        ControlResult {
            control: judged.control.id.into(),
            severity: raised(finding.severity),
            outcome,
            summary: finding.summary.is.clone(),
            was: was.to_owned(),
            change: finding.change.clone(),
            undo,
            why,
            until,
            notes: ruling.notes.clone(),
            unjudged: false,
        }
    });
    told.collect()
}

/// Adds what an unfinished record had set out to do and what now holds: it was done, but not told.
pub(super) fn merge_intentions(
    told: &mut Vec<ControlResult>,
    carried: Option<&Record>,
    (is_gone, is_made): (bool, bool),
    clears: impl Fn(&str) -> bool,
) {
    for intended in carried.into_iter().flat_map(|record| &record.report.results) {
        let is_told = told.iter().any(|told| told.control == intended.control);
        if clears(&intended.control) && !is_told {
            let mut intended = intended.clone();
            if is_gone {
                gone(&mut intended);
            } else if !intended.is_intended() || !is_made {
                intended.turn(Outcome::Compliant, "it was put right meanwhile, not by this function");
            }
            told.push(intended);
        }
    }
}

/// The plan's remedies, and those of an unfinished record that the plan need not repeat.
pub(super) fn remedies_of<S: State>(plan: &Plan<S>, carried: Option<&Record>) -> Result<Vec<Value>, Failure> {
    let mut remedies = Vec::new();
    for earlier in carried.into_iter().flat_map(|record| &record.remedies) {
        let remedy: S::Change =
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

/// Turns a result into that of a resource that is no more.
pub(super) fn gone(result: &mut ControlResult) {
    result.turn(Outcome::Gone, "it was deleted before the outcome could be verified");
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Resource, Settings};

    use super::*;

    #[test]
    fn the_ledger_remembers_what_was_violated_and_not_what_could_not_be_seen() {
        let result =
            |control: &str, outcome, summary: &str| ControlResult::new(control, Severity::High, outcome, summary);
        let mut status = Status::default();
        let all = [
            result("left", Outcome::WouldRemediate, "is open"),
            result("restored", Outcome::Restored, "is again as before"),
            result("exempt", Outcome::Exempt, "is open"),
            result("fixed", Outcome::Remediated, "was open"),
            result("half", Outcome::Failed, "is open"),
            ControlResult {
                unjudged: true,
                ..result("unseen", Outcome::Failed, "can't be judged: DescribeKey was denied")
            },
        ];
        let resource = Resource {
            kind: "AWS::S3::Bucket".into(),
            arn: "arn:aws:s3:::b".into(),
            id: "b".into(),
            account: "111122223333".into(),
            region: "eu-west-1".into(),
        };
        let cause = Cause::other("CreateBucket", Timestamp::UNIX_EPOCH, Selector::All);
        let report = Report {
            ledger_id: "r-1".into(),
            resource: resource.clone(),
            origin: cause.origin.clone(),
            results: all.into(),
            before: json!({}),
            after: json!({}),
            managed_by: None,
        };
        status.note(&report, Timestamp::UNIX_EPOCH);
        let decision_context = DecisionContext {
            resource: &resource,
            tags: None,
            settings: &Settings::default(),
            cause: &cause,
            holds: &status.holds,
            deferred: &status.deferred,
            history: &status.remedied,
            budget_spent: false,
            owner: None,
            busy: None,
            now: Timestamp::UNIX_EPOCH,
        };
        let known = history(&decision_context, &status, None);
        assert_eq!(
            known.violated.keys().collect::<Vec<_>>(),
            ["exempt", "half", "left", "restored"]
        );
        assert_eq!(known.remedied.keys().collect::<Vec<_>>(), ["fixed"]);
        assert_eq!(known.begun.iter().collect::<Vec<_>>(), ["half"]);
    }
}
