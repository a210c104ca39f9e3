use serde_json::{Value, json};

use super::*;

fn record() -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/Dev/ana",
            "accountId": "111122223333",
            "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111122223333:role/Dev"}, "sourceIdentity": "ana"}
        },
        "eventTime": "2026-11-23T10:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutBucketAcl",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "[aws-cli/2.17]",
        "requestParameters": {"bucketName": "a-bucket", "x-amz-acl": ["public-read"], "acl": [""]},
        "responseElements": null,
        "eventID": "e-1",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333"
    })
}

fn envelope(detail: &Value) -> Value {
    json!({
        "version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3",
        "account": "111122223333", "time": "2026-11-23T10:00:05Z", "region": "eu-west-1", "resources": [], "detail": detail
    })
}

fn call(event: &Value) -> Call {
    match Event::parse(event).unwrap() {
        Event::Call(call) => *call,
        _ => panic!("expected a call"),
    }
}

#[test]
fn a_record_reads_the_same_with_and_without_its_envelope() {
    let bare = call(&record());
    assert_eq!(bare, call(&envelope(&record())));
    assert_eq!(bare.parameter("BUCKETNAME").unwrap().as_deref(), Some("a-bucket"));
    assert_eq!(bare.parameter("x-amz-acl").unwrap().as_deref(), Some("public-read"));
    assert_eq!(bare.actor.role, "arn:aws:iam::111122223333:role/Dev");
    assert_eq!(
        bare.actor.describe(),
        "ana as arn:aws:sts::111122223333:assumed-role/Dev/ana, from 198.51.100.7"
    );
}

#[test]
fn an_old_record_takes_the_account_of_its_envelope_and_is_refused_without() {
    let mut old = record();
    old.as_object_mut().unwrap().remove("recipientAccountId");
    assert_eq!(call(&envelope(&old)).account, "111122223333");
    assert_eq!(
        Event::parse(&old),
        Err(EventError::Missing("recipientAccountId".into()))
    );
}

#[test]
fn a_service_event_has_no_parameters_and_an_identity_without_type() {
    let mut event = envelope(&record());
    event["detail-type"] = json!("AWS Service Event via CloudTrail");
    event["detail"]["requestParameters"] = Value::Null;
    event["detail"]["userIdentity"] = json!({"accountId": "111122223333", "invokedBy": "AWS Internal"});
    event["detail"]["resources"] =
        json!([{"ARN": "arn:aws:kms:eu-west-1:111122223333:key/k", "type": "AWS::KMS::Key"}]);
    event["detail"]["serviceEventDetails"] = json!({"keyId": "k"});
    let service = call(&event);
    assert_eq!(service.details, json!({"keyId": "k"}));
    assert_eq!(service.parameters, Value::Null);
    assert_eq!(service.resources, ["arn:aws:kms:eu-west-1:111122223333:key/k"]);
    assert_eq!(service.actor.describe(), "AWS Internal, from 198.51.100.7");
}

#[test]
fn omitted_parameters_leave_the_resources() {
    let mut hidden = record();
    hidden["requestParameters"] =
        json!({"omitted": true, "originalSize": 105_000, "reason": "requestParameters too large"});
    hidden["resources"] = json!([{"arn": "arn:aws:s3:::a-bucket"}]);
    let hidden = call(&hidden);
    assert!(hidden.omitted);
    assert_eq!(hidden.parameters, Value::Null);
    assert_eq!(hidden.resources, ["arn:aws:s3:::a-bucket"]);
}

#[test]
fn a_failed_call_says_so_with_null_parameters() {
    let mut failed = record();
    failed["errorCode"] = json!("AccessDenied");
    failed["requestParameters"] = Value::Null;
    assert_eq!(call(&failed).error.as_deref(), Some("AccessDenied"));
    for field in [
        "requestParameters",
        "responseElements",
        "serviceEventDetails",
        "resources",
    ] {
        let mut odd = failed.clone();
        odd[field] = json!(7);
        assert_eq!(call(&odd).error.as_deref(), Some("AccessDenied"), "{field}");
        odd["errorCode"] = Value::Null;
        assert!(Event::parse(&odd).is_err(), "{field}");
    }
}

#[test]
fn the_owners_of_the_resources_are_kept() {
    let mut shared = record();
    shared["resources"] =
        json!([{"ARN": "arn:aws:s3:::theirs", "accountId": "444455556666"}, {"ARN": "arn:aws:s3:::b"}]);
    let shared = call(&shared);
    assert_eq!(shared.resources, ["arn:aws:s3:::theirs", "arn:aws:s3:::b"]);
    assert_eq!(
        shared.owners,
        [("arn:aws:s3:::theirs".to_owned(), "444455556666".to_owned())].into()
    );
}

#[test]
fn odd_identities_are_read() {
    for identity in [
        json!(null),
        json!({}),
        json!({"type": "AWSAccount", "principalId": "AROA:x", "accountId": "444455556666"}),
        json!({"type": "AssumedRole", "sessionContext": {"sessionIssuer": {}}}),
        json!({"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"}),
    ] {
        let mut event = record();
        event["userIdentity"] = identity;
        assert!(!call(&event).actor.describe().is_empty());
    }
}

#[test]
fn infrastructure_as_code_is_recognised() {
    let agents = [
        ("cloudformation.amazonaws.com", Some("CloudFormation")),
        (
            "APN/1.0 HashiCorp/1.0 Terraform/1.9 terraform-provider-aws/6.1",
            Some("Terraform"),
        ),
        ("[aws-cli/2.17]", None),
    ];
    for (agent, tool) in agents {
        let mut event = record();
        event["userAgent"] = json!(agent);
        assert_eq!(call(&event).actor.tool(), tool, "{agent}");
    }
}

#[test]
fn what_is_no_event_is_refused_by_name() {
    let cases = [
        (json!([]), "(the event itself)"),
        (json!("x"), "(the event itself)"),
        (json!({}), "the keys []"),
        (json!({"Records": []}), "Records"),
        (
            json!({"detail-type": "EC2 Instance State-change Notification", "detail": {}}),
            "detail-type",
        ),
        (json!({"detail-type": 7, "detail": {}}), "detail-type"),
        (
            json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.s3"}),
            "detail",
        ),
        (
            json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": []}),
            "detail",
        ),
        (json!({"sweep": true}), "sweep"),
        (json!({"sweep": {"from": "x"}}), "from"),
        (json!({"sweep": {"pages": [{"from": "x"}]}}), "type"),
        (json!({"restore": 5}), "restore"),
        (json!({"restore": "id", "forse": true}), "forse"),
        (json!({"release": ""}), "release"),
        (json!({"release": "id", "controls": []}), "controls"),
        (json!({"scheduled": "arn:aws:s3:::b"}), "control"),
        (json!({"waiting": {"since": "x"}}), "since"),
        (json!({"waiting": true}), "waiting"),
        (json!({"scheduled": "x".repeat(3000), "control": "c"}), "an ARN"),
    ];
    for (event, named) in cases {
        let error = Event::parse(&event).unwrap_err().to_string();
        assert!(error.contains(named), "{event}: {error}");
    }
}

#[test]
fn a_wrong_type_is_refused_by_the_name_of_its_field() {
    let fields = [
        "eventSource",
        "eventName",
        "eventID",
        "eventTime",
        "awsRegion",
        "recipientAccountId",
        "userIdentity",
        "sourceIPAddress",
        "userAgent",
        "requestParameters",
        "responseElements",
        "resources",
        "errorCode",
        "serviceEventDetails",
    ];
    for field in fields {
        let mut event = envelope(&record());
        event["detail"][field] = json!(3.5);
        let error = Event::parse(&event).unwrap_err();
        assert!(
            matches!(&error, EventError::Unexpected { field: named, .. } if named == &format!("detail.{field}")),
            "{error}"
        );
    }
}

#[test]
fn accounts_and_regions_have_their_form() {
    for (field, value) in [
        ("recipientAccountId", "12"),
        ("recipientAccountId", "12345678901x"),
        ("awsRegion", "eu/../west"),
    ] {
        let mut event = record();
        event[field] = json!(value);
        assert!(Event::parse(&event).unwrap_err().to_string().contains(field));
    }
}

#[test]
fn bytes_that_are_no_event_are_refused() {
    assert!(matches!(
        Event::from_slice(b"{not json", &[]),
        Err(EventError::NotJson(_))
    ));
    assert!(matches!(
        Event::from_slice("[".repeat(5_000).as_bytes(), &[]),
        Err(EventError::NotJson(_))
    ));
    assert_eq!(
        Event::from_slice(&vec![b' '; LARGEST_EVENT + 1], &[]),
        Err(EventError::TooLarge(LARGEST_EVENT + 1))
    );
}

#[test]
fn values_of_many_shapes_are_read_as_texts() {
    assert_eq!(strings(&json!({"items": ["a", 2]})), ["a", "2"]);
    assert_eq!(strings(&json!({})), [""; 0]);
    assert_eq!(strings(&json!("one")), ["one"]);
    assert_eq!(string(&json!(["a", "b"])), None);
}

mod fuzz {
    use proptest::prelude::*;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-zA-Z]{1,12}", inner), 0..4)
                    .prop_map(|list| Value::Object(list.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Event::from_slice(&bytes, &[]);
        }

        #[test]
        fn a_mutated_event_never_panics(at in 0_usize..20, value in any_json()) {
            let mut event = envelope(&record());
            let keys: Vec<_> = event["detail"].as_object().unwrap().keys().cloned().collect();
            event["detail"][&keys[at % keys.len()]] = value;
            let _ = Event::parse(&event);
        }
    }
}

#[test]
fn a_native_event_is_read_by_the_service_that_knows_it() {
    const NATIVE: NativeEvent = NativeEvent {
        detail_type: "Thing Changed",
        read: |event| Call::from_native(event, "things.amazonaws.com", "PutThing"),
    };
    let mut event = envelope(&json!({"thing": 1}));
    event["detail-type"] = json!("Thing Changed");
    event["resources"] = json!(["arn:aws:things:eu-west-1:111122223333:thing/1"]);
    let bytes = event.to_string();
    let Ok(Event::Call(call)) = Event::from_slice(bytes.as_bytes(), &[NATIVE]) else {
        panic!("expected a call")
    };
    assert_eq!(
        (call.source.as_str(), call.name.as_str()),
        ("things.amazonaws.com", "PutThing")
    );
    assert_eq!((call.id.as_str(), call.time.as_str()), ("x", "2026-11-23T10:00:05Z"));
    assert_eq!(call.actor.describe(), "things.amazonaws.com");
    let unknown = Event::from_slice(bytes.as_bytes(), &[]).unwrap_err().to_string();
    assert!(
        unknown.contains("in the field detail-type, found \"Thing Changed\""),
        "{unknown}"
    );
}

#[test]
fn an_envelope_is_refused_by_the_name_of_its_field() {
    for (field, value, expected) in [
        ("id", json!(7), "expected a text in the field id, found 7"),
        (
            "source",
            json!({}),
            "expected a text in the field source, found an object",
        ),
        ("source", json!(null), "expected a text in the field source, found null"),
        (
            "time",
            json!("yesterday"),
            "expected a time (ISO 8601) in the field time, found \"yesterday\"",
        ),
        (
            "resources",
            json!("x"),
            "expected a list of texts in the field resources, found \"x\"",
        ),
        (
            "resources",
            json!(["x", []]),
            "expected a list of texts in the field resources[1], found a list",
        ),
    ] {
        let mut event = envelope(&record());
        event[field] = value;
        assert_eq!(Event::parse(&event).unwrap_err().to_string(), expected);
    }
    for field in ["source", "detail"] {
        let mut event = envelope(&record());
        event.as_object_mut().unwrap().remove(field);
        assert_eq!(Event::parse(&event), Err(EventError::Missing(field.into())));
    }
}

#[test]
fn times_stay_as_aws_wrote_them() {
    for time in [
        "2026-11-20T09:30:12Z",
        "2026-11-20T09:30:12.412Z",
        "2024-02-29T23:59:59Z",
    ] {
        let mut event = envelope(&json!({"configurationItem": {
            "resourceType": "AWS::S3::Bucket", "resourceId": "b", "awsAccountId": "111122223333",
        }}));
        event["detail-type"] = json!("Config Configuration Item Change");
        event["time"] = json!(time);
        let Ok(Event::Config(event)) = Event::parse(&event) else {
            panic!("expected an event of AWS Config")
        };
        assert_eq!(event.time, time);
    }
}

#[test]
fn an_invocation_by_a_rule_is_refused_by_the_name_of_its_field() {
    let invocation = || {
        json!({
            "invokingEvent": "{\"messageType\": \"ScheduledNotification\", \"notificationCreationTime\": \"2026-11-20T09:30:12Z\"}",
            "resultToken": "token", "accountId": "111122223333", "configRuleName": "a-rule",
        })
    };
    let Ok(Event::Rule(rule)) = Event::parse(&invocation()) else {
        panic!("expected an invocation by AWS Config")
    };
    assert_eq!(
        (rule.name.as_str(), rule.token.as_str(), &rule.item),
        ("a-rule", "token", &None)
    );
    for (field, value, expected) in [
        (
            "resultToken",
            json!(7),
            "expected a text in the field resultToken, found 7",
        ),
        (
            "resultToken",
            json!(""),
            "expected a text that is not empty in the field resultToken, found \"\"",
        ),
        ("resultToken", json!(null), "expected the field resultToken, found none"),
        ("accountId", json!(null), "expected the field accountId, found none"),
        (
            "invokingEvent",
            json!({}),
            "expected a text in the field invokingEvent, found an object",
        ),
        (
            "eventLeftScope",
            json!("no"),
            "expected true or false in the field eventLeftScope, found \"no\"",
        ),
        (
            "ruleParameters",
            json!({}),
            "expected a text in the field ruleParameters, found an object",
        ),
    ] {
        let mut event = invocation();
        event[field] = value;
        assert_eq!(Event::parse(&event).unwrap_err().to_string(), expected);
    }
}
