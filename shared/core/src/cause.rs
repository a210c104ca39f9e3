use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::Meta;
use crate::event::{Actor, Call};

/// What leads to a resource being looked at, and which of its controls that asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// CloudTrail's name of the call, or what else leads there, as in `restore`.
    pub event: String,
    /// The event's id.
    pub id: String,
    /// When it happened, as the event says it.
    pub time: String,
    /// Who did it.
    pub actor: Actor,
    /// Whether CloudTrail left out the call's parameters for their size: a known way to hide a change.
    pub omitted: bool,
    /// The controls that it asks for.
    pub asks: Asks,
}

/// Which controls of a resource are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// Those that the call named by the cause can break.
    Breakable,
    /// All of them.
    All,
    /// Those with these ids.
    Only(BTreeSet<String>),
}

impl Cause {
    /// Whether a control is asked for.
    pub fn asks_for(&self, control: &Meta) -> bool {
        match &self.asks {
            Asks::Breakable => control.calls.contains(&self.event.as_str()),
            Asks::All => true,
            Asks::Only(ids) => ids.contains(control.id),
        }
    }

    /// Whether it made the resource so lately that AWS may not show it yet: what is not found then is no proof that it is gone.
    ///
    /// Lambda's last retry comes three minutes after the first try, and takes "not found" for an answer: what was deleted
    /// again at once does not end in the dead-letter queue. Source: KMS Developer Guide, "AWS KMS eventual consistency";
    /// Lambda Developer Guide, "Error handling for asynchronous invocation".
    pub fn just_made_it(&self, now: Timestamp) -> bool {
        let makes = ["Copy", "Create", "Run"]
            .iter()
            .any(|verb| self.event.starts_with(verb));
        let age = self.time.parse().ok().map(|time: Timestamp| now.duration_since(time));
        makes && age.is_some_and(|age| age.abs() < SignedDuration::from_mins(3))
    }

    /// Whether it is a call that sets tags: its caller may have made an exemption.
    pub fn sets_tags(&self) -> bool {
        let takes_off = ["Delete", "Untag"].iter().any(|verb| self.event.starts_with(verb));
        self.asks == Asks::Breakable && self.event.contains("Tag") && !takes_off
    }

    /// The stack or tool that will put its own state back, as far as the caller shows it or the tags of the resource do.
    pub fn managed_by(&self, tags: Option<&crate::Tags>) -> Option<String> {
        // CloudFormation User Guide, "Resource tags": the tags that it sets itself.
        let stack = tags.and_then(|tags| tags.get("aws:cloudformation:stack-name"));
        stack
            .map(|stack| format!("CloudFormation stack {stack}"))
            .or_else(|| self.actor.tool().map(|tool| format!("{tool} (the call came from it)")))
    }
}

impl Cause {
    /// A person, or a deployment, who asks for one control to be looked at.
    pub fn preflight(by: Option<&str>, id: &str, control: &str, now: Timestamp) -> Self {
        Self {
            event: "preflight".into(),
            id: id.to_owned(),
            time: now.to_string(),
            actor: Actor {
                arn: by.unwrap_or("somebody who did not say who").to_owned(),
                ..Actor::default()
            },
            omitted: false,
            asks: Asks::Only([control.to_owned()].into()),
        }
    }
}

impl From<&Call> for Cause {
    fn from(call: &Call) -> Self {
        Self {
            event: call.name.clone(),
            id: call.id.clone(),
            time: call.time.clone(),
            actor: call.actor.clone(),
            omitted: call.omitted,
            asks: Asks::Breakable,
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
                event: event.into(),
                id: String::new(),
                time: time.into(),
                actor: Actor::default(),
                omitted: false,
                asks: Asks::Breakable,
            };
            cause.just_made_it("2026-11-23T10:03:00Z".parse().unwrap())
        };
        for call in ["CreateKey", "CreateBucket", "CopySnapshot", "RunInstances"] {
            assert!(made(call, "2026-11-23T10:02:50Z"), "{call}");
        }
        assert!(made("CreateKey", "2026-11-23T10:03:05Z"), "clocks differ");
        assert!(!made("CreateKey", "2026-11-23T10:00:00Z"));
        assert!(!made("CreateKey", "2027-01-01T00:00:00Z"), "not for ever");
        assert!(!made("PutKeyPolicy", "2026-11-23T10:02:50Z"));
        assert!(!made("CreateKey", "yesterday"));
    }
}
