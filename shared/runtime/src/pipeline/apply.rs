//! Making the changes, and reading again what came of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_core::{Change, Control, ControlResult, JudgeContext, Outcome, Plan, Resource, State};
use serde_json::{Map, Value};

use super::observe::facts;
use crate::adapter::{Adapter, Bound, ChangeOf};
use crate::error::{AwsError, Failure, Kind};

/// Pauses before reading again what was just written: S3's bucket configurations are eventually consistent.
const VERIFY_PAUSES: [Duration; 3] = [
    Duration::from_millis(150),
    Duration::from_millis(600),
    Duration::from_millis(1_500),
];

/// Makes the changes, lane by lane at the same time; yields what went wrong, by target.
pub async fn apply<A: Adapter>(
    bound: &Bound<A>,
    resource: &Resource,
    remedies: &[ChangeOf<A>],
) -> Result<BTreeMap<Cow<'static, str>, AwsError>, Failure> {
    let mut lanes: BTreeMap<u8, Vec<&ChangeOf<A>>> = BTreeMap::new();
    for remedy in remedies {
        lanes.entry(remedy.concurrency_group()).or_default().push(remedy);
    }
    let run = lanes.into_values().map(|lane| async move {
        let mut failures = Vec::new();
        for remedy in lane {
            if let Err(error) = bound.adapter.execute(resource, remedy).await {
                // What somebody else changed is read again: what was to follow may not be right any more.
                let lost = error.kind == Kind::Conflict;
                failures.push((remedy.target(), error));
                if lost {
                    break;
                }
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

/// Controls whose facts are read again, and those among them that have to hold then.
type Expected<'a, S> = (&'a [&'static Control<S>], &'a [&'static Control<S>]);

/// Reads again what was changed, until it is as it should be or patience ends; none where it is gone by now.
pub(super) async fn verify<A: Adapter>(
    bound: &Bound<A>,
    resource: &Resource,
    (about, made): Expected<'_, A::State>,
    judge_context: &JudgeContext<'_>,
) -> Result<Option<A::State>, Failure> {
    let mut pauses = VERIFY_PAUSES.into_iter();
    loop {
        let read = bound.adapter.observe(resource, &facts(bound.typed, about)).await;
        match (read, pauses.next()) {
            (Ok(None), _) => return Ok(None),
            (Ok(Some(state)), pause) => {
                let holds = made
                    .iter()
                    .all(|control| (control.judge)(&state, judge_context).finding().is_none());
                if holds || pause.is_none() {
                    return Ok(Some(state));
                }
                tokio::time::sleep(pause.unwrap_or_default()).await;
            }
            (Err(error), Some(pause)) if error.kind.is_passing() => tokio::time::sleep(pause).await,
            // Not known is neither right nor wrong: the record stays open for whoever comes next.
            (Err(error), _) => return Err(Failure::Unverified(error)),
        }
    }
}

/// Whether a change that a control asked for was refused.
pub(super) fn has_failed<S: State>(
    plan: &Plan<S>,
    control: &str,
    failures: &BTreeMap<Cow<'static, str>, AwsError>,
) -> bool {
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
pub(super) fn settle<S: State>(
    told: &mut ControlResult,
    enforced: &[&'static Control<S>],
    plan: &Plan<S>,
    after: &S,
    judge_context: &JudgeContext<'_>,
    failures: &BTreeMap<Cow<'static, str>, AwsError>,
) {
    let Some(control) = enforced.iter().find(|control| control.meta.id == told.control) else {
        return;
    };
    let judged = plan.findings.iter().find(|judged| judged.control.id == told.control);
    // Half a quarantine may end the exposure, and is none.
    let half = told.outcome == Outcome::Quarantined && has_failed(plan, control.meta.id, failures);
    let still = match (control.judge)(after, judge_context).finding() {
        Some(still) => still.summary.is,
        None if half => String::new(),
        None => return,
    };
    let targets = judged
        .into_iter()
        .flat_map(|judged| &judged.finding.remedies)
        .map(Change::target);
    let reasons: BTreeSet<_> = targets
        .filter_map(|target| failures.get(&target))
        .map(ToString::to_string)
        .collect();
    let why = if reasons.is_empty() {
        format!("after the change, read again, it still {still}")
    } else {
        reasons.into_iter().collect::<Vec<_>>().join("; ")
    };
    told.turn(Outcome::Failed, why);
}

/// What would have been put right by another control's remedy, and is still wrong since that failed.
pub(super) fn uncovered<S: State>(
    controls: &[&'static Control<S>],
    plan: &Plan<S>,
    after: &S,
    judge_context: &JudgeContext<'_>,
    failures: &BTreeMap<Cow<'static, str>, AwsError>,
) -> Vec<ControlResult> {
    let why = failures
        .values()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ");
    let still = controls.iter().filter_map(|control| {
        let (meta, finding) = plan.covered.iter().find(|(meta, _)| meta.id == control.meta.id)?;
        let still = (control.judge)(after, judge_context).finding()?;
        Some(ControlResult {
            why: why.clone(),
            ..ControlResult::new(meta.id, finding.severity, Outcome::Failed, still.summary.is)
        })
    });
    let failed = !failures.is_empty();
    still.filter(|_| failed).collect()
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
