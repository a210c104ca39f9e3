//! What arrives: one entry for every shape, and a refusal by name for anything else.
//!
//! An event says where to look, never what to do, so little is taken from it: which call, which resource, who.
//! EventBridge's envelope and AWS Config's invocation of a rule are typed by `aws_lambda_events`. Its type of a CloudTrail record
//! knows no `errorCode` and refuses records that AWS sends, so the record is read here, by CloudTrail's reference (CloudTrail
//! User Guide, "CloudTrail record contents").

mod actor;
mod call;
mod config;
mod envelope;
mod error;
mod fields;
mod native;
mod requests;
mod sweep;

pub use actor::Actor;
pub use call::{Call, is_region};
pub use config::{ConfigEvent, ConfigRule, Item};
pub use envelope::Envelope;
pub use error::{EventError, LARGEST_EVENT};
pub use fields::{field, string, strings};
pub use native::NativeEvent;
pub use requests::{Look, Preflight, Release, Restore, Scheduled, Waiting};
pub use sweep::{Counts, Sweep, SweepPage};

use serde_json::Value;

use config::{COMPLIANCE_CHANGE, ITEM_CHANGE};
use fields::{text, typed};
use requests::request;

const API_CALL: &str = "AWS API Call via CloudTrail";
const SERVICE_EVENT: &str = "AWS Service Event via CloudTrail";

/// What an invocation asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A call that CloudTrail recorded, or that a service's own event stands for.
    Call(Box<Call>),
    /// Put back what a record of the ledger says was there before.
    Restore(Restore),
    /// Look at one resource.
    Look(Look),
    /// Look at all resources.
    Sweep(Sweep),
    /// Look at what settings require: whether it is there, and can be used.
    Preflight(Preflight),
    /// End the hold that a restore left.
    Release(Release),
    /// Look again at what waited until now.
    Scheduled(Scheduled),
    /// Look again at what the budget of an earlier hour put off.
    Waiting(Waiting),
    /// AWS Config saw a change, or that a rule is not satisfied.
    Config(Box<ConfigEvent>),
    /// AWS Config asks for evaluations.
    Rule(Box<ConfigRule>),
}

type Read = fn(&Value, &[NativeEvent]) -> Result<Event, EventError>;

/// Every shape by the key that it is known by. The first that is there decides.
const SHAPES: [(&str, Read); 11] = [
    ("restore", |event, _| Restore::parse(event).map(Event::Restore)),
    ("look", |event, _| Look::parse(event).map(Event::Look)),
    ("sweep", |event, _| {
        let expected = "{}, or what the answer to an earlier part of it said is left";
        request(&event["sweep"], "sweep", expected).map(Event::Sweep)
    }),
    ("preflight", |event, _| {
        let expected = "{} or {\"by\": \"<who>\"}";
        request(&event["preflight"], "preflight", expected).map(Event::Preflight)
    }),
    ("release", |event, _| Release::parse(event).map(Event::Release)),
    ("scheduled", |event, _| Scheduled::parse(event).map(Event::Scheduled)),
    ("waiting", |event, _| {
        request(&event["waiting"], "waiting", "{}").map(Event::Waiting)
    }),
    ("detail-type", delivered),
    ("invokingEvent", |event, _| {
        ConfigRule::parse(event).map(|rule| Event::Rule(Box::new(rule)))
    }),
    ("eventName", |event, _| Call::recorded(event).map(Event::from)),
    ("eventSource", |event, _| Call::recorded(event).map(Event::from)),
];

impl From<Call> for Event {
    fn from(call: Call) -> Self {
        Self::Call(Box::new(call))
    }
}

impl Event {
    /// The id by which its sender knows it: CloudTrail's, or for an event of AWS Config EventBridge's. What is asked of the function
    /// has none.
    pub fn id(&self) -> &str {
        match self {
            Self::Call(call) => &call.id,
            Self::Config(event) => &event.id,
            _ => "",
        }
    }

    /// Reads an event from its bytes. Of what services tell EventBridge by themselves, `native` is known.
    pub fn from_slice(bytes: &[u8], native: &[NativeEvent]) -> Result<Self, EventError> {
        if bytes.len() > LARGEST_EVENT {
            return Err(EventError::TooLarge(bytes.len()));
        }
        let value = serde_json::from_slice(bytes).map_err(|error| EventError::NotJson(error.to_string()))?;
        Self::read(&value, native)
    }

    /// Reads an event that no service has a shape of its own for: an EventBridge envelope, a bare CloudTrail record, an invocation by
    /// AWS Config, a request of our own.
    pub fn parse(event: &Value) -> Result<Self, EventError> {
        Self::read(event, &[])
    }

    fn read(event: &Value, native: &[NativeEvent]) -> Result<Self, EventError> {
        let Some(object) = event.as_object() else {
            return Err(EventError::unexpected("(the event itself)", "an object", event));
        };
        if let Some((_, read)) = SHAPES.iter().find(|(key, _)| object.contains_key(*key)) {
            return read(event, native);
        }
        let keys: Vec<_> = object
            .keys()
            .take(8)
            .map(|key| key.chars().take(40).collect::<String>())
            .collect();
        Err(EventError::Unknown(format!("{keys:?}")))
    }
}

/// What EventBridge delivers, by its `detail-type`.
fn delivered(event: &Value, native: &[NativeEvent]) -> Result<Event, EventError> {
    let kind = text(event, "detail-type")?;
    match kind.as_str() {
        API_CALL | SERVICE_EVENT => Call::delivered(&typed(event)?).map(Event::from),
        COMPLIANCE_CHANGE | ITEM_CHANGE => {
            ConfigEvent::parse(&typed(event)?).map(|event| Event::Config(Box::new(event)))
        }
        _ => {
            let Some(native) = native.iter().find(|native| native.detail_type == kind) else {
                let expected = "\"AWS API Call via CloudTrail\", \"AWS Service Event via CloudTrail\", an event of AWS Config or one that a service here sends by itself";
                return Err(EventError::unexpected("detail-type", expected, &kind.into()));
            };
            (native.read)(&typed(event)?).map(Event::from)
        }
    }
}

#[cfg(test)]
mod tests;
