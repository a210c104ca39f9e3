//! The one pipeline: observe, judge, decide, record, apply, verify, notify.

pub mod apply;
mod defer;
mod denied;
pub mod evaluate;
mod notify;
mod observe;
mod record;
mod work;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use futures_util::future::try_join;
use jiff::Timestamp;
use portcullis_core::{
    Cause, Control, Decision, DecisionContext, JudgeContext, Outcome, Plan, Reason, Resource, ResourceType, Selector,
    State, Typed, Wait, decide, plan, whole_second,
};

use apply::{Shown, apply, difference, has_failed, is_same, names, settle, uncovered, verify};
use defer::{NOT_READY, count_deferred};
use denied::{Unread, readable};
use observe::{Age, enabled, facts};
use record::{history, merge_intentions, merged, remedies_of, results_of};
use work::Work;

use crate::adapter::{Adapter, Bound, ImpactNotes};
use crate::answer::{Answer, Conclusion};
use crate::error::{Failure, Kind};
use crate::invocation::{Delivery, Invocation};
use crate::ledger::{Opened, Record, View, WithWrites, json_of};
use crate::log;
use crate::operations::{release, restore};
use crate::resource_status::Status;

/// How often a change that somebody else's crossed is begun again from the read.
const ATTEMPTS: u32 = 4;

/// Takes one resource through the pipeline. `since` is the moment from which on the resource may have been read.
pub async fn process<A: Adapter>(
    invocation: &Invocation,
    bound: &Bound<A>,
    resource: &Resource,
    cause: &Cause,
    since: Timestamp,
) -> Result<Answer, Failure> {
    let is_deleted = cause.selector == Selector::Breakable
        && bound.typed.resource_type.deletes.contains(&cause.origin.event.as_str());
    let released = if is_deleted {
        release::deleted(invocation, resource, cause).await?
    } else {
        None
    };
    // What was held is looked at: another one may have its name by now.
    let cause = released.as_ref().map_or(cause, |released| &released.cause);
    let mut age = Age::since(since);
    for attempt in 1..=ATTEMPTS {
        match once(invocation, bound, resource, cause, &mut age).await {
            Err(Failure::LostRace(_)) if attempt < ATTEMPTS => {
                tracing::info!(
                    resource = resource.arn,
                    attempt,
                    "changed by somebody else meanwhile: reading again"
                );
                tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 200)).await;
            }
            // Whatever went wrong after the record was opened, the retry must find it free.
            Err(
                failure @ (Failure::LostRace(_)
                | Failure::Unverified { .. }
                | Failure::Notify(_)
                | Failure::Schedule(_)
                | Failure::Ledger(_)),
            ) => {
                invocation.ledger.give_back(&resource.arn, &invocation.owner).await;
                return Err(failure);
            }
            other => return other,
        }
    }
    Err(Failure::LostRace(resource.arn.clone()))
}

async fn once<A: Adapter>(
    invocation: &Invocation,
    bound: &Bound<A>,
    resource: &Resource,
    cause: &Cause,
    age: &mut Age,
) -> Result<Answer, Failure> {
    let mut controls = enabled(bound.typed, &invocation.settings, |control| {
        cause.selects(&control.meta)
    });
    // A sweep finishes what was begun before its control was switched off.
    if controls.is_empty() && cause.selector == Selector::Breakable {
        return Ok(Answer::of(resource, Conclusion::Ignored));
    }
    let facts_of_cause = facts(bound.typed, &controls);
    let observing = async {
        Ok(if controls.is_empty() {
            Ok(None)
        } else {
            bound.adapter.observe(resource, &facts_of_cause).await
        })
    };
    let (mut observed, mut view) = try_join(observing, invocation.ledger.read(&resource.arn)).await?;
    let is_old = age.is_old(&view.status);
    remember_call(bound.typed, &mut view, cause, Timestamp::now());
    let carried = view.acquire_lease(resource, &invocation.owner)?;
    if let Some(open) = carried {
        if open.record.restores.is_some() {
            // Whoever comes by finishes it, then looks anew: what it put back is held.
            restore::finish(invocation, bound, open.record.clone(), &view).await?;
            return Err(Failure::LostRace(resource.arn.clone()));
        }
        // The unfinished record may be about more than this call: its controls are judged as well, even if they are off by now.
        let told = &open.record.report.results;
        let begun: Vec<_> = bound
            .typed
            .controls
            .iter()
            .filter(|control| told.iter().any(|told| told.control == control.meta.id))
            .collect();
        let asked = |control: &&'static Control<A::State>| {
            let is = |one: &&'static Control<A::State>| one.meta.id == control.meta.id;
            controls.iter().any(is) || begun.iter().any(is)
        };
        controls = bound.typed.controls.iter().filter(asked).collect();
        let needed = facts(bound.typed, &controls);
        if needed != facts_of_cause {
            observed = bound.adapter.observe(resource, &needed).await;
        }
    } else if controls.is_empty() {
        return Ok(Answer::of(resource, Conclusion::Ignored));
    }
    let carried = carried.map(|open| &open.record);
    let mut work = Work {
        invocation,
        resource,
        view: &view,
        carried,
        is_old,
        unread: Vec::new(),
    };
    let gone = match &observed {
        Ok(state) => state.as_ref().is_none_or(bound.typed.resource_type.is_deleted),
        Err(_) => false,
    };
    if gone && carried.is_none() && cause.is_recent_creation(bound.typed.resource_type.creates, Timestamp::now()) {
        return Err(Failure::NotVisibleYet {
            resource: resource.arn.clone(),
            event: cause.origin.event.clone(),
            time: cause.origin.time.clone(),
        });
    }
    if matches!(&observed, Err(error) if error.kind == Kind::Denied)
        && let Some((state, denied)) = readable(bound, resource, &controls).await
    {
        work.unread = controls
            .iter()
            .filter_map(|control| Unread::of(control, &denied, carried))
            .collect();
        controls.retain(|control| control.reads.iter().all(|fact| !denied.contains_key(fact)));
        observed = Ok(Some(state));
    }
    match observed {
        Ok(Some(state)) => work.judge(bound, &state, &controls, cause).await,
        Ok(None) => work.gone(cause).await,
        Err(error) if error.kind == Kind::Denied => work.denied(&controls, cause, error).await,
        Err(error) => Err(Failure::Observe(error)),
    }
}

/// Remembers the call, if it is one whose effect AWS may not show any more.
fn remember_call<S: State>(typed: Typed<S>, view: &mut View, cause: &Cause, now: Timestamp) {
    if cause.selector == Selector::Breakable && typed.resource_type.remembers.contains(&cause.origin.event.as_str()) {
        view.news = view
            .status
            .remember_call(&cause.origin.event, cause.origin.time.parse().unwrap_or(now), now);
    }
}

/// How far an event has come before anything is changed.
enum Beginning<S: State> {
    /// There is nothing to do: the answer.
    Answered(Answer),
    /// The record is open.
    Begun {
        plan: Box<Plan<S>>,
        record: Box<Record>,
        status: Status,
    },
}

impl Work<'_> {
    async fn judge<A: Adapter>(
        &self,
        bound: &Bound<A>,
        state: &A::State,
        controls: &[&'static Control<A::State>],
        cause: &Cause,
    ) -> Result<Answer, Failure> {
        let Self {
            resource,
            view,
            carried,
            ..
        } = self;
        let decision_context = self.decision_context(state.tags(), cause, Timestamp::now());
        let known = history(&decision_context, &view.status, *carried);
        let judge_context = self.judge_context(state.tags(), decision_context.now, &known);
        let (plan, mut record, mut status) = match self
            .begin(bound, state, controls, &judge_context, decision_context)
            .await?
        {
            Beginning::Answered(answer) => return Ok(answer),
            Beginning::Begun { plan, record, status } => (*plan, *record, status),
        };
        let failures = apply(bound, resource, state, &plan.remedies).await?;
        let enforced: Vec<_> = plan
            .findings
            .iter()
            .filter(|judged| judged.ruling.decision == Decision::Enforce)
            .collect();
        let enforced: Vec<_> = controls
            .iter()
            .copied()
            .filter(|control| enforced.iter().any(|judged| judged.control.id == control.meta.id))
            .collect();
        let mut begun = known.clone();
        begun
            .begun
            .extend(enforced.iter().map(|control| control.meta.id.to_owned()));
        let judge_context = JudgeContext {
            history: &begun,
            ..judge_context
        };
        let after = if plan.remedies.is_empty() {
            Some(state.clone())
        } else {
            // Waiting helps only where the change was made.
            let made: Vec<_> = enforced
                .iter()
                .copied()
                .filter(|control| !has_failed(&plan, control.meta.id, &failures))
                .collect();
            let covered = controls
                .iter()
                .filter(|control| plan.covered.iter().any(|(meta, _)| meta.id == control.meta.id));
            // What an earlier try changed is to be seen in the record as well.
            let earlier = controls.iter().filter(|_| carried.is_some());
            let about: Vec<_> = enforced.iter().chain(covered).chain(earlier).copied().collect();
            verify(bound, resource, &plan, (&about, &made), &judge_context).await?
        };
        let results = &mut record.report.results;
        if let Some(after) = after {
            for result in &mut *results {
                let resource_type = bound.typed.resource_type;
                let shown = settle(
                    result,
                    &enforced,
                    resource_type,
                    &plan,
                    &after,
                    &judge_context,
                    &failures,
                );
                match shown {
                    Shown::Right | Shown::Refused => {}
                    Shown::NotYet {
                        patience: Some(patience),
                        ..
                    } => self.settling(&mut status, result, patience, cause),
                    Shown::NotYet { why, .. } if self.comes_again(record.opened) => {
                        return Err(Failure::Unverified {
                            resource: resource.arn.clone(),
                            why,
                        });
                    }
                    Shown::NotYet { why, .. } => result.turn(Outcome::Failed, why),
                }
            }
            results.extend(uncovered(controls, &plan, &after, &judge_context, &failures));
            let intended = intended::<A::State>(&record)?;
            (record.report.before, record.report.after) = difference(&record.prior, &json_of(&after)?, &intended);
        } else {
            let intended = results.iter_mut().filter(|result| result.is_intended());
            intended.for_each(record::gone);
        }
        self.put_off(&mut record.report, &mut status, &failures, &plan);
        self.schedule(&mut record.report.results, &status).await?;
        let answer = self.tell(record, status).await?;
        Ok(answer.with_not_applicable(&plan.not_applicable))
    }

    /// Plans, decides, and opens the record where anything is to be done or told. Where the hour's budget turns out to be
    /// spent, all is decided once more, knowing that.
    #[expect(clippy::too_many_lines, reason = "one decision after the other, in their order")]
    async fn begin<A: Adapter>(
        &self,
        bound: &Bound<A>,
        state: &A::State,
        controls: &[&'static Control<A::State>],
        judge_context: &JudgeContext<'_>,
        mut decision_context: DecisionContext<'_>,
    ) -> Result<Beginning<A::State>, Failure> {
        let Self {
            invocation,
            resource,
            view,
            carried,
            ..
        } = self;
        let DecisionContext { cause, now, .. } = decision_context;
        let is_deleted = (bound.typed.resource_type.is_deleted)(state);
        let mut impact_reads: BTreeMap<&str, ImpactNotes> = BTreeMap::new();
        let owner = (bound.typed.resource_type.owner)(state);
        decision_context.owner = owner.as_deref();
        let busy = (bound.typed.resource_type.busy)(state);
        let wait = busy.as_ref().map(|why| Wait {
            until: whole_second(now + NOT_READY),
            reason: Reason::NotReady,
            why: format!("it can't be changed now, for {why}"),
        });
        decision_context.busy = wait.as_ref().filter(|_| invocation.delivery == Delivery::Direct);
        loop {
            let mut plan: Plan<A::State> = plan(state, controls, judge_context, |control, finding| {
                decide(control, finding, &decision_context)
            });
            for judged in &mut plan.findings {
                // What is left as it is disturbs nobody.
                let is_left = matches!(judged.ruling.decision, Decision::Exempt(_));
                if !is_left && !judged.finding.remedies.is_empty() {
                    let found = match impact_reads.entry(judged.control.id) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => new.insert(
                            bound
                                .adapter
                                .impact_notes(resource, state, &judged.finding.remedies)
                                .await,
                        ),
                    };
                    judged.finding.summary = mem::take(&mut judged.finding.summary).followed_by(&found.clause);
                    judged.ruling.notes.extend_from_slice(&found.notes);
                }
            }
            if let Some(why) = busy.as_ref().filter(|_| !plan.remedies.is_empty()) {
                return Err(Failure::NotReady {
                    resource: resource.arn.clone(),
                    why: why.clone(),
                });
            }
            let mut told = results_of(&plan, state, cause.origin.omitted);
            told.extend(self.put_right_meanwhile(controls, &plan, now));
            told.extend(self.unread.iter().map(|unread| unread.result.clone()));
            let status = self.status_after(&plan, cause);
            if carried.is_none() {
                if told.is_empty() {
                    self.note(&status).await?;
                    log_not_applicable(resource, &plan);
                    let conclusion = match (is_deleted, plan.compliant.is_empty()) {
                        (true, _) => Conclusion::Gone,
                        (false, true) => Conclusion::NotApplicable,
                        (false, false) => Conclusion::Compliant,
                    };
                    let outcome = conclusion.as_str();
                    tracing::info!(resource = resource.arn, event = cause.origin.event, outcome, "handled");
                    let answer = Answer::of(resource, conclusion);
                    return Ok(Beginning::Answered(answer.with_not_applicable(&plan.not_applicable)));
                }
                let reminder = invocation.settings.notifications.reminder_days;
                if plan.remedies.is_empty() && told.iter().all(|one| view.status.knows(one, now, reminder)) {
                    self.schedule(&mut told, &status).await?;
                    self.note(&status).await?;
                    if let Some(unread) = self.unread.first() {
                        return Err(Failure::Observe(unread.error.clone()));
                    }
                    count_deferred(&plan);
                    log::results(resource, &told, "told before");
                    let answer = Answer {
                        results: told,
                        ..Answer::of(resource, Conclusion::ToldBefore)
                    };
                    return Ok(Beginning::Answered(answer.with_not_applicable(&plan.not_applicable)));
                }
            }
            let is_made = carried.map_or(Ok(true), |record| is_made(record, bound.typed.resource_type, state))?;
            merge_intentions(&mut told, *carried, (is_deleted, is_made), |control| {
                plan.clears(control)
            });
            let prior = merged(&json_of(state)?, carried.map(|record| &record.prior));
            let mut record = self.record(cause, told, prior, (state.tags(), owner.as_deref()));
            record.remedies = remedies_of(&plan, *carried)?;
            let limit = invocation.settings.budget.disruptive_per_hour;
            // A third is kept for what is critical: lesser findings must not spend it all.
            let limit = limit.map(|limit| if plan.is_critical() { limit } else { limit - limit / 3 });
            let draw = limit.filter(|_| plan.disturbs() && !record.drawn);
            record.drawn |= draw.is_some();
            match self
                .open(&record, draw.map_or(WithWrites::Nothing, WithWrites::Draw))
                .await?
            {
                Opened::Yes => {
                    log_not_applicable(resource, &plan);
                    count_deferred(&plan);
                    let (plan, record) = (Box::new(plan), Box::new(record));
                    return Ok(Beginning::Begun { plan, record, status });
                }
                Opened::BudgetSpent => decision_context.budget_spent = true,
            }
        }
    }
}

/// Whether all that an unfinished record set out to change is as it was to be: else somebody else put right what is right now.
fn is_made<S: State>(record: &Record, resource_type: &ResourceType<S>, state: &S) -> Result<bool, Failure> {
    let changes: Vec<S::Change> = changes_of::<S>(record)?;
    let intended = ResourceType::after(state, &changes);
    Ok(is_same(resource_type, &intended, state))
}

fn changes_of<S: State>(record: &Record) -> Result<Vec<S::Change>, Failure> {
    let changes = record.remedies.iter().cloned().map(serde_json::from_value);
    let changes: Result<_, _> = changes.collect();
    changes.map_err(|error| Failure::LedgerRecord(error.to_string()))
}

/// The facts that a record's changes are to make different: what two reads did not both ask for is no difference.
fn intended<S: State>(record: &Record) -> Result<BTreeSet<String>, Failure> {
    let unreadable = |error: serde_json::Error| Failure::LedgerRecord(error.to_string());
    let before: S = serde_json::from_value(record.prior.clone()).map_err(unreadable)?;
    let after = json_of(&ResourceType::after(&before, &changes_of::<S>(record)?))?;
    let (facts, _) = difference(&json_of(&before)?, &after, &names(&after));
    Ok(names(&facts))
}

fn log_not_applicable<S: State>(resource: &Resource, plan: &Plan<S>) {
    for (control, why) in &plan.not_applicable {
        tracing::info!(
            resource = resource.arn,
            control,
            why,
            outcome = "not-applicable",
            "judged"
        );
    }
}
