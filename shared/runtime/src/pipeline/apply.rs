//! Making the changes, and reading again what came of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::SignedDuration;
use portcullis_core::{Change, Control, ControlResult, JudgeContext, Outcome, Plan, Resource, ResourceType, State};
use serde_json::{Map, Value};

use super::observe::facts;
use crate::adapter::{Adapter, Bound, ChangeOf};
use crate::error::{AwsError, Failure, Kind};
use crate::ledger::json_of;

/// Pauses before reading again what was just written: S3's bucket configurations are eventually consistent.
pub const VERIFY_PAUSES: [Duration; 3] = [
    Duration::from_millis(150),
    Duration::from_millis(600),
    Duration::from_millis(1_500),
];

/// Makes the changes, lane by lane at the same time; yields what went wrong, by target. A document is written only over the one that
/// was `judged`.
pub async fn apply<A: Adapter>(
    bound: &Bound<A>,
    resource: &Resource,
    judged: &A::State,
    remedies: &[ChangeOf<A>],
) -> Result<BTreeMap<Cow<'static, str>, AwsError>, Failure> {
    let mut lanes: BTreeMap<u8, Vec<&ChangeOf<A>>> = BTreeMap::new();
    for remedy in remedies {
        lanes.entry(remedy.concurrency_group()).or_default().push(remedy);
    }
    let run = lanes.into_values().map(|lane| async move {
        let mut failures = Vec::new();
        for remedy in lane {
            let made = match unchanged(bound, resource, judged, remedy).await {
                Ok(()) => bound.adapter.execute(resource, remedy).await,
                Err(error) => Err(error),
            };
            if let Err(error) = made {
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

/// Reads again what a document is to be written over: where it is not what was judged, somebody wrote it meanwhile.
async fn unchanged<A: Adapter>(
    bound: &Bound<A>,
    resource: &Resource,
    judged: &A::State,
    change: &ChangeOf<A>,
) -> Result<(), AwsError> {
    if !change.replaces_document() {
        return Ok(());
    }
    let Some(now) = bound
        .adapter
        .observe(resource, &BTreeSet::from([change.fact()]))
        .await?
    else {
        return Ok(());
    };
    // What the change leaves of both states is what it does not write: only that may differ.
    let comparable = bound.typed.resource_type.comparable;
    let text = |state: &A::State| json_of(&comparable(state)).unwrap_or_default();
    let (was, is, will) = (
        meaning(text(judged)),
        meaning(text(&now)),
        meaning(text(&change.after(&now))),
    );
    let (written, _) = difference(&is, &will, &names(&will));
    let meanwhile = names(&written).into_iter().find(|fact| was.get(fact) != is.get(fact));
    match meanwhile {
        None => Ok(()),
        Some(fact) => Err(AwsError {
            operation: "the read before the write",
            code: "changed meanwhile".into(),
            message: format!("expected its {fact} as it was judged, found another one"),
            kind: Kind::Conflict,
        }),
    }
}

/// Controls whose facts are read again, and those among them whose changes were all made.
type Expected<'a, S> = (&'a [&'static Control<S>], &'a [&'static Control<S>]);

/// Reads again what was changed, until it is as it should be or patience ends; none where it is gone by now.
pub(super) async fn verify<A: Adapter>(
    bound: &Bound<A>,
    resource: &Resource,
    plan: &Plan<A::State>,
    (about, made): Expected<'_, A::State>,
    judge_context: &JudgeContext<'_>,
) -> Result<Option<A::State>, Failure> {
    let mut pauses = VERIFY_PAUSES.into_iter();
    loop {
        let read = bound.adapter.observe(resource, &facts(bound.typed, about)).await;
        match (read, pauses.next()) {
            (Ok(None), _) => return Ok(None),
            (Ok(Some(state)), pause) => {
                // What takes longer by AWS's own account is not waited for here.
                let waited_for = made.iter().filter(|control| patience(plan, control.meta.id).is_none());
                let holds = waited_for.copied().all(|control| {
                    let is_intended = differing(bound.typed.resource_type, plan, control.meta.id, &state).is_none();
                    is_intended && (control.judge)(&state, judge_context).finding().is_none()
                });
                if holds || pause.is_none() {
                    return Ok(Some(state));
                }
                tokio::time::sleep(pause.unwrap_or_default()).await;
            }
            (Err(error), Some(pause)) if error.kind.is_passing() => tokio::time::sleep(pause).await,
            // Not known is neither right nor wrong: the record stays open for whoever comes next.
            (Err(error), _) => {
                return Err(Failure::Unverified {
                    resource: resource.arn.clone(),
                    why: error.to_string(),
                });
            }
        }
    }
}

/// The changes that are made for a control. Where another one's replaces its own, that one stands for both.
fn made_for<'a, S: State>(plan: &'a Plan<S>, control: &str) -> impl Iterator<Item = &'a S::Change> {
    let judged = plan.findings.iter().filter(|judged| judged.control.id == control);
    let targets: BTreeSet<_> = judged
        .flat_map(|judged| &judged.finding.remedies)
        .map(Change::target)
        .collect();
    plan.remedies
        .iter()
        .filter(move |remedy| targets.contains(&remedy.target()))
}

/// How long AWS may take to show a control's changes, where that is more than minutes.
fn patience<S: State>(plan: &Plan<S>, control: &str) -> Option<SignedDuration> {
    made_for(plan, control).filter_map(Change::settles).max()
}

/// What a state says, whatever its spelling: services reorder, reformat and shorten the documents that they are given.
fn meaning(value: Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(document @ (Value::Object(_) | Value::Array(_))) => meaning(document),
            _ => Value::String(text),
        },
        Value::Array(mut list) if list.len() == 1 => meaning(list.remove(0)),
        Value::Array(list) => {
            let mut list: Vec<_> = list.into_iter().map(meaning).collect();
            list.sort_by_key(ToString::to_string);
            Value::Array(list)
        }
        Value::Object(map) => {
            let mut map: Vec<_> = map.into_iter().map(|(name, one)| (name, meaning(one))).collect();
            map.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Object(map.into_iter().collect())
        }
        other => other,
    }
}

/// Whether two states mean the same, but for what AWS changes by itself.
pub fn is_same<S: State>(resource_type: &ResourceType<S>, one: &S, other: &S) -> bool {
    let text = |state: &S| {
        json_of(&(resource_type.comparable)(state))
            .map(meaning)
            .unwrap_or_default()
    };
    one == other || text(one) == text(other)
}

/// What of a control's changes is not as it was set, by fact; none where all of it is.
fn differing<S: State>(resource_type: &ResourceType<S>, plan: &Plan<S>, control: &str, after: &S) -> Option<String> {
    let intended = made_for(plan, control).fold(after.clone(), |state, change| change.after(&state));
    let comparable = resource_type.comparable;
    let (intended, after) = (comparable(&intended), comparable(after));
    if intended == after {
        return None;
    }
    let (intended, after) = (meaning(json_of(&intended).ok()?), meaning(json_of(&after).ok()?));
    if intended == after {
        return None;
    }
    let (facts, _) = difference(&intended, &after, &names(&after));
    Some(names(&facts).into_iter().collect::<Vec<_>>().join(", "))
}

/// Whether a change that a control asked for was refused.
pub(super) fn has_failed<S: State>(
    plan: &Plan<S>,
    control: &str,
    failures: &BTreeMap<Cow<'static, str>, AwsError>,
) -> bool {
    !refusals(plan, control, failures).is_empty()
}

/// What AWS said to the changes of a control that it refused.
fn refusals<S: State>(
    plan: &Plan<S>,
    control: &str,
    failures: &BTreeMap<Cow<'static, str>, AwsError>,
) -> BTreeSet<String> {
    let judged = plan.findings.iter().filter(|judged| judged.control.id == control);
    let targets = judged.flat_map(|judged| &judged.finding.remedies).map(Change::target);
    targets
        .filter_map(|target| failures.get(&target))
        .map(ToString::to_string)
        .collect()
}

/// What came of an intention, as AWS shows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is as it should be, or nothing was intended.
    Right,
    /// All of it was accepted, and it isn't shown yet.
    NotYet {
        /// What is still so.
        why: String,
        /// How long that may take, where it is more than minutes.
        patience: Option<SignedDuration>,
    },
    /// A part of it was refused: the result says so.
    Refused,
}

/// Compares an intention with what AWS shows. What is still wrong is told in the words of what was read last.
pub(super) fn settle<S: State>(
    told: &mut ControlResult,
    enforced: &[&'static Control<S>],
    resource_type: &ResourceType<S>,
    plan: &Plan<S>,
    after: &S,
    judge_context: &JudgeContext<'_>,
    failures: &BTreeMap<Cow<'static, str>, AwsError>,
) -> Shown {
    let Some(control) = enforced.iter().find(|control| control.meta.id == told.control) else {
        return Shown::Right;
    };
    let still = (control.judge)(after, judge_context).finding();
    let refused = refusals(plan, control.meta.id, failures);
    let why = match &still {
        Some(still) => format!("after the change, read again, it still {}", still.summary.is),
        None if !refused.is_empty() => String::new(),
        None => match differing(resource_type, plan, control.meta.id, after) {
            None => return Shown::Right,
            Some(facts) => format!("after the change, read again, it is not as it was set ({facts})"),
        },
    };
    let was = mem::take(&mut told.was);
    if let Some(still) = still {
        let judged = plan.findings.iter().find(|judged| judged.control.id == told.control);
        let is_raised = judged.is_some_and(|judged| told.severity > judged.finding.severity);
        told.severity = if is_raised {
            still.severity.raised()
        } else {
            still.severity
        };
        told.summary = still.summary.is;
    }
    if refused.is_empty() {
        told.was = was;
        let patience = patience(plan, control.meta.id);
        return Shown::NotYet { why, patience };
    }
    let refused = refused.into_iter().collect::<Vec<_>>().join("; ");
    let ends = why.is_empty();
    told.turn(Outcome::Failed, refused);
    if ends {
        // What was wrong is so no more, though not all was done that should have been.
        told.was = was;
        told.notes
            .push("a part of the change was refused: what was wrong is so no more, and the rest was not done".into());
    }
    Shown::Refused
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

/// The names of the facts of a state.
pub fn names(state: &Value) -> BTreeSet<String> {
    let facts = state.as_object().into_iter().flatten();
    facts.map(|(fact, _)| fact.clone()).collect()
}

/// Those of some facts that differ, before and after.
pub fn difference(before: &Value, after: &Value, of: &BTreeSet<String>) -> (Value, Value) {
    let (mut was, mut is) = (Map::new(), Map::new());
    let facts = after.as_object().into_iter().flatten();
    for (fact, now) in facts.filter(|(fact, _)| of.contains(*fact)) {
        let then = before.get(fact).unwrap_or(&Value::Null);
        if then != now {
            was.insert(fact.clone(), then.clone());
            is.insert(fact.clone(), now.clone());
        }
    }
    (Value::Object(was), Value::Object(is))
}
