//! Policies that let in everybody.

use portcullis_access::{Goal, Verdict};
use portcullis_core::{Clause, Finding, Judgement, Severity};

use crate::analysis::Analysis;
use crate::cure::Cure;
use crate::resource_policy::ResourcePolicy;

/// Judges whether a policy lets in everybody. `cure` gives the policy that does not; `change` writes it.
pub fn public_policy<P, C>(
    policy: ResourcePolicy<'_>,
    cure: impl FnOnce(&Analysis<'_>, Goal) -> Cure<P>,
    change: impl FnOnce(P) -> C,
) -> Judgement<C> {
    let rate = |analysis: &Analysis<'_>| Some((Severity::Critical, by_its_policy(analysis)));
    public_policy_rated(policy, rate, cure, change)
}

/// The same where something else may lessen it: `rate` says how bad a public policy is and how it is told, or that it may be
/// public.
pub fn public_policy_rated<P, C>(
    policy: ResourcePolicy<'_>,
    rate: impl FnOnce(&Analysis<'_>) -> Option<(Severity, Clause)>,
    cure: impl FnOnce(&Analysis<'_>, Goal) -> Cure<P>,
    change: impl FnOnce(P) -> C,
) -> Judgement<C> {
    let analysis = match policy.analyse() {
        None => return Judgement::Compliant,
        Some(Err(error)) => return unreadable(&error).into(),
        Some(Ok(analysis)) => analysis,
    };
    if analysis.verdict() < Verdict::Public {
        return Judgement::Compliant;
    }
    let Some((severity, summary)) = rate(&analysis) else {
        return Judgement::Compliant;
    };
    cure(&analysis, Goal::NotPublic)
        .finding(severity, summary, change)
        .into()
}

/// What is told of a resource that its policy makes public.
pub fn by_its_policy(analysis: &Analysis<'_>) -> Clause {
    Clause::is(format!("public by its policy: {}", analysis.judgement.reason))
}

/// What is told of a policy that can't be read.
fn unreadable<C>(error: &str) -> Finding<C> {
    let summary = Clause::has(format!("a policy that can't be read: {error}"));
    Finding::new(Severity::High, summary, "", Vec::new()).only_notify("what can't be read can't be changed safely")
}
