use std::collections::BTreeSet;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use portcullis_core::{Call, Cause, Guard, Listing, Resource, listing};
use serde_json::{Value, json};

use crate::error::{AwsError, Failure};
use crate::ledger::Record;
use crate::pipeline::{self, Shell};
use crate::restore;

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

    /// Makes one change. It must be safe to make twice.
    fn execute(&self, resource: &Resource, remedy: &G::Remedy) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// A future whose type nobody has to name.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A guard with its adapter, ready to be served beside others of other types.
pub trait Serve: Send + Sync {
    /// The guard as data.
    fn listing(&self) -> &dyn Listing;
    /// Takes a call through the pipeline, for each resource that it names.
    fn call<'a>(&'a self, shell: &'a Shell, call: &'a Call) -> Boxed<'a, Result<Vec<Value>, Failure>>;
    /// Undoes a record.
    fn restore<'a>(
        &'a self,
        shell: &'a Shell,
        record: Record,
        force: bool,
        by: String,
    ) -> Boxed<'a, Result<Value, Failure>>;
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

    fn call<'a>(&'a self, shell: &'a Shell, call: &'a Call) -> Boxed<'a, Result<Vec<Value>, Failure>> {
        Box::pin(async move {
            let cause = Cause::from(call);
            let mut answers = Vec::new();
            let mut failure = None;
            let named = G::resources(call)?;
            if named.is_empty() {
                tracing::info!(
                    call = call.name,
                    outcome = "ignored",
                    "it is about another account's resource"
                );
                let why = "it is about another account's resource";
                answers.push(json!({"resource": null, "outcome": "ignored", "why": why}));
            }
            // One resource that fails must not keep the others from being looked at.
            for named in named {
                let arn = named.arn.clone();
                let handled = match self.adapter.resolve(named.clone()).await {
                    Ok(Some(resource)) => pipeline::process::<G, A>(shell, &self.adapter, &resource, &cause).await,
                    Ok(None) => Ok(pipeline::answer(&named, "gone", &[], None)),
                    Err(error) => Err(Failure::Observe(error)),
                };
                match handled {
                    Ok(answer) => answers.push(answer),
                    // The first is what the event fails with, and logged as such.
                    Err(error) if failure.is_none() => failure = Some(error),
                    Err(error) => tracing::error!(resource = arn, error = %error, "failed as well"),
                }
            }
            failure.map_or(Ok(answers), Err)
        })
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
