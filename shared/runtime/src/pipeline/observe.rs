//! What is to be read of a resource, and how old what was read can be.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use portcullis_core::{Control, Settings, State, Switch, Typed};

use crate::resource_status::Status;

/// The controls of a type that are not off, and that the event, or an unfinished record, is about.
pub fn enabled<S: State>(
    typed: Typed<S>,
    settings: &Settings,
    wanted: impl Fn(&Control<S>) -> bool,
) -> Vec<&'static Control<S>> {
    let controls = typed.controls.iter();
    controls
        .filter(|control| settings.switch(&control.meta) != Switch::Off && wanted(control))
        .collect()
}

/// The facts that these controls of a type need.
pub fn facts<S: State>(typed: Typed<S>, controls: &[&Control<S>]) -> BTreeSet<S::Fact> {
    controls
        .iter()
        .flat_map(|control| control.reads)
        .chain(typed.resource_type.always)
        .copied()
        .collect()
}

/// How old what was read of a resource can be. State and ledger are read at the same time, so that the state may be from
/// before a change of which the ledger says already that it is told.
pub struct Age {
    /// From when on the resource was read.
    since: Timestamp,
    /// The record that was known to be closed before.
    after: Option<String>,
}

/// What the clocks of two functions differ by at most, and then some.
const CLOCKS: SignedDuration = SignedDuration::from_millis(500);

impl Age {
    /// The age of what is read from now on, or since a moment before.
    pub fn since(since: Timestamp) -> Self {
        Self { since, after: None }
    }

    /// Whether a record was closed that may have been open while the resource was read. The next look is younger.
    pub fn is_old(&mut self, status: &Status) -> bool {
        let known = status.closed == self.after;
        let closed = status.closed_at.filter(|_| !known);
        let old = closed.is_some_and(|closed| self.since < closed + CLOCKS);
        (self.since, self.after) = (Timestamp::now(), status.closed.clone());
        old
    }
}
