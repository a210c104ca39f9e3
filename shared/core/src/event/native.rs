//! What EC2 tells EventBridge by itself, without a trail: the same fact as a call's, under another name.

use serde_json::Value;

use super::fields::{object_in, optional_text, text};
use super::{Actor, Call, EventError, strings};

/// The detail-type of what EBS tells of volumes.
pub(super) const VOLUME: &str = "EBS Volume Notification";

/// A volume that was made, as if CloudTrail had recorded its `CreateVolume`. Source: EBS User Guide, "EventBridge events for Amazon
/// EBS", "EBS volume events".
pub(super) fn volume(event: &Value) -> Result<Call, EventError> {
    let required = |name: &str| optional_text(event, name)?.ok_or_else(|| EventError::Missing(name.into()));
    let detail = object_in(event, "detail")?.ok_or_else(|| EventError::Missing("detail".into()))?;
    let what = text(detail, "event")?;
    if what != "createVolume" {
        return Err(EventError::unexpected("detail.event", "\"createVolume\"", &what.into()));
    }
    let result = text(detail, "result")?;
    let resources = event.get("resources").map(strings).unwrap_or_default();
    if resources.is_empty() {
        return Err(EventError::Missing("resources".into()));
    }
    let record = serde_json::json!({
        "eventID": required("id")?, "eventSource": "ec2.amazonaws.com", "eventName": "CreateVolume",
        "eventTime": optional_text(event, "time")?, "recipientAccountId": required("account")?, "awsRegion": required("region")?,
        "errorCode": (result != "available").then_some(result),
        "resources": resources.iter().map(|arn| serde_json::json!({"ARN": arn})).collect::<Vec<_>>(),
    });
    let actor = Actor {
        service: "ec2.amazonaws.com".into(),
        ..Actor::default()
    };
    Ok(Call {
        actor,
        ..Call::parse(&record, "", None, None)?
    })
}
