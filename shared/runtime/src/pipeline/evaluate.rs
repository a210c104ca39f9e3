//! Looking without acting: what AWS Config asks a rule. No record, no alert.

use futures_util::future::try_join;
use jiff::Timestamp;
use portcullis_core::{Cause, Decision, Guard, Plan, Resource, State, decide, plan};

use super::{Work, enabled, facts};
use crate::adapter::Adapter;
use crate::error::Failure;
use crate::pipeline::Shell;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
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
pub async fn evaluate<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    resource: &Resource,
    cause: &Cause,
) -> Result<Looked, Failure> {
    let controls = enabled::<G>(&shell.settings, |control| cause.asks_for(&control.meta));
    if controls.is_empty() {
        return Ok(Looked::NotApplicable);
    }
    let needed = facts::<G>(&controls);
    let observing = async { adapter.observe(resource, &needed).await.map_err(Failure::Observe) };
    let (observed, view) = try_join(observing, shell.ledger.read(&resource.arn)).await?;
    let Some(state) = observed else {
        return Ok(Looked::Gone);
    };
    let work = Work {
        shell,
        resource,
        view: &view,
        carried: None,
        is_old: false,
        unread: Vec::new(),
    };
    let circumstances = work.circumstances(state.tags(), cause, Timestamp::now());
    let memory = super::memory(&circumstances, &view.status, None);
    let scope = work.scope(state.tags(), circumstances.now, &memory);
    let plan: Plan<G> = plan(&state, &controls, &scope, |control, finding| {
        let mut ruling = decide(control, finding, &circumstances);
        // Each is judged on what is there, not on what another's remedy would leave.
        if ruling.decision == Decision::Enforce {
            ruling.decision = Decision::Notify(String::new());
        }
        ruling
    });
    if plan.findings.is_empty() {
        return Ok(match (state.is_gone(), plan.compliant.is_empty()) {
            (true, _) => Looked::Gone,
            (false, true) => Looked::NotApplicable,
            (false, false) => Looked::Compliant,
        });
    }
    let findings = plan.findings.into_iter().map(|judged| {
        let summary = judged.finding.summary;
        match judged.ruling.decision {
            Decision::Exempt(why) => (judged.control.id, format!("{summary} ({why})")),
            _ => (judged.control.id, summary),
        }
    });
    Ok(Looked::Violated(findings.collect()))
}
