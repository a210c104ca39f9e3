//! AWS Config: what its events name, and what it asks of a function that serves as a custom rule.
//!
//! A configuration item may be older than the resource, so nothing is taken from it but which resource it is about. Source: AWS
//! Config Developer Guide, "Monitoring AWS Config with Amazon EventBridge" and "Example events for AWS Config rules".

use std::collections::BTreeSet;

use aws_lambda_events::config::ConfigEvent as Invocation;
use serde_json::Value;

use super::envelope::{self, Envelope};
use super::error::EventError;
use super::fields::{object_in, optional_text, required, text, typed};

pub(super) const COMPLIANCE_CHANGE: &str = "Config Rules Compliance Change";
pub(super) const ITEM_CHANGE: &str = "Config Configuration Item Change";
/// What stands for the token in a trial run. It is the convention of AWS's own rule development kit.
const TEST_TOKEN: &str = "TESTMODE";

/// A resource as Config names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Config's name of its type.
    pub kind: String,
    /// Config's id of it.
    pub id: String,
    /// Its account.
    pub account: String,
    /// Its region.
    pub region: String,
    /// Whether Config saw that it was deleted, or was told not to record it.
    pub gone: bool,
}

/// An event that says that a resource changed, or does not satisfy a rule any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEvent {
    /// What led to it, as `detail-type` says it, with the rule's name.
    pub event: String,
    /// The event's id.
    pub id: String,
    /// When it happened (ISO 8601).
    pub time: String,
    /// What it is about.
    pub item: Item,
    /// Why it leads nowhere, if so.
    pub ignored: Option<&'static str>,
}

/// An invocation by Config, which waits for evaluations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRule {
    /// The rule's name.
    pub name: String,
    /// What Config knows its question by.
    pub token: String,
    /// Whether Config is to forget the answer.
    pub test: bool,
    /// The account that asks.
    pub account: String,
    /// The controls that it is about; none for all.
    pub controls: BTreeSet<String>,
    /// Whether what is wrong is put right as well, as for an event.
    pub remediate: bool,
    /// When what is asked about was so (ISO 8601).
    pub time: String,
    /// The resource that it is about; none for all.
    pub item: Option<Item>,
}

impl ConfigEvent {
    pub(super) fn parse(envelope: &Envelope) -> Result<Self, EventError> {
        let (detail, kind) = (envelope::detail(envelope)?, &envelope.detail_type);
        let id = envelope.id.clone().unwrap_or_default();
        let time = envelope::time(envelope).ok_or_else(|| EventError::Missing("time".into()))?;
        if kind == ITEM_CHANGE {
            let item = changed(detail, "detail.")?;
            return Ok(Self {
                event: kind.clone(),
                id,
                time,
                ignored: item.gone.then_some("AWS Config saw that it was deleted"),
                item,
            });
        }
        let result = object_in(detail, "newEvaluationResult")?;
        let result = result.ok_or_else(|| EventError::Missing("detail.newEvaluationResult".into()))?;
        let compliance = text(result, "complianceType")?;
        let rule = optional_text(detail, "configRuleName")?.unwrap_or_default();
        Ok(Self {
            event: format!("{kind}: {rule}"),
            id,
            time,
            item: item(detail, "detail.")?,
            ignored: (compliance != "NON_COMPLIANT").then_some("the rule found nothing wrong with it"),
        })
    }
}

impl ConfigRule {
    pub(super) fn parse(event: &Value) -> Result<Self, EventError> {
        let event = invocation(event)?;
        let invoking = document("invokingEvent", required("invokingEvent", event.invoking_event)?)?;
        let token = required("resultToken", event.result_token)?;
        let (controls, remediate) = parameters(event.rule_parameters)?;
        let message =
            text(&invoking, "messageType").map_err(|_| EventError::Missing("invokingEvent.messageType".into()))?;
        let mut item = match message.as_str() {
            "ScheduledNotification" => None,
            "ConfigurationItemChangeNotification" | "OversizedConfigurationItemChangeNotification" => {
                Some(changed(&invoking, "invokingEvent.")?)
            }
            other => {
                let expected = "a notification of a configuration item, oversized or not, or of a schedule";
                return Err(EventError::unexpected(
                    "invokingEvent.messageType",
                    expected,
                    &other.into(),
                ));
            }
        };
        if let Some(item) = &mut item {
            item.gone |= event.event_left_scope;
        }
        let of_item = ["configurationItem", "configurationItemSummary"]
            .iter()
            .find_map(|name| invoking.get(name)?.get("configurationItemCaptureTime"));
        let time = of_item.or_else(|| invoking.get("notificationCreationTime"));
        let time = time.and_then(Value::as_str).map(ToOwned::to_owned);
        Ok(Self {
            name: event.config_rule_name.unwrap_or_default(),
            test: token == TEST_TOKEN,
            token,
            account: required("accountId", event.account_id)?,
            controls,
            remediate,
            time: time.ok_or_else(|| EventError::Missing("invokingEvent.notificationCreationTime".into()))?,
            item,
        })
    }
}

/// The item of a notification: whole, or, where that would be too large, in short.
fn changed(notification: &Value, at: &str) -> Result<Item, EventError> {
    let whole = object_in(notification, "configurationItem")?;
    let short = object_in(notification, "configurationItemSummary")?;
    let found = whole.or(short);
    let found = found.ok_or_else(|| EventError::Missing(format!("{at}configurationItem")))?;
    item(found, &format!("{at}configurationItem."))
}

fn item(of: &Value, at: &str) -> Result<Item, EventError> {
    let named = |name: &str| text(of, name).map_err(|error| error.within(at));
    let status = optional_text(of, "configurationItemStatus")?.unwrap_or_default();
    Ok(Item {
        kind: named("resourceType")?,
        id: named("resourceId")?,
        account: named("awsAccountId")?,
        // Of what is global, Config says `global`; older items say nothing.
        region: optional_text(of, "awsRegion")?.unwrap_or_default(),
        gone: ["ResourceDeleted", "ResourceDeletedNotRecorded", "ResourceNotRecorded"].contains(&status.as_str()),
    })
}

/// The invocation as `aws_lambda_events` types it, which asks for a field that nobody misses.
fn invocation(event: &Value) -> Result<Invocation, EventError> {
    let mut event = event.clone();
    if let Some(fields) = event.as_object_mut() {
        fields.entry("eventLeftScope").or_insert(false.into());
    }
    typed(&event)
}

/// A document that Config writes as a text.
fn document(name: &str, written: String) -> Result<Value, EventError> {
    let inner: Option<Value> = serde_json::from_str(&written).ok().filter(Value::is_object);
    inner.ok_or_else(|| EventError::unexpected(name, "an object in JSON, written as a text", &written.into()))
}

/// The rule's parameters: which controls, and whether to remediate.
fn parameters(written: Option<String>) -> Result<(BTreeSet<String>, bool), EventError> {
    let (mut controls, mut remediate) = (BTreeSet::new(), false);
    let given = match written {
        Some(written) if !written.is_empty() => document("ruleParameters", written)?,
        _ => return Ok((controls, remediate)),
    };
    for (name, value) in given.as_object().into_iter().flatten() {
        match (name.as_str(), value.as_str()) {
            ("controls", Some(list)) => {
                let ids = list.split(',').map(str::trim).filter(|id| !id.is_empty());
                controls.extend(ids.map(ToOwned::to_owned));
            }
            ("remediate", Some("true")) => remediate = true,
            ("remediate", Some("false")) => remediate = false,
            ("remediate", _) => {
                return Err(EventError::unexpected(
                    "ruleParameters.remediate",
                    "\"true\" or \"false\"",
                    value,
                ));
            }
            ("controls", _) => {
                let expected = "ids of controls, separated by commas";
                return Err(EventError::unexpected("ruleParameters.controls", expected, value));
            }
            _ => {
                let expected = "only the parameters controls and remediate";
                return Err(EventError::unexpected(
                    "ruleParameters",
                    expected,
                    &name.as_str().into(),
                ));
            }
        }
    }
    Ok((controls, remediate))
}
