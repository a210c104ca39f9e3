//! The one pipeline: observe, judge, decide, record, apply, verify, notify.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join_all, try_join};
use jiff::Timestamp;
use portcullis_core::settings::Switch;
use portcullis_core::{
    Cause, Control, Decision, Guard, Memory, Outcome, Plan, Remedy, Report, Resource, Scope, Settings, State, Told,
    decide, plan,
};
use serde_json::{Map, Value, json};

use crate::adapter::Adapter;
use crate::error::{AwsError, Failure, Kind};
use crate::ledger::{Ledger, Open, Record, Status, View};
use crate::metrics;
use crate::topic::Topic;

/// How often a change that somebody else's crossed is begun again from the read.
const ATTEMPTS: u32 = 4;
/// Pauses before reading again what was just written: S3's bucket configurations are eventually consistent.
const VERIFY_PAUSES: [Duration; 3] = [
    Duration::from_millis(150),
    Duration::from_millis(600),
    Duration::from_millis(1_500),
];

/// How the summary begins of what could not even be looked at.
const UNJUDGED: &str = "can't be judged";

/// What all resources of one invocation share.
pub struct Shell {
    pub ledger: Ledger,
    pub topic: Topic,
    pub settings: Arc<Settings>,
    pub own_role: String,
    pub function: String,
    /// The Lambda request: the owner of what it opens. Lambda's own retries keep it.
    pub request: String,
    /// When Lambda will stop this invocation, in Unix milliseconds: the end of its leases.
    pub deadline: i64,
}

/// Takes one resource through the pipeline.
pub async fn process<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    resource: &Resource,
    cause: &Cause,
) -> Result<Value, Failure> {
    for attempt in 1..=ATTEMPTS {
        match once::<G, A>(shell, adapter, resource, cause).await {
            Err(Failure::LostRace(_)) if attempt < ATTEMPTS => {
                tracing::info!(
                    resource = resource.arn,
                    attempt,
                    "changed by somebody else meanwhile: reading again"
                );
                tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 200)).await;
            }
            // Whatever went wrong after the record was opened, the retry must find it free.
            Err(failure @ (Failure::LostRace(_) | Failure::Notify(_))) => {
                shell.ledger.release(&resource.arn, &shell.request).await;
                return Err(failure);
            }
            other => return other,
        }
    }
    Err(Failure::LostRace(resource.arn.clone()))
}

async fn once<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    resource: &Resource,
    cause: &Cause,
) -> Result<Value, Failure> {
    let mut controls = enabled::<G>(&shell.settings, |control| cause.asks_for(&control.meta));
    if controls.is_empty() {
        return Ok(answer(resource, "ignored", &[], None));
    }
    let observing = async { Ok(adapter.observe(resource, &facts::<G>(&controls)).await) };
    let (observed, view) = try_join(observing, shell.ledger.read(&resource.arn)).await?;
    let carried = take_over(shell, resource, &view)?;
    let mut observed = observed;
    if let Some(open) = carried {
        // The unfinished record may be about more than this call: its controls are judged as well.
        let ids: BTreeSet<_> = open
            .record
            .report
            .told
            .iter()
            .map(|told| told.control.as_str())
            .collect();
        let read = facts::<G>(&controls);
        controls = enabled::<G>(&shell.settings, |control| {
            cause.asks_for(&control.meta) || ids.contains(control.meta.id)
        });
        let needed = facts::<G>(&controls);
        if needed != read {
            observed = adapter.observe(resource, &needed).await;
        }
    }
    let carried = carried.map(|open| &open.record);
    let work = Work {
        shell,
        resource,
        view: &view,
        carried,
    };
    match observed {
        Ok(Some(state)) => work.judge(adapter, &state, &controls, cause).await,
        Ok(None) => work.gone(cause).await,
        Err(error) if error.kind == Kind::Denied => work.denied(&controls, cause, error).await,
        Err(error) => Err(Failure::Observe(error)),
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
        Some(open) if open.owner != shell.request && open.until > Timestamp::now().as_millisecond() => {
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
}

impl Work<'_> {
    async fn judge<G: Guard, A: Adapter<G>>(
        &self,
        adapter: &A,
        state: &G::State,
        controls: &[&'static Control<G>],
        cause: &Cause,
    ) -> Result<Value, Failure> {
        let Self {
            shell,
            resource,
            view,
            carried,
        } = self;
        let now = Timestamp::now();
        let (level_name, level) = shell.settings.level(state.tags());
        let known = memory(&view.status, *carried);
        let scope = Scope {
            resource,
            settings: &shell.settings,
            level,
            level_name,
            own_role: &shell.own_role,
            now,
            memory: &known,
        };
        let plan: Plan<G> = plan(state, controls, &scope, |control, finding| {
            decide(control, finding, resource, &shell.settings, &view.status.holds, now)
        });
        for (control, why) in &plan.not_applicable {
            tracing::info!(
                resource = resource.arn,
                control,
                why,
                outcome = "not-applicable",
                "judged"
            );
        }
        let mut told = told_of(&plan, cause.omitted);
        if carried.is_none() {
            if told.is_empty() {
                self.forget(&plan).await?;
                tracing::info!(
                    resource = resource.arn,
                    event = cause.event,
                    outcome = "compliant",
                    "handled"
                );
                return Ok(answer(resource, "compliant", &[], None));
            }
            let reminder = shell.settings.notifications.reminder_days;
            if plan.remedies.is_empty() && told.iter().all(|one| view.status.knows(one, now, reminder)) {
                self.forget(&plan).await?;
                log(resource, &told, "told before");
                return Ok(answer(resource, "told-before", &told, None));
            }
        }
        merge_intentions(&mut told, *carried, |control| plan.clears(control));
        let prior = merged(&json_of(state)?, carried.map(|record| &record.prior));
        let mut record = self.record(cause, told, prior, state.tags());
        record.remedies = remedies_of(&plan, *carried)?;
        shell.ledger.open(&record, &shell.request, shell.deadline, view).await?;

        let failures = apply::<G, A>(adapter, resource, &plan.remedies).await?;
        let enforced: Vec<_> = plan
            .findings
            .iter()
            .filter(|judged| judged.decision == Decision::Enforce)
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
            state.clone()
        } else {
            // Waiting helps only where the change was made.
            let made: Vec<_> = enforced
                .iter()
                .copied()
                .filter(|control| !has_failed(&plan, control.meta.id, &failures))
                .collect();
            verify::<G, A>(adapter, resource, (&enforced, &made), &scope, state, &plan.after).await?
        };
        for told in &mut record.report.told {
            settle::<G>(told, &enforced, &plan, &after, &scope, &failures);
        }
        (record.report.before, record.report.after) = difference(&record.prior, &json_of(&after)?);
        self.tell(record, self.without_compliant(&plan)).await
    }

    /// Sends the alert, then closes the record: an alert that did not leave keeps it open.
    async fn tell(&self, record: Record, mut status: Status) -> Result<Value, Failure> {
        let Self {
            shell, resource, view, ..
        } = self;
        let now = Timestamp::now();
        let report = &record.report;
        // A failure that was told, and fails again in its retry, does not wake anybody twice.
        let reminder = shell.settings.notifications.reminder_days;
        if !report.told.iter().all(|one| view.status.knows(one, now, reminder)) {
            shell
                .topic
                .publish(report, &shell.function)
                .await
                .map_err(Failure::Notify)?;
        }
        status.note(&report.told, &report.ledger_id, now);
        shell
            .ledger
            .close(&record, &shell.request, &status, shell.settings.ledger.retention_days)
            .await?;
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

    /// The resource is no more. Only an unfinished record of it has to be told.
    async fn gone(&self, cause: &Cause) -> Result<Value, Failure> {
        let Self {
            shell,
            resource,
            view,
            carried,
        } = self;
        let Some(carried) = carried else {
            tracing::info!(
                resource = resource.arn,
                event = cause.event,
                outcome = "gone",
                "handled"
            );
            return Ok(answer(resource, "gone", &[], None));
        };
        let mut record = (*carried).clone();
        for told in &mut record.report.told {
            told.outcome = Outcome::Gone;
            told.why = "it was deleted before the outcome could be verified".into();
        }
        shell.ledger.open(&record, &shell.request, shell.deadline, view).await?;
        self.tell(record, view.status.clone()).await
    }

    /// A read was refused: unknown is not compliant, so it is told.
    async fn denied<G: Guard>(
        &self,
        controls: &[&'static Control<G>],
        cause: &Cause,
        error: AwsError,
    ) -> Result<Value, Failure> {
        let Self {
            shell, view, carried, ..
        } = self;
        let told = controls.iter().map(|control| Told {
            control: control.meta.id.into(),
            severity: control.meta.severity,
            outcome: Outcome::Failed,
            summary: format!("{UNJUDGED}: {} was denied", error.operation),
            change: String::new(),
            why: error.to_string(),
        });
        let told: Vec<_> = told.collect();
        let reminder = shell.settings.notifications.reminder_days;
        let now = Timestamp::now();
        if carried.is_none() && told.iter().all(|one| view.status.knows(one, now, reminder)) {
            return Err(Failure::Observe(error));
        }
        let prior = carried.map_or(Value::Null, |record| record.prior.clone());
        let mut record = self.record(cause, told, prior, None);
        record.remedies = carried.map(|record| record.remedies.clone()).unwrap_or_default();
        shell.ledger.open(&record, &shell.request, shell.deadline, view).await?;
        self.tell(record, view.status.clone()).await
    }

    /// What was wrong and is not any more is forgotten, so that its return is told.
    async fn forget<G: Guard>(&self, plan: &Plan<G>) -> Result<(), Failure> {
        let status = self.without_compliant(plan);
        if status == self.view.status {
            return Ok(());
        }
        self.shell.ledger.note(&self.resource.arn, self.view, &status).await
    }

    fn without_compliant<G: Guard>(&self, plan: &Plan<G>) -> Status {
        let mut status = self.view.status.clone();
        status.told.retain(|control, _| !plan.clears(control));
        status
    }

    fn record(&self, cause: &Cause, told: Vec<Told>, prior: Value, tags: Option<&portcullis_core::Tags>) -> Record {
        let carried = self.carried.map(|record| &record.report);
        // An unfinished record keeps its id and its event: who opened the hole matters, not who came by later.
        let report = carried.map_or_else(
            || Report {
                ledger_id: uuid::Uuid::now_v7().to_string(),
                resource: self.resource.clone(),
                event: cause.event.clone(),
                event_id: cause.id.clone(),
                event_time: cause.time.clone(),
                parameters_omitted: cause.omitted,
                actor: cause.actor.clone(),
                told: Vec::new(),
                before: json!({}),
                after: json!({}),
                managed_by: cause.managed_by(tags),
            },
            Clone::clone,
        );
        Record {
            report: Report { told, ..report },
            prior,
            remedies: Vec::new(),
            restores: None,
            opened: self.carried.map_or_else(Timestamp::now, |record| record.opened),
        }
    }
}

/// What the ledger knows of a resource when it is judged.
fn memory(status: &Status, carried: Option<&Record>) -> Memory {
    let begun = carried.into_iter().flat_map(|record| &record.report.told);
    Memory {
        violated: status
            .told
            .iter()
            .filter(|(_, last)| !last.summary.starts_with(UNJUDGED))
            .map(|(control, _)| control.clone())
            .collect(),
        begun: begun
            .filter(|told| matches!(told.outcome, Outcome::Remediated | Outcome::Quarantined))
            .map(|told| told.control.clone())
            .collect(),
    }
}

/// What the findings come to, if all goes well.
fn told_of<G: Guard>(plan: &Plan<G>, omitted: bool) -> Vec<Told> {
    let told = plan.findings.iter().map(|judged| {
        let finding = &judged.finding;
        let (outcome, why) = match &judged.decision {
            Decision::Enforce if finding.quarantine => (Outcome::Quarantined, String::new()),
            Decision::Enforce => (Outcome::Remediated, String::new()),
            Decision::Notify(why) => (Outcome::WouldRemediate, why.clone()),
            Decision::Exempt(why) => (Outcome::Exempt, why.clone()),
        };
        Told {
            control: judged.control.id.into(),
            severity: if omitted {
                finding.severity.raised()
            } else {
                finding.severity
            },
            outcome,
            summary: finding.summary.clone(),
            change: finding.change.clone(),
            why,
        }
    });
    told.collect()
}

/// Adds what an unfinished record had set out to do and what now holds: it was done, but not told.
fn merge_intentions(told: &mut Vec<Told>, carried: Option<&Record>, clears: impl Fn(&str) -> bool) {
    for intended in carried.into_iter().flat_map(|record| &record.report.told) {
        if clears(&intended.control) {
            let mut intended = intended.clone();
            if !matches!(intended.outcome, Outcome::Remediated | Outcome::Quarantined) {
                intended.outcome = Outcome::Compliant;
                intended.why = "it was put right meanwhile, not by this function".into();
            }
            told.push(intended);
        }
    }
}

/// The plan's remedies, and those of an unfinished record that the plan need not repeat.
fn remedies_of<G: Guard>(plan: &Plan<G>, carried: Option<&Record>) -> Result<Vec<Value>, Failure> {
    let mut remedies = Vec::new();
    for earlier in carried.into_iter().flat_map(|record| &record.remedies) {
        let remedy: G::Remedy =
            serde_json::from_value(earlier.clone()).map_err(|error| Failure::LedgerRecord(error.to_string()))?;
        if !plan.remedies.iter().any(|planned| planned.target() == remedy.target()) {
            remedies.push(earlier.clone());
        }
    }
    for remedy in &plan.remedies {
        remedies.push(json_of(remedy)?);
    }
    Ok(remedies)
}

/// Makes the changes, lane by lane at the same time; yields what went wrong, by target.
pub async fn apply<G: Guard, A: Adapter<G>>(
    adapter: &A,
    resource: &Resource,
    remedies: &[G::Remedy],
) -> Result<BTreeMap<Cow<'static, str>, AwsError>, Failure> {
    let mut lanes: BTreeMap<u8, Vec<&G::Remedy>> = BTreeMap::new();
    for remedy in remedies {
        lanes.entry(remedy.lane()).or_default().push(remedy);
    }
    let run = lanes.into_values().map(|lane| async move {
        let mut failures = Vec::new();
        for remedy in lane {
            if let Err(error) = adapter.execute(resource, remedy).await {
                failures.push((remedy.target(), error));
            }
        }
        failures
    });
    let failures: BTreeMap<_, _> = join_all(run).await.into_iter().flatten().collect();
    if failures.values().any(|error| error.kind == Kind::Conflict) {
        return Err(Failure::LostRace(resource.arn.clone()));
    }
    Ok(failures)
}

/// Reads again what was changed, until it is as it should be or patience ends.
async fn verify<G: Guard, A: Adapter<G>>(
    adapter: &A,
    resource: &Resource,
    (enforced, made): (&[&'static Control<G>], &[&'static Control<G>]),
    scope: &Scope<'_>,
    before: &G::State,
    wanted: &G::State,
) -> Result<G::State, Failure> {
    let mut pauses = VERIFY_PAUSES.into_iter();
    loop {
        let read = adapter.observe(resource, &facts::<G>(enforced)).await;
        match (read, pauses.next()) {
            (Ok(None), _) => return Ok(wanted.clone()),
            (Ok(Some(state)), pause) => {
                let holds = made
                    .iter()
                    .all(|control| (control.judge)(&state, scope).finding().is_none());
                if holds || pause.is_none() {
                    return Ok(state);
                }
                tokio::time::sleep(pause.unwrap_or_default()).await;
            }
            (Err(error), Some(pause)) if error.kind.is_passing() => tokio::time::sleep(pause).await,
            (Err(error), _) => {
                tracing::error!(resource = resource.arn, %error, "can't verify");
                return Ok(before.clone());
            }
        }
    }
}

/// Whether a change that a control asked for was refused.
fn has_failed<G: Guard>(plan: &Plan<G>, control: &str, failures: &BTreeMap<Cow<'static, str>, AwsError>) -> bool {
    let mut judged = plan.findings.iter().filter(|judged| judged.control.id == control);
    judged.any(|judged| {
        judged
            .finding
            .remedies
            .iter()
            .any(|remedy| failures.contains_key(&remedy.target()))
    })
}

/// Turns an intention into what came of it.
fn settle<G: Guard>(
    told: &mut Told,
    enforced: &[&'static Control<G>],
    plan: &Plan<G>,
    after: &G::State,
    scope: &Scope<'_>,
    failures: &BTreeMap<Cow<'static, str>, AwsError>,
) {
    let Some(control) = enforced.iter().find(|control| control.meta.id == told.control) else {
        return;
    };
    let judged = plan.findings.iter().find(|judged| judged.control.id == told.control);
    // Half a quarantine may end the exposure, and is none.
    let half = told.outcome == Outcome::Quarantined && has_failed(plan, control.meta.id, failures);
    let still = match (control.judge)(after, scope).finding() {
        Some(still) => still.summary,
        None if half => String::new(),
        None => return,
    };
    let targets = judged
        .into_iter()
        .flat_map(|judged| &judged.finding.remedies)
        .map(Remedy::target);
    let reasons: BTreeSet<_> = targets
        .filter_map(|target| failures.get(&target))
        .map(ToString::to_string)
        .collect();
    told.outcome = Outcome::Failed;
    told.why = if reasons.is_empty() {
        format!("after the change, read again, it still {still}")
    } else {
        reasons.into_iter().collect::<Vec<_>>().join("; ")
    };
}

/// The facts that differ, before and after.
pub fn difference(before: &Value, after: &Value) -> (Value, Value) {
    let (mut was, mut is) = (Map::new(), Map::new());
    for (fact, now) in after.as_object().into_iter().flatten() {
        let then = before.get(fact).unwrap_or(&Value::Null);
        if then != now {
            was.insert(fact.clone(), then.clone());
            is.insert(fact.clone(), now.clone());
        }
    }
    (Value::Object(was), Value::Object(is))
}

/// A state as read now, with what an unfinished record knows from before its changes.
fn merged(state: &Value, earlier: Option<&Value>) -> Value {
    let mut merged = state.clone();
    if let (Some(merged), Some(earlier)) = (merged.as_object_mut(), earlier.and_then(Value::as_object)) {
        merged.extend(earlier.clone());
    }
    merged
}

pub fn json_of(value: &impl serde::Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::LedgerRecord(error.to_string()))
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
            portcullis_core::alert::clean(&one.summary)
        );
        metrics::finding(&one.control, one.outcome, one.severity);
    }
}

/// What the function answers of one resource.
pub fn answer(resource: &Resource, outcome: &str, told: &[Told], record: Option<&str>) -> Value {
    let controls: BTreeMap<_, _> = told
        .iter()
        .map(|told| (told.control.as_str(), told.outcome.to_string()))
        .collect();
    json!({"resource": resource.arn, "outcome": outcome, "controls": controls, "record": record})
}

#[cfg(test)]
mod tests {
    use portcullis_core::Severity;

    use super::*;

    #[test]
    fn the_ledger_remembers_what_was_violated_and_not_what_could_not_be_seen() {
        let told = |control: &str, outcome, summary: &str| Told {
            control: control.into(),
            severity: Severity::High,
            outcome,
            summary: summary.into(),
            change: String::new(),
            why: String::new(),
        };
        let mut status = Status::default();
        let all = [
            told("left", Outcome::WouldRemediate, "is open"),
            told("restored", Outcome::Restored, "is again as before"),
            told("exempt", Outcome::Exempt, "is open"),
            told("fixed", Outcome::Remediated, "was open"),
            told("unseen", Outcome::Failed, "can't be judged: DescribeKey was denied"),
        ];
        status.note(&all, "r-1", Timestamp::UNIX_EPOCH);
        let known = memory(&status, None);
        assert_eq!(
            known.violated.iter().collect::<Vec<_>>(),
            ["exempt", "left", "restored"]
        );
        assert!(known.begun.is_empty());
    }
}
