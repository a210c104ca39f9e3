use std::collections::BTreeSet;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use portcullis_core::{Call, Cause, Guard, Listing, Place, Resource, Settings, listing};
use serde_json::Value;

use crate::digest::{self, STORM};
use crate::error::{AwsError, Failure};
use crate::ledger::Record;
use crate::pipeline::{self, Looked, Shell};
use crate::{preflight, restore};

/// How many resources a page has where AWS lets the caller say: as many as one invocation can look at in time.
pub const PAGE: i32 = 200;

/// How many of an event's resources a guard looks at at the same time. The smallest limit is that of EC2's changes: a bucket of
/// 50 requests, 5 more each second. Source: EC2 Developer Guide, "Request throttling for the Amazon EC2 API".
const AT_ONCE: usize = 16;

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
pub struct Aside {
    /// A clause that is added to what is wrong; may be empty.
    pub clause: String,
    /// What else there is to say, such as that something could not be learned.
    pub notes: Vec<String>,
}

/// The one part of a guard that talks to AWS.
pub trait Adapter<G: Guard>: Send + Sync + 'static {
    /// Reads the facts, at the same time where they are independent; `None` where the resource is no more.
    fn observe(
        &self,
        resource: &Resource,
        facts: &BTreeSet<G::Fact>,
    ) -> impl Future<Output = Result<Option<G::State>, AwsError>> + Send;

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
    fn aside(
        &self,
        _resource: &Resource,
        _state: &G::State,
        _remedies: &[G::Remedy],
    ) -> impl Future<Output = Aside> + Send {
        async { Aside::default() }
    }

    /// Called when an event is done: what was read ahead of it must not be taken for what the next one finds.
    fn forget(&self) {}

    /// One page of the resources of a place, from the first or from what the page before said. Of a page that is not the
    /// last, about [`PAGE`] resources.
    fn list(&self, place: &Place, from: Option<String>) -> impl Future<Output = Result<Page, AwsError>> + Send;

    /// Makes one change. It must be safe to make twice.
    fn execute(&self, resource: &Resource, remedy: &G::Remedy) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// A future whose type nobody has to name.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A guard with its adapter, ready to be served beside others of other types.
pub trait Serve: Send + Sync {
    /// The guard as data.
    fn listing(&self) -> &dyn Listing;
    /// One page of the resources of a place.
    fn list<'a>(&'a self, place: &'a Place, from: Option<String>) -> Boxed<'a, Result<Page, AwsError>>;
    /// The resources of a place that settings name.
    fn required(&self, settings: &Settings, place: &Place) -> Vec<Resource>;
    /// Takes one resource through the pipeline.
    fn process<'a>(
        &'a self,
        shell: &'a Shell,
        resource: &'a Resource,
        cause: &'a Cause,
    ) -> Boxed<'a, Result<Value, Failure>>;
    /// Reads and judges one resource, and changes, records and tells nothing.
    fn evaluate<'a>(
        &'a self,
        shell: &'a Shell,
        resource: &'a Resource,
        cause: &'a Cause,
    ) -> Boxed<'a, Result<Looked, Failure>>;
    /// Takes a call through the pipeline, for each resource that it names.
    fn call<'a>(&'a self, shell: &'a Shell, call: &'a Call) -> Boxed<'a, Result<Vec<Value>, Failure>>;
    /// Looks at what settings require of this guard's resources.
    fn preflight<'a>(&'a self, shell: &'a Shell, by: Option<&'a str>) -> Boxed<'a, Result<Vec<Value>, Failure>>;
    /// Undoes a record.
    fn restore<'a>(
        &'a self,
        shell: &'a Shell,
        record: Record,
        force: bool,
        by: String,
    ) -> Boxed<'a, Result<Value, Failure>>;
}

/// The guards of a function.
pub struct Guards(Vec<Box<dyn Serve>>);

impl From<Vec<Box<dyn Serve>>> for Guards {
    fn from(guards: Vec<Box<dyn Serve>>) -> Self {
        Self(guards)
    }
}

impl Guards {
    /// The one that looks after resources of this type.
    pub fn of(&self, kind: &str) -> Option<&dyn Serve> {
        self.iter().find(|guard| guard.listing().kind() == kind)
    }

    pub fn iter(&self) -> impl Iterator<Item = &dyn Serve> {
        self.0.iter().map(Box::as_ref)
    }

    pub fn listings(&self) -> impl Iterator<Item = &dyn Listing> {
        self.iter().map(Serve::listing)
    }
}

struct Served<G, A> {
    adapter: A,
    listing: Box<dyn Listing>,
    guard: PhantomData<G>,
}

/// Joins a guard and its adapter.
pub fn serve<G: Guard>(adapter: impl Adapter<G>) -> Box<dyn Serve> {
    Box::new(Served {
        adapter,
        listing: listing::<G>(),
        guard: PhantomData::<G>,
    })
}

impl<G: Guard, A: Adapter<G>> Serve for Served<G, A> {
    fn listing(&self) -> &dyn Listing {
        &*self.listing
    }

    fn list<'a>(&'a self, place: &'a Place, from: Option<String>) -> Boxed<'a, Result<Page, AwsError>> {
        Box::pin(self.adapter.list(place, from))
    }

    fn required(&self, settings: &Settings, place: &Place) -> Vec<Resource> {
        G::required(settings, place)
    }

    fn process<'a>(
        &'a self,
        shell: &'a Shell,
        resource: &'a Resource,
        cause: &'a Cause,
    ) -> Boxed<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let since = Timestamp::now();
            match self.adapter.resolve(resource.clone()).await {
                Ok(Some(resource)) => pipeline::process::<G, A>(shell, &self.adapter, &resource, cause, since).await,
                Ok(None) => Ok(pipeline::answer(resource, "gone", &[], None)),
                Err(error) => Err(Failure::Observe(error)),
            }
        })
    }

    fn evaluate<'a>(
        &'a self,
        shell: &'a Shell,
        resource: &'a Resource,
        cause: &'a Cause,
    ) -> Boxed<'a, Result<Looked, Failure>> {
        Box::pin(async move {
            match self.adapter.resolve(resource.clone()).await {
                Ok(Some(resource)) => pipeline::evaluate::<G, A>(shell, &self.adapter, &resource, cause).await,
                Ok(None) => Ok(Looked::Gone),
                Err(error) => Err(Failure::Observe(error)),
            }
        })
    }

    fn call<'a>(&'a self, shell: &'a Shell, call: &'a Call) -> Boxed<'a, Result<Vec<Value>, Failure>> {
        Box::pin(async move {
            let cause = Cause::from(call);
            let mut answers = Vec::new();
            let mut failure = None;
            let named = G::resources(call)?;
            let since = Timestamp::now();
            // One resource that fails must not keep the others from being looked at.
            let mut found = Vec::new();
            for (named, stands_for) in self.adapter.resolve_all(named).await {
                match stands_for {
                    Ok(none) if none.is_empty() => answers.push(pipeline::answer(&named, "gone", &[], None)),
                    Ok(resources) => found.extend(resources),
                    Err(error) => note(&named, Failure::Observe(error), &mut failure),
                }
            }
            let is_storm = shell.digest.is_none() && found.len() > STORM;
            let quiet = is_storm.then(|| Shell {
                digest: Some(Arc::default()),
                ..shell.clone()
            });
            let shell = quiet.as_ref().unwrap_or(shell);
            let mut looks = stream::iter(found)
                .map(|resource| async {
                    let handled = pipeline::process::<G, A>(shell, &self.adapter, &resource, &cause, since).await;
                    (resource, handled)
                })
                .buffered(AT_ONCE);
            while let Some((resource, handled)) = looks.next().await {
                match handled {
                    Ok(answer) => answers.push(answer),
                    Err(error) => note(&resource, error, &mut failure),
                }
            }
            drop(looks);
            self.adapter.forget();
            if is_storm && let Err(untold) = digest::tell_storm(shell, G::KIND, &cause).await {
                failure.get_or_insert(untold);
            }
            failure.map_or(Ok(answers), Err)
        })
    }

    fn preflight<'a>(&'a self, shell: &'a Shell, by: Option<&'a str>) -> Boxed<'a, Result<Vec<Value>, Failure>> {
        Box::pin(preflight::look::<G, A>(shell, &self.adapter, by))
    }

    fn restore<'a>(
        &'a self,
        shell: &'a Shell,
        record: Record,
        force: bool,
        by: String,
    ) -> Boxed<'a, Result<Value, Failure>> {
        Box::pin(restore::restore::<G, A>(shell, &self.adapter, record, force, by))
    }
}

/// The first failure is what the event fails with, and logged as such.
fn note(resource: &Resource, error: Failure, first: &mut Option<Failure>) {
    if first.is_some() {
        tracing::error!(resource = resource.arn, error = %error, "failed as well");
    } else {
        *first = Some(error);
    }
}
