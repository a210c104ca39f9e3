use std::collections::BTreeMap;

use serde_json::Value;

use super::actor::Actor;
use super::envelope::{self, Envelope};
use super::error::EventError;
use super::fields::{field, object_in, optional_text, required, string, strings, text};
use crate::{Location, Settings};

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
    /// Whether CloudTrail left out what the service answered, for its size.
    pub unanswered: bool,
    /// Whether CloudTrail recorded it: what a service tells by itself, it need not have.
    pub recorded: bool,
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

impl Call {
    /// A record in EventBridge's envelope.
    pub(super) fn delivered(envelope: &Envelope) -> Result<Self, EventError> {
        let record = envelope::detail(envelope)?;
        Self::parse(record, envelope.account.clone(), envelope.region.clone()).map_err(|error| error.within("detail."))
    }

    /// A record by itself, as it is in a trail's files.
    pub(super) fn recorded(record: &Value) -> Result<Self, EventError> {
        Self::parse(record, None, None)
    }

    /// The call that a service's own event stands for, as if CloudTrail had recorded it: made by the service itself, of the
    /// resources that the envelope names.
    pub fn from_native(envelope: &Envelope, source: &str, name: &str) -> Result<Self, EventError> {
        let resources = envelope.resources.clone().unwrap_or_default();
        if resources.is_empty() {
            return Err(EventError::Missing("resources".into()));
        }
        let account = required("account", envelope.account.clone())?;
        let region = required("region", envelope.region.clone())?;
        check_place("account", &account, "region", &region)?;
        Ok(Self {
            id: required("id", envelope.id.clone())?,
            source: source.to_owned(),
            name: name.to_owned(),
            time: envelope::time(envelope).unwrap_or_default(),
            account,
            region,
            actor: Actor {
                service: source.to_owned(),
                ..Actor::default()
            },
            parameters: Value::Null,
            response: Value::Null,
            resources,
            owners: BTreeMap::new(),
            error: None,
            omitted: false,
            unanswered: false,
            recorded: false,
            details: Value::Null,
        })
    }

    fn parse(
        record: &Value,
        envelope_account: Option<String>,
        envelope_region: Option<String>,
    ) -> Result<Self, EventError> {
        // The owner's account is the recipient's: userIdentity.accountId is the caller's, who may be a stranger.
        let account = optional_text(record, "recipientAccountId")?
            .or(envelope_account)
            .ok_or_else(|| EventError::Missing("recipientAccountId".into()))?;
        let region = optional_text(record, "awsRegion")?
            .or(envelope_region)
            .ok_or_else(|| EventError::Missing("awsRegion".into()))?;
        check_place("recipientAccountId", &account, "awsRegion", &region)?;
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
        let response = object("responseElements")?;
        let is_omitted = |value: &Value| value.get("omitted") == Some(&Value::Bool(true));
        let (omitted, unanswered) = (is_omitted(&parameters), is_omitted(&response));
        Ok(Self {
            id: optional_text(record, "eventID")?.unwrap_or_default(),
            source: text(record, "eventSource")?,
            name: text(record, "eventName")?,
            time: optional_text(record, "eventTime")?.unwrap_or_default(),
            account,
            region,
            actor: Actor::parse(record)?,
            omitted,
            recorded: true,
            parameters: if omitted { Value::Null } else { parameters },
            response: if unanswered { Value::Null } else { response },
            unanswered,
            details: object("serviceEventDetails")?,
            owners: named
                .iter()
                .filter_map(|(arn, owner)| Some((arn.clone(), owner.clone()?)))
                .collect(),
            resources: named.into_iter().map(|(arn, _)| arn).collect(),
            error,
        })
    }

    /// The names that a parameter holds: the keys of a map, those of a list of tags, or a list's texts. `None` where the call has no
    /// such parameter.
    pub fn names(&self, parameter: &str) -> Option<Vec<String>> {
        let key = |tag: &Value| field(tag, "key").or_else(|| field(tag, "tagKey")).and_then(string);
        match field(&self.parameters, parameter)? {
            Value::Object(map) => Some(map.keys().cloned().collect()),
            Value::Array(list) if list.iter().all(Value::is_object) => Some(list.iter().filter_map(key).collect()),
            other => Some(strings(other)),
        }
    }

    /// Whether a call that sets or removes tags is about one of those that settings know: others change nothing that is judged.
    pub fn tags_matter(&self, settings: &Settings) -> bool {
        let known = |names: &str| Some(self.names(names)?.iter().any(|key| settings.knows_tag(key)));
        known("tags").or_else(|| known("tagKeys")).unwrap_or(true)
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

/// That account and region have their form, whichever fields they come from: they end up in host names and ARNs.
fn check_place(of_account: &str, account: &str, of_region: &str, region: &str) -> Result<(), EventError> {
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        let expected = "an account id of twelve digits";
        return Err(EventError::unexpected(of_account, expected, &account.into()));
    }
    if !is_region(region) {
        return Err(EventError::unexpected(of_region, "a region's name", &region.into()));
    }
    Ok(())
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
