use super::call::Call;
use super::envelope::Envelope;
use super::error::EventError;

/// How an event is read that a service sends to EventBridge by itself, without a trail: it stands for a call, under another name.
/// The service's crate lists its own.
#[derive(Debug, Clone, Copy)]
pub struct NativeEvent {
    /// Its `detail-type`.
    pub detail_type: &'static str,
    /// The call that it stands for ([`Call::from_native`]), or why it is refused.
    pub read: fn(&Envelope) -> Result<Call, EventError>,
}
