//! Undoing: putting back what a record says was there before.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use portcullis_core::{Actor, Guard, Hold, Outcome, Remedy, Report, Resource, State, Told};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::Adapter;
use crate::error::{AwsError, Failure};
use crate::ledger::{Along, Record, View};
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
    let refused = |why: String| refused(&done.ledger_id, why);
    if remedies.is_empty() || earlier.is_some() {
        return Err(refused(
            "expected a record of a remediation, found one that changed nothing or is itself a restore".into(),
        ));
    }
    let before: G::State = of_json(prior)?;
    let made: Vec<G::Remedy> = remedies.into_iter().map(of_json).collect::<Result<_, _>>()?;
    let inverses = ways_back(&before, &made).map_err(refused)?;
    let resource = &done.resource;
    let view = shell.ledger.read(&resource.arn).await?;
    if let Some(open) = take_over(shell, resource, &view)? {
        if open.record.restores.as_deref() == Some(done.ledger_id.as_str()) {
            return finish::<G, A>(shell, adapter, open.record.clone(), &view).await;
        }
        return Err(refused(
            "another record of this resource is still open: let its event be retried first".into(),
        ));
    }
    let current = look::<G, A>(adapter, resource, &inverses, &done.ledger_id).await?;
    let inverses = current.way_back(inverses).map_err(refused)?;
    let left = left_at(&before, &made, &done.after)?;
    let changed = differing(&current, &left)?;
    if !changed.is_empty() && !force && current != target(&current, &inverses) {
        let (expected, found) = difference(&json_of(&current)?, &json_of(&left)?);
        return Err(Failure::Restore {
            record: done.ledger_id.clone(),
            why: format!(
                "somebody changed it since ({}); say \"force\": true to overwrite that",
                changed.join(", ")
            ),
            facts: Some(format!("expected {found}, found {expected}").into()),
        });
    }
    let record = opening(&done, &by, json_of(&current)?, &inverses)?;
    carry_out::<G, A>(shell, adapter, (record, inverses), &view, current).await
}

/// Finishes a restore that broke off, whoever comes by: what it had not changed yet is changed, unless somebody else changed
/// it meanwhile.
pub async fn finish<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    record: Record,
    view: &View,
) -> Result<Value, Failure> {
    let undone = record.restores.as_deref().unwrap_or_default();
    let inverses = record.remedies.iter().cloned().map(of_json::<G::Remedy>);
    let inverses: Vec<_> = inverses.collect::<Result<_, _>>()?;
    let current = look::<G, A>(adapter, &record.report.resource, &inverses, undone).await?;
    carry_out::<G, A>(shell, adapter, (record, inverses), view, current).await
}

/// Opens the record, with the hold: what is restored must not be undone by whoever comes by while nobody has closed it.
async fn carry_out<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    (record, inverses): (Record, Vec<G::Remedy>),
    view: &View,
    current: G::State,
) -> Result<Value, Failure> {
    let held = with_holds(&view.status, &record, shell.settings.restore.hold_days);
    shell
        .ledger
        .open(&record, &shell.owner, shell.deadline, view, Along::Status(&held))
        .await?;
    let arn = record.report.resource.arn.clone();
    let done = change_and_tell::<G, A>(shell, adapter, (record, inverses), (view, held), current).await;
    if !matches!(&done, Ok(_) | Err(Failure::Restore { .. })) {
        shell.ledger.give_back(&arn, &shell.owner).await;
    }
    done
}

async fn change_and_tell<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    (mut record, inverses): (Record, Vec<G::Remedy>),
    (view, held): (&View, Status),
    current: G::State,
) -> Result<Value, Failure> {
    let undone = record.restores.clone().unwrap_or_default();
    let began: G::State = of_json(record.prior.clone())?;
    let resource = record.report.resource.clone();
    let wanted = target(&current, &inverses);
    let crossed = crossed(&began, &inverses, &current)?;
    let (after, why) = if crossed.is_empty() {
        let failures = apply::<G, A>(adapter, &resource, &inverses).await?;
        let why = failures
            .values()
            .map(AwsError::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        (look::<G, A>(adapter, &resource, &inverses, &undone).await?, why)
    } else {
        let why = format!(
            "somebody changed {} after it broke off; it was left so",
            crossed.join(", ")
        );
        (current.clone(), why)
    };
    let restored = crossed.is_empty() && after.lasting() == wanted.lasting();
    let told = record.report.told.iter_mut().filter(|_| !restored);
    told.for_each(|told| (told.outcome, told.why) = (Outcome::Failed, why.clone()));
    (record.report.before, record.report.after) = difference(&json_of(&began)?, &json_of(&after)?);
    let sent = shell.topic.publish(&record.report, &shell.function).await;
    sent.map_err(Failure::Notify)?;
    let mut status = if restored { held } else { view.status.clone() };
    status.holds.retain(|hold| restored || hold.record != undone);
    status.note(&record.report, Timestamp::now());
    let days = shell.settings.ledger.retention_days;
    shell.ledger.close(&record, &shell.owner, &status, days, None).await?;
    let Report { told, ledger_id, .. } = &record.report;
    log(&resource, told, ledger_id);
    if restored {
        return Ok(answer(&resource, "restored", told, Some(ledger_id)));
    }
    let said = if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    };
    Err(Failure::Restore {
        record: undone,
        why: format!("the state read afterwards is not the one from before{said}"),
        facts: Some(record.report.after.to_string().into()),
    })
}

fn refused(record: &str, why: String) -> Failure {
    Failure::Restore {
        record: record.to_owned(),
        why,
        facts: None,
    }
}

fn of_json<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value).map_err(|error| Failure::LedgerRecord(error.to_string()))
}

/// Reads what the changes are about.
async fn look<G: Guard, A: Adapter<G>>(
    adapter: &A,
    resource: &Resource,
    changes: &[G::Remedy],
    record: &str,
) -> Result<G::State, Failure> {
    let facts: BTreeSet<_> = changes
        .iter()
        .map(G::touches)
        .chain(G::in_the_way().iter().copied())
        .collect();
    let state = adapter.observe(resource, &facts).await.map_err(Failure::Observe)?;
    state.ok_or_else(|| refused(record, "the resource is no more".into()))
}

/// What a state is after some changes.
fn target<S: State>(state: &S, changes: &[S::Remedy]) -> S {
    changes.iter().fold(state.clone(), |state, change| state.after(change))
}

/// The facts that are neither as the changes found them nor as any of them leaves them: somebody else was there after a
/// restore broke off.
fn crossed<S: State>(began: &S, changes: &[S::Remedy], current: &S) -> Result<Vec<String>, Failure> {
    let mut state = began.clone();
    let mut crossed = differing(current, &state)?;
    for change in changes {
        state = state.after(change);
        let differ = differing(current, &state)?;
        crossed.retain(|fact| differ.contains(fact));
    }
    Ok(crossed)
}

/// The facts that changes were to make different, as they were left: as read afterwards, or as they had been.
fn left_at<S: State>(before: &S, made: &[S::Remedy], read: &Value) -> Result<S, Failure> {
    let (mut left, _) = difference(&json_of(before)?, &json_of(&target(before, made))?);
    if let (Some(left), Some(read)) = (left.as_object_mut(), read.as_object()) {
        left.extend(read.clone());
    }
    of_json(left)
}

/// The facts of `then` that are not the same any more; what AWS changes by itself aside.
fn differing<S: State>(now: &S, then: &S) -> Result<Vec<String>, Failure> {
    let (now, then) = (json_of(&now.lasting())?, json_of(&then.lasting())?);
    let facts = then.as_object().into_iter().flatten();
    let differ = facts.filter(|(fact, value)| now.get(*fact).is_some_and(|now| now != *value));
    Ok(differ.map(|(fact, _)| fact.clone()).collect())
}

/// The status with what keeps a restore from being undone at once.
fn with_holds(status: &Status, record: &Record, days: u16) -> Status {
    let since = Timestamp::now();
    let until = since + SignedDuration::from_hours(24 * i64::from(days));
    let Report { told, actor, .. } = &record.report;
    let mut status = status.clone();
    status
        .holds
        .retain(|hold| told.iter().all(|told| told.control != hold.control));
    status.holds.extend(told.iter().map(|told| Hold {
        control: told.control.clone(),
        since,
        until,
        by: actor.arn.clone(),
        record: record.restores.clone().unwrap_or_default(),
    }));
    status
}

/// The changes that bring back the state from before, in the order that AWS takes them; or why there are none.
fn ways_back<S: State<Remedy = R>, R: Remedy>(before: &S, made: &[R]) -> Result<Vec<R>, String> {
    let back = made.iter().rev().map(|remedy| {
        let inverse = before.inverse(remedy);
        inverse.ok_or_else(|| format!("AWS offers no way back for its {}", remedy.target()))
    });
    let mut back = back.collect::<Result<Vec<_>, _>>()?;
    back.sort_by_key(Remedy::restore_rank);
    Ok(back)
}

/// The record of the restore itself, written ahead like any other.
fn opening<R: Remedy>(done: &Report, by: &str, now_is: Value, inverses: &[R]) -> Result<Record, Failure> {
    // What failed may have changed something all the same, as half a quarantine does.
    let undone = done.told.iter().filter(|told| match told.outcome {
        Outcome::Remediated | Outcome::Quarantined => true,
        Outcome::Failed => !told.change.is_empty(),
        _ => false,
    });
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
