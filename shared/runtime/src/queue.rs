//! A batch of events from the function's queue: each is handled, or says when it is to be looked at again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageAttributeValue,
};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use jiff::Timestamp;
use lambda_runtime::Context;
use portcullis_core::Event;
use portcullis_core::event::NativeEvent;
use tracing::Instrument as _;

use crate::answered::done;
use crate::dispatch::Function;
use crate::error::{AwsError, Failure};
use crate::invocation::Delivery;
use crate::metrics;
use crate::retry::again;
use crate::sdk::Regional;

/// From this receive on a message is handled by itself: handling it may be what ended the process before.
const ALONE: u32 = 4;

/// What is kept of an invocation's time for the answer.
const FOR_THE_ANSWER: Duration = Duration::from_secs(3);

/// The function's queue, and the one that keeps what could not be handled.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Made when the first message has to come again: most batches need no call.
    pub sqs: Regional<Client>,
    /// The region of both.
    pub region: String,
    /// The queue's URL.
    pub url: String,
    /// The dead-letter queue's URL.
    pub dead_letters: String,
}

/// An event in the queue.
struct Message {
    /// As SQS knows it.
    id: String,
    receipt: String,
    /// How often it was received, this time included.
    receives: u32,
    body: String,
    event: Result<Event, Failure>,
}

/// What came of a message.
type Handled = (Message, Result<(), Failure>);

/// A batch of messages, if an invocation is one. Source: Lambda Developer Guide, "Using Lambda with Amazon SQS".
pub fn batch(payload: &[u8]) -> Option<Vec<SqsMessage>> {
    let event: SqsEvent = serde_json::from_slice(payload).ok()?;
    let of_sqs = |message: &SqsMessage| message.event_source.as_deref() == Some("aws:sqs");
    let records = event.records;
    (!records.is_empty() && records.iter().all(of_sqs)).then_some(records)
}

/// Handles a batch. The answer names the messages that the queue is to deliver again, each when it asked for.
pub async fn handle(
    function: &Function,
    queue: &Queue,
    records: Vec<SqsMessage>,
    context: &Context,
) -> SqsBatchResponse {
    let native: Vec<_> = function.handlers.native_events().collect();
    let messages = records.into_iter().map(|record| Message::read(record, &native));
    let (mut suspects, fresh): (Vec<_>, Vec<_>) = messages.partition(|message| message.receives >= ALONE);
    let mut failed = Vec::new();
    let lanes = lanes(function, fresh).await;
    let handled = join_all(lanes.into_iter().map(|lane| async move {
        let mut handled = Vec::new();
        for messages in lane {
            handled.append(&mut look(function, context, messages).await);
        }
        handled
    }));
    let handled: Vec<Handled> = handled.await.into_iter().flatten().collect();
    settle(function, queue, handled, suspects.is_empty(), &mut failed).await;
    // In another order each time: what comes after the one that ends the process is before it some other time.
    let order = RandomState::new();
    suspects.sort_by_key(|suspect| order.hash_one(&suspect.id));
    for suspect in suspects {
        let handled = look(function, context, vec![suspect]).await;
        settle(function, queue, handled, false, &mut failed).await;
    }
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .into_iter()
        .map(|id| {
            let mut item = BatchItemFailure::default();
            item.item_identifier = id;
            item
        })
        .collect();
    response
}

impl Message {
    fn read(record: SqsMessage, native: &[NativeEvent]) -> Self {
        let body = record.body.unwrap_or_default();
        let event = match Event::from_slice(body.as_bytes(), native) {
            Ok(event @ (Event::Call(_) | Event::Config(_))) => Ok(event),
            // Whoever may write to the queue must not be able to ask in the operator's name.
            Ok(_) => Err(Failure::NotFromQueue),
            Err(error) => Err(error.into()),
        };
        let receives = record.attributes.get("ApproximateReceiveCount");
        Self {
            id: record.message_id.unwrap_or_default(),
            receipt: record.receipt_handle.unwrap_or_default(),
            receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
            body,
            event,
        }
    }

    /// Takes the event where it leads: what panics, or takes too long, fails by itself.
    async fn handled(&self, function: &Function, context: &Context) -> Result<(), Failure> {
        let event = self.event.clone()?;
        let span = tracing::info_span!(
            "event",
            requestId = context.request_id,
            event_id = event.id(),
            message_id = self.id
        );
        let handling = AssertUnwindSafe(function.handle(event, context, Delivery::Queue)).catch_unwind();
        let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
        let handled = tokio::time::timeout(left.saturating_sub(FOR_THE_ANSWER), handling);
        let handled = handled.instrument(span).await;
        match handled {
            Ok(Ok(handled)) => handled.map(drop),
            Ok(Err(_)) => Err(Failure::Panicked),
            Err(_) => Err(Failure::OutOfTime),
        }
    }
}

/// The looks that messages ask for, in lanes: those of different lanes are about different resources. Calls of one name that are
/// about the same resources, and of which each can change what is judged, ask for one look: it comes after all of them.
async fn lanes(function: &Function, messages: Vec<Message>) -> Vec<Vec<Vec<Message>>> {
    let settings = function.settings.current().await.ok();
    let mut lanes: BTreeMap<String, BTreeMap<String, Vec<Message>>> = BTreeMap::new();
    for message in messages {
        let resources = match (&message.event, &settings) {
            (Ok(Event::Call(call)), Some(settings)) => function.resources(call, settings),
            _ => None,
        };
        let (lane, same) = match (&message.event, resources) {
            (Ok(Event::Call(call)), Some(resources)) if !call.omitted => (resources, call.name.clone()),
            (_, Some(resources)) => (resources, message.id.clone()),
            _ => (message.id.clone(), message.id.clone()),
        };
        lanes.entry(lane).or_default().entry(same).or_default().push(message);
    }
    lanes.into_values().map(|lane| lane.into_values().collect()).collect()
}

/// One look for messages that ask for the same: the newest says who.
async fn look(function: &Function, context: &Context, mut messages: Vec<Message>) -> Vec<Handled> {
    let time = |message: &Message| match &message.event {
        Ok(Event::Call(call)) => call.time.clone(),
        _ => String::new(),
    };
    messages.sort_by_key(time);
    let Some(newest) = messages.last() else {
        return Vec::new();
    };
    let came_of_it = newest.handled(function, context).await;
    let messages = messages.into_iter();
    messages.map(|message| (message, came_of_it.clone())).collect()
}

/// Sees to what came of messages: those that failed come again when it may help, or are kept where it can't. `is_last` leaves it to
/// Lambda to delete those that were handled.
async fn settle(function: &Function, queue: &Queue, handled: Vec<Handled>, is_last: bool, failed: &mut Vec<String>) {
    let (mut back, mut handled_ones) = (Vec::new(), Vec::new());
    for (message, came_of_it) in handled {
        let Err(failure) = came_of_it else {
            handled_ones.push(message);
            continue;
        };
        let delay = again(&failure, message.receives, Timestamp::now());
        log(function, &message, &failure, delay);
        match delay {
            Some(delay) => back.push((message, delay)),
            None => match queue.keep(&message, &failure).await {
                Ok(()) => handled_ones.push(message),
                Err(error) => {
                    tracing::error!(message_id = message.id, error = %error, "the event can't be kept in the dead-letter queue");
                    back.push((message, Duration::from_mins(1)));
                }
            },
        }
    }
    // Without its delay a message comes back when the queue's visibility timeout is over.
    if let Err(error) = queue.delay(&back).await {
        tracing::warn!(error = %error, "messages come back when their visibility timeout is over");
    }
    failed.extend(back.into_iter().map(|(message, _)| message.id));
    if is_last {
        return;
    }
    if let Err(error) = queue.delete(&handled_ones).await {
        tracing::warn!(error = %error, "messages that were handled are left to Lambda to delete");
    }
}

fn log(function: &Function, message: &Message, failure: &Failure, delay: Option<Duration>) {
    let (event, failed, seconds) = (
        message.event.as_ref().map(Event::id).unwrap_or_default(),
        failure.name(),
        delay.map(|delay| delay.as_secs()),
    );
    let (id, receives) = (message.id.as_str(), message.receives);
    if failure.is_for_the_retry() {
        tracing::info!(event_id = event, message_id = id, receives, failed, again_in_seconds = seconds, error = %failure, "the event waits");
        return;
    }
    metrics::failure(&function.environment.function, failed);
    let kept = if delay.is_some() {
        "it comes again"
    } else {
        "it is kept in the dead-letter queue"
    };
    tracing::error!(event_id = event, message_id = id, receives, failed, again_in_seconds = seconds, error = %failure, "the event failed: {kept}");
}

impl Queue {
    /// Has messages delivered again after a while each. Source: SQS API Reference, `ChangeMessageVisibilityBatch`.
    async fn delay(&self, messages: &[(Message, Duration)]) -> Result<(), AwsError> {
        let entries: Vec<_> = messages
            .iter()
            .filter_map(|(message, delay)| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(&message.id)
                    .receipt_handle(&message.receipt)
                    .visibility_timeout(i32::try_from(delay.as_secs()).unwrap_or(i32::MAX))
                    .build()
                    .ok()
            })
            .collect();
        if entries.is_empty() {
            return Ok(());
        }
        let change = self
            .sqs
            .of(&self.region)
            .change_message_visibility_batch()
            .queue_url(&self.url);
        let answer = change.set_entries(Some(entries)).send().await;
        done("ChangeMessageVisibilityBatch", answer).map(drop)
    }

    /// Deletes messages that were handled, so that what ends the process afterwards does not bring them back.
    async fn delete(&self, messages: &[Message]) -> Result<(), AwsError> {
        let entries: Vec<_> = messages
            .iter()
            .filter_map(|message| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(&message.id)
                    .receipt_handle(&message.receipt)
                    .build()
                    .ok()
            })
            .collect();
        if entries.is_empty() {
            return Ok(());
        }
        let delete = self.sqs.of(&self.region).delete_message_batch().queue_url(&self.url);
        let answer = delete.set_entries(Some(entries)).send().await;
        done("DeleteMessageBatch", answer).map(drop)
    }

    /// Keeps a message that can't be handled, with the reason.
    async fn keep(&self, message: &Message, failure: &Failure) -> Result<(), AwsError> {
        let text = |value: String| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .ok()
        };
        let send = self.sqs.of(&self.region).send_message();
        let mut send = send.queue_url(&self.dead_letters).message_body(&message.body);
        for (name, value) in [("Failure", failure.name().to_owned()), ("Error", failure.to_string())] {
            if let Some(value) = text(value) {
                send = send.message_attributes(name, value);
            }
        }
        done("SendMessage", send.send().await).map(drop)
    }
}
