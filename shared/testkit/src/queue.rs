//! A function's queue and the mapping that hands its messages over, on a clock of the test's own: hours pass at once.
//!
//! Source: Lambda Developer Guide, "Using Lambda with Amazon SQS"; SQS Developer Guide, "Amazon SQS visibility timeout", "Using
//! dead-letter queues in Amazon SQS".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{Call, Function, Invocation, random};

/// How many messages a batch has at most.
const BATCH: usize = 10;

/// A queue with a dead-letter queue.
#[derive(Debug)]
pub struct Queue {
    /// The time, in seconds since it was made.
    pub now: u64,
    /// The events in the dead-letter queue, with the failure by which the function put one there; none of those whose tries were used up.
    pub letters: Vec<(Value, Option<String>)>,
    /// How often the function was invoked.
    pub invocations: usize,
    messages: Vec<Message>,
    most_receives: u32,
    visibility_timeout: u64,
}

#[derive(Debug)]
struct Message {
    id: String,
    body: Value,
    receives: u32,
    visible: u64,
}

impl Queue {
    /// An empty one. `most_receives` and `visibility_timeout`, in seconds, are those of the template.
    pub fn new(most_receives: u32, visibility_timeout: u64) -> Self {
        Self {
            now: 0,
            letters: Vec::new(),
            invocations: 0,
            messages: Vec::new(),
            most_receives,
            visibility_timeout,
        }
    }

    /// Puts an event into it.
    pub fn send(&mut self, event: Value) {
        self.messages.push(Message {
            id: random::uuid(),
            body: event,
            receives: 0,
            visible: self.now,
        });
    }

    /// How many messages are in it.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How often the message that was received most often was.
    pub fn most_received(&self) -> u32 {
        self.messages.iter().map(|message| message.receives).max().unwrap_or(0)
    }

    /// Moves the clock to when the next message is visible, if none is now.
    pub fn wait(&mut self) {
        let next = self.messages.iter().map(|message| message.visible).min();
        self.now = self.now.max(next.unwrap_or(self.now));
    }

    /// Hands a batch of visible messages to the function, and does with each what was answered. None where none is visible.
    pub async fn deliver(&mut self, function: &Function) -> Option<Invocation> {
        let (now, most) = (self.now, self.most_receives);
        self.messages.sort_by_key(|message| message.visible);
        let (spent, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition(|message| message.visible <= now && message.receives >= most);
        self.messages = kept;
        self.letters
            .extend(spent.into_iter().map(|message| (message.body, None)));
        let visible = self.messages.iter_mut().filter(|message| message.visible <= now);
        let batch: Vec<_> = visible.take(BATCH).collect();
        if batch.is_empty() {
            return None;
        }
        let mut records = Vec::new();
        let mut handed = BTreeSet::new();
        for message in batch {
            message.receives += 1;
            message.visible = now + self.visibility_timeout;
            handed.insert(message.id.clone());
            records.push(record(&message.id, &message.body, message.receives));
        }
        let done = function.invoke(json!({"Records": records})).await;
        self.invocations += 1;
        self.settle(&done, &handed);
        Some(done)
    }

    fn settle(&mut self, done: &Invocation, handed: &BTreeSet<String>) {
        let failed: Option<BTreeSet<_>> = done.result.as_ref().ok().map(|answer| {
            let failures = answer["batchItemFailures"].as_array().expect("an answer to a batch");
            let ids = failures
                .iter()
                .map(|one| one["itemIdentifier"].as_str().expect("an id"));
            ids.map(str::to_owned).collect()
        });
        let deleted: BTreeSet<_> = entries(done, "DeleteMessageBatch").map(|entry| id(&entry)).collect();
        let delays: BTreeMap<_, _> = entries(done, "ChangeMessageVisibilityBatch")
            .map(|entry| (id(&entry), entry["VisibilityTimeout"].as_u64().expect("seconds")))
            .collect();
        let is_over = |message: &Message| {
            let answered = failed.as_ref().is_some_and(|failed| !failed.contains(&message.id));
            handed.contains(&message.id) && (answered || deleted.contains(&message.id))
        };
        self.messages.retain(|message| !is_over(message));
        for message in &mut self.messages {
            if let Some(delay) = delays.get(&message.id) {
                message.visible = self.now + delay;
            }
        }
        let letters = calls(done, "SendMessage").map(body);
        self.letters.extend(letters.map(|sent| {
            let event = sent["MessageBody"].as_str().unwrap_or_default();
            let failure = sent["MessageAttributes"]["Failure"]["StringValue"].as_str();
            (
                serde_json::from_str(event).unwrap_or_default(),
                failure.map(str::to_owned),
            )
        }));
    }
}

/// A batch of one message for each event, received for the first time.
pub fn batch(events: &[Value]) -> Value {
    let records: Vec<_> = events.iter().map(|event| record(&random::uuid(), event, 1)).collect();
    json!({"Records": records})
}

fn record(id: &str, body: &Value, receives: u32) -> Value {
    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    json!({
        "messageId": id, "receiptHandle": format!("receipt-{id}"), "body": body,
        "attributes": {"ApproximateReceiveCount": receives.to_string(), "SentTimestamp": "1796000000000"},
        "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:portcullis-s3",
    })
}

fn calls<'a>(done: &'a Invocation, action: &'a str) -> impl Iterator<Item = &'a Call> {
    done.calls
        .iter()
        .filter(move |call| call.service == "sqs" && call.action == action)
}

fn body(call: &Call) -> Value {
    serde_json::from_str(call.body.as_deref().unwrap_or_default()).unwrap_or_default()
}

fn entries<'a>(done: &'a Invocation, action: &'a str) -> impl Iterator<Item = Value> + use<'a> {
    calls(done, action).flat_map(|call| body(call)["Entries"].as_array().cloned().unwrap_or_default())
}

fn id(entry: &Value) -> String {
    entry["Id"].as_str().unwrap_or_default().to_owned()
}
