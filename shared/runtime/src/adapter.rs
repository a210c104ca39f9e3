//! The one part of a resource type that talks to AWS.

use std::collections::BTreeSet;
use std::future::Future;

use portcullis_core::{Location, Resource, State, Typed};

use crate::error::AwsError;

/// How many resources a page has where AWS lets the caller say: as many as one invocation can look at in time.
pub const PAGE: i32 = 200;

/// So many resources are looked at where an event does not say which.
pub const MOST_LISTED: usize = 1_000;

/// One page of a place's resources of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The resources.
    pub resources: Vec<Resource>,
    /// What leads to the next page; none after the last.
    pub next: Option<String>,
}

/// What an event named, and the resources that it stands for; none where it stands for nothing any more.
pub type Resolved = (Resource, Result<Vec<Resource>, AwsError>);

/// What those who are told should know of a resource that is about to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImpactNotes {
    /// A clause that is added to what is wrong; may be empty.
    pub clause: String,
    /// What else there is to say, such as that something could not be learned.
    pub notes: Vec<String>,
}

/// A fact of the type that an adapter is for.
pub type FactOf<A> = <<A as Adapter>::State as State>::Fact;

/// A change of the type that an adapter is for.
pub type ChangeOf<A> = <<A as Adapter>::State as State>::Change;

/// The one part of a resource type that talks to AWS.
pub trait Adapter: Send + Sync + 'static {
    /// What it reads and changes.
    type State: State;

    /// Reads the facts, at the same time where they are independent; `None` where the resource is no more.
    fn observe(
        &self,
        resource: &Resource,
        facts: &BTreeSet<FactOf<Self>>,
    ) -> impl Future<Output = Result<Option<Self::State>, AwsError>> + Send;

    /// The resource that an event's words stand for, where only AWS knows: an alias stands for its key. `None` where it
    /// stands for nothing any more.
    fn resolve(&self, resource: Resource) -> impl Future<Output = Result<Option<Resource>, AwsError>> + Send {
        async { Ok(Some(resource)) }
    }

    /// The same for all that one event names, where AWS answers for many in one call. What is read ahead by that may serve as the
    /// first look at each, and is to be forgotten with the event.
    fn resolve_all(&self, named: Vec<Resource>) -> impl Future<Output = Vec<Resolved>> + Send {
        async move {
            let mut found = Vec::with_capacity(named.len());
            for one in named {
                let is = self.resolve(one.clone()).await;
                found.push((one, is.map(|is| is.into_iter().collect())));
            }
            found
        }
    }

    /// What those who are told should know before these changes are made, such as who sends the resource traffic: looked up only
    /// where a finding has such changes. What can't be learned is said, and keeps nothing from being done.
    fn impact_notes(
        &self,
        _resource: &Resource,
        _state: &Self::State,
        _remedies: &[ChangeOf<Self>],
    ) -> impl Future<Output = ImpactNotes> + Send {
        async { ImpactNotes::default() }
    }

    /// Called when an event is done: what was read ahead of it must not be taken for what the next one finds.
    fn forget(&self) {}

    /// One page of the resources of a place, from the first or from what the page before said. Of a page that is not the
    /// last, about [`PAGE`] resources.
    fn list(&self, location: &Location, from: Option<String>) -> impl Future<Output = Result<Page, AwsError>> + Send;

    /// What a call made, where CloudTrail left out the answer that names it: by the client token of the call, or else all that there
    /// is of the type.
    fn unanswered(
        &self,
        place: &Location,
        _token: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Resource>, AwsError>> + Send {
        self.list_all(place)
    }

    /// All resources of a place, up to [`MOST_LISTED`]: what is beyond is left to the sweep.
    fn list_all(&self, place: &Location) -> impl Future<Output = Result<Vec<Resource>, AwsError>> + Send {
        async move {
            let (mut all, mut from) = (Vec::new(), None);
            loop {
                let page = self.list(place, from).await?;
                all.extend(page.resources);
                match page.next {
                    Some(_) if all.len() >= MOST_LISTED => {
                        tracing::warn!(listed = all.len(), "there are more: the next sweep looks at them");
                        return Ok(all);
                    }
                    None => return Ok(all),
                    next => from = next,
                }
            }
        }
    }

    /// Makes one change. It must be safe to make twice.
    fn execute(
        &self,
        resource: &Resource,
        change: &ChangeOf<Self>,
    ) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// A resource type with the adapter that talks to AWS for it.
pub struct Bound<A: Adapter> {
    /// The type, with its controls.
    pub typed: Typed<A::State>,
    /// Its adapter.
    pub adapter: A,
}
