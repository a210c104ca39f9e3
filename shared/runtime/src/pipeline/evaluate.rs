//! Looking without acting: what AWS Config asks a rule. No record, no alert.

use futures_util::future::try_join;
use jiff::Timestamp;
use portcullis_core::{Cause, Decision, Plan, Resource, State, decide, plan};

use super::observe::{enabled, facts};
use super::record::history;
use super::work::Work;
use crate::adapter::{Adapter, Bound};
use crate::error::Failure;
use crate::invocation::Invocation;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evaluation {
    /// The resource is no more.
    Gone,
    /// None of the controls can be asked of it.
    NotApplicable,
    /// All controls hold.
    Compliant,
    /// What is wrong, by control.
    Violated(Vec<(&'static str, String)>),
}

/// Reads and judges one resource.
pub async fn evaluate<A: Adapter>(
    invocation: &Invocation,
    bound: &Bound<A>,
    resource: &Resource,
    cause: &Cause,
) -> Result<Evaluation, Failure> {
    let controls = enabled(bound.typed, &invocation.settings, |control| {
        cause.selects(&control.meta)
    });
    if controls.is_empty() {
        return Ok(Evaluation::NotApplicable);
    }
    let needed = facts(bound.typed, &controls);
    let observing = async { bound.adapter.observe(resource, &needed).await.map_err(Failure::Observe) };
    let (observed, view) = try_join(observing, invocation.ledger.read(&resource.arn)).await?;
    let Some(state) = observed else {
        return Ok(Evaluation::Gone);
    };
    let work = Work {
        invocation,
        resource,
        view: &view,
        carried: None,
        is_old: false,
        unread: Vec::new(),
    };
    let decision_context = work.decision_context(state.tags(), cause, Timestamp::now());
    let history = history(&decision_context, &view.status, None);
    let judge_context = work.judge_context(state.tags(), decision_context.now, &history);
    let plan: Plan<A::State> = plan(&state, &controls, &judge_context, |control, finding| {
        let mut ruling = decide(control, finding, &decision_context);
        // Each is judged on what is there, not on what another's remedy would leave.
        if ruling.decision == Decision::Enforce {
            ruling.decision = Decision::Notify(String::new());
        }
        ruling
    });
    if plan.findings.is_empty() {
        return Ok(
            match (
                (bound.typed.resource_type.is_deleted)(&state),
                plan.compliant.is_empty(),
            ) {
                (true, _) => Evaluation::Gone,
                (false, true) => Evaluation::NotApplicable,
                (false, false) => Evaluation::Compliant,
            },
        );
    }
    let findings = plan.findings.into_iter().map(|judged| {
        let summary = judged.finding.summary.is;
        match judged.ruling.decision {
            Decision::Exempt(why) => (judged.control.id, format!("{summary} ({why})")),
            _ => (judged.control.id, summary),
        }
    });
    Ok(Evaluation::Violated(findings.collect()))
}
