//! Ending a record: the alert, the closing, the log line, the answer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use portcullis_core::alert::clean;
use portcullis_core::{Cause, Control, Guard, Outcome, Plan, Resource, Told};
use serde_json::{Value, json};

use super::Work;
use super::unread::unjudged;
use crate::error::{AwsError, Failure};
use crate::ledger::{Along, Record};
use crate::metrics;
use crate::release;
use crate::status::Status;

impl Work<'_> {
    /// Sends the alert, then closes the record: an alert that did not leave keeps it open.
    pub(super) async fn tell(&self, record: Record, mut status: Status) -> Result<Value, Failure> {
        let Self {
            shell, resource, view, ..
        } = self;
        let now = Timestamp::now();
        let report = &record.report;
        // A failure that was told, and fails again in its retry, does not wake anybody twice.
        let reminder = shell.settings.notifications.reminder_days;
        let mut untold = None;
        if !report.told.iter().all(|one| view.status.knows(one, now, reminder)) {
            if shell.digest.is_some() {
                // It is told at the end. Until then the ledger knows that it is not told.
                untold = Some(shell.function.as_str());
            } else {
                let sent = shell.topic.publish(report, &shell.function).await;
                sent.map_err(Failure::Notify)?;
            }
        }
        status.note(report, now);
        shell
            .ledger
            .close(
                &record,
                &shell.owner,
                &status,
                shell.settings.ledger.retention_days,
                untold,
            )
            .await?;
        if let Some(digest) = shell.digest.as_ref().filter(|_| untold.is_some()) {
            digest.note(report);
        }
        log(resource, &report.told, &report.ledger_id);
        let failed: Vec<_> = report
            .told
            .iter()
            .filter(|told| told.outcome == Outcome::Failed)
            .collect();
        if failed.is_empty() {
            return Ok(answer(
                resource,
                &report.outcome().to_string(),
                &report.told,
                Some(&report.ledger_id),
            ));
        }
        Err(Failure::NotRemediated {
            resource: resource.arn.clone(),
            controls: failed
                .iter()
                .map(|told| told.control.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            why: failed
                .iter()
                .map(|told| told.why.as_str())
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
                .join("; "),
        })
    }

    /// The resource is no more. Only an unfinished record of it has to be told, and that what held it is over: whoever makes
    /// another one of its name is not who restored this one.
    pub(super) async fn gone(&self, cause: &Cause) -> Result<Value, Failure> {
        let Self {
            resource,
            view,
            carried,
            ..
        } = self;
        let mut status = view.status.clone();
        status.deferred.clear();
        status.told.clear();
        status.holds.clear();
        let ended: Vec<_> = view.status.holds.iter().map(release::gone).collect();
        if carried.is_none() && ended.is_empty() {
            self.note(&status).await?;
            tracing::info!(
                resource = resource.arn,
                event = cause.event,
                outcome = "gone",
                "handled"
            );
            return Ok(answer(resource, "gone", &[], None));
        }
        let begun = || self.record(cause, Vec::new(), Value::Null, None);
        let mut record = carried.map_or_else(begun, Clone::clone);
        for told in &mut record.report.told {
            gone(told);
        }
        record.report.told.extend(ended);
        self.open(&record, Along::Nothing).await?;
        self.tell(record, status).await
    }

    /// A read was refused: unknown is not compliant, so it is told.
    pub(super) async fn denied<G: Guard>(
        &self,
        controls: &[&'static Control<G>],
        cause: &Cause,
        error: AwsError,
    ) -> Result<Value, Failure> {
        let Self {
            shell, view, carried, ..
        } = self;
        let told = controls.iter().map(|control| unjudged(control, &error, *carried));
        let told: Vec<_> = told.collect();
        let reminder = shell.settings.notifications.reminder_days;
        let now = Timestamp::now();
        if carried.is_none() && told.iter().all(|one| view.status.knows(one, now, reminder)) {
            return Err(Failure::Observe(error));
        }
        let prior = carried.map_or(Value::Null, |record| record.prior.clone());
        let mut record = self.record(cause, told, prior, None);
        record.remedies = carried.map(|record| record.remedies.clone()).unwrap_or_default();
        self.open(&record, Along::Nothing).await?;
        self.tell(record, view.status.clone()).await
    }
}

pub fn log(resource: &Resource, told: &[Told], record: &str) {
    for one in told {
        tracing::info!(
            resource = resource.arn,
            control = one.control,
            severity = %one.severity,
            outcome = %one.outcome,
            why = one.why,
            record,
            "{}",
            clean(&one.summary)
        );
        metrics::finding(&one.control, one.outcome, one.severity);
    }
}

/// What is told of a finding whose resource is no more.
pub(super) fn gone(told: &mut Told) {
    told.outcome = Outcome::Gone;
    told.why = "it was deleted before the outcome could be verified".into();
}

/// An answer, with the controls that can't be asked of the resource, and why.
pub(super) fn with_not_applicable<G: Guard>(mut answer: Value, plan: &Plan<G>) -> Value {
    if !plan.not_applicable.is_empty() {
        let reasons = plan.not_applicable.iter();
        answer["not_applicable"] = reasons
            .map(|(control, why)| ((*control).to_owned(), json!(why)))
            .collect();
    }
    answer
}

/// What the function answers of one resource.
pub fn answer(resource: &Resource, outcome: &str, told: &[Told], record: Option<&str>) -> Value {
    let controls: BTreeMap<_, _> = told
        .iter()
        .map(|told| (told.control.as_str(), told.outcome.to_string()))
        .collect();
    let findings: BTreeMap<_, _> = told
        .iter()
        .map(|told| (told.control.as_str(), clean(&told.summary)))
        .collect();
    json!({"resource": resource.arn, "outcome": outcome, "controls": controls, "findings": findings, "record": record})
}
