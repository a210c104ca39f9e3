//! Judging and deciding: from a state to the smallest set of changes, without AWS.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::settings::Switch;
use crate::{Control, Finding, Guard, Judgement, Meta, Remedy, Resource, Scope, Settings, State};

/// What is done about a finding, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Make its remedies.
    Enforce,
    /// Tell it, change nothing.
    Notify(String),
    /// Leave it, since somebody answers for it.
    Exempt(String),
}

/// A control that is not enforced on one resource for a while, since somebody restored what it had changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The control's id.
    pub control: String,
    /// When it ends.
    pub until: Timestamp,
    /// Who restored.
    pub by: String,
    /// The record that was undone.
    pub record: String,
}

/// A finding with what is done about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged<R> {
    /// The control.
    pub control: &'static Meta,
    /// What is wrong.
    pub finding: Finding<R>,
    /// What is done about it.
    pub decision: Decision,
}

/// What all controls together come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan<G: Guard> {
    /// The findings, in the order of the controls.
    pub findings: Vec<Judged<G::Remedy>>,
    /// The controls that hold.
    pub compliant: Vec<&'static str>,
    /// Those that can't be asked of this resource, and why.
    pub not_applicable: Vec<(&'static str, String)>,
    /// The changes to make: at most one a target.
    pub remedies: Vec<G::Remedy>,
    /// The state after them.
    pub after: G::State,
}

/// Decides on a finding.
pub fn decide<R>(
    control: &Meta,
    finding: &Finding<R>,
    resource: &Resource,
    settings: &Settings,
    holds: &[Hold],
    now: Timestamp,
) -> Decision {
    if let Some(exemption) = settings.exemption(control.id, resource, now) {
        let (reason, owner, until) = (&exemption.reason, &exemption.owner, exemption.until);
        return Decision::Exempt(format!("exempt until {until} ({reason}; {owner})"));
    }
    if let Some(hold) = holds.iter().find(|hold| hold.control == control.id && now < hold.until) {
        return Decision::Exempt(format!(
            "held until {}: {} restored {}",
            hold.until, hold.by, hold.record
        ));
    }
    if let Some(why) = &finding.only_notify {
        return Decision::Notify(why.clone());
    }
    if finding.remedies.is_empty() {
        return Decision::Notify("there is no change that would put it right by itself".into());
    }
    match settings.switch(control) {
        Switch::Enforce => Decision::Enforce,
        Switch::Notify | Switch::Off if settings.mode == crate::settings::Mode::Notify => {
            Decision::Notify("notify mode changes nothing".into())
        }
        Switch::Notify | Switch::Off => Decision::Notify("this control is set to notify".into()),
    }
}

impl<G: Guard> Plan<G> {
    /// Whether nothing is wrong with the resource by this control.
    pub fn clears(&self, control: &str) -> bool {
        self.compliant.contains(&control) || self.not_applicable.iter().any(|(id, _)| *id == control)
    }
}

/// Judges the controls one after the other, each on the state that the enforced remedies before it would leave, so that
/// two controls that change one document don't undo each other.
pub fn plan<G: Guard>(
    state: &G::State,
    controls: &[&'static Control<G>],
    scope: &Scope<'_>,
    decide: impl Fn(&'static Meta, &Finding<G::Remedy>) -> Decision,
) -> Plan<G> {
    let mut plan: Plan<G> = Plan {
        findings: Vec::new(),
        compliant: Vec::new(),
        not_applicable: Vec::new(),
        remedies: Vec::new(),
        after: state.clone(),
    };
    for control in controls {
        match (control.judge)(&plan.after, scope) {
            Judgement::Compliant => plan.compliant.push(control.meta.id),
            Judgement::NotApplicable(why) => plan.not_applicable.push((control.meta.id, why)),
            Judgement::Violated(mut finding) => {
                // An earlier remedy may lessen it, as a block does a public policy: it is told as it was found.
                if let Some(found) = (control.judge)(state, scope).finding() {
                    (finding.severity, finding.summary) = (found.severity, found.summary);
                }
                let decision = decide(&control.meta, &finding);
                if decision == Decision::Enforce {
                    for remedy in &finding.remedies {
                        plan.after = plan.after.after(remedy);
                        plan.remedies
                            .retain(|earlier: &G::Remedy| earlier.target() != remedy.target());
                        plan.remedies.push(remedy.clone());
                    }
                }
                plan.findings.push(Judged {
                    control: &control.meta,
                    finding,
                    decision,
                });
            }
        }
    }
    plan.remedies.sort_by_key(Remedy::rank);
    plan
}
