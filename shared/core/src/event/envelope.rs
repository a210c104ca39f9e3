use aws_lambda_events::eventbridge::EventBridgeEvent;
use jiff::Timestamp;
use serde_json::Value;

use super::error::EventError;
use super::fields::object;

/// What EventBridge wraps around an event. Source: EventBridge User Guide, "AWS service event metadata".
pub type Envelope = EventBridgeEvent<Value>;

/// The event in its envelope.
pub(super) fn detail(envelope: &Envelope) -> Result<&Value, EventError> {
    object("detail", Some(&envelope.detail))?.ok_or_else(|| EventError::Missing("detail".into()))
}

/// When EventBridge got it (ISO 8601).
pub(super) fn time(envelope: &Envelope) -> Option<String> {
    let time = envelope.time?;
    let nanoseconds = i32::try_from(time.timestamp_subsec_nanos()).ok()?;
    Timestamp::new(time.timestamp(), nanoseconds)
        .ok()
        .map(|time| time.to_string())
}
