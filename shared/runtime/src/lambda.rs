use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use futures_util::future::join_all;
use jiff::Timestamp;
use lambda_runtime::tracing as lambda_tracing;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use portcullis_core::event::Release;
use portcullis_core::settings::Known;
use portcullis_core::triage::{Ignored, ignored, immaterial, takes};
use portcullis_core::{Call, Event, Listing, Place};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tracing::Instrument as _;

use crate::adapter::{Guards, Serve};
use crate::config;
use crate::environment::{Environment, EnvironmentError};
use crate::error::Failure;
use crate::heartbeat;
use crate::ledger::Ledger;
use crate::metrics;
use crate::pipeline::Shell;
use crate::preflight;
use crate::release;
use crate::schedule::Schedules;
use crate::sdk::{on_loopback, requests, sdk_config};
use crate::settings::{LIFETIME, Source};
use crate::sweep::Sweeper;
use crate::topic::Topic;
use crate::waiting;

struct Function {
    guards: Guards,
    /// The same with adaptive retry: sweeps slow down where AWS throttles, events must not wait for that.
    sweeping: Guards,
    place: Place,
    settings: Source,
    environment: Environment,
    dynamodb: aws_sdk_dynamodb::Client,
    topic: Topic,
    schedules: Schedules,
    config: aws_sdk_config::Client,
}

/// A failed event. The runtime logs it, by its `Debug`, and reports it to Lambda: one line, nothing twice.
struct Failed {
    failure: Failure,
    /// The event's id, where it has one.
    event: String,
}

impl std::fmt::Debug for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { failure, event } = self;
        write!(f, "{}: {failure}", failure.name())?;
        match event.as_str() {
            "" => Ok(()),
            event => write!(f, " (event {event})"),
        }
    }
}

impl From<Failed> for Diagnostic {
    fn from(Failed { failure, .. }: Failed) -> Self {
        Self {
            error_type: failure.name().to_owned(),
            error_message: failure.answer(),
        }
    }
}

/// Runs a function: `guards` makes its guards from the SDK's configuration, `settings` is the packed `portcullis.yaml`.
pub async fn run<F, Fut>(settings: &str, guards: F) -> Result<(), lambda_runtime::Error>
where
    F: Fn(SdkConfig) -> Fut,
    Fut: Future<Output = Vec<Box<dyn Serve>>>,
{
    lambda_tracing::init_default_subscriber();
    let environment = Environment::from_process().map_err(in_words)?;
    let sdk = sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let topic = Topic::new(aws_sdk_sns::Client::new(&sdk), environment.topic_arn.clone());
    let schedules = Schedules::new(aws_sdk_scheduler::Client::new(&sdk), &environment);
    let config = aws_sdk_config::Client::new(&sdk);
    let place = Place {
        account: environment.account.clone(),
        region: sdk.region().map(ToString::to_string).unwrap_or_default(),
    };
    let patient = sdk
        .to_builder()
        .retry_config(RetryConfig::adaptive().with_max_attempts(6));
    let (guards, sweeping) = (guards(sdk.clone()).await, guards(patient.build()).await);
    let (guards, sweeping) = (Guards::from(guards), Guards::from(sweeping));
    let own = Known::own(guards.listings());
    let given = for_tests("PORTCULLIS_SETTINGS").map_err(in_words)?;
    let yaml = given.as_deref().unwrap_or(settings);
    let lifetime = lifetime().map_err(in_words)?;
    let settings = Source::new(aws_sdk_ssm::Client::new(&sdk), &environment, yaml, own, lifetime).map_err(in_words)?;
    // Read while nobody waits yet; if it fails, the first event reads again and says why.
    let _ = settings.current().await;
    let function = Arc::new(Function {
        guards,
        sweeping,
        place,
        settings,
        environment,
        dynamodb,
        topic,
        schedules,
        config,
    });
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let function = Arc::clone(&function);
        async move { function.invoked(&event).await }
    }))
    .await
}

/// Why a function can't start, as a sentence: what `main` returns is printed for programmers.
fn in_words(error: impl std::error::Error) -> lambda_runtime::Error {
    error.to_string().into()
}

/// What tests and local replay may set, such as other settings than the packed ones: taken only where all calls go to loopback.
fn for_tests(name: &'static str) -> Result<Option<String>, EnvironmentError> {
    match std::env::var(name) {
        Ok(value) if on_loopback() => Ok(Some(value)),
        Ok(_) => Err(EnvironmentError::ForTests(name)),
        Err(_) => Ok(None),
    }
}

/// How long settings are used before the parameter is read again.
fn lifetime() -> Result<Duration, EnvironmentError> {
    let Some(text) = for_tests("PORTCULLIS_SETTINGS_LIFETIME")? else {
        return Ok(LIFETIME);
    };
    let milliseconds = text.parse().map_err(|_| EnvironmentError::Lifetime(text))?;
    Ok(Duration::from_millis(milliseconds))
}

impl Function {
    /// One invocation: each of its log lines carries the id of the event and that of the request; what fails is counted.
    async fn invoked(&self, LambdaEvent { payload, context }: &LambdaEvent<Box<RawValue>>) -> Result<Value, Failed> {
        let native: Vec<_> = self
            .guards
            .listings()
            .flat_map(Listing::native_events)
            .copied()
            .collect();
        let event = Event::from_slice(payload.get().as_bytes(), &native).map_err(Failure::from);
        let id = event.as_ref().map(Event::id).unwrap_or_default().to_owned();
        let span = tracing::info_span!("event", requestId = context.request_id, event_id = id);
        let handled = async { self.handle(event?, context).await }.instrument(span).await;
        handled.map_err(|failure| {
            if !failure.is_for_the_retry() {
                metrics::failure(&self.environment.function, failure.name());
            }
            Failed { failure, event: id }
        })
    }

    async fn handle(&self, event: Event, context: &Context) -> Result<Value, Failure> {
        let shell = Shell {
            ledger: Ledger::new(self.dynamodb.clone(), self.environment.ledger_table.clone()),
            topic: self.topic.of(&context.request_id),
            schedules: self.schedules.of(&context.invoked_function_arn),
            settings: self.settings.current().await?,
            own_role: self.environment.own_role.clone(),
            function: self.environment.function.clone(),
            place: self.place.clone(),
            request: context.request_id.clone(),
            owner: uuid::Uuid::now_v7().to_string(),
            deadline: i64::try_from(context.deadline).unwrap_or(i64::MAX),
            digest: matches!(event, Event::Sweep(_)).then(Arc::default),
        };
        match event {
            Event::Sweep(sweep) => {
                let sweeper = Sweeper {
                    shell: &shell,
                    guards: &self.sweeping,
                    place: &self.place,
                };
                sweeper.run(&sweep).await
            }
            Event::Call(call) if heartbeat::is_one(&call, &self.environment.topic_arn) => {
                heartbeat::answer(&shell, &self.settings).await
            }
            Event::Call(call) => self.call(&shell, &call).await,
            Event::Preflight(request) => preflight::preflight(&shell, self.guards.iter(), request.by.as_deref()).await,
            Event::Restore(request) => {
                let refused = |why: &str| Failure::Restore {
                    record: request.restore.clone(),
                    why: why.to_owned(),
                    facts: None,
                };
                let (record, open) = shell
                    .ledger
                    .find(&request.restore)
                    .await?
                    .ok_or_else(|| refused("the ledger has no such record"))?;
                if open {
                    return Err(refused("it is still open: its event is being handled or retried"));
                }
                let kind = &record.report.resource.kind;
                let guard = self.guards.of(kind);
                let guard = guard.ok_or_else(|| refused(&format!("this function does not look after {kind}")))?;
                let by = request
                    .by
                    .clone()
                    .unwrap_or_else(|| "somebody who did not say who".into());
                guard.restore(&shell, record, request.force, by).await
            }
            Event::Release(request) => self.release(&shell, &request).await,
            Event::Config(event) => config::lead(&shell, &self.guards, &event).await,
            Event::Rule(rule) => config::answer(&shell, &self.config, &self.sweeping, &rule).await,
            Event::Scheduled(scheduled) => waiting::scheduled(&shell, &self.guards, &scheduled).await,
            Event::Waiting(_) => waiting::waiting(&shell, &self.sweeping).await,
        }
    }

    /// Ends a hold, then looks at what it held.
    async fn release(&self, shell: &Shell, request: &Release) -> Result<Value, Failure> {
        let resource = release::find(shell, request).await?;
        let kind = &resource.kind;
        let guard = self.guards.of(kind);
        let guard = guard.ok_or_else(|| Failure::Release {
            what: request.release.clone(),
            why: format!("this function does not look after {kind}"),
        })?;
        let released = release::release(shell, request, resource).await?;
        let now = guard.process(shell, &released.resource, &released.cause).await?;
        Ok(json!({"resource": released.resource.arn, "outcome": "released", "record": released.record, "now": now}))
    }

    async fn call(&self, shell: &Shell, call: &Call) -> Result<Value, Failure> {
        let ignore = |why: String| {
            tracing::info!(call = call.name, source = call.source, why, "ignored");
            Ok(json!({"ignored": why}))
        };
        let ignored = ignored(call, &self.environment.own_roles, self.guards.listings());
        if let Some(why) = ignored.or_else(|| immaterial(call, &shell.settings, self.guards.listings())) {
            return ignore(why.to_string());
        }
        let own = &self.environment.account;
        if call.account != *own {
            return Err(Failure::ForeignAccount {
                expected: own.clone(),
                found: call.account.clone(),
            });
        }
        let mut takers = self.guards.listings();
        if call.region != self.place.region && takers.all(|listing| listing.regional() || !takes(listing, call)) {
            return Err(Failure::ForeignRegion {
                expected: self.place.region.clone(),
                found: call.region.clone(),
            });
        }
        let (arrived, before) = (Timestamp::now().as_millisecond(), requests());
        let answers = self.guarded(shell, call).await;
        let made = call.time.parse::<Timestamp>().ok();
        metrics::event(metrics::Handled {
            function: &shell.function,
            event: &call.name,
            age: made.map(|made| arrived - made.as_millisecond()),
            duration: Timestamp::now().as_millisecond() - arrived,
            calls: requests() - before,
        });
        match answers? {
            answers if answers.is_empty() => ignore(Ignored::Foreign.to_string()),
            answers => Ok(json!({"resources": answers})),
        }
    }

    /// Lets each guard that looks after what the call can break look at what it names, at the same time.
    async fn guarded(&self, shell: &Shell, call: &Call) -> Result<Vec<Value>, Failure> {
        let takers = self.guards.iter().filter(|guard| takes(guard.listing(), call));
        let looks = join_all(takers.map(|guard| guard.call(shell, call))).await;
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
}
