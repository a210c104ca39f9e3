//! Coming back to what waited: to one resource whose moment has come, or to all that the budget of an hour put off.

use std::collections::{BTreeSet, VecDeque};

use futures_util::future::join_all;
use jiff::Timestamp;
use portcullis_core::alert::sweep::compose;
use portcullis_core::event::{Counts, Scheduled};
use portcullis_core::{Cause, Outcome, Reason, Resource, Selector, next_hour};
use serde_json::json;

use super::summary::{self, STORM};
use super::sweep::count;
use crate::answer::{NotDue, Response, WaitingAnswer};
use crate::error::Failure;
use crate::handler::{Handler, Handlers};
use crate::invocation::Invocation;
use crate::resource_status::Status;

/// How many resources are looked at at the same time, at most.
const AT_ONCE: u32 = 8;

/// Looks again at what waited. That it does, and what led to it, the ledger says; the event only says where to look.
pub async fn scheduled(
    invocation: &Invocation,
    handlers: &Handlers,
    scheduled: &Scheduled,
) -> Result<Response, Failure> {
    let Scheduled {
        scheduled: arn,
        control,
    } = scheduled;
    let view = invocation.ledger.read(arn).await?;
    let Some(deferral) = view.status.deferred.get(control) else {
        let why = "nothing waits there any more";
        tracing::info!(resource = arn, control, outcome = "ignored", why, "handled");
        return Ok(Response::NotDue(NotDue::Ignored {
            resource: arn.clone(),
            why,
        }));
    };
    let now = Timestamp::now();
    if now < deferral.until {
        invocation
            .schedules
            .put(arn, control, deferral.until)
            .await
            .map_err(Failure::Schedule)?;
        return Ok(Response::NotDue(NotDue::Deferred {
            resource: arn.clone(),
            until: deferral.until,
        }));
    }
    let kind = &deferral.resource.kind;
    let handler = handlers
        .of(kind)
        .ok_or_else(|| Failure::LedgerRecord(format!("{kind}, which this function does not look after")))?;
    let waited = view.status.due(now).map(|(control, _)| control.clone());
    let cause = cause(waited.collect(), now);
    let answer = handler.process(invocation, &deferral.resource, &cause).await?;
    Ok(Response::Resource(answer))
}

/// A resource whose findings waited for another hour's budget.
struct Due<'a> {
    handler: &'a dyn Handler,
    resource: Resource,
    cause: Cause,
}

impl<'a> Due<'a> {
    /// None where nothing waits for budget, or where the ledger's other functions look after it. What was tried and failed is
    /// left to the sweep: it would have the first claim on each hour's budget.
    fn of(status: &Status, handlers: &'a Handlers, now: Timestamp) -> Option<Self> {
        let failed = |control: &str| {
            let told = status.told.get(control);
            told.is_some_and(|last| last.outcome == Outcome::Failed)
        };
        let mut waited = status
            .due(now)
            .filter(|(control, deferral)| deferral.reason == Reason::Budget && !failed(control))
            .peekable();
        let (_, first) = *waited.peek()?;
        Some(Self {
            handler: handlers.of(&first.resource.kind)?,
            resource: first.resource.clone(),
            cause: cause(waited.map(|(control, _)| control.clone()).collect(), now),
        })
    }
}

/// Looks again at what an earlier hour's budget put off, those that waited longest first, as far as this hour's goes. The rest
/// waits for the next hour.
pub async fn waiting(invocation: &Invocation, handlers: &Handlers) -> Result<Response, Failure> {
    let now = Timestamp::now();
    let due = invocation.ledger.due(now).await?;
    let mut due: VecDeque<_> = due.iter().filter_map(|status| Due::of(status, handlers, now)).collect();
    let quiet = (due.len() > STORM).then(|| invocation.digesting());
    let invocation = quiet.as_ref().unwrap_or(invocation);
    let (mut counts, mut seen, mut missed) = (Counts::default(), BTreeSet::new(), 0);
    while !due.is_empty() && invocation.has_time() {
        // Whoever is looked at without any budget left is read for nothing.
        let left = match invocation.settings.budget.disruptive_per_hour {
            Some(limit) => {
                invocation
                    .ledger
                    .left(&invocation.location.account, limit, Timestamp::now())
                    .await?
            }
            None => AT_ONCE,
        };
        let next = usize::try_from(left.min(AT_ONCE)).unwrap_or_default().min(due.len());
        if next == 0 {
            break;
        }
        let looks = due.drain(..next).map(|one| async move {
            let handled = one.handler.process(invocation, &one.resource, &one.cause).await;
            (one.resource, handled)
        });
        for (resource, handled) in join_all(looks).await {
            if let Err(failure) = &handled
                && !matches!(failure, Failure::NotRemediated { .. })
            {
                missed += 1;
                tracing::error!(resource = resource.arn, failure = failure.name(), error = %failure, "it waits on");
                continue;
            }
            count(&mut counts, &resource, handled);
            seen.insert(resource.arn);
        }
    }
    let told = if quiet.is_some() {
        let compose = |findings: Vec<_>| {
            let some = !findings.is_empty();
            some.then(|| compose(&invocation.function, &invocation.location, &counts, findings))
        };
        summary::tell(invocation, |noted| seen.contains(&noted.resource), compose)
            .await
            .map(drop)
    } else {
        Ok(())
    };
    let left = due.len() + missed;
    if left > 0 {
        let next = next_hour(Timestamp::now());
        invocation.schedules.put_hour(next).await.map_err(Failure::Schedule)?;
    }
    told?;
    tracing::info!(counts = %json!(counts), left, "looked at what waited for budget");
    Ok(Response::Waiting {
        waiting: WaitingAnswer { counts, left },
    })
}

/// In place of a call: nobody made one, its time has come.
fn cause(controls: BTreeSet<String>, now: Timestamp) -> Cause {
    Cause::other("scheduled", now, Selector::Only(controls))
}
