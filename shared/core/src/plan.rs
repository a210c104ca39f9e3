//! Judging and deciding: from a state to the smallest set of changes, without AWS.

use std::collections::BTreeSet;

use crate::{Control, Decision, Finding, Guard, Impact, JudgeContext, Judgement, Meta, Remedy, Ruling, State};

/// A finding with what is done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedFinding<R> {
    /// The control.
    pub control: &'static Meta,
    /// What is wrong.
    pub finding: Finding<R>,
    /// What is done about it, and why.
    pub ruling: Ruling,
}

/// What all controls together come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<G: Guard> {
    /// The findings, in the order of the controls.
    pub findings: Vec<PlannedFinding<G::Remedy>>,
    /// The controls that hold, once the remedies are made.
    pub compliant: Vec<&'static str>,
    /// Those among them that hold by another's remedy only: if it fails, what is wrong.
    pub covered: Vec<(&'static Meta, Finding<G::Remedy>)>,
    /// Those that can't be asked of this resource, and why.
    pub not_applicable: Vec<(&'static str, String)>,
    /// The changes to make: at most one a target.
    pub remedies: Vec<G::Remedy>,
    /// The state after them.
    pub after: G::State,
}

impl<G: Guard> Plan<G> {
    /// Whether nothing is wrong with the resource by this control.
    pub fn clears(&self, control: &str) -> bool {
        self.compliant.contains(&control) || self.not_applicable.iter().any(|(id, _)| *id == control)
    }

    /// Whether its remedies may cost somebody access or availability.
    pub fn disturbs(&self) -> bool {
        let mut enforced = self
            .findings
            .iter()
            .filter(|judged| judged.ruling.decision == Decision::Enforce);
        enforced.any(|judged| judged.control.impact != Impact::Nothing)
    }
}

/// Judges the controls one after the other, each on the state that the enforced remedies before it would leave, so that
/// two controls that change one document don't undo each other.
pub fn plan<G: Guard>(
    state: &G::State,
    controls: &[&'static Control<G>],
    context: &JudgeContext<'_>,
    decide: impl Fn(&'static Meta, &Finding<G::Remedy>) -> Ruling,
) -> Plan<G> {
    let mut plan: Plan<G> = Plan {
        findings: Vec::new(),
        compliant: Vec::new(),
        covered: Vec::new(),
        not_applicable: Vec::new(),
        remedies: Vec::new(),
        after: state.clone(),
    };
    for control in controls {
        // Without an earlier remedy the state is as it was found.
        let as_found = || {
            let changed = !plan.remedies.is_empty();
            changed.then(|| (control.judge)(state, context).finding()).flatten()
        };
        match (control.judge)(&plan.after, context) {
            Judgement::Compliant => {
                plan.covered.extend(as_found().map(|found| (&control.meta, found)));
                plan.compliant.push(control.meta.id);
            }
            Judgement::NotApplicable(why) => plan.not_applicable.push((control.meta.id, why)),
            Judgement::Violated(mut finding) => {
                // An earlier remedy may lessen it, as a block does a public policy: it is told as it was found.
                if let Some(found) = as_found() {
                    (finding.severity, finding.summary) = (found.severity, found.summary);
                }
                debug_assert_eq!(
                    undeclared(control, &finding, &plan.after),
                    BTreeSet::new(),
                    "{}: its remedies, or what undoes them, take IAM actions that its Meta::writes does not declare, so the role of \
                     the template would lack them",
                    control.meta.id,
                );
                let ruling = decide(&control.meta, &finding);
                if ruling.decision == Decision::Enforce {
                    for remedy in &finding.remedies {
                        plan.after = plan.after.after(remedy);
                        plan.remedies
                            .retain(|earlier: &G::Remedy| earlier.target() != remedy.target());
                        plan.remedies.push(remedy.clone());
                    }
                }
                plan.findings.push(PlannedFinding {
                    control: &control.meta,
                    finding,
                    ruling,
                });
            }
        }
    }
    plan.remedies.sort_by_key(Remedy::apply_order);
    plan
}

/// The IAM actions that a finding's remedies, and what undoes them, take and that the control does not declare.
fn undeclared<G: Guard>(
    control: &Control<G>,
    finding: &Finding<G::Remedy>,
    state: &G::State,
) -> BTreeSet<&'static str> {
    let remedies = finding.remedies.iter();
    let both = remedies.flat_map(|remedy| [Some(remedy.clone()), state.inverse(remedy)]);
    let taken = both.flatten().flat_map(|remedy| remedy.writes());
    taken
        .copied()
        .filter(|action| !control.meta.writes.contains(action))
        .collect()
}
