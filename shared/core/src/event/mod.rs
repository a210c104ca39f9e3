//! What arrives: one entry for every shape, and a refusal by name for anything else.
//!
//! An event says where to look, never what to do, so little is taken from it: which call, which resource, who. The
//! shapes follow CloudTrail's record reference (CloudTrail User Guide, "CloudTrail record contents") and the EventBridge
//! envelope (EventBridge User Guide, "AWS service events delivered via CloudTrail").

mod actor;
mod config;
mod fields;
mod native;
mod sweep;

pub use actor::Actor;
pub use config::{ConfigEvent, ConfigRule, Item};
pub use fields::{field, string, strings};
pub use sweep::{Counts, Sweep, SweepPage};

use std::collections::BTreeMap;

use serde_json::Value;

use config::{COMPLIANCE_CHANGE, ITEM_CHANGE};
use fields::{object_in, optional_text, text};

use crate::Location;

/// The most that Lambda takes for an asynchronous invocation, in bytes. Source: Lambda Developer Guide, "Lambda quotas".
pub const LARGEST_EVENT: usize = 1024 * 1024;

/// The longest that ARNs get, and what the ledger takes for a key. Source: DynamoDB Developer Guide, "Constraints".
const LONGEST_ARN: usize = 2048;

const API_CALL: &str = "AWS API Call via CloudTrail";
const SERVICE_EVENT: &str = "AWS Service Event via CloudTrail";

/// What an invocation asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A call that CloudTrail recorded.
    Call(Box<Call>),
    /// Put back what a record of the ledger says was there before.
    Restore(Restore),
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

/// A call recorded by CloudTrail.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The record's own id.
    pub id: String,
    /// The service's event source, as in `s3.amazonaws.com`.
    pub source: String,
    /// CloudTrail's name of the call.
    pub name: String,
    /// When it was made, as the record says it (ISO 8601).
    pub time: String,
    /// The account whose resource it is about.
    pub account: String,
    /// The region in which it was made.
    pub region: String,
    /// Who made it.
    pub actor: Actor,
    /// The call's parameters; null where it has none.
    pub parameters: Value,
    /// What the service answered; null where that is not recorded.
    pub response: Value,
    /// The resources that the record names by ARN.
    pub resources: Vec<String>,
    /// The accounts that own them, by ARN, as far as the record says so.
    pub owners: BTreeMap<String, String>,
    /// The error code of a call that failed, and so changed nothing.
    pub error: Option<String>,
    /// Whether CloudTrail left out the parameters for their size.
    pub omitted: bool,
    /// What AWS says of something that it did by itself (`serviceEventDetails`); null for a call.
    pub details: Value,
}

impl Call {
    /// Where the resources are that it is about.
    pub fn place(&self) -> Location {
        Location {
            account: self.account.clone(),
            region: self.region.clone(),
        }
    }
}

/// A request to undo a remediation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The id of the ledger's record.
    pub restore: String,
    /// Whether to overwrite what somebody changed since.
    #[serde(default)]
    pub force: bool,
    /// Who selector, for the record and the alert.
    #[serde(default)]
    pub by: Option<String>,
}

/// A request to look at what settings require, as `{"preflight": {}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preflight {
    /// Who selector, for the record and the alert.
    #[serde(default)]
    pub by: Option<String>,
}

/// A request to end the hold that a restore left.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The resource's ARN, or the id of a record of it.
    pub release: String,
    /// The control whose hold ends; all of them where it is absent.
    #[serde(default)]
    pub control: Option<String>,
    /// Who selector, for the record and the alert.
    #[serde(default)]
    pub by: Option<String>,
}

/// What a one-time schedule brings: where something waited.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scheduled {
    /// The resource's ARN.
    pub scheduled: String,
    /// The control's id.
    pub control: String,
}

/// What the one schedule of an hour brings, as `{"waiting": {}}`: what waits, the ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {}

/// Why an event was refused: what was expected, what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON at all, or nested beyond reason.
    #[error("expected an event in JSON, found what is none: {0}")]
    NotJson(String),
    /// Larger than anything Lambda hands over.
    #[error("expected an event of at most {LARGEST_EVENT} bytes, found {0}")]
    TooLarge(usize),
    /// A field that must be there is not.
    #[error("expected the field {0}, found none")]
    Missing(String),
    /// A field has the wrong type or form.
    #[error("expected {expected} in the field {field}, found {found}")]
    Unexpected {
        /// The field's path.
        field: String,
        /// What it should be.
        expected: &'static str,
        /// What it is, cut short.
        found: String,
    },
    /// Nothing that this tool knows.
    #[error(
        "expected an event of CloudTrail or AWS Config from EventBridge, a CloudTrail record, an invocation by AWS Config, a restore, a release, a scheduled look, a sweep or a preflight, found an object with the keys {0}"
    )]
    Unknown(String),
}

impl EventError {
    pub(crate) fn unexpected(field: impl Into<String>, expected: &'static str, found: &Value) -> Self {
        let shown = match found {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            other => other.to_string().chars().filter(|c| !c.is_control()).take(80).collect(),
        };
        Self::Unexpected {
            field: field.into(),
            expected,
            found: shown,
        }
    }

    /// A parameter that does not have the form its service gives it.
    pub fn parameter(name: &str, expected: &'static str, found: &Value) -> Self {
        Self::unexpected(format!("requestParameters.{name}"), expected, found)
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

    /// Reads an event from its bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, EventError> {
        if bytes.len() > LARGEST_EVENT {
            return Err(EventError::TooLarge(bytes.len()));
        }
        let value = serde_json::from_slice(bytes).map_err(|error| EventError::NotJson(error.to_string()))?;
        Self::parse(&value)
    }

    /// Reads an event: an EventBridge envelope, a bare CloudTrail record, an invocation by AWS Config, a request of our own.
    pub fn parse(event: &Value) -> Result<Self, EventError> {
        let Some(object) = event.as_object() else {
            return Err(EventError::unexpected("(the event itself)", "an object", event));
        };
        if object.contains_key("restore") {
            let expected = "{\"restore\": \"<ledger id>\", \"force\": true|false, \"by\": \"<who>\"}";
            let request: Restore = request(event, "restore", expected)?;
            // They are UUIDs, of 36 characters.
            is_name("restore", &request.restore, 100, "the id of a ledger record")?;
            return Ok(Self::Restore(request));
        }
        if let Some(sweep) = object.get("sweep") {
            let expected = "{}, or what the answer to an earlier part of it said is left";
            return request(sweep, "sweep", expected).map(Self::Sweep);
        }
        if let Some(preflight) = object.get("preflight") {
            return request(preflight, "preflight", "{} or {\"by\": \"<who>\"}").map(Self::Preflight);
        }
        if object.contains_key("release") {
            let expected = "{\"release\": \"<ARN or ledger id>\", \"control\": \"<id>\", \"by\": \"<who>\"}";
            let request: Release = request(event, "release", expected)?;
            is_name(
                "release",
                &request.release,
                LONGEST_ARN,
                "an ARN or the id of a ledger record",
            )?;
            return Ok(Self::Release(request));
        }
        if object.contains_key("scheduled") {
            let expected = "{\"scheduled\": \"<ARN>\", \"control\": \"<id>\"}";
            let request: Scheduled = request(event, "scheduled", expected)?;
            is_name("scheduled", &request.scheduled, LONGEST_ARN, "an ARN")?;
            return Ok(Self::Scheduled(request));
        }
        if let Some(waiting) = object.get("waiting") {
            return request(waiting, "waiting", "{}").map(Self::Waiting);
        }
        if object.contains_key("detail-type") {
            let kind = text(event, "detail-type")?;
            if kind == COMPLIANCE_CHANGE || kind == ITEM_CHANGE {
                return ConfigEvent::parse(event, &kind).map(|event| Self::Config(Box::new(event)));
            }
            if kind == native::VOLUME {
                return native::volume(event).map(|call| Self::Call(Box::new(call)));
            }
            if kind != API_CALL && kind != SERVICE_EVENT {
                let expected = "\"AWS API Call via CloudTrail\", \"AWS Service Event via CloudTrail\", \"EBS Volume Notification\" or an event of AWS Config";
                return Err(EventError::unexpected("detail-type", expected, &kind.into()));
            }
            let detail = object_in(event, "detail")?.ok_or_else(|| EventError::Missing("detail".into()))?;
            return Call::parse(
                detail,
                "detail.",
                optional_text(event, "account")?,
                optional_text(event, "region")?,
            )
            .map(|call| Self::Call(Box::new(call)));
        }
        if object.contains_key("invokingEvent") {
            return ConfigRule::parse(event).map(|rule| Self::Rule(Box::new(rule)));
        }
        if object.contains_key("eventName") || object.contains_key("eventSource") {
            return Call::parse(event, "", None, None).map(|call| Self::Call(Box::new(call)));
        }
        let keys: Vec<_> = object
            .keys()
            .take(8)
            .map(|key| key.chars().take(40).collect::<String>())
            .collect();
        Err(EventError::Unknown(format!("{keys:?}")))
    }
}

/// A request of our own, with exactly its fields.
fn request<T: serde::de::DeserializeOwned>(
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

impl Call {
    fn parse(
        record: &Value,
        at: &str,
        envelope_account: Option<String>,
        envelope_region: Option<String>,
    ) -> Result<Self, EventError> {
        let named = |error| match error {
            EventError::Missing(field) => EventError::Missing(format!("{at}{field}")),
            EventError::Unexpected { field, expected, found } => EventError::Unexpected {
                field: format!("{at}{field}"),
                expected,
                found,
            },
            other => other,
        };
        Self::parse_record(record, envelope_account, envelope_region).map_err(named)
    }

    fn parse_record(
        record: &Value,
        envelope_account: Option<String>,
        envelope_region: Option<String>,
    ) -> Result<Self, EventError> {
        // The owner's account is the recipient's: userIdentity.accountId is the caller's, who may be a stranger.
        let account = optional_text(record, "recipientAccountId")?
            .or(envelope_account)
            .ok_or_else(|| EventError::Missing("recipientAccountId".into()))?;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(EventError::unexpected(
                "recipientAccountId",
                "an account id of twelve digits",
                &account.into(),
            ));
        }
        let region = optional_text(record, "awsRegion")?
            .or(envelope_region)
            .ok_or_else(|| EventError::Missing("awsRegion".into()))?;
        if !is_region(&region) {
            return Err(EventError::unexpected("awsRegion", "a region's name", &region.into()));
        }
        let error = optional_text(record, "errorCode")?.filter(|code| !code.is_empty());
        // A call that failed changed nothing, and may be recorded with anything: it is not refused for that.
        let object = |name| match object_in(record, name) {
            Err(_) if error.is_some() => Ok(Value::Null),
            found => Ok(found?.cloned().unwrap_or(Value::Null)),
        };
        let named = match named_resources(record) {
            Err(_) if error.is_some() => Vec::new(),
            found => found?,
        };
        let parameters = object("requestParameters")?;
        let omitted = parameters.get("omitted") == Some(&Value::Bool(true));
        Ok(Self {
            id: optional_text(record, "eventID")?.unwrap_or_default(),
            source: text(record, "eventSource")?,
            name: text(record, "eventName")?,
            time: optional_text(record, "eventTime")?.unwrap_or_default(),
            account,
            region,
            actor: Actor::parse(record)?,
            omitted,
            parameters: if omitted { Value::Null } else { parameters },
            response: object("responseElements")?,
            details: object("serviceEventDetails")?,
            owners: named
                .iter()
                .filter_map(|(arn, owner)| Some((arn.clone(), owner.clone()?)))
                .collect(),
            resources: named.into_iter().map(|(arn, _)| arn).collect(),
            error,
        })
    }

    /// A parameter's text, whatever the case of its name; a list of one counts as its element.
    pub fn parameter(&self, name: &str) -> Result<Option<String>, EventError> {
        match field(&self.parameters, name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match string(value) {
                Some(text) => Ok(Some(text)),
                None => Err(EventError::parameter(name, "a text", value)),
            },
        }
    }
}

/// Whether it can be a region's name: it ends up in host names and ARNs.
pub fn is_region(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// The ARNs of the record's resources, each with the account that owns it.
fn named_resources(record: &Value) -> Result<Vec<(String, Option<String>)>, EventError> {
    // `ARN` in most services' records, `arn` in ECR's.
    let named = |one: &Value| {
        let text = |name| field(one, name).and_then(string);
        Some((text("ARN")?, text("accountId")))
    };
    match record.get("resources") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list.iter().filter_map(named).collect()),
        Some(other) => Err(EventError::unexpected("resources", "a list", other)),
    }
}

#[cfg(test)]
mod tests;
