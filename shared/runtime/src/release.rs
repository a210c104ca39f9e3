//! Ending a hold that a restore left.

use std::collections::BTreeSet;

use jiff::Timestamp;
use portcullis_core::event::Release;
use portcullis_core::{Actor, Asks, Cause, Hold, Outcome, Report, Resource, Told};
use serde_json::json;

use crate::error::Failure;
use crate::ledger::{Along, Record, View};
use crate::pipeline::{Shell, log, take_over};

/// What led to a record of a release, in place of a call's name.
const RELEASE: &str = "release";

/// A hold that ended: what is to be looked at now.
pub struct Released {
    pub resource: Resource,
    pub cause: Cause,
    /// The record that says so.
    pub record: String,
}

/// Finds the resource whose holds are to end, by its ARN or by a record of it.
pub async fn find(shell: &Shell, request: &Release) -> Result<Resource, Failure> {
    let refused = |why: &str| Failure::Release {
        what: request.release.clone(),
        why: why.to_owned(),
    };
    let id = if request.release.starts_with("arn:") {
        let view = shell.ledger.read(&request.release).await?;
        let hold = view.status.holds.first();
        hold.map(|hold| hold.record.clone())
            .ok_or_else(|| refused("the ledger has no hold on it"))?
    } else {
        request.release.clone()
    };
    let found = shell.ledger.find(&id).await?;
    let (record, _) = found.ok_or_else(|| refused("the ledger has no such record"))?;
    Ok(record.report.resource)
}

/// Ends the holds on a resource, or that of one control, and tells it.
pub async fn release(shell: &Shell, request: &Release, resource: Resource) -> Result<Released, Failure> {
    let view = shell.ledger.read(&resource.arn).await?;
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
    end(shell, &view, &holds, telling(request, &resource, &holds)).await
}

/// Ends the holds that were left on a resource before a call deleted it: whoever makes another one of its name is not who restored
/// this one. None where there are none. A hold that is younger than the call was left on another one.
pub async fn deleted(shell: &Shell, resource: &Resource, cause: &Cause) -> Result<Option<Released>, Failure> {
    let Ok(deleted) = cause.time.parse::<Timestamp>() else {
        return Ok(None);
    };
    let view = shell.ledger.read(&resource.arn).await?;
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
        event: cause.event.clone(),
        event_id: cause.id.clone(),
        event_time: cause.time.clone(),
        parameters_omitted: cause.omitted,
        actor: cause.actor.clone(),
        told: holds.iter().map(|hold| gone(hold)).collect(),
        before: json!({}),
        after: json!({}),
        managed_by: None,
    };
    end(shell, &view, &holds, report).await.map(Some)
}

/// What is told of a hold whose resource was deleted.
pub fn gone(hold: &Hold) -> Told {
    Told {
        control: hold.control.clone(),
        severity: portcullis_core::Severity::Low,
        outcome: Outcome::Released,
        summary: "is no longer held: it was deleted, and the hold is not for whatever takes its name".into(),
        change: String::new(),
        why: format!(
            "{} had left it by restoring {}, and it would have ended on {}",
            hold.by, hold.record, hold.until
        ),
        until: None,
        notes: Vec::new(),
    }
}

/// Ends these holds, and tells that with this report, or with that of whoever broke off.
async fn end(shell: &Shell, view: &View, holds: &[&Hold], report: Report) -> Result<Released, Failure> {
    let resource = report.resource.clone();
    // A release that broke off is finished; any other record is left to its own event, or to the sweep.
    let carried = take_over(shell, &resource, view)?;
    if let Some(open) = carried.filter(|open| open.record.report.event != report.event) {
        return Err(Failure::Busy {
            resource: resource.arn.clone(),
            until: open.until,
        });
    }
    let ended: BTreeSet<_> = holds.iter().map(|hold| hold.control.clone()).collect();
    // The retry of what was told, and not closed, tells the same: the topic then knows it.
    let same = |report: &&Report| report.told.iter().map(|told| &told.control).eq(&ended);
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
    shell
        .ledger
        .open(&record, &shell.owner, shell.deadline, view, Along::Nothing)
        .await?;
    let report = &record.report;
    let done = async {
        let sent = shell.topic.publish(report, &shell.function).await;
        sent.map_err(Failure::Notify)?;
        let days = shell.settings.ledger.retention_days;
        shell.ledger.close(&record, &shell.owner, &status, days, None).await
    };
    if let Err(failure) = done.await {
        shell.ledger.give_back(&resource.arn, &shell.owner).await;
        return Err(failure);
    }
    log(&resource, &report.told, &report.ledger_id);
    let cause = Cause {
        event: report.event.clone(),
        id: report.event_id.clone(),
        time: report.event_time.clone(),
        actor: report.actor.clone(),
        omitted: false,
        asks: Asks::Only(ended),
    };
    Ok(Released {
        resource,
        cause,
        record: report.ledger_id.clone(),
    })
}

/// What is told of holds that end.
fn telling(request: &Release, resource: &Resource, holds: &[&Hold]) -> Report {
    let by = request
        .by
        .clone()
        .unwrap_or_else(|| "somebody who did not say who".into());
    let told = holds.iter().map(|hold| Told {
        control: hold.control.clone(),
        severity: portcullis_core::Severity::Low,
        outcome: Outcome::Released,
        summary: "is no longer held: its state is judged again now, and put right if the settings say so".into(),
        change: String::new(),
        why: format!(
            "{by} ended the hold that {} had left by restoring {}, and that would have ended on {}",
            hold.by, hold.record, hold.until
        ),
        until: None,
        notes: Vec::new(),
    });
    Report {
        ledger_id: uuid::Uuid::now_v7().to_string(),
        resource: resource.clone(),
        event: RELEASE.into(),
        event_id: holds[0].record.clone(),
        event_time: Timestamp::now().to_string(),
        parameters_omitted: false,
        actor: Actor {
            arn: by.clone(),
            ..Actor::default()
        },
        told: told.collect(),
        before: json!({}),
        after: json!({}),
        managed_by: None,
    }
}
