//! Putting off: what waits, when it is looked at again, and what is told once it has waited.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use portcullis_core::{
    Cause, Change, Control, ControlResult, Decision, Deferral, Outcome, Plan, Reason, Report, Selector, Settling,
    State, Wait, whole_second,
};

use super::work::Work;
use crate::error::{AwsError, Failure, Kind};
use crate::metrics;
use crate::resource_status::Status;

/// How long a resource that can't be changed now is left alone, and how often: six hours, then it is a failure.
pub(super) const NOT_READY: SignedDuration = SignedDuration::from_mins(10);
const NOT_READY_TRIES: u32 = 36;

impl Work<'_> {
    /// The status once a plan is carried out: what holds again is forgotten, so that its return is told; what waits is kept.
    pub(super) fn status_after<S: State>(&self, plan: &Plan<S>, cause: &Cause) -> Status {
        let mut status = self.view.status.clone();
        status.told.retain(|control, _| !plan.clears(control));
        // What AWS was applying is applied: that was told when it was made.
        status
            .deferred
            .retain(|control, deferral| deferral.settling.is_none() || !plan.clears(control));
        for judged in &plan.findings {
            let control = judged.control.id;
            match judged.ruling.decision {
                Decision::Defer(Wait { until, reason, .. }) | Decision::Settle(Wait { until, reason, .. }) => {
                    self.wait(&mut status, control, until, reason, cause);
                }
                Decision::Overdue(_) => drop(status.deferred.remove(control)),
                // What is changed anew is not waited for any more.
                Decision::Enforce => {
                    let old = |deferral: &mut Deferral| deferral.settling.is_some();
                    drop(
                        status
                            .deferred
                            .get_mut(control)
                            .is_some_and(old)
                            .then(|| status.deferred.remove(control)),
                    );
                }
                Decision::Notify(_) | Decision::NeedsAction(_) | Decision::Exempt(_) => {}
            }
        }
        status
    }

    /// Keeps that a finding waits. What led to it first stays.
    fn wait(&self, status: &mut Status, control: &str, until: Timestamp, reason: Reason, cause: &Cause) {
        let entry = status.deferred.entry(control.to_owned());
        let deferral = entry.or_insert_with(|| Deferral {
            until,
            reason,
            tries: 0,
            settling: None,
            resource: self.resource.clone(),
            origin: cause.origin.clone(),
        });
        let again = deferral.reason == reason && deferral.until != until;
        deferral.tries = if again { deferral.tries + 1 } else { 0 };
        (deferral.until, deferral.reason) = (until, reason);
    }

    /// Keeps that AWS is applying a change that was made now, and when it is looked at.
    pub(super) fn settling(
        &self,
        status: &mut Status,
        told: &mut ControlResult,
        patience: SignedDuration,
        cause: &Cause,
    ) {
        let made = whole_second(Timestamp::now());
        let settling = Settling {
            made,
            until: made + patience,
        };
        let until = whole_second(settling.next(made));
        self.wait(status, &told.control, until, Reason::Settling, cause);
        if let Some(deferral) = status.deferred.get_mut(&told.control) {
            deferral.settling = Some(settling);
        }
        let why = format!(
            "AWS accepted the change, and may take until {} to show it; it is told again only if it does not hold then",
            settling.until
        );
        told.turn(Outcome::Remediating, why);
        told.until = Some(until);
    }

    /// What was announced or failed, and is right now: nothing is done, and that is told.
    pub(super) fn put_right_meanwhile<S: State>(
        &self,
        controls: &[&Control<S>],
        plan: &Plan<S>,
        now: Timestamp,
    ) -> Vec<ControlResult> {
        let waited = self.view.status.deferred.iter();
        let failed = self.view.status.told.iter().filter(|(control, last)| {
            let waits = self.view.status.deferred.contains_key(*control);
            last.outcome == Outcome::Failed && !last.unjudged && !waits && plan.clears(control)
        });
        let failed = failed.filter_map(|(id, last)| {
            let control = controls.iter().find(|one| one.meta.id == id)?;
            let summary = format!("is right by now: it was told that it {}", last.summary);
            Some(ControlResult {
                why: format!("what was told as failed at {} holds by now", last.at),
                ..ControlResult::new(control.meta.id, control.meta.severity, Outcome::Compliant, summary)
            })
        });
        waited
            .filter(|(_, deferral)| deferral.settling.is_none())
            .filter(|(control, deferral)| deferral.until <= now && plan.clears(control))
            .filter_map(|(control, deferral)| {
                let told = self.view.status.told.get(control);
                let control = controls.iter().find(|one| one.meta.id == control)?;
                let summary = told.map_or_else(
                    || "is right by now".to_owned(),
                    |told| format!("is right by now: it no longer {}", told.summary),
                );
                Some(ControlResult {
                    why: format!(
                        "it was to be looked at again on {}; it was put right meanwhile, so nothing was done",
                        deferral.until
                    ),
                    ..ControlResult::new(control.meta.id, control.meta.severity, Outcome::Compliant, summary)
                })
            })
            .chain(failed)
            .collect()
    }

    /// Turns what failed since AWS can't change the resource yet into something that waits for some minutes.
    pub(super) fn put_off<S: State>(
        &self,
        report: &mut Report,
        status: &mut Status,
        failures: &BTreeMap<Cow<'static, str>, AwsError>,
        plan: &Plan<S>,
    ) {
        let cause = Cause {
            origin: report.origin.clone(),
            selector: Selector::All,
        };
        for told in report.results.iter_mut().filter(|told| told.outcome == Outcome::Failed) {
            let judged = plan.findings.iter().find(|judged| judged.control.id == told.control);
            let targets = judged
                .into_iter()
                .flat_map(|judged| &judged.finding.remedies)
                .map(Change::target);
            let mut kinds = targets
                .filter_map(|target| failures.get(&target))
                .map(|error| error.kind)
                .peekable();
            let only_unready = kinds.peek().is_some() && kinds.all(|kind| kind == Kind::NotReady);
            let waited = status
                .deferred
                .get(&told.control)
                .filter(|one| one.reason == Reason::NotReady);
            if !only_unready || waited.is_some_and(|one| one.tries >= NOT_READY_TRIES) {
                continue;
            }
            let until = whole_second(Timestamp::now() + NOT_READY);
            self.wait(status, &told.control, until, Reason::NotReady, &cause);
            metrics::deferred(Reason::NotReady);
            let why = format!(
                "AWS can't change it in its present state ({}): tried again at {until}",
                told.why
            );
            told.turn(Outcome::Deferred, why);
            told.until = Some(until);
        }
    }

    /// Has the function invoked again for what waits.
    pub(super) async fn schedule(&self, told: &mut [ControlResult], status: &Status) -> Result<(), Failure> {
        self.schedule_hour(told, status).await;
        let waits = |told: &&ControlResult| matches!(told.outcome, Outcome::Deferred | Outcome::Remediating);
        for told in told.iter().filter(waits) {
            let timed = |one: &&Deferral| one.reason != Reason::Budget;
            if let Some(deferral) = status.deferred.get(&told.control).filter(timed) {
                self.invocation
                    .schedules
                    .put(&self.resource.arn, &told.control, deferral.until)
                    .await
                    .map_err(Failure::Schedule)?;
            }
        }
        Ok(())
    }

    /// Has the function invoked again when the next hour brings another budget. So much may be put off at once that EventBridge
    /// Scheduler throttles: that must not keep it from being told, and the sweep finds it as well.
    pub(super) async fn schedule_hour(&self, told: &mut [ControlResult], status: &Status) {
        for told in told.iter_mut().filter(|told| told.outcome == Outcome::Deferred) {
            let budget = |one: &&Deferral| one.reason == Reason::Budget;
            let Some(deferral) = status.deferred.get(&told.control).filter(budget) else {
                continue;
            };
            if let Err(error) = self.invocation.schedules.put_hour(deferral.until).await {
                let failure = Failure::Schedule(error);
                let note = "that can't be scheduled: unless another finding has the same hour scheduled, the next sweep tries again";
                told.notes.push(note.into());
                tracing::error!(resource = self.resource.arn, failure = failure.name(), error = %failure, "left to the sweep");
                metrics::failure(&self.invocation.function, failure.name());
            }
        }
    }
}

/// Counts what waits; an alarm watches those that wait for budget.
pub(super) fn count_deferred<S: State>(plan: &Plan<S>) {
    for judged in &plan.findings {
        if let Decision::Defer(wait) = &judged.ruling.decision {
            metrics::deferred(wait.reason);
        }
    }
}
