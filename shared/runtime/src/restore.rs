//! Undoing: putting back what a record says was there before.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use portcullis_core::{Actor, Guard, Hold, Outcome, Remedy, Report, State, Told};
use serde_json::{Value, json};

use crate::adapter::Adapter;
use crate::error::{AwsError, Failure};
use crate::ledger::Record;
use crate::pipeline::{Shell, answer, apply, difference, json_of, log, take_over};
use crate::status::Status;

/// Puts the state from before a record's changes back, unless somebody changed the resource since.
pub async fn restore<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    undone: Record,
    force: bool,
    by: String,
) -> Result<Value, Failure> {
    let Record {
        report: done,
        prior,
        remedies,
        restores: earlier,
        ..
    } = undone;
    let refused = |why: String| Failure::Restore {
        record: done.ledger_id.clone(),
        why,
        facts: None,
    };
    let showing = |why: &str, facts: String| Failure::Restore {
        record: done.ledger_id.clone(),
        why: why.to_owned(),
        facts: Some(facts.into()),
    };
    if remedies.is_empty() || earlier.is_some() {
        return Err(refused(
            "expected a record of a remediation, found one that changed nothing or is itself a restore".into(),
        ));
    }
    let inverses = ways_back::<G>(prior, &remedies, refused)?;
    let resource = &done.resource;
    let facts: BTreeSet<_> = inverses.iter().map(G::touches).collect();
    let read = || async {
        let state = adapter.observe(resource, &facts).await.map_err(Failure::Observe)?;
        state.ok_or_else(|| refused("the resource is no more".into()))
    };
    let current = read().await?;
    let view = shell.ledger.read(&resource.arn).await?;
    let carried = take_over(shell, resource, &view)?.map(|open| &open.record);
    if carried.is_some_and(|open| open.restores.as_deref() != Some(done.ledger_id.as_str())) {
        return Err(refused(
            "another record of this resource is still open: let its event be retried first".into(),
        ));
    }
    let now_is = json_of(&current)?;
    let wanted = inverses
        .iter()
        .fold(current.clone(), |state, inverse| state.after(inverse));
    let changed_since = changed_since(&current, &done.after)?;
    if changed_since && !force && carried.is_none() && current != wanted {
        let (expected, found) = difference(&now_is, &done.after);
        return Err(showing(
            "somebody changed it since; say \"force\": true to overwrite that",
            format!("expected {found}, found {expected}"),
        ));
    }

    let mut record = opening(&done, &by, now_is.clone(), &inverses)?;
    shell
        .ledger
        .open(&record, &shell.request, shell.deadline, &view, None)
        .await?;
    let failures = apply::<G, A>(adapter, resource, &inverses).await?;
    let after = read().await?;
    let restored = after.lasting() == wanted.lasting();
    for told in &mut record.report.told {
        if !restored {
            told.outcome = Outcome::Failed;
            told.why = failures
                .values()
                .map(AwsError::to_string)
                .collect::<Vec<_>>()
                .join("; ");
        }
    }
    (record.report.before, record.report.after) = difference(&now_is, &json_of(&after)?);
    shell
        .topic
        .publish(&record.report, &shell.function)
        .await
        .map_err(Failure::Notify)?;
    let mut status = view.status.clone();
    status.note(&record.report, Timestamp::now());
    if restored {
        let until = Timestamp::now() + SignedDuration::from_hours(24 * i64::from(shell.settings.restore.hold_days));
        hold(&mut status, &record.report.told, until, &by, &done.ledger_id);
    }
    let days = shell.settings.ledger.retention_days;
    shell.ledger.close(&record, &shell.request, &status, days, None).await?;
    log(resource, &record.report.told, &record.report.ledger_id);
    if restored {
        return Ok(answer(
            resource,
            "restored",
            &record.report.told,
            Some(&record.report.ledger_id),
        ));
    }
    Err(showing(
        "the state read afterwards is not the one from before",
        record.report.after.to_string(),
    ))
}

/// Whether a fact is not what it was when the record was closed; what AWS changes by itself aside.
fn changed_since<S: State>(current: &S, after: &Value) -> Result<bool, Failure> {
    if !after.is_object() {
        return Ok(false);
    }
    let after: S = serde_json::from_value(after.clone()).map_err(|error| Failure::LedgerRecord(error.to_string()))?;
    let (now, then) = (json_of(&current.lasting())?, json_of(&after.lasting())?);
    let mut facts = then.as_object().into_iter().flatten();
    Ok(facts.any(|(fact, value)| now.get(fact).is_some_and(|now| now != value)))
}

/// Keeps what was restored from being undone at once.
fn hold(status: &mut Status, told: &[Told], until: Timestamp, by: &str, record: &str) {
    status
        .holds
        .retain(|hold| told.iter().all(|told| told.control != hold.control));
    status.holds.extend(told.iter().map(|told| Hold {
        control: told.control.clone(),
        until,
        by: by.to_owned(),
        record: record.to_owned(),
    }));
}

/// The changes that bring back the state from before, in the order that AWS takes them.
fn ways_back<G: Guard>(
    prior: Value,
    remedies: &[Value],
    refused: impl Fn(String) -> Failure,
) -> Result<Vec<G::Remedy>, Failure> {
    let unreadable = |error: serde_json::Error| Failure::LedgerRecord(error.to_string());
    let before: G::State = serde_json::from_value(prior).map_err(unreadable)?;
    let mut inverses = Vec::new();
    for remedy in remedies.iter().rev() {
        let remedy: G::Remedy = serde_json::from_value(remedy.clone()).map_err(unreadable)?;
        let inverse = before.inverse(&remedy);
        inverses.push(inverse.ok_or_else(|| refused(format!("AWS offers no way back for its {}", remedy.target())))?);
    }
    inverses.sort_by_key(Remedy::restore_rank);
    Ok(inverses)
}

/// The record of the restore itself, written ahead like any other.
fn opening<R: Remedy>(done: &Report, by: &str, now_is: Value, inverses: &[R]) -> Result<Record, Failure> {
    let undone = done
        .told
        .iter()
        .filter(|told| matches!(told.outcome, Outcome::Remediated | Outcome::Quarantined));
    let told = undone.map(|told| Told {
        outcome: Outcome::Restored,
        summary: format!("is again as before: it {}", told.summary),
        change: format!("undo: {}", told.change),
        why: format!("{by} restored record {}", done.ledger_id),
        until: None,
        notes: Vec::new(),
        ..told.clone()
    });
    let report = Report {
        ledger_id: uuid::Uuid::now_v7().to_string(),
        event: "restore".into(),
        event_id: done.ledger_id.clone(),
        event_time: Timestamp::now().to_string(),
        parameters_omitted: false,
        actor: Actor {
            arn: by.to_owned(),
            ..Actor::default()
        },
        told: told.collect(),
        before: json!({}),
        after: json!({}),
        ..done.clone()
    };
    let remedies = inverses.iter().map(json_of).collect::<Result<_, _>>()?;
    Ok(Record {
        report,
        prior: now_is,
        remedies,
        restores: Some(done.ledger_id.clone()),
        drawn: false,
        opened: Timestamp::now(),
    })
}
