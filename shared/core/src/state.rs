//! What can be read of a resource and what can be changed of it, as plain data.

use std::borrow::Cow;
use std::fmt::Debug;

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Tags;

/// What one observation of a resource found: a struct of facts, each observed, absent or not read.
///
/// `#[derive(portcullis_derive::Facts)]` writes this, the names of the facts, and, for facts that are set as a whole, the changes.
pub trait State: Clone + Default + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// One thing that can be read or changed: the unit in which observation is asked for.
    type Fact: Copy + Ord + Debug + Send + Sync + 'static;
    /// A change that can be made.
    type Change: Change<State = Self>;

    /// The IAM actions that reading a fact takes.
    fn reads(fact: Self::Fact) -> &'static [&'static str];

    /// The IAM actions that changing a fact, and changing it back, takes; none where nothing changes it.
    fn writes(fact: Self::Fact) -> &'static [&'static str];

    /// The resource's tags, where they were read.
    fn tags(&self) -> Option<&Tags>;

    /// What it would be after a change.
    #[must_use]
    fn after(&self, change: &Self::Change) -> Self {
        change.after(self)
    }

    /// The change that brings this state back once `change` was made; `None` where AWS has no way back.
    fn inverse(&self, change: &Self::Change) -> Option<Self::Change> {
        change.inverse(self)
    }
}

/// A change, as data.
pub trait Change: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What is changed.
    type State: State<Change = Self>;

    /// The fact that it changes, so that a restore can look at it.
    fn fact(&self) -> <Self::State as State>::Fact;

    /// What a state would be after it.
    fn after(&self, state: &Self::State) -> Self::State;

    /// The change that brings `before` back once this one was made; `None` where AWS has no way back.
    fn inverse(&self, before: &Self::State) -> Option<Self>;

    /// Whether it puts a whole document over what is there, so that what somebody else wrote meanwhile would be lost.
    fn replaces_document(&self) -> bool {
        false
    }

    /// The same as AWS will take it, and what had to be left out for that, in words: a policy that names a deleted principal is
    /// refused.
    fn writable(self) -> (Self, Vec<String>) {
        (self, Vec::new())
    }

    /// What it replaces as a whole, as in `policy` or a rule's id: of two changes with one target, only the later is made.
    fn target(&self) -> Cow<'static, str>;

    /// Changes of different groups may be made at the same time; those of one group are made in order.
    fn concurrency_group(&self) -> u8 {
        0
    }

    /// The changes of lower order are made first, those of one order in the order of their controls.
    fn apply_order(&self) -> u8 {
        0
    }

    /// A restore makes the changes of lower order first.
    fn restore_order(&self) -> u8 {
        0
    }

    /// How long AWS may take to show it once it was accepted, where that is longer than a retry waits; none where seconds or minutes do.
    fn settles(&self) -> Option<SignedDuration> {
        None
    }
}
