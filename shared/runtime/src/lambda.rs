use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_lambda_events::sqs::SqsBatchResponse;
use lambda_runtime::tracing as lambda_tracing;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use portcullis_core::settings::Known;
use portcullis_core::{Event, Location, Service};
use serde::Serialize;
use serde_json::value::RawValue;
use tracing::Instrument as _;

use crate::answer::Response;
use crate::dispatch::Function;
use crate::environment::{Environment, EnvironmentError};
use crate::error::Failure;
use crate::handler::{Handler, Handlers};
use crate::invocation::Delivery;
use crate::metrics;
use crate::queue::{self, Queue};
use crate::schedule::Schedules;
use crate::sdk::{Regional, on_loopback, sdk_config};
use crate::settings::{LIFETIME, Source};
use crate::topic::Topic;

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

/// The names of the sections that services have in the settings, one a line, as `make docs` writes them.
const SECTIONS: &str = include_str!("sections.txt");

/// What an invocation is answered.
#[derive(Serialize)]
#[serde(untagged)]
enum Answered {
    /// One that brought messages of the queue.
    Batch(SqsBatchResponse),
    /// Any other.
    Request(Response),
}

/// Runs the function of a service: `handlers` makes its handlers from the SDK's configuration, `settings` is the packed
/// `portcullis.yaml`.
pub async fn run<F, Fut>(service: fn() -> Service, settings: &str, handlers: F) -> Result<(), lambda_runtime::Error>
where
    F: Fn(SdkConfig) -> Fut,
    Fut: Future<Output = Vec<Box<dyn Handler>>>,
{
    lambda_tracing::init_default_subscriber();
    let environment = Environment::from_process().map_err(in_words)?;
    let sdk = sdk_config().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let topic = Topic::new(aws_sdk_sns::Client::new(&sdk), environment.topic_arn.clone());
    let schedules = Schedules::new(aws_sdk_scheduler::Client::new(&sdk), &environment);
    let config = aws_sdk_config::Client::new(&sdk);
    let location = Location {
        account: environment.account.clone(),
        region: sdk.region().map(ToString::to_string).unwrap_or_default(),
    };
    let patient = sdk
        .to_builder()
        .retry_config(RetryConfig::adaptive().with_max_attempts(6));
    let (handlers, sweeping) = (handlers(sdk.clone()).await, handlers(patient.build()).await);
    let (handlers, sweeping) = (Handlers::from(handlers), Handlers::from(sweeping));
    let own = Known::own(&service(), SECTIONS.lines());
    let given = for_tests("PORTCULLIS_SETTINGS").map_err(in_words)?;
    let yaml = given.as_deref().unwrap_or(settings);
    let lifetime = lifetime().map_err(in_words)?;
    let settings = Source::new(aws_sdk_ssm::Client::new(&sdk), &environment, yaml, own, lifetime).map_err(in_words)?;
    // Read while nobody waits yet; if it fails, the first event reads again and says why.
    let _ = settings.current().await;
    let queue = environment.queue.clone().map(|urls| Queue {
        sqs: Regional::new(&sdk, aws_sdk_sqs::Client::new),
        region: location.region.clone(),
        url: urls.url,
        dead_letters: urls.dead_letters,
    });
    let function = Arc::new(Function {
        handlers,
        sweeping,
        location,
        settings,
        environment,
        dynamodb,
        topic,
        schedules,
        config,
    });
    let queue = Arc::new(queue);
    let served = lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let (function, queue) = (Arc::clone(&function), Arc::clone(&queue));
        async move {
            match queue::batch(event.payload.get().as_bytes()) {
                Some(records) => {
                    let Some(queue) = queue.as_ref() else {
                        let event = String::new();
                        return Err(Failed {
                            failure: Failure::NoQueue,
                            event,
                        });
                    };
                    let handled = queue::handle(&function, queue, records, &event.context).await;
                    Ok(Answered::Batch(handled))
                }
                None => invoked(&function, &event).await.map(Answered::Request),
            }
        }
    }));
    // It is large, and `main` would hold it on the stack.
    Box::pin(served).await
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

/// One invocation: each of its log lines carries the id of the event and that of the request; what fails is counted.
async fn invoked(
    function: &Function,
    LambdaEvent { payload, context }: &LambdaEvent<Box<RawValue>>,
) -> Result<Response, Failed> {
    let native: Vec<_> = function.handlers.native_events().collect();
    let event = Event::from_slice(payload.get().as_bytes(), &native).map_err(Failure::from);
    let id = event.as_ref().map(Event::id).unwrap_or_default().to_owned();
    let span = tracing::info_span!("event", requestId = context.request_id, event_id = id);
    let handled = async { function.handle(event?, context, Delivery::Direct).await }
        .instrument(span)
        .await;
    handled.map_err(|failure| {
        if !failure.is_for_the_retry() {
            metrics::failure(&function.environment.function, failure.name());
        }
        Failed { failure, event: id }
    })
}
