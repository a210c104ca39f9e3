//! Deciding what is done about a finding: one pure function over what settings and ledger say.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::settings::{Exemption, Mode, Switch, Then};
use crate::{Cause, Effect, Finding, Impact, Meta, Origin, Resource, Selector, Settings, Tags};

/// What is done about a finding, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Make its remedies.
    Enforce,
    /// Tell it, change nothing: settings say so.
    Notify(String),
    /// Tell it: no change of ours would put it right, whatever settings say.
    NeedsAction(String),
    /// Leave it, since somebody answers for it.
    Exempt(String),
    /// Look at it again later.
    Defer(Wait),
    /// The change was made and accepted, and AWS is applying it: look again later, and change nothing meanwhile.
    Settle(Wait),
    /// The change was made and accepted, and AWS does not show it in the end: why.
    Overdue(String),
}

/// Until when a finding waits, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// When it is looked at again.
    pub until: Timestamp,
    /// What it waits for.
    pub reason: Reason,
    /// The same in words.
    pub why: String,
}

/// What a finding waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Somebody has the chance to put it right.
    Grace,
    /// The hour's budget is spent.
    Budget,
    /// AWS says that the resource can't be changed now.
    NotReady,
    /// AWS is applying the change.
    Settling,
}

/// A decision with what else is to be told about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// What is done.
    pub decision: Decision,
    /// What somebody who is woken by it should know.
    pub notes: Vec<String>,
    /// Whether somebody keeps undoing it: it is told one severity higher.
    pub fight: bool,
}

/// A control that is not enforced on one resource for a while, since somebody restored what it had changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The control's id.
    pub control: String,
    /// When it was placed.
    #[serde(default)]
    pub since: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Who restored.
    pub by: String,
    /// The record that was undone.
    pub record: String,
}

/// A finding that waits: what was announced, and what led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferral {
    /// When it is looked at again.
    pub until: Timestamp,
    /// What it waits for.
    pub reason: Reason,
    /// How often it waited for that already.
    #[serde(default)]
    pub tries: u32,
    /// The change that AWS is applying, where it waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settling: Option<Settling>,
    /// The resource, for whoever looks at it again.
    pub resource: Resource,
    /// What led to the finding first: who opened the hole is told when it is closed.
    #[serde(flatten, serialize_with = "Origin::serialize_unless_omitted")]
    pub origin: Origin,
}

/// A change that AWS accepted and is applying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settling {
    /// When it was made.
    pub made: Timestamp,
    /// Until when AWS may take to show it.
    pub until: Timestamp,
}

impl Settling {
    /// When to look again: soon at first, then ever later, and once more at the end.
    pub fn next(&self, now: Timestamp) -> Timestamp {
        let waited = now.duration_since(self.made).max(SignedDuration::from_mins(1));
        let next = now + waited.min(SignedDuration::from_mins(30));
        if now < self.until { next.min(self.until) } else { next }
    }
}

/// One time that a control was put right, for telling a fight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remediation {
    /// When.
    pub at: Timestamp,
    /// Who had caused the violation.
    pub actor: String,
}

/// What a decision depends on besides the control and its finding.
#[derive(Debug, Clone, Copy)]
pub struct DecisionContext<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its tags, where it has any.
    pub tags: Option<&'a Tags>,
    /// The settings in force.
    pub settings: &'a Settings,
    /// What led to it.
    pub cause: &'a Cause,
    /// What restores left.
    pub holds: &'a [Hold],
    /// What waits, by control.
    pub deferred: &'a BTreeMap<String, Deferral>,
    /// What was put right before, by control.
    pub history: &'a BTreeMap<String, Vec<Remediation>>,
    /// Whether the hour's budget is spent.
    pub budget_spent: bool,
    /// The service that alone may change the resource, if one does.
    pub owner: Option<&'a str>,
    /// Until when it waits, if AWS is doing something to the resource so that it takes no change.
    pub busy: Option<&'a Wait>,
    /// The moment of deciding.
    pub now: Timestamp,
}

/// Decides on a finding. Who answers for it goes before what may be done by itself, and that before when.
pub fn decide<R>(control: &Meta, finding: &Finding<R>, decision_context: &DecisionContext<'_>) -> Ruling {
    let DecisionContext {
        resource,
        tags,
        settings,
        holds,
        budget_spent,
        now,
        ..
    } = *decision_context;
    let ruling = |decision| Ruling {
        decision,
        notes: Vec::new(),
        fight: false,
    };
    if let Some(exemption) = settings.exemption(control.id, resource, tags, now) {
        return ruling(Decision::Exempt(exempt(exemption, decision_context.cause)));
    }
    let ended = settings.ended_exemption(control.id, resource, tags, now);
    let notes: Vec<_> = ended.map(has_ended).into_iter().collect();
    let ruling = |decision| Ruling {
        notes: notes.clone(),
        ..ruling(decision)
    };
    if let Some(hold) = holds.iter().find(|hold| hold.control == control.id && now < hold.until) {
        return ruling(Decision::Exempt(format!(
            "held until {}: {} restored {}",
            hold.until, hold.by, hold.record
        )));
    }
    if let Some(decision) = decision_context.settling(control.id) {
        return ruling(decision);
    }
    if let Some(decision) = left_to_people(control, finding, decision_context) {
        return ruling(decision);
    }
    let fight = decision_context.fight(control.id).or_else(|| {
        // A quarantine that a fight calls for is about the control that is fought over.
        let by_fight = finding.effect == Effect::Quarantine && settings.flips.then == Then::Quarantine;
        let mut fought = decision_context.history.keys().filter(|_| by_fight);
        fought.find_map(|control| decision_context.fight(control))
    });
    let stops = fight.is_some() && settings.flips.then == Then::Stop;
    let ruling = |decision| {
        let mut ruling = ruling(decision);
        ruling.fight = fight.is_some();
        ruling.notes.extend(fight.clone());
        ruling
    };
    if stops {
        let why = "it is left as it is: the settings say so of what somebody keeps undoing (flips, then: stop)";
        return ruling(Decision::Notify(why.into()));
    }
    if let Some(wait) = decision_context.grace(control, finding) {
        return ruling(Decision::Defer(wait));
    }
    let waited = decision_context.deferred.get(control.id).filter(|one| one.until <= now);
    let ruling = |decision| {
        let mut ruling = ruling(decision);
        ruling.notes.extend(waited.map(has_waited));
        ruling
    };
    if let Some(wait) = decision_context.busy {
        return ruling(Decision::Defer(wait.clone()));
    }
    if budget_spent && control.impact != Impact::Nothing {
        return ruling(Decision::Defer(decision_context.next_hour()));
    }
    ruling(Decision::Enforce)
}

/// Why a finding is told and not put right, whatever the moment.
fn left_to_people<R>(control: &Meta, finding: &Finding<R>, decision_context: &DecisionContext<'_>) -> Option<Decision> {
    let DecisionContext { settings, owner, .. } = decision_context;
    if let Some(why) = &finding.only_notify {
        return Some(Decision::NeedsAction(why.clone()));
    }
    if finding.remedies.is_empty() {
        let why = "there is no change that would put it right by itself";
        return Some(Decision::NeedsAction(why.into()));
    }
    if let Some(owner) = owner {
        let why = format!("{owner} manages it, and AWS lets nobody else change it: nothing was tried");
        return Some(Decision::NeedsAction(why));
    }
    let why = match settings.switch(control) {
        Switch::Enforce => return None,
        Switch::Notify | Switch::Off if settings.mode == Mode::Notify => "notify mode changes nothing",
        Switch::Notify | Switch::Off => "this control is set to notify",
    };
    Some(Decision::Notify(why.into()))
}

fn exempt(exemption: &Exemption, cause: &Cause) -> String {
    let Exemption {
        reason, owner, until, ..
    } = exemption;
    let Some(tag) = &exemption.tag else {
        return format!("exempt until {until} ({reason}; {owner})");
    };
    let by = if cause.sets_tags() {
        format!(", set with {} by {}", cause.origin.event, cause.origin.actor.describe())
    } else {
        String::new()
    };
    format!(
        "exempt until {until} ({reason}; {owner}) by its tag {}={}{by}",
        tag.key, tag.value
    )
}

fn has_ended(exemption: &Exemption) -> String {
    let Exemption {
        reason, owner, until, ..
    } = exemption;
    format!("an exemption of it ({reason}; {owner}) ended on {until}")
}

fn has_waited(deferral: &Deferral) -> String {
    let Deferral { until, reason, .. } = deferral;
    match reason {
        Reason::Grace => format!("it was announced, and nobody put it right: its grace ended on {until}"),
        Reason::Budget => format!("it waited until {until}, for the budget of an earlier hour was spent"),
        Reason::NotReady => format!("it waited until {until}, for AWS could not change it before"),
        Reason::Settling => format!("it was changed before, and somebody changed it again before {until}"),
    }
}

impl DecisionContext<'_> {
    /// What a change that AWS is applying comes to: it is waited for, unless somebody's call came after it.
    fn settling(&self, control: &str) -> Option<Decision> {
        let Settling { made, until } = self.deferred.get(control)?.settling?;
        let Origin { actor, time, .. } = &self.cause.origin;
        let since = time.parse().is_ok_and(|time: Timestamp| time > made);
        let somebody = self.cause.selector == Selector::Breakable && !actor.arn.is_empty();
        if since && somebody {
            return None;
        }
        if self.now >= until {
            return Some(Decision::Overdue(format!(
                "AWS accepted the change at {made}, and does not show it by now, though it should have by {until}"
            )));
        }
        Some(Decision::Settle(Wait {
            until: Settling { made, until }.next(self.now),
            reason: Reason::Settling,
            why: format!("AWS accepted the change at {made}, and may take until {until} to show it"),
        }))
    }

    /// Whether putting this control right now would be a fight, in words: who undid it before, and what will again.
    pub fn fight(&self, control: &str) -> Option<String> {
        let flips = &self.settings.flips;
        let times: Vec<_> = self
            .history
            .get(control)
            .into_iter()
            .flatten()
            .filter(|before| self.now.duration_since(before.at) < flips.window)
            .collect();
        if times.len() + 1 < usize::from(flips.count) {
            return None;
        }
        let mut actors: BTreeSet<_> = times.iter().map(|before| before.actor.clone()).collect();
        actors.insert(self.deferred.get(control).map_or_else(
            || self.cause.origin.actor.describe(),
            |deferral| deferral.origin.actor.describe(),
        ));
        let actors: Vec<_> = actors.into_iter().collect();
        let tool = self.cause.managed_by(self.tags).map_or_else(String::new, |tool| {
            format!("; it is managed by {tool}, whose definition has to change")
        });
        Some(format!(
            "this is a fight: Portcullis has put it right {} times within {:#}, and each time it was undone, by {}{tool}",
            times.len(),
            flips.window,
            actors.join("; ")
        ))
    }

    /// The announcement of what will be put right after its grace; none where there is no grace, or where it is over.
    fn grace<R>(&self, control: &Meta, finding: &Finding<R>) -> Option<Wait> {
        // What is closed off is closed off at once.
        let grace = self
            .settings
            .grace(control.id)
            .filter(|_| finding.effect == Effect::Cure)?;
        let announced = self.deferred.get(control.id).filter(|one| one.reason == Reason::Grace);
        let ends = whole_second(self.now + grace);
        let until = announced.map_or(ends, |one| one.until.min(ends));
        (self.now < until).then(|| Wait {
            until,
            reason: Reason::Grace,
            why: format!("it has a grace of {grace:#}: it will be remediated at {until} unless it is put right before"),
        })
    }

    fn next_hour(&self) -> Wait {
        let until = next_hour(self.now);
        let limit = self.settings.budget.disruptive_per_hour.unwrap_or(u32::MAX);
        Wait {
            until,
            reason: Reason::Budget,
            why: format!(
                "the budget of {limit} disruptive remedies an hour (budget.disruptive-per-hour) is spent: it is tried again at \
                 {until}, within that hour's budget and after what has waited longer; if all of these changes are wanted, raise it; if not, find out who opens so much at once"
            ),
        }
    }
}

/// When the next hour begins, and with it another budget.
pub fn next_hour(now: Timestamp) -> Timestamp {
    const HOUR: i64 = 60 * 60;
    let next = (now.as_second().div_euclid(HOUR) + 1) * HOUR;
    Timestamp::from_second(next).unwrap_or(Timestamp::MAX)
}

/// The next whole second: a schedule knows no parts of one.
pub fn whole_second(at: Timestamp) -> Timestamp {
    let up = SignedDuration::from_nanos(999_999_999);
    Timestamp::from_second((at + up).as_second()).unwrap_or(at)
}

#[cfg(test)]
mod tests;
