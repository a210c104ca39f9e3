//! Judging and deciding: from a state to the smallest set of changes, without AWS.

use crate::typed::undeclared;
use crate::{Change, Control, Decision, Finding, Impact, JudgeContext, Judgement, Meta, Ruling, Severity, State};

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
pub struct Plan<S: State> {
    /// The findings, in the order of the controls.
    pub findings: Vec<PlannedFinding<S::Change>>,
    /// The controls that hold, once the remedies are made.
    pub compliant: Vec<&'static str>,
    /// Those among them that hold by another's remedy only: if it fails, what is wrong.
    pub covered: Vec<(&'static Meta, Finding<S::Change>)>,
    /// Those that can't be asked of this resource, and why.
    pub not_applicable: Vec<(&'static str, String)>,
    /// The changes to make: at most one a target.
    pub remedies: Vec<S::Change>,
    /// The state after them.
    pub after: S,
}

impl<S: State> Plan<S> {
    /// Whether nothing is wrong with the resource by this control.
    pub fn clears(&self, control: &str) -> bool {
        self.compliant.contains(&control) || self.not_applicable.iter().any(|(id, _)| *id == control)
    }

    /// Whether anything critical is put right.
    pub fn is_critical(&self) -> bool {
        let mut enforced = self
            .findings
            .iter()
            .filter(|judged| judged.ruling.decision == Decision::Enforce);
        enforced.any(|judged| judged.finding.severity == Severity::Critical)
    }

    /// Whether its remedies may cost somebody access or availability.
    pub fn disturbs(&self) -> bool {
        let mut enforced = self
            .findings
            .iter()
            .filter(|judged| judged.ruling.decision == Decision::Enforce);
        // What is rated low is behind something that closes it already.
        enforced.any(|judged| judged.control.impact != Impact::Nothing && judged.finding.severity > Severity::Low)
    }
}

/// Judges the controls one after the other, each on the state that the enforced remedies before it would leave, so that
/// two controls that change one document don't undo each other.
pub fn plan<S: State>(
    state: &S,
    controls: &[&'static Control<S>],
    context: &JudgeContext<'_>,
    decide: impl Fn(&'static Meta, &Finding<S::Change>) -> Ruling,
) -> Plan<S> {
    let mut plan: Plan<S> = Plan {
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
                debug_assert!(
                    undeclared(control, &finding.remedies, &plan.after).is_empty(),
                    "{}: its remedies, or what undoes them, change facts that it does not declare under `changes`, so the role of \
                     the template would lack what they take",
                    control.meta.id,
                );
                let mut ruling = decide(&control.meta, &finding);
                let writable = finding.remedies.into_iter().map(Change::writable);
                let (remedies, notes): (Vec<_>, Vec<_>) = writable.unzip();
                finding.remedies = remedies;
                ruling.notes.extend(notes.into_iter().flatten());
                if ruling.decision == Decision::Enforce {
                    for change in &finding.remedies {
                        plan.after = change.after(&plan.after);
                        plan.remedies
                            .retain(|earlier: &S::Change| earlier.target() != change.target());
                        plan.remedies.push(change.clone());
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
    plan.remedies.sort_by_key(Change::apply_order);
    plan
}
