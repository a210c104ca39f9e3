//! What the ledger remembers of a resource between two events.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use portcullis_core::{ControlResult, Deferral, Hold, Outcome, Remediation, RememberedCall, Report};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// As many remediations of a control are remembered as settings can ask for.
const REMEMBERED: usize = 10;

/// So much is kept of what was told, beside what tells it from any other: a thousand rules make a long text.
const BRIEF: usize = 2_000;

/// What is kept of a summary.
fn brief(summary: &str) -> Cow<'_, str> {
    if summary.len() <= BRIEF {
        return summary.into();
    }
    let begins: String = summary.chars().take(BRIEF / 2).collect();
    let whole = Uuid::new_v5(&Uuid::NAMESPACE_OID, summary.as_bytes());
    format!("{begins}... ({} bytes, {whole})", summary.len()).into()
}

/// What a resource's findings were last told as, and what is held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// By control.
    #[serde(default)]
    pub told: BTreeMap<String, LastResult>,
    /// Controls that a restore suspended.
    #[serde(default)]
    pub holds: Vec<Hold>,
    /// Findings that wait, by control.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deferred: BTreeMap<String, Deferral>,
    /// When a control was put right, the latest last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remedied: BTreeMap<String, Vec<Remediation>>,
    /// The last calls of the names that the resource type has remembered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<String, RememberedCall>,
    /// The record that was closed last: whoever read the status before can tell that it is old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// When that was: what was read of the resource before may be from before its changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

/// How and when a finding was last told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastResult {
    pub summary: String,
    pub outcome: Outcome,
    pub at: Timestamp,
    pub record: String,
    /// Whether the control could not be judged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unjudged: bool,
}

impl Status {
    /// A status as version 0.1.0 wrote it said in words only that a control could not be judged.
    #[must_use]
    pub fn upgraded(mut self) -> Self {
        for last in self.told.values_mut() {
            last.unjudged |= last.outcome == Outcome::Failed && last.summary.starts_with("can't be judged: ");
        }
        self
    }

    /// Whether the same was told recently enough.
    pub fn knows(&self, told: &ControlResult, now: Timestamp, reminder_days: u16) -> bool {
        let day = 24 * 60 * 60;
        self.told.get(&told.control).is_some_and(|last| {
            last.summary == brief(&told.summary)
                && last.outcome == told.outcome
                && now.as_second() - last.at.as_second() < i64::from(reminder_days) * day
        })
    }

    /// Notes what was just told; what is right now is forgotten, so that its return is told.
    pub fn note(&mut self, report: &Report, now: Timestamp) {
        for one in &report.results {
            let applying =
                |last: &LastResult| last.outcome == Outcome::Remediating && one.outcome == Outcome::Remediating;
            let applied = self.told.get(&one.control).is_some_and(applying);
            match one.outcome {
                Outcome::NeedsAction if one.is_intended() => drop(self.told.remove(&one.control)),
                Outcome::Compliant | Outcome::Gone | Outcome::Remediated | Outcome::Quarantined => {
                    self.told.remove(&one.control);
                }
                Outcome::Released => {}
                // What was restored is violated again, and known to be.
                outcome => {
                    let last = LastResult {
                        summary: brief(&one.summary).into_owned(),
                        outcome,
                        at: now,
                        record: report.ledger_id.clone(),
                        unjudged: one.unjudged,
                    };
                    self.told.insert(one.control.clone(), last);
                }
            }
            // What failed waits as it did: its grace is over, and does not begin again.
            if !matches!(one.outcome, Outcome::Deferred | Outcome::Remediating | Outcome::Failed) {
                self.deferred.remove(&one.control);
            }
            // What AWS is still applying was changed when it was first told.
            if one.is_intended() && !applied {
                let times = self.remedied.entry(one.control.clone()).or_default();
                times.push(Remediation {
                    at: now,
                    actor: report.origin.actor.describe(),
                });
                let old = times.len().saturating_sub(REMEMBERED);
                times.drain(..old);
            }
        }
        self.holds.retain(|hold| hold.until > now);
    }

    /// Until when it is needed: now, or as long as it holds or puts off anything.
    pub fn last(&self) -> Timestamp {
        let waits = self.deferred.values().map(|deferral| deferral.until);
        let holds = self.holds.iter().map(|hold| hold.until);
        waits.chain(holds).fold(Timestamp::now(), Timestamp::max)
    }

    /// Remembers a call; whether that is news. Of several of one name the one that was made last counts, whenever it arrives.
    pub fn remember_call(&mut self, call: &str, made: Timestamp, now: Timestamp) -> bool {
        let news = self.calls.get(call).is_none_or(|known| known.made < made);
        if news {
            self.calls.insert(call.to_owned(), RememberedCall { made, heard: now });
        }
        news
    }

    /// What has waited long enough, by control.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = (&String, &Deferral)> {
        self.deferred.iter().filter(move |(_, deferral)| deferral.until <= now)
    }

    /// What of it has to be looked at again, and when first.
    pub fn next(&self) -> Option<Timestamp> {
        self.deferred.values().map(|deferral| deferral.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_calls_the_one_made_last_is_remembered_and_when_it_was_first_heard_of() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut status = Status::default();
        assert!(status.remember_call("DisableKey", at(10), at(20)));
        assert!(!status.remember_call("DisableKey", at(10), at(30)), "a duplicate");
        assert!(!status.remember_call("DisableKey", at(5), at(40)), "out of order");
        assert_eq!(
            status.calls["DisableKey"],
            RememberedCall {
                made: at(10),
                heard: at(20)
            }
        );
        assert!(status.remember_call("DisableKey", at(11), at(50)));
        assert_eq!(status.calls["DisableKey"].made, at(11));
    }
}
