//! Ending a hold that a restore left.

use std::collections::BTreeSet;

use jiff::Timestamp;
use portcullis_core::event::Release;
use portcullis_core::{Cause, ControlResult, Hold, Outcome, Report, Resource, Selector, Severity};
use serde_json::json;

use crate::error::Failure;
use crate::invocation::Invocation;
use crate::ledger::{Record, View, WithWrites};
use crate::log;

/// What led to a record of a release, in place of a call's name.
const RELEASE: &str = "release";

/// A hold that ended: what is to be looked at now.
pub struct Ended {
    pub resource: Resource,
    pub cause: Cause,
    /// The record that says so.
    pub record: String,
}

/// Finds the resource whose holds are to end, by its ARN or by a record of it.
pub async fn find(invocation: &Invocation, request: &Release) -> Result<Resource, Failure> {
    let refused = |why: &str| Failure::Release {
        what: request.release.clone(),
        why: why.to_owned(),
    };
    let id = if request.release.starts_with("arn:") {
        let view = invocation.ledger.read(&request.release).await?;
        let hold = view.status.holds.first();
        hold.map(|hold| hold.record.clone())
            .ok_or_else(|| refused("the ledger has no hold on it"))?
    } else {
        request.release.clone()
    };
    let found = invocation.ledger.find(&id).await?;
    let (record, _) = found.ok_or_else(|| refused("the ledger has no such record"))?;
    Ok(record.report.resource)
}

/// Ends the holds on a resource, or that of one control, and tells it.
pub async fn release(invocation: &Invocation, request: &Release, resource: Resource) -> Result<Ended, Failure> {
    let view = invocation.ledger.read(&resource.arn).await?;
    let now = Timestamp::now();
    let asked =
        |hold: &&Hold| request.control.as_ref().is_none_or(|control| *control == hold.control) && now < hold.until;
    let holds: Vec<_> = view.status.holds.iter().filter(asked).collect();
    if holds.is_empty() {
        let held: Vec<_> = view.status.holds.iter().map(|hold| hold.control.as_str()).collect();
        let held = if held.is_empty() {
            "none".into()
        } else {
            held.join(", ")
        };
        let asked = request.control.as_deref().unwrap_or("any control");
        return Err(Failure::Release {
            what: request.release.clone(),
            why: format!("expected a hold of {asked}, found {held}"),
        });
    }
    end(invocation, &view, &holds, telling(request, &resource, &holds)).await
}

/// Ends the holds that were left on a resource before a call deleted it: whoever makes another one of its name is not who restored
/// this one. None where there are none. A hold that is younger than the call was left on another one.
pub async fn deleted(invocation: &Invocation, resource: &Resource, cause: &Cause) -> Result<Option<Ended>, Failure> {
    let Ok(deleted) = cause.origin.time.parse::<Timestamp>() else {
        return Ok(None);
    };
    let view = invocation.ledger.read(&resource.arn).await?;
    // CloudTrail knows no parts of a second.
    let holds: Vec<_> = view
        .status
        .holds
        .iter()
        .filter(|hold| hold.since.as_second() <= deleted.as_second())
        .collect();
    if holds.is_empty() {
        return Ok(None);
    }
    let report = Report {
        ledger_id: uuid::Uuid::now_v7().to_string(),
        resource: resource.clone(),
        origin: cause.origin.clone(),
        results: holds.iter().map(|hold| gone(hold)).collect(),
        before: json!({}),
        after: json!({}),
        managed_by: None,
    };
    end(invocation, &view, &holds, report).await.map(Some)
}

/// What is told of a hold whose resource was deleted.
pub fn gone(hold: &Hold) -> ControlResult {
    ControlResult {
        why: format!(
            "{} had left it by restoring {}, and it would have ended on {}",
            hold.by, hold.record, hold.until
        ),
        ..ControlResult::new(
            &hold.control,
            Severity::Low,
            Outcome::Released,
            "is no longer held: it was deleted, and the hold is not for whatever takes its name",
        )
    }
}

/// Ends these holds, and tells that with this report, or with that of whoever broke off.
async fn end(invocation: &Invocation, view: &View, holds: &[&Hold], report: Report) -> Result<Ended, Failure> {
    let resource = report.resource.clone();
    // A release that broke off is finished; any other record is left to its own event, or to the sweep.
    let carried = view.acquire_lease(&resource, &invocation.owner)?;
    if let Some(open) = carried.filter(|open| open.record.report.origin.event != report.origin.event) {
        return Err(Failure::Busy {
            resource: resource.arn.clone(),
            until: open.until,
        });
    }
    let ended: BTreeSet<_> = holds.iter().map(|hold| hold.control.clone()).collect();
    // The retry of what was told, and not closed, tells the same: the topic then knows it.
    let same = |report: &&Report| report.results.iter().map(|result| &result.control).eq(&ended);
    let begun = carried.map(|open| &open.record.report).filter(same);
    let mut status = view.status.clone();
    status.holds.retain(|hold| !ended.contains(&hold.control));
    let record = Record {
        report: begun.map_or(report, Clone::clone),
        prior: json!(null),
        remedies: Vec::new(),
        restores: None,
        drawn: false,
        opened: Timestamp::now(),
    };
    invocation
        .ledger
        .open(
            &record,
            &invocation.owner,
            invocation.deadline,
            view,
            WithWrites::Nothing,
        )
        .await?;
    let report = &record.report;
    let done = async {
        let sent = invocation.topic.publish(report, &invocation.function).await;
        sent.map_err(Failure::Notify)?;
        let days = invocation.settings.ledger.retention_days;
        invocation
            .ledger
            .close(&record, &invocation.owner, &status, days, None)
            .await
    };
    if let Err(failure) = done.await {
        invocation.ledger.give_back(&resource.arn, &invocation.owner).await;
        return Err(failure);
    }
    log::results(&resource, &report.results, &report.ledger_id);
    let cause = Cause {
        origin: report.origin.clone(),
        selector: Selector::Only(ended),
    };
    Ok(Ended {
        resource,
        cause,
        record: report.ledger_id.clone(),
    })
}

/// What is told of holds that end.
fn telling(request: &Release, resource: &Resource, holds: &[&Hold]) -> Report {
    let cause = Cause::other(RELEASE, Timestamp::now(), Selector::All)
        .with_id(&holds[0].record)
        .asked_by(request.by.as_deref());
    let by = &cause.origin.actor.arn;
    let results = holds.iter().map(|hold| ControlResult {
        why: format!(
            "{by} ended the hold that {} had left by restoring {}, and that would have ended on {}",
            hold.by, hold.record, hold.until
        ),
        ..ControlResult::new(
            &hold.control,
            Severity::Low,
            Outcome::Released,
            "is no longer held: its state is judged again now, and put right if the settings say so",
        )
    });
    Report {
        ledger_id: uuid::Uuid::now_v7().to_string(),
        resource: resource.clone(),
        results: results.collect(),
        origin: cause.origin,
        before: json!({}),
        after: json!({}),
        managed_by: None,
    }
}
