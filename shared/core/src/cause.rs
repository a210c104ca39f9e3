use std::collections::BTreeSet;

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

    /// The stack or tool that will put its own state back, as far as the caller shows it or the tags of the resource do.
    pub fn managed_by(&self, tags: Option<&crate::Tags>) -> Option<String> {
        // CloudFormation User Guide, "Resource tags": the tags that it sets itself.
        let stack = tags.and_then(|tags| tags.get("aws:cloudformation:stack-name"));
        stack
            .map(|stack| format!("CloudFormation stack {stack}"))
            .or_else(|| self.actor.tool().map(|tool| format!("{tool} (the call came from it)")))
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
