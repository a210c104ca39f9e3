//! Undoing: putting back what a record says was there before.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use portcullis_core::event::Restore;
use portcullis_core::{
    Cause, Change, ControlResult, Hold, Outcome, Report, Resource, ResourceType, Selector, State, Typed, Undo,
    whole_second,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::{Adapter, Bound, ChangeOf};
use crate::answer::{Answer, Conclusion};
use crate::error::{AwsError, Failure};
use crate::invocation::Invocation;
use crate::ledger::{Record, View, WithWrites, json_of};
use crate::log;
use crate::pipeline::apply::{VERIFY_PAUSES, apply, difference, names};
use crate::resource_status::Status;

/// The record that is to be undone, once it is closed.
pub async fn find(invocation: &Invocation, id: &str) -> Result<Record, Failure> {
    let found = invocation.ledger.find(id).await?;
    let (record, open) = found.ok_or_else(|| refused(id, "the ledger has no such record".into()))?;
    if open {
        return Err(refused(
            id,
            "it is still open: its event is being handled or retried".into(),
        ));
    }
    Ok(record)
}

/// Puts the state from before a record's changes back, unless somebody changed the resource since.
pub async fn restore<A: Adapter>(
    invocation: &Invocation,
    bound: &Bound<A>,
    undone: Record,
    request: &Restore,
) -> Result<Answer, Failure> {
    let Record {
        report: done,
        prior,
        remedies,
        restores: earlier,
        ..
    } = undone;
    let (force, by) = (request.force, request.by.as_deref());
    let refused = |why: String| refused(&done.ledger_id, why);
    if remedies.is_empty() || earlier.is_some() {
        return Err(refused(
            "expected a record of a remediation, found one that changed nothing or is itself a restore".into(),
        ));
    }
    let resource_type = bound.typed.resource_type;
    let before: A::State = of_json(prior)?;
    let made: Vec<ChangeOf<A>> = remedies.into_iter().map(of_json).collect::<Result<_, _>>()?;
    let inverses = inverses(&before, &made);
    let stays = Undo::of(&before, &made).no_way_back();
    if inverses.is_empty() {
        return Err(refused(stays.unwrap_or_default()));
    }
    let resource = &done.resource;
    let view = invocation.ledger.read(&resource.arn).await?;
    if let Some(open) = view.acquire_lease(resource, &invocation.owner)? {
        if open.record.restores.as_deref() == Some(done.ledger_id.as_str()) {
            return finish(invocation, bound, open.record.clone(), &view).await;
        }
        return Err(refused(
            "another record of this resource is still open: let its event be retried first".into(),
        ));
    }
    let current = look(bound, resource, &inverses, &done.ledger_id).await?;
    let inverses = (resource_type.restore_plan)(&current, inverses).map_err(refused)?;
    let left = left_at(&before, &made, &done.after)?;
    let changed = differing(resource_type, &current, &left)?;
    if !changed.is_empty() && !force && current != ResourceType::after(&current, &inverses) {
        let (expected, found) = all_differing(&json_of(&current)?, &json_of(&left)?);
        return Err(Failure::Restore {
            record: done.ledger_id.clone(),
            why: format!(
                "somebody changed it since ({}); say \"force\": true to overwrite that",
                changed.join(", ")
            ),
            facts: Some(format!("expected {found}, found {expected}").into()),
        });
    }
    let record = opening(&done, by, json_of(&current)?, bound.typed, (&inverses, stays))?;
    carry_out(invocation, bound, (record, inverses), (&view, request.hold), current).await
}

/// Finishes a restore that broke off, whoever comes by: what it had not changed yet is changed, unless somebody else changed
/// it meanwhile.
pub async fn finish<A: Adapter>(
    invocation: &Invocation,
    bound: &Bound<A>,
    record: Record,
    view: &View,
) -> Result<Answer, Failure> {
    let undone = record.restores.as_deref().unwrap_or_default();
    let inverses = record.remedies.iter().cloned().map(of_json::<ChangeOf<A>>);
    let inverses: Vec<_> = inverses.collect::<Result<_, _>>()?;
    let current = look(bound, &record.report.resource, &inverses, undone).await?;
    carry_out(invocation, bound, (record, inverses), (view, None), current).await
}

/// Opens the record, with the hold: what is restored must not be undone by whoever comes by while nobody has closed it.
async fn carry_out<A: Adapter>(
    invocation: &Invocation,
    bound: &Bound<A>,
    (record, inverses): (Record, Vec<ChangeOf<A>>),
    (view, hold): (&View, Option<SignedDuration>),
    current: A::State,
) -> Result<Answer, Failure> {
    let days = i64::from(invocation.settings.restore.hold_days);
    let hold = hold.unwrap_or_else(|| SignedDuration::from_hours(24 * days));
    let with_hold = with_holds(&view.status, &record, hold);
    invocation
        .ledger
        .open(
            &record,
            &invocation.owner,
            invocation.deadline,
            view,
            WithWrites::Status(&with_hold),
        )
        .await?;
    let arn = record.report.resource.arn.clone();
    let done = change_and_tell(invocation, bound, (record, inverses), (view, with_hold), current).await;
    if !matches!(&done, Ok(_) | Err(Failure::Restore { .. })) {
        invocation.ledger.give_back(&arn, &invocation.owner).await;
    }
    done
}

async fn change_and_tell<A: Adapter>(
    invocation: &Invocation,
    bound: &Bound<A>,
    (mut record, inverses): (Record, Vec<ChangeOf<A>>),
    (view, with_hold): (&View, Status),
    current: A::State,
) -> Result<Answer, Failure> {
    let undone = record.restores.clone().unwrap_or_default();
    let began: A::State = of_json(record.prior.clone())?;
    let resource = record.report.resource.clone();
    let resource_type = bound.typed.resource_type;
    let wanted = ResourceType::after(&current, &inverses);
    let crossed = crossed(resource_type, &began, &inverses, &current)?;
    let (after, why) = if crossed.is_empty() {
        let failures = apply(bound, &resource, &current, &inverses).await?;
        let why = failures
            .values()
            .map(AwsError::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        let after = shown(bound, &resource, (&inverses, &undone), &wanted).await?;
        (after, why)
    } else {
        let why = format!(
            "somebody changed {} after it broke off; it was left so",
            crossed.join(", ")
        );
        (current.clone(), why)
    };
    // What AWS takes long to show by its own account is restored once it accepted all of it.
    let is_slow = why.is_empty() && inverses.iter().any(|inverse| inverse.settles().is_some());
    let is_as_wanted = (resource_type.comparable)(&after) == (resource_type.comparable)(&wanted);
    let restored = crossed.is_empty() && (is_as_wanted || is_slow);
    let failed = record.report.results.iter_mut().filter(|_| !restored);
    failed.for_each(|result| result.turn(Outcome::Failed, why.as_str()));
    (record.report.before, record.report.after) = all_differing(&json_of(&began)?, &json_of(&after)?);
    let sent = invocation.topic.publish(&record.report, &invocation.function).await;
    sent.map_err(Failure::Notify)?;
    let mut status = if restored { with_hold } else { view.status.clone() };
    status.holds.retain(|hold| restored || hold.record != undone);
    status.note(&record.report, Timestamp::now());
    let days = invocation.settings.ledger.retention_days;
    invocation
        .ledger
        .close(&record, &invocation.owner, &status, days, None)
        .await?;
    log::results(&resource, &record.report.results, &record.report.ledger_id);
    if restored {
        return Ok(Answer {
            results: record.report.results,
            record: Some(record.report.ledger_id),
            ..Answer::of(&resource, Conclusion::Told(Outcome::Restored))
        });
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

/// The facts that differ, before and after.
fn all_differing(before: &Value, after: &Value) -> (Value, Value) {
    difference(before, after, &names(after))
}

/// A restore that is refused, with what was expected and found.
pub fn refused(record: &str, why: String) -> Failure {
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
async fn look<A: Adapter>(
    bound: &Bound<A>,
    resource: &Resource,
    changes: &[ChangeOf<A>],
    record: &str,
) -> Result<A::State, Failure> {
    let facts: BTreeSet<_> = changes
        .iter()
        .map(Change::fact)
        .chain(bound.typed.resource_type.restore_reads.iter().copied())
        .collect();
    let state = bound
        .adapter
        .observe(resource, &facts)
        .await
        .map_err(Failure::Observe)?;
    state.ok_or_else(|| refused(record, "the resource is no more".into()))
}

/// Reads what was put back until AWS shows it, or patience ends.
async fn shown<A: Adapter>(
    bound: &Bound<A>,
    resource: &Resource,
    (changes, record): (&[ChangeOf<A>], &str),
    wanted: &A::State,
) -> Result<A::State, Failure> {
    let comparable = bound.typed.resource_type.comparable;
    let is_slow = changes.iter().any(|change| change.settles().is_some());
    let mut pauses = VERIFY_PAUSES.into_iter().filter(|_| !is_slow);
    loop {
        let after = look(bound, resource, changes, record).await?;
        match pauses.next() {
            Some(pause) if comparable(&after) != comparable(wanted) => tokio::time::sleep(pause).await,
            _ => return Ok(after),
        }
    }
}

/// The facts that are neither as the changes found them nor as any of them leaves them: somebody else was there after a
/// restore broke off.
fn crossed<S: State>(
    resource_type: &ResourceType<S>,
    began: &S,
    changes: &[S::Change],
    current: &S,
) -> Result<Vec<String>, Failure> {
    let mut state = began.clone();
    let mut crossed = differing(resource_type, current, &state)?;
    for change in changes {
        state = change.after(&state);
        let differ = differing(resource_type, current, &state)?;
        crossed.retain(|fact| differ.contains(fact));
    }
    Ok(crossed)
}

/// The facts that changes were to make different, as they were left: as read afterwards, or as they had been.
fn left_at<S: State>(before: &S, made: &[S::Change], read: &Value) -> Result<S, Failure> {
    let (mut left, _) = all_differing(&json_of(before)?, &json_of(&ResourceType::after(before, made))?);
    if let (Some(left), Some(read)) = (left.as_object_mut(), read.as_object()) {
        left.extend(read.clone());
    }
    of_json(left)
}

/// The facts of `then` that are not the same any more; what AWS changes by itself aside.
fn differing<S: State>(resource_type: &ResourceType<S>, now: &S, then: &S) -> Result<Vec<String>, Failure> {
    let comparable = resource_type.comparable;
    let (now, then) = (json_of(&comparable(now))?, json_of(&comparable(then))?);
    let facts = then.as_object().into_iter().flatten();
    let differ = facts.filter(|(fact, value)| now.get(*fact).is_some_and(|now| now != *value));
    Ok(differ.map(|(fact, _)| fact.clone()).collect())
}

/// The status with what keeps a restore from being undone at once.
fn with_holds(status: &Status, record: &Record, hold: SignedDuration) -> Status {
    let since = Timestamp::now();
    let until = whole_second(since + hold);
    let Report { results, origin, .. } = &record.report;
    let mut status = status.clone();
    status
        .holds
        .retain(|hold| results.iter().all(|result| result.control != hold.control));
    status.holds.extend(results.iter().map(|result| Hold {
        control: result.control.clone(),
        since,
        until,
        by: origin.actor.arn.clone(),
        record: record.restores.clone().unwrap_or_default(),
    }));
    status
}

/// The changes that bring back the state from before, as far as AWS has a way back, in the order that it takes them.
fn inverses<S: State>(before: &S, made: &[S::Change]) -> Vec<S::Change> {
    let mut back: Vec<_> = made.iter().rev().filter_map(|change| change.inverse(before)).collect();
    back.sort_by_key(Change::restore_order);
    back
}

/// The record of the restore itself, written ahead like any other. It is about the controls whose changes are undone, and notes
/// what stays since AWS has no way back.
fn opening<S: State>(
    done: &Report,
    by: Option<&str>,
    now_is: Value,
    typed: Typed<S>,
    (inverses, stays): (&[S::Change], Option<String>),
) -> Result<Record, Failure> {
    let cause = Cause::other("restore", Timestamp::now(), Selector::All)
        .with_id(&done.ledger_id)
        .asked_by(by);
    let by = &cause.origin.actor.arn;
    // What failed may have changed something all the same, as half a quarantine does.
    let undone = done.results.iter().filter(|result| {
        let is_half_done = result.outcome == Outcome::Failed && !result.change.is_empty();
        result.is_intended() || is_half_done
    });
    let facts: Vec<_> = inverses.iter().map(Change::fact).collect();
    let undone = undone.filter(|result| {
        let control = typed.controls.iter().find(|control| control.meta.id == result.control);
        // One that is no more may have changed any of it.
        control.is_none_or(|control| control.changes.iter().any(|fact| facts.contains(fact)))
    });
    let notes: Vec<_> = stays
        .map(|stays| format!("{stays}: that stays as it is"))
        .into_iter()
        .collect();
    let results = undone.map(|result| ControlResult {
        outcome: Outcome::Restored,
        summary: format!("is again as before: it {}", result.summary),
        was: String::new(),
        change: format!("undo: {}", result.change),
        why: format!("{by} restored record {}", done.ledger_id),
        until: None,
        // A restore can't be undone by another one.
        undo: Undo::Nothing(Vec::new()),
        notes: notes.clone(),
        ..result.clone()
    });
    let report = Report {
        ledger_id: uuid::Uuid::now_v7().to_string(),
        results: results.collect(),
        origin: cause.origin,
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
