//! Where an event goes: to the resource types that look after what a call names, or to an operation.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use lambda_runtime::Context;
use portcullis_core::event::{EventError, Look, Release};
use portcullis_core::triage::{Ignored, ignored, immaterial, takes};
use portcullis_core::{Call, Cause, Event, Listing, Location, Selector, Settings};

use crate::answer::{Answer, PreflightCounts, Released, Response};
use crate::environment::Environment;
use crate::error::Failure;
use crate::handler::{Handler, Handlers};
use crate::invocation::{Delivery, Invocation};
use crate::ledger::Ledger;
use crate::metrics;
use crate::operations::{aws_config, deferred, heartbeat, release, restore, sweep};
use crate::schedule::Schedules;
use crate::sdk::counted;
use crate::settings::Source;
use crate::topic::Topic;

/// What one process of a function keeps between invocations.
pub struct Function {
    pub handlers: Handlers,
    /// The same with adaptive retry: sweeps slow down where AWS throttles, events must not wait for that.
    pub sweeping: Handlers,
    pub location: Location,
    pub settings: Source,
    pub environment: Environment,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub topic: Topic,
    pub schedules: Schedules,
    pub config: aws_sdk_config::Client,
}

impl Function {
    /// Handles one event.
    pub async fn handle(&self, event: Event, context: &Context, delivery: Delivery) -> Result<Response, Failure> {
        let invocation = &self.invocation(&event, context, delivery).await?;
        match event {
            Event::Sweep(sweep) => sweep::sweep(invocation, &self.sweeping, &sweep).await,
            Event::Call(call) if heartbeat::is_one(&call, &self.environment.heartbeat) => {
                heartbeat::answer(invocation, &self.settings, &self.environment.other_functions).await
            }
            Event::Call(call) => self.call(invocation, &call).await,
            Event::Preflight(request) => self.preflight(invocation, request.by.as_deref()).await,
            Event::Restore(request) => {
                let request = &request;
                let record = restore::find(invocation, &request.restore).await?;
                let kind = &record.report.resource.kind;
                let handler = self.handlers.of(kind).ok_or_else(|| {
                    restore::refused(&request.restore, format!("this function does not look after {kind}"))
                })?;
                let restored = handler.restore(invocation, record, request);
                restored.await.map(Response::Resource)
            }
            Event::Look(request) => self.look(invocation, &request).await,
            Event::Release(request) => self.release(invocation, &request).await,
            Event::Config(event) => aws_config::lead(invocation, &self.handlers, &event).await,
            Event::Rule(rule) => aws_config::answer(invocation, &self.config, &self.sweeping, &rule).await,
            Event::Scheduled(scheduled) => deferred::scheduled(invocation, &self.handlers, &scheduled).await,
            Event::Waiting(_) => deferred::waiting(invocation, &self.sweeping).await,
        }
    }

    async fn invocation(&self, event: &Event, context: &Context, delivery: Delivery) -> Result<Invocation, Failure> {
        Ok(Invocation {
            ledger: Ledger::new(self.dynamodb.clone(), self.environment.ledger_table.clone()),
            topic: self.topic.of(&context.request_id),
            schedules: self.schedules.of(&context.invoked_function_arn),
            settings: self.settings.current().await?,
            own_role: self.environment.own_role.clone(),
            function: self.environment.function.clone(),
            location: self.location.clone(),
            request: context.request_id.clone(),
            owner: uuid::Uuid::now_v7().to_string(),
            deadline: i64::try_from(context.deadline).unwrap_or(i64::MAX),
            delivery,
            digest: matches!(event, Event::Sweep(_)).then(Arc::default),
        })
    }

    /// Looks at one resource, by whoever's request.
    async fn look(&self, invocation: &Invocation, request: &Look) -> Result<Response, Failure> {
        let found = self.handlers.iter().find_map(|handler| {
            let resource = handler.listing().identified(&request.look, &invocation.location)?;
            Some((handler, resource))
        });
        let (handler, resource) = found.ok_or_else(|| {
            let expected = "the ARN of a resource that this function looks after, of this account and region";
            EventError::Unexpected {
                field: "look".into(),
                expected,
                found: request.look.chars().take(120).collect(),
            }
        })?;
        let cause = Cause::other("look", Timestamp::now(), Selector::All)
            .with_id(&invocation.request)
            .asked_by(request.by.as_deref());
        handler
            .process(invocation, &resource, &cause)
            .await
            .map(Response::Resource)
    }

    /// Ends a hold, then looks at what it held.
    async fn release(&self, invocation: &Invocation, request: &Release) -> Result<Response, Failure> {
        let resource = release::find(invocation, request).await?;
        let kind = &resource.kind;
        let handler = self.handlers.of(kind).ok_or_else(|| Failure::Release {
            what: request.release.clone(),
            why: format!("this function does not look after {kind}"),
        })?;
        let ended = release::release(invocation, request, resource).await?;
        let now = handler.process(invocation, &ended.resource, &ended.cause).await?;
        Ok(Response::Released(Released {
            resource: ended.resource.arn,
            record: ended.record,
            now,
        }))
    }

    /// Looks at what settings require of each type, and counts what that comes to.
    async fn preflight(&self, invocation: &Invocation, by: Option<&str>) -> Result<Response, Failure> {
        let mut resources = Vec::new();
        for handler in self.handlers.iter() {
            resources.append(&mut handler.preflight(invocation, by).await?);
        }
        let right = resources.iter().filter(|one| one.is_right()).count();
        let unchecked = resources.iter().filter(|one| one.is_unchecked()).count();
        let preflight = PreflightCounts {
            right,
            wrong: resources.len() - right - unchecked,
            unchecked,
        };
        Ok(Response::Preflight { preflight, resources })
    }

    /// The resources that a call is about, as one text: of two calls with the same, one look is enough where both matter. None where
    /// it leads nowhere, or can't be read.
    pub fn resources(&self, call: &Call, settings: &Settings) -> Option<String> {
        let takers = self.handlers.listings().filter(|listing| takes(*listing, call));
        let mut arns = BTreeSet::new();
        let mut matters = false;
        for listing in takers {
            matters |= listing.matters(call, settings);
            arns.extend(listing.resources(call)?.ok()?.into_iter().map(|resource| resource.arn));
        }
        let leads = matters && !arns.is_empty() && ignored(call, &self.environment.own_roles).is_none();
        leads.then(|| arns.into_iter().collect::<Vec<_>>().join(" "))
    }

    async fn call(&self, invocation: &Invocation, call: &Call) -> Result<Response, Failure> {
        let ignore = |why: &Ignored| {
            let why = why.to_string();
            tracing::info!(call = call.name, source = call.source, why, "ignored");
            Ok(Response::Ignored { ignored: why })
        };
        if let Some(why) = ignored(call, &self.environment.own_roles) {
            return ignore(&why);
        }
        let takers: Vec<&dyn Handler> = self
            .handlers
            .iter()
            .filter(|handler| takes(handler.listing(), call))
            .collect();
        let listings: Vec<&dyn Listing> = takers.iter().map(|handler| handler.listing()).collect();
        if let Some(why) = immaterial(call, &invocation.settings, &listings) {
            return ignore(&why);
        }
        let own = &self.environment.account;
        if call.account != *own {
            return Err(Failure::ForeignAccount {
                expected: own.clone(),
                found: call.account.clone(),
            });
        }
        if call.region != self.location.region && listings.iter().all(|listing| listing.regional()) {
            return Err(Failure::ForeignRegion {
                expected: self.location.region.clone(),
                found: call.region.clone(),
            });
        }
        let arrived = Timestamp::now().as_millisecond();
        let (answers, calls) = counted(by_all(&takers, invocation, call)).await;
        let made = call.time.parse::<Timestamp>().ok();
        metrics::event(metrics::Handled {
            function: &invocation.function,
            event: &call.name,
            age: made.map(|made| arrived - made.as_millisecond()),
            duration: Timestamp::now().as_millisecond() - arrived,
            calls,
        });
        match answers? {
            resources if resources.is_empty() => ignore(&Ignored::Foreign),
            resources => Ok(Response::Resources { resources }),
        }
    }
}

/// Lets each resource type that a call is about look at what it names, at the same time.
async fn by_all(takers: &[&dyn Handler], invocation: &Invocation, call: &Call) -> Result<Vec<Answer>, Failure> {
    let looks = join_all(takers.iter().map(|handler| handler.call(invocation, call))).await;
    let mut answers = Vec::new();
    let mut failure = None;
    for looked in looks {
        match looked {
            Ok(mut more) => answers.append(&mut more),
            Err(error) if failure.is_some() => tracing::error!(call = call.name, error = %error, "failed as well"),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(answers), Err)
}
