//! Ending a record: the alert, the closing, the log line, the answer.

use std::collections::BTreeSet;

use jiff::Timestamp;
use portcullis_core::{Cause, Control, Outcome, State};
use serde_json::Value;

use super::denied::unjudged;
use super::record::gone;
use super::work::Work;
use crate::answer::{Answer, Conclusion};
use crate::error::{AwsError, Failure};
use crate::ledger::{Record, WithWrites};
use crate::log;
use crate::operations::release;
use crate::resource_status::Status;

impl Work<'_> {
    /// Sends the alert, then closes the record: an alert that did not leave keeps it open.
    pub(super) async fn tell(&self, record: Record, mut status: Status) -> Result<Answer, Failure> {
        let Self {
            invocation,
            resource,
            view,
            ..
        } = self;
        let now = Timestamp::now();
        let report = &record.report;
        // A failure that was told, and fails again in its retry, does not wake anybody twice.
        let reminder = invocation.settings.notifications.reminder_days;
        let mut untold = None;
        if !report.results.iter().all(|one| view.status.knows(one, now, reminder)) {
            if invocation.digest.is_some() {
                // It is told at the end. Until then the ledger knows that it is not told.
                untold = Some(invocation.function.as_str());
            } else {
                let sent = invocation.topic.publish(report, &invocation.function).await;
                sent.map_err(Failure::Notify)?;
            }
        }
        status.note(report, now);
        invocation
            .ledger
            .close(
                &record,
                &invocation.owner,
                &status,
                invocation.settings.ledger.retention_days,
                untold,
            )
            .await?;
        if let Some(digest) = invocation.digest.as_ref().filter(|_| untold.is_some()) {
            digest.note(report);
        }
        log::results(resource, &report.results, &report.ledger_id);
        let failed: Vec<_> = report
            .results
            .iter()
            .filter(|told| told.outcome == Outcome::Failed)
            .collect();
        if failed.is_empty() {
            return Ok(Answer {
                results: report.results.clone(),
                record: Some(report.ledger_id.clone()),
                ..Answer::of(resource, Conclusion::Told(report.outcome()))
            });
        }
        Err(Failure::NotRemediated {
            resource: resource.arn.clone(),
            outcomes: report.results.iter().map(|told| told.outcome).collect(),
            controls: failed.iter().map(|told| told.control.clone()).collect(),
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
    pub(super) async fn gone(&self, cause: &Cause) -> Result<Answer, Failure> {
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
                event = cause.origin.event,
                outcome = "gone",
                "handled"
            );
            return Ok(Answer::of(resource, Conclusion::Gone));
        }
        let begun = || self.record(cause, Vec::new(), Value::Null, (None, None));
        let mut record = carried.map_or_else(begun, Clone::clone);
        for told in &mut record.report.results {
            gone(told);
        }
        record.report.results.extend(ended);
        self.open(&record, WithWrites::Nothing).await?;
        self.tell(record, status).await
    }

    /// A read was refused: unknown is not compliant, so it is told.
    pub(super) async fn denied<S: State>(
        &self,
        controls: &[&'static Control<S>],
        cause: &Cause,
        error: AwsError,
    ) -> Result<Answer, Failure> {
        let Self {
            invocation,
            view,
            carried,
            ..
        } = self;
        let told = controls.iter().map(|control| unjudged(control, &error, *carried));
        let told: Vec<_> = told.collect();
        let reminder = invocation.settings.notifications.reminder_days;
        let now = Timestamp::now();
        if carried.is_none() && told.iter().all(|one| view.status.knows(one, now, reminder)) {
            return Err(Failure::Observe(error));
        }
        let prior = carried.map_or(Value::Null, |record| record.prior.clone());
        let mut record = self.record(cause, told, prior, (None, None));
        record.remedies = carried.map(|record| record.remedies.clone()).unwrap_or_default();
        self.open(&record, WithWrites::Nothing).await?;
        self.tell(record, view.status.clone()).await
    }
}
