use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::EventError;

/// The longest that ARNs get, and what the ledger takes for a key. Source: DynamoDB Developer Guide, "Constraints".
const LONGEST_ARN: usize = 2048;

/// So many days a restore can be held for.
const LONGEST_HOLD_DAYS: i64 = 90;

/// A request to undo a remediation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The id of the ledger's record.
    pub restore: String,
    /// Whether to overwrite what somebody changed since.
    #[serde(default)]
    pub force: bool,
    /// Who asks, for the record and the alert.
    #[serde(default)]
    pub by: Option<String>,
    /// For how long what was restored is left as it is, as in `90m` or `8h`; as long as settings say where it is absent.
    #[serde(default, rename = "for")]
    pub hold: Option<SignedDuration>,
}

/// A request to look at one resource now, as any event about it would.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The resource's ARN.
    pub look: String,
    /// Who asks, for the record and the alert.
    #[serde(default)]
    pub by: Option<String>,
}

/// A request to look at what settings require, as `{"preflight": {}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preflight {
    /// Who asks, for the record and the alert.
    #[serde(default)]
    pub by: Option<String>,
}

/// A request to end the hold that a restore left.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The resource's ARN, or the id of a record of it.
    pub release: String,
    /// The control whose hold ends; all of them where it is absent.
    #[serde(default)]
    pub control: Option<String>,
    /// Who asks, for the record and the alert.
    #[serde(default)]
    pub by: Option<String>,
}

/// What a one-time schedule brings: where something waited.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// The resource's ARN.
    pub scheduled: String,
    /// The control's id.
    pub control: String,
}

/// What the one schedule of an hour brings, as `{"waiting": {}}`: what waits, the ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {}

impl Restore {
    pub(super) fn parse(event: &Value) -> Result<Self, EventError> {
        let expected =
            "{\"restore\": \"<ledger id>\", \"force\": true|false, \"by\": \"<who>\", \"for\": \"<as in 8h>\"}";
        let request: Self = request(event, "restore", expected)?;
        // They are UUIDs, of 36 characters.
        is_name("restore", &request.restore, 100, "the id of a ledger record")?;
        let longest = SignedDuration::from_hours(LONGEST_HOLD_DAYS * 24);
        if let Some(hold) = request.hold.filter(|hold| !hold.is_positive() || *hold > longest) {
            let expected = "how long what is restored is held: more than nothing, at most 90 days";
            return Err(EventError::unexpected("for", expected, &hold.to_string().into()));
        }
        Ok(request)
    }
}

impl Look {
    pub(super) fn parse(event: &Value) -> Result<Self, EventError> {
        let request: Self = request(event, "look", "{\"look\": \"<ARN>\", \"by\": \"<who>\"}")?;
        is_name("look", &request.look, LONGEST_ARN, "an ARN")?;
        Ok(request)
    }
}

impl Release {
    pub(super) fn parse(event: &Value) -> Result<Self, EventError> {
        let expected = "{\"release\": \"<ARN or ledger id>\", \"control\": \"<id>\", \"by\": \"<who>\"}";
        let request: Self = request(event, "release", expected)?;
        let expected = "an ARN or the id of a ledger record";
        is_name("release", &request.release, LONGEST_ARN, expected)?;
        Ok(request)
    }
}

impl Scheduled {
    pub(super) fn parse(event: &Value) -> Result<Self, EventError> {
        let expected = "{\"scheduled\": \"<ARN>\", \"control\": \"<id>\"}";
        let request: Self = request(event, "scheduled", expected)?;
        is_name("scheduled", &request.scheduled, LONGEST_ARN, "an ARN")?;
        Ok(request)
    }
}

/// A request of our own, with exactly its fields.
pub(super) fn request<T: DeserializeOwned>(
    event: &Value,
    field: &str,
    expected: &'static str,
) -> Result<T, EventError> {
    serde_json::from_value(event.clone()).map_err(|error| EventError::Unexpected {
        field: field.into(),
        expected,
        found: error.to_string(),
    })
}

/// Something that can be looked up: neither empty nor longer than any name.
fn is_name(field: &str, text: &str, longest: usize, expected: &'static str) -> Result<(), EventError> {
    if text.is_empty() || text.len() > longest {
        return Err(EventError::unexpected(field, expected, &text.into()));
    }
    Ok(())
}
