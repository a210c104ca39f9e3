//! What EC2 tells EventBridge by itself, without a trail.

use portcullis_core::event::{Call, Envelope, EventError, NativeEvent, field, string};

use crate::naming::SOURCE;

/// A volume that was made, as if CloudTrail had recorded its `CreateVolume`. Source: EBS User Guide, "EventBridge events for Amazon
/// EBS", "EBS volume events".
pub const VOLUME: NativeEvent = NativeEvent {
    detail_type: "EBS Volume Notification",
    read: volume,
};

fn volume(event: &Envelope) -> Result<Call, EventError> {
    let required = |name: &str| {
        let text = field(&event.detail, name).and_then(string);
        text.ok_or_else(|| EventError::Missing(format!("detail.{name}")))
    };
    let what = required("event")?;
    if what != "createVolume" {
        return Err(EventError::unexpected("detail.event", "\"createVolume\"", &what.into()));
    }
    let result = required("result")?;
    Ok(Call {
        error: (result != "available").then_some(result),
        ..Call::from_native(event, SOURCE, "CreateVolume")?
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::Event;
    use serde_json::{Value, json};

    use super::*;

    fn read(event: &Value) -> Result<Event, EventError> {
        Event::from_slice(event.to_string().as_bytes(), &[VOLUME])
    }

    #[test]
    fn a_volume_that_ebs_tells_of_is_one_that_was_made() {
        type Change = fn(&mut Value);
        let told = |change: &dyn Fn(&mut Value)| {
            let mut event = json!({
                "id": "6a1f0f3b", "detail-type": "EBS Volume Notification", "source": "aws.ec2", "account": "111122223333",
                "region": "eu-west-1", "time": "2026-11-23T10:04:09Z",
                "resources": ["arn:aws:ec2:eu-west-1:111122223333:volume/vol-0a6b8c4d1e700d9f3"],
                "detail": {"event": "createVolume", "result": "available", "cause": ""},
            });
            change(&mut event);
            read(&event)
        };
        let Ok(Event::Call(call)) = told(&|_| ()) else {
            panic!("expected a call")
        };
        assert_eq!(
            (call.source.as_str(), call.name.as_str()),
            ("ec2.amazonaws.com", "CreateVolume")
        );
        assert_eq!(
            (call.account.as_str(), call.region.as_str()),
            ("111122223333", "eu-west-1")
        );
        assert_eq!(
            (call.id.as_str(), call.time.as_str()),
            ("6a1f0f3b", "2026-11-23T10:04:09Z")
        );
        assert_eq!(call.actor.service, "ec2.amazonaws.com");
        assert_eq!(
            call.resources,
            ["arn:aws:ec2:eu-west-1:111122223333:volume/vol-0a6b8c4d1e700d9f3"]
        );
        assert_eq!(call.error, None);
        let Ok(Event::Call(failed)) = told(&|event| event["detail"]["result"] = json!("failed")) else {
            panic!("expected a call")
        };
        assert_eq!(failed.error.as_deref(), Some("failed"));
        let wrong: [(Change, &str); 8] = [
            (|event| event["detail"]["event"] = json!("deleteVolume"), "createVolume"),
            (|event| event["detail"]["result"] = json!(null), "detail.result"),
            (|event| event["resources"] = json!([]), "resources"),
            (|event| event["resources"] = json!([7]), "resources[0]"),
            (|event| event["detail"] = json!(null), "detail"),
            (|event| event["account"] = json!("1"), "twelve digits"),
            (|event| event["region"] = json!("x/y"), "a region's name"),
            (|event| event["id"] = json!(null), "id"),
        ];
        for (change, named) in wrong {
            let error = told(&change).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
