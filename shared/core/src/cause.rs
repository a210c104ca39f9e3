use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::Meta;
use crate::event::{Actor, Call};
use crate::managed::managed_by;

/// What happened: a call, or what stands in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Origin {
    /// CloudTrail's name of the call, or what else led here, as in `restore`.
    pub event: String,
    /// The event's id.
    #[serde(rename = "event_id")]
    pub id: String,
    /// When it happened, as the event says it.
    #[serde(rename = "event_time")]
    pub time: String,
    /// Whether CloudTrail left out the call's parameters, or its answer, for their size: a known way to hide a change.
    #[serde(default, rename = "parameters_omitted")]
    pub omitted: bool,
    /// Whether CloudTrail recorded it, so that its console shows it by its id.
    #[serde(default, rename = "in_cloudtrail", skip_serializing_if = "std::ops::Not::not")]
    pub recorded: bool,
    /// Who did it.
    pub actor: Actor,
}

impl Origin {
    /// Serialises an origin without saying that nothing was omitted, as the ledger's deferrals have it since version 0.1.0.
    pub(crate) fn serialize_unless_omitted<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("event", &self.event)?;
        map.serialize_entry("event_id", &self.id)?;
        map.serialize_entry("event_time", &self.time)?;
        if self.omitted {
            map.serialize_entry("parameters_omitted", &true)?;
        }
        if self.recorded {
            map.serialize_entry("in_cloudtrail", &true)?;
        }
        map.serialize_entry("actor", &self.actor)?;
        map.end()
    }
}

/// What leads to a resource being looked at, and which of its controls are judged for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What happened.
    pub origin: Origin,
    /// The controls that are judged.
    pub selector: Selector,
}

/// Which controls of a resource are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Those that the call named by the cause can break.
    Breakable,
    /// All of them.
    All,
    /// Those with these ids.
    Only(BTreeSet<String>),
}

impl Cause {
    /// Whether a control is asked for.
    pub fn selects(&self, control: &Meta) -> bool {
        match &self.selector {
            Selector::Breakable => control.calls.contains(&self.origin.event.as_str()),
            Selector::All => true,
            Selector::Only(ids) => ids.contains(control.id),
        }
    }

    /// Whether it is one of the calls that make such a resource, and so recent that AWS may not show the resource yet: what is not
    /// found then is no proof that it is gone.
    ///
    /// Lambda's last retry comes three minutes after the first try, and takes "not found" for an answer: what was deleted
    /// again at once does not end in the dead-letter queue. Source: KMS Developer Guide, "AWS KMS eventual consistency";
    /// Lambda Developer Guide, "Error handling for asynchronous invocation".
    pub fn is_recent_creation(&self, creates: &[&str], now: Timestamp) -> bool {
        let time = self.origin.time.parse().ok();
        let age = time.map(|time: Timestamp| now.duration_since(time));
        creates.contains(&self.origin.event.as_str()) && age.is_some_and(|age| age.abs() < SignedDuration::from_mins(3))
    }

    /// Whether it is a call that sets tags: its caller may have made an exemption.
    pub fn sets_tags(&self) -> bool {
        let takes_off = ["Delete", "Untag"]
            .iter()
            .any(|verb| self.origin.event.starts_with(verb));
        self.selector == Selector::Breakable && self.origin.event.contains("Tag") && !takes_off
    }

    /// The stack, cluster or tool that will put its own state back, as far as the caller shows it or the tags of the resource do.
    pub fn managed_by(&self, tags: Option<&crate::Tags>) -> Option<String> {
        managed_by(tags, &self.origin.actor)
    }
}

impl Cause {
    /// Something other than a call: what it is called, by whom, if anybody, and which controls it is about.
    pub fn other(event: impl Into<String>, time: Timestamp, selector: Selector) -> Self {
        Self {
            origin: Origin {
                event: event.into(),
                time: time.to_string(),
                ..Origin::default()
            },
            selector,
        }
    }

    /// The cause with the id of what led to it.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.origin.id = id.into();
        self
    }

    /// The cause with who asked for it, which an operator may leave unsaid.
    #[must_use]
    pub fn asked_by(mut self, who: Option<&str>) -> Self {
        self.origin.actor = Actor::asking(who);
        self
    }
}

impl From<&Call> for Cause {
    fn from(call: &Call) -> Self {
        Self {
            origin: Origin {
                event: call.name.clone(),
                id: call.id.clone(),
                time: call.time.clone(),
                omitted: call.omitted || call.unanswered,
                recorded: call.recorded,
                actor: call.actor.clone(),
            },
            selector: Selector::Breakable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_just_now_may_not_be_seen_yet() {
        let made = |event: &str, time: &str| {
            let cause = Cause {
                origin: Origin {
                    event: event.into(),
                    time: time.into(),
                    ..Origin::default()
                },
                selector: Selector::Breakable,
            };
            cause.is_recent_creation(&["CreateKey", "ReplicateKey"], "2026-11-23T10:03:00Z".parse().unwrap())
        };
        for call in ["CreateKey", "ReplicateKey"] {
            assert!(made(call, "2026-11-23T10:02:50Z"), "{call}");
        }
        assert!(made("CreateKey", "2026-11-23T10:03:05Z"), "clocks differ");
        assert!(!made("CreateKey", "2026-11-23T10:00:00Z"));
        assert!(!made("CreateKey", "2027-01-01T00:00:00Z"), "not for ever");
        assert!(!made("PutKeyPolicy", "2026-11-23T10:02:50Z"));
        assert!(!made("CreateKey", "yesterday"));
    }
}
