//! The one pipeline: observe, judge, decide, record, apply, verify, notify.

mod apply;
mod defer;
mod evaluate;
mod record;
mod tell;
mod unread;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join;
use jiff::{SignedDuration, Timestamp};
use portcullis_core::settings::Switch;
use portcullis_core::{
    Asks, Cause, Circumstances, Control, Decision, Guard, Memory, Place, Plan, Resource, Scope, Settings, State, Tags,
    decide, plan,
};
use serde_json::Value;

pub use apply::{apply, difference};
use apply::{has_failed, settle, uncovered, verify};
use defer::count_deferred;
pub use evaluate::{Looked, evaluate};
pub use record::json_of;
use record::{memory, merge_intentions, merged, remedies_of, told_of};
pub use tell::{answer, log};
use tell::{gone, with_not_applicable};
use unread::{Unread, readable};

use crate::adapter::{Adapter, Aside};
use crate::digest::Digest;
use crate::error::{Failure, Kind};
use crate::ledger::{Along, Ledger, Open, Opened, Record, View};
use crate::release;
use crate::restore;
use crate::schedule::Schedules;
use crate::status::Status;
use crate::topic::Topic;

/// How often a change that somebody else's crossed is begun again from the read.
const ATTEMPTS: u32 = 4;

/// How the summary begins of what could not even be looked at.
const UNJUDGED: &str = "can't be judged";

/// What all resources of one invocation share.
#[derive(Clone)]
pub struct Shell {
    pub ledger: Ledger,
    pub topic: Topic,
    pub schedules: Schedules,
    pub settings: Arc<Settings>,
    pub own_role: String,
    pub function: String,
    /// Where the function is.
    pub place: Place,
    /// The Lambda request. Lambda's own retries keep it.
    pub request: String,
    /// The owner of what this invocation opens, made up for it alone: Lambda may deliver an event twice, at the same time and under
    /// the same request id. Its retries come a minute later at the earliest, when the lease of what broke off has ended. Source:
    /// Lambda Developer Guide, "Error handling for asynchronous invocation".
    pub owner: String,
    /// When Lambda will stop this invocation, in Unix milliseconds: the end of its leases.
    pub deadline: i64,
    /// In a sweep, and an event of many resources: what gathers the findings, which are told at its end and not one by one.
    pub digest: Option<Arc<Digest>>,
}

impl Shell {
    /// The milliseconds until Lambda stops this invocation.
    pub fn remaining(&self) -> i64 {
        self.deadline - Timestamp::now().as_millisecond()
    }
}

/// Takes one resource through the pipeline. `since` is the moment from which on the resource may have been read.
pub async fn process<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    resource: &Resource,
    cause: &Cause,
    since: Timestamp,
) -> Result<Value, Failure> {
    let is_deleted = cause.asks == Asks::Breakable && G::deletes().contains(&cause.event.as_str());
    let released = if is_deleted {
        release::deleted(shell, resource, cause).await?
    } else {
        None
    };
    // What was held is looked at: another one may have its name by now.
    let cause = released.as_ref().map_or(cause, |released| &released.cause);
    let mut age = Age { since, after: None };
    for attempt in 1..=ATTEMPTS {
        match once::<G, A>(shell, adapter, resource, cause, &mut age).await {
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
                | Failure::Unverified(_)
                | Failure::Notify(_)
                | Failure::Schedule(_)
                | Failure::Ledger(_)),
            ) => {
                shell.ledger.give_back(&resource.arn, &shell.owner).await;
                return Err(failure);
            }
            other => return other,
        }
    }
    Err(Failure::LostRace(resource.arn.clone()))
}

/// How old what was read of a resource can be. State and ledger are read at the same time, so that the state may be from
/// before a change of which the ledger says already that it is told.
struct Age {
    /// From when on the resource was read.
    since: Timestamp,
    /// The record that was known to be closed before.
    after: Option<String>,
}

/// What the clocks of two functions differ by at most, and then some.
const CLOCKS: SignedDuration = SignedDuration::from_millis(500);

impl Age {
    /// Whether a record was closed that may have been open while the resource was read. The next look is younger.
    fn is_old(&mut self, status: &Status) -> bool {
        let known = status.closed == self.after;
        let closed = status.closed_at.filter(|_| !known);
        let old = closed.is_some_and(|closed| self.since < closed + CLOCKS);
        (self.since, self.after) = (Timestamp::now(), status.closed.clone());
        old
    }
}

async fn once<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    resource: &Resource,
    cause: &Cause,
    age: &mut Age,
) -> Result<Value, Failure> {
    let mut controls = enabled::<G>(&shell.settings, |control| cause.asks_for(&control.meta));
    // A sweep finishes what was begun before its control was switched off.
    if controls.is_empty() && cause.asks == Asks::Breakable {
        return Ok(answer(resource, "ignored", &[], None));
    }
    let facts_of_cause = facts::<G>(&controls);
    let observing = async {
        Ok(if controls.is_empty() {
            Ok(None)
        } else {
            adapter.observe(resource, &facts_of_cause).await
        })
    };
    let (mut observed, mut view) = try_join(observing, shell.ledger.read(&resource.arn)).await?;
    let is_old = age.is_old(&view.status);
    hear::<G>(&mut view, cause, Timestamp::now());
    let carried = take_over(shell, resource, &view)?;
    if let Some(open) = carried {
        if open.record.restores.is_some() {
            // Whoever comes by finishes it, then looks anew: what it put back is held.
            restore::finish::<G, A>(shell, adapter, open.record.clone(), &view).await?;
            return Err(Failure::LostRace(resource.arn.clone()));
        }
        // The unfinished record may be about more than this call: its controls are judged as well, even if they are off by now.
        let told = &open.record.report.told;
        let begun: Vec<_> = G::controls()
            .iter()
            .filter(|control| told.iter().any(|told| told.control == control.meta.id))
            .collect();
        let asked = |control: &&'static Control<G>| {
            let is = |one: &&'static Control<G>| one.meta.id == control.meta.id;
            controls.iter().any(is) || begun.iter().any(is)
        };
        controls = G::controls().iter().filter(asked).collect();
        let needed = facts::<G>(&controls);
        if needed != facts_of_cause {
            observed = adapter.observe(resource, &needed).await;
        }
    } else if controls.is_empty() {
        return Ok(answer(resource, "ignored", &[], None));
    }
    let carried = carried.map(|open| &open.record);
    let mut work = Work {
        shell,
        resource,
        view: &view,
        carried,
        is_old,
        unread: Vec::new(),
    };
    let gone = match &observed {
        Ok(state) => state.as_ref().is_none_or(State::is_gone),
        Err(_) => false,
    };
    if gone && carried.is_none() && cause.just_made_it(Timestamp::now()) {
        return Err(Failure::NotVisibleYet {
            resource: resource.arn.clone(),
            event: cause.event.clone(),
            time: cause.time.clone(),
        });
    }
    if matches!(&observed, Err(error) if error.kind == Kind::Denied)
        && let Some((state, denied)) = readable::<G, A>(adapter, resource, &controls).await
    {
        work.unread = controls
            .iter()
            .filter_map(|control| Unread::of(control, &denied, carried))
            .collect();
        controls.retain(|control| control.facts.iter().all(|fact| !denied.contains_key(fact)));
        observed = Ok(Some(state));
    }
    match observed {
        Ok(Some(state)) => work.judge(adapter, &state, &controls, cause).await,
        Ok(None) => work.gone(cause).await,
        Err(error) if error.kind == Kind::Denied => work.denied(&controls, cause, error).await,
        Err(error) => Err(Failure::Observe(error)),
    }
}

/// Remembers the call, if it is one whose effect AWS may not show any more.
fn hear<G: Guard>(view: &mut View, cause: &Cause, now: Timestamp) {
    if cause.asks == Asks::Breakable && G::remembers().contains(&cause.event.as_str()) {
        view.news = view.status.hear(&cause.event, cause.time.parse().unwrap_or(now), now);
    }
}

/// The controls that are not off and that the event, or an unfinished record, is about.
fn enabled<G: Guard>(settings: &Settings, wanted: impl Fn(&Control<G>) -> bool) -> Vec<&'static Control<G>> {
    G::controls()
        .iter()
        .filter(|control| settings.switch(&control.meta) != Switch::Off && wanted(control))
        .collect()
}

/// The facts that these controls need.
pub fn facts<G: Guard>(controls: &[&Control<G>]) -> BTreeSet<G::Fact> {
    controls
        .iter()
        .flat_map(|control| control.facts)
        .chain(G::always())
        .copied()
        .collect()
}

/// The open record of this resource, if there is one that nobody is at any more.
pub fn take_over<'a>(shell: &Shell, resource: &Resource, view: &'a View) -> Result<Option<&'a Open>, Failure> {
    match &view.open {
        Some(open) if open.owner != shell.owner && open.until > Timestamp::now().as_millisecond() => {
            Err(Failure::Busy {
                resource: resource.arn.clone(),
                until: open.until,
            })
        }
        open => Ok(open.as_ref()),
    }
}

/// One resource in one invocation.
struct Work<'a> {
    shell: &'a Shell,
    resource: &'a Resource,
    view: &'a View,
    carried: Option<&'a Record>,
    /// What was read of the resource may be from before a record that is closed by now.
    is_old: bool,
    /// The controls that can't be judged.
    unread: Vec<Unread>,
}

/// How far an event has come before anything is changed.
enum Beginning<G: Guard> {
    /// There is nothing to do: the answer.
    Answered(Value),
    /// The record is open.
    Begun {
        plan: Box<Plan<G>>,
        record: Box<Record>,
        status: Status,
    },
}

impl<'a> Work<'a> {
    fn circumstances(&self, tags: Option<&'a Tags>, cause: &'a Cause, now: Timestamp) -> Circumstances<'a> {
        let Self {
            shell, resource, view, ..
        } = self;
        Circumstances {
            resource,
            tags,
            settings: &shell.settings,
            cause,
            holds: &view.status.holds,
            deferred: &view.status.deferred,
            history: &view.status.remedied,
            budget_spent: false,
            now,
        }
    }

    fn scope(&self, tags: Option<&Tags>, now: Timestamp, memory: &'a Memory) -> Scope<'a> {
        let Self { shell, resource, .. } = *self;
        let (level_name, level) = shell.settings.level(tags);
        Scope {
            resource,
            settings: &shell.settings,
            level,
            level_name,
            own_role: &shell.own_role,
            region: &shell.place.region,
            now,
            memory,
        }
    }
}

impl Work<'_> {
    /// Opens the record, unless what it says may be from before another one.
    async fn open(&self, record: &Record, along: Along<'_>) -> Result<Opened, Failure> {
        let Self { shell, view, .. } = self;
        if self.is_old {
            return Err(Failure::LostRace(self.resource.arn.clone()));
        }
        let (owner, until) = (&shell.owner, shell.deadline);
        shell.ledger.open(record, owner, until, view, along).await
    }

    async fn judge<G: Guard, A: Adapter<G>>(
        &self,
        adapter: &A,
        state: &G::State,
        controls: &[&'static Control<G>],
        cause: &Cause,
    ) -> Result<Value, Failure> {
        let Self {
            resource,
            view,
            carried,
            ..
        } = self;
        let circumstances = self.circumstances(state.tags(), cause, Timestamp::now());
        let known = memory(&circumstances, &view.status, *carried);
        let scope = self.scope(state.tags(), circumstances.now, &known);
        let (plan, mut record, mut status) = match self.begin(adapter, state, controls, &scope, circumstances).await? {
            Beginning::Answered(answer) => return Ok(answer),
            Beginning::Begun { plan, record, status } => (*plan, *record, status),
        };
        let failures = apply::<G, A>(adapter, resource, &plan.remedies).await?;
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
        let scope = Scope {
            memory: &begun,
            ..scope
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
            let about: Vec<_> = enforced.iter().chain(covered).copied().collect();
            verify::<G, A>(adapter, resource, (&about, &made), &scope).await?
        };
        let told = &mut record.report.told;
        if let Some(after) = after {
            for told in &mut *told {
                settle::<G>(told, &enforced, &plan, &after, &scope, &failures);
            }
            told.extend(uncovered(controls, &plan, &after, &scope, &failures));
            (record.report.before, record.report.after) = difference(&record.prior, &json_of(&after)?);
        } else {
            let intended = told.iter_mut().filter(|told| told.outcome.is_change());
            intended.for_each(gone);
        }
        self.put_off(&mut record.report, &mut status, &failures, &plan);
        self.schedule(&mut record.report.told, &status).await?;
        let answer = self.tell(record, status).await?;
        Ok(with_not_applicable(answer, &plan))
    }

    /// Plans, decides, and opens the record where anything is to be done or told. Where the hour's budget turns out to be
    /// spent, all is decided once more, knowing that.
    async fn begin<G: Guard, A: Adapter<G>>(
        &self,
        adapter: &A,
        state: &G::State,
        controls: &[&'static Control<G>],
        scope: &Scope<'_>,
        mut circumstances: Circumstances<'_>,
    ) -> Result<Beginning<G>, Failure> {
        let Self {
            shell,
            resource,
            view,
            carried,
            ..
        } = self;
        let Circumstances { cause, now, .. } = circumstances;
        let mut asides: BTreeMap<&str, Aside> = BTreeMap::new();
        loop {
            let mut plan: Plan<G> = plan(state, controls, scope, |control, finding| {
                decide(control, finding, &circumstances)
            });
            for judged in &mut plan.findings {
                // What is left as it is disturbs nobody.
                let is_left = matches!(judged.ruling.decision, Decision::Exempt(_));
                if !is_left && !judged.finding.remedies.is_empty() {
                    let aside = match asides.entry(judged.control.id) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => {
                            new.insert(adapter.aside(resource, state, &judged.finding.remedies).await)
                        }
                    };
                    judged.finding.summary.push_str(&aside.clause);
                    judged.ruling.notes.extend_from_slice(&aside.notes);
                }
            }
            let mut told = told_of(&plan, cause.omitted);
            told.extend(self.put_right_meanwhile(&plan, now));
            told.extend(self.unread.iter().map(|unread| unread.told.clone()));
            let status = self.status_after(&plan, cause);
            if carried.is_none() {
                if told.is_empty() {
                    self.note(&status).await?;
                    log_not_applicable(resource, &plan);
                    let outcome = match (state.is_gone(), plan.compliant.is_empty()) {
                        (true, _) => "gone",
                        (false, true) => "not-applicable",
                        (false, false) => "compliant",
                    };
                    tracing::info!(resource = resource.arn, event = cause.event, outcome, "handled");
                    let answer = with_not_applicable(answer(resource, outcome, &[], None), &plan);
                    return Ok(Beginning::Answered(answer));
                }
                let reminder = shell.settings.notifications.reminder_days;
                if plan.remedies.is_empty() && told.iter().all(|one| view.status.knows(one, now, reminder)) {
                    self.schedule_hour(&mut told, &status).await;
                    self.note(&status).await?;
                    if let Some(unread) = self.unread.first() {
                        return Err(Failure::Observe(unread.error.clone()));
                    }
                    count_deferred(&plan);
                    log(resource, &told, "told before");
                    let answer = with_not_applicable(answer(resource, "told-before", &told, None), &plan);
                    return Ok(Beginning::Answered(answer));
                }
            }
            merge_intentions(&mut told, *carried, state.is_gone(), |control| plan.clears(control));
            let prior = merged(&json_of(state)?, carried.map(|record| &record.prior));
            let mut record = self.record(cause, told, prior, state.tags());
            record.remedies = remedies_of(&plan, *carried)?;
            let limit = shell.settings.budget.disruptive_per_hour;
            let draw = limit.filter(|_| plan.disturbs() && !record.drawn);
            record.drawn |= draw.is_some();
            match self.open(&record, draw.map_or(Along::Nothing, Along::Draw)).await? {
                Opened::Yes => {
                    log_not_applicable(resource, &plan);
                    count_deferred(&plan);
                    let (plan, record) = (Box::new(plan), Box::new(record));
                    return Ok(Beginning::Begun { plan, record, status });
                }
                Opened::BudgetSpent => circumstances.budget_spent = true,
            }
        }
    }
}

fn log_not_applicable<G: Guard>(resource: &Resource, plan: &Plan<G>) {
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
