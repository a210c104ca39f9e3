//! A resource type with its adapter, ready to be served beside others.

use std::future::Future;
use std::pin::Pin;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use portcullis_core::event::{EventError, NativeEvent, Restore};
use portcullis_core::{Call, Cause, Listing, Location, Resource, Settings, Typed};

use crate::adapter::{Adapter, Bound, Page};
use crate::answer::{Answer, Checked, Conclusion};
use crate::error::{AwsError, Failure};
use crate::invocation::Invocation;
use crate::ledger::Record;
use crate::operations::summary::{self, STORM};
use crate::operations::{preflight, restore};
use crate::pipeline;
use crate::pipeline::evaluate::{Evaluation, evaluate};

/// How many of an event's resources are looked at at the same time. The smallest limit is that of EC2's changes: a bucket of 50
/// requests, 5 more each second. Source: EC2 Developer Guide, "Request throttling for the Amazon EC2 API".
const AT_ONCE: usize = 16;

/// A future whose type nobody has to name.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A resource type with its adapter, whatever the type is.
pub trait Handler: Send + Sync {
    /// The resource type as data.
    fn listing(&self) -> &dyn Listing;
    /// One page of the resources of a place.
    fn list<'a>(&'a self, location: &'a Location, from: Option<String>) -> Boxed<'a, Result<Page, AwsError>>;
    /// The resources of a place that settings name.
    fn required(&self, settings: &Settings, location: &Location) -> Vec<Resource>;
    /// Takes one resource through the pipeline.
    fn process<'a>(
        &'a self,
        invocation: &'a Invocation,
        resource: &'a Resource,
        cause: &'a Cause,
    ) -> Boxed<'a, Result<Answer, Failure>>;
    /// Reads and judges one resource, and changes, records and tells nothing.
    fn evaluate<'a>(
        &'a self,
        invocation: &'a Invocation,
        resource: &'a Resource,
        cause: &'a Cause,
    ) -> Boxed<'a, Result<Evaluation, Failure>>;
    /// Takes a call through the pipeline, for each resource that it names.
    fn call<'a>(&'a self, invocation: &'a Invocation, call: &'a Call) -> Boxed<'a, Result<Vec<Answer>, Failure>>;
    /// Looks at what settings require of this type's resources.
    fn preflight<'a>(
        &'a self,
        invocation: &'a Invocation,
        by: Option<&'a str>,
    ) -> Boxed<'a, Result<Vec<Checked>, Failure>>;
    /// Undoes a record.
    fn restore<'a>(
        &'a self,
        invocation: &'a Invocation,
        record: Record,
        request: &'a Restore,
    ) -> Boxed<'a, Result<Answer, Failure>>;
}

/// The handlers of a function.
pub struct Handlers(Vec<Box<dyn Handler>>);

impl From<Vec<Box<dyn Handler>>> for Handlers {
    fn from(handlers: Vec<Box<dyn Handler>>) -> Self {
        Self(handlers)
    }
}

impl Handlers {
    /// The one that looks after resources of this type.
    pub fn of(&self, kind: &str) -> Option<&dyn Handler> {
        self.iter().find(|handler| handler.listing().kind() == kind)
    }

    pub fn iter(&self) -> impl Iterator<Item = &dyn Handler> {
        self.0.iter().map(Box::as_ref)
    }

    /// What their services tell EventBridge by themselves.
    pub fn native_events(&self) -> impl Iterator<Item = NativeEvent> {
        self.listings().flat_map(Listing::native_events).copied()
    }

    pub fn listings(&self) -> impl Iterator<Item = &dyn Listing> {
        self.iter().map(Handler::listing)
    }
}

/// Joins a resource type with its adapter.
pub fn serve<A: Adapter>(typed: Typed<A::State>, adapter: A) -> Box<dyn Handler> {
    Box::new(Bound { typed, adapter })
}

impl<A: Adapter> Handler for Bound<A> {
    fn listing(&self) -> &dyn Listing {
        &self.typed
    }

    fn list<'a>(&'a self, location: &'a Location, from: Option<String>) -> Boxed<'a, Result<Page, AwsError>> {
        Box::pin(self.adapter.list(location, from))
    }

    fn required(&self, settings: &Settings, location: &Location) -> Vec<Resource> {
        (self.typed.resource_type.required)(settings, location)
    }

    fn process<'a>(
        &'a self,
        invocation: &'a Invocation,
        resource: &'a Resource,
        cause: &'a Cause,
    ) -> Boxed<'a, Result<Answer, Failure>> {
        Box::pin(async move {
            let since = Timestamp::now();
            match self.adapter.resolve(resource.clone()).await {
                Ok(Some(resource)) => pipeline::process(invocation, self, &resource, cause, since).await,
                Ok(None) => Ok(Answer::of(resource, Conclusion::Gone)),
                Err(error) => Err(Failure::Observe(error)),
            }
        })
    }

    fn evaluate<'a>(
        &'a self,
        invocation: &'a Invocation,
        resource: &'a Resource,
        cause: &'a Cause,
    ) -> Boxed<'a, Result<Evaluation, Failure>> {
        Box::pin(async move {
            match self.adapter.resolve(resource.clone()).await {
                Ok(Some(resource)) => evaluate(invocation, self, &resource, cause).await,
                Ok(None) => Ok(Evaluation::Gone),
                Err(error) => Err(Failure::Observe(error)),
            }
        })
    }

    fn call<'a>(&'a self, invocation: &'a Invocation, call: &'a Call) -> Boxed<'a, Result<Vec<Answer>, Failure>> {
        Box::pin(async move {
            let mut cause = Cause::from(call);
            let mut answers = Vec::new();
            let mut failure = None;
            let resource_type = self.typed.resource_type;
            let since = Timestamp::now();
            let mut found = Vec::new();
            let named = match (resource_type.named)(call) {
                // The id of what was made is in the answer alone.
                Err(EventError::Missing(_))
                    if call.response.is_null() && resource_type.answered.contains(&call.name.as_str()) =>
                {
                    cause.origin.omitted = true;
                    let token = call.parameter("clientToken")?;
                    let made = self.adapter.unanswered(&call.place(), token.as_deref()).await;
                    found = made.map_err(Failure::Observe)?;
                    Vec::new()
                }
                named => named?,
            };
            // One resource that fails must not keep the others from being looked at.
            for (named, stands_for) in self.adapter.resolve_all(named).await {
                match stands_for {
                    Ok(none) if none.is_empty() => answers.push(Answer::of(&named, Conclusion::Gone)),
                    Ok(resources) => found.extend(resources),
                    Err(error) => note(&named, Failure::Observe(error), &mut failure),
                }
            }
            let is_storm = invocation.digest.is_none() && found.len() > STORM;
            let quiet = is_storm.then(|| invocation.digesting());
            let invocation = quiet.as_ref().unwrap_or(invocation);
            let mut looks = stream::iter(found)
                .map(|resource| async {
                    let handled = pipeline::process(invocation, self, &resource, &cause, since).await;
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
            if is_storm
                && let Err(untold) = summary::tell_storm(invocation, self.typed.resource_type.name, &cause).await
            {
                failure.get_or_insert(untold);
            }
            failure.map_or(Ok(answers), Err)
        })
    }

    fn preflight<'a>(
        &'a self,
        invocation: &'a Invocation,
        by: Option<&'a str>,
    ) -> Boxed<'a, Result<Vec<Checked>, Failure>> {
        Box::pin(preflight::look(invocation, self, by))
    }

    fn restore<'a>(
        &'a self,
        invocation: &'a Invocation,
        record: Record,
        request: &'a Restore,
    ) -> Boxed<'a, Result<Answer, Failure>> {
        Box::pin(restore::restore(invocation, self, record, request))
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
