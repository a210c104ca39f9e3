//! Bad input is refused by name: a typed error, one line of log, nothing changed, and the next event is handled.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use portcullis_testkit::{Function, Invocation, Payload, assert_called};
use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Bucket, World};
use serde_json::{Value, json};

struct Refusing {
    world: World,
    bucket: Bucket,
    function: Function,
}

impl Refusing {
    async fn new() -> Self {
        let world = World::new().await;
        let bucket = world.bucket("bystander").await;
        let settings = only(&["s3-bucket-public-access-block"], "");
        let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
        Self {
            world,
            bucket,
            function,
        }
    }

    /// A good event, for spoiling.
    fn event(&self) -> Value {
        let params =
            json!({"bucketName": self.bucket.name, "CreateBucketConfiguration": {"LocationConstraint": "us-east-1"}});
        self.world.call("CreateBucket", params).event()
    }

    /// Fails unless this is refused with these words, in one line of log, without a call.
    async fn refused(&self, payload: impl Into<Payload>, error_type: &str, words: &[&str]) -> Invocation {
        let invocation = self.function.invoke(payload).await;
        let error = invocation.result.as_ref().expect_err("expected a refusal");
        assert_eq!(error.error_type, error_type, "{error}");
        for word in words {
            assert!(error.message.contains(word), "expected {word:?} in {error}");
        }
        assert!(error.message.len() < 1000, "a message of {} bytes", error.message.len());
        assert_called(&invocation.calls, &[]);
        let lines = invocation.logs.iter().filter(|line| line.contains("ERROR"));
        assert_eq!(lines.count(), 1, "one line of log: {:#?}", invocation.logs);
        invocation
    }

    /// Fails unless the same process still does its work.
    async fn still_works(&self) {
        let starts = self.function.cold_start();
        assert_eq!(self.function.invoke(self.event()).await.outcome(), "remediated");
        assert_eq!(self.world.alerts().await.len(), 1);
        let first = self.function.cold_start().unwrap().to_next;
        assert_eq!(starts.unwrap().to_next, first, "the process survived");
    }
}

#[tokio::test]
async fn what_is_no_event() {
    let refusing = Refusing::new().await;
    let cases = [
        ("[]", "an object"),
        ("[{\"eventName\": \"CreateBucket\"}]", "an object"),
        ("\"CreateBucket\"", "an object"),
        ("null", "an object"),
        ("17", "an object"),
        ("{}", "with the keys []"),
        ("{\"Records\": []}", "Records"),
        ("{\"version\": \"0\", \"detail\": {}}", "detail"),
        ("{\"detail-type\": \"Object Created\", \"detail\": {}}", "detail-type"),
        (
            "{\"detail-type\": \"AWS Console Sign In via CloudTrail\", \"detail\": {}}",
            "detail-type",
        ),
        ("{\"detail-type\": 7}", "detail-type"),
        ("{\"detail-type\": \"AWS API Call via CloudTrail\"}", "source"),
        (
            "{\"detail-type\": \"AWS API Call via CloudTrail\", \"source\": \"aws.s3\"}",
            "detail",
        ),
        (
            "{\"detail-type\": \"AWS API Call via CloudTrail\", \"source\": \"aws.s3\", \"detail\": []}",
            "detail",
        ),
        ("{\"restore\": 7}", "restore"),
        ("{\"restore\": \"x\", \"force\": \"yes\"}", "restore"),
        ("{\"restore\": \"x\", \"bucket\": \"b\"}", "restore"),
    ];
    for (body, words) in cases {
        refusing.refused(body, "EventRefused", &[words]).await;
    }
    refusing.still_works().await;
}

#[tokio::test]
async fn what_is_no_json() {
    let refusing = Refusing::new().await;
    // Lambda itself lets nothing in that is no JSON; if it did, the runtime would refuse it before our code.
    let error_type = "&lambda_runtime::deserializer::DeserializeError";
    for body in ["", "{", "{\"detail\": }", "nonsense", "{'a': 1}", "\u{feff}{}"] {
        refusing.refused(body, error_type, &["line 1 column"]).await;
    }
    refusing
        .refused(&b"\xff\xfe\x00"[..], error_type, &["line 1 column"])
        .await;
    refusing.still_works().await;
}

#[tokio::test]
async fn a_field_of_a_wrong_type_is_named() {
    let refusing = Refusing::new().await;
    let wrong = |field: &str| match field {
        "detail.requestParameters"
        | "detail.userIdentity"
        | "detail.userIdentity.sessionContext"
        | "detail.responseElements" => json!("text"),
        "detail.resources" => json!({"ARN": "x"}),
        _ => json!({"not": "a text"}),
    };
    let fields = [
        "account",
        "region",
        "detail.eventSource",
        "detail.eventName",
        "detail.eventTime",
        "detail.eventID",
        "detail.awsRegion",
        "detail.recipientAccountId",
        "detail.sourceIPAddress",
        "detail.userAgent",
        "detail.errorCode",
        "detail.requestParameters",
        "detail.responseElements",
        "detail.resources",
        "detail.userIdentity",
        "detail.userIdentity.type",
        "detail.userIdentity.arn",
        "detail.userIdentity.sessionContext",
        "detail.requestParameters.bucketName",
    ];
    for field in fields {
        let mut event = refusing.event();
        let pointer = format!("/{}", field.replace('.', "/"));
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = wrong(field);
        let name = field.rsplit('.').next().unwrap();
        refusing.refused(event, "EventRefused", &[name]).await;
    }
    refusing.still_works().await;
}

#[tokio::test]
async fn a_field_that_is_missing_or_means_nothing_is_named() {
    let refusing = Refusing::new().await;
    let spoiled = |pointer: &str, value: Value| {
        let mut event = refusing.event();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Value::Null => parent.remove(name),
            value => parent.insert(name.to_owned(), value),
        };
        event
    };
    for (pointer, value, words) in [
        ("/detail/eventName", Value::Null, "eventName"),
        ("/detail/eventSource", Value::Null, "eventSource"),
        ("/detail/eventName", json!(""), "eventName"),
        ("/detail/recipientAccountId", json!("12"), "recipientAccountId"),
        (
            "/detail/recipientAccountId",
            json!("11112222333x"),
            "recipientAccountId",
        ),
        ("/detail/awsRegion", json!("EU West"), "awsRegion"),
        ("/detail/awsRegion", json!("x.evil.example/"), "awsRegion"),
        ("/detail/requestParameters", Value::Null, "bucketName"),
    ] {
        refusing
            .refused(spoiled(pointer, value), "EventRefused", &[words])
            .await;
    }
    // A bare record has no envelope to take account and region from.
    let mut record = refusing.event()["detail"].clone();
    record.as_object_mut().unwrap().remove("recipientAccountId");
    refusing.refused(record, "EventRefused", &["recipientAccountId"]).await;
    let mut record = refusing.event()["detail"].clone();
    record.as_object_mut().unwrap().remove("awsRegion");
    refusing.refused(record, "EventRefused", &["awsRegion"]).await;
    refusing
        .refused(
            spoiled("/detail/recipientAccountId", json!("444455556666")),
            "ForeignAccount",
            &["444455556666"],
        )
        .await;
    refusing.still_works().await;
}

#[tokio::test]
async fn what_can_not_name_a_bucket_never_gets_into_a_request() {
    let refusing = Refusing::new().await;
    for name in [
        "",
        "ab",
        "a b",
        "bucket/key",
        "bucket?policy",
        "../../etc/passwd",
        "bucket\n",
        "b\u{0}cket",
        "*",
        "arn:aws:s3:::bucket",
        "büro-ablage",
        &"x".repeat(256),
    ] {
        let event = refusing.world.call("CreateBucket", json!({"bucketName": name})).event();
        refusing.refused(event, "EventRefused", &["bucketName"]).await;
    }
    for name in ["", "ab", "Point", "a/b", "point_1"] {
        let event = refusing
            .world
            .call("PutAccessPointPolicy", json!({"name": name}))
            .event();
        refusing.refused(event, "EventRefused", &["name"]).await;
    }
    // The region of the bucket is put into a host name.
    for region in ["eu west", "evil.example/", "EU-WEST-1", "x\ny"] {
        let params = json!({"bucketName": "fine", "CreateBucketConfiguration": {"LocationConstraint": region}});
        let event = refusing.world.call("CreateBucket", params).event();
        refusing.refused(event, "EventRefused", &["LocationConstraint"]).await;
    }
    refusing.still_works().await;
}

#[tokio::test]
async fn what_is_too_large_or_too_deep() {
    let refusing = Refusing::new().await;
    // As large as Lambda lets through, of which all but the name is noise.
    let mut large = refusing.event();
    large["detail"]["requestParameters"]["noise"] = json!("x".repeat(1_000_000));
    assert_eq!(refusing.function.invoke(&large).await.outcome(), "remediated");
    large["detail"]["requestParameters"]["noise"] = json!("x".repeat(1_100_000));
    refusing.refused(&large, "EventRefused", &["bytes"]).await;
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    refusing.refused(deep, "EventRefused", &["JSON"]).await;
    let lists = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    refusing.refused(lists, "EventRefused", &["JSON"]).await;
    let again = refusing.function.invoke(refusing.event()).await;
    assert_eq!(again.outcome(), "compliant");
}

#[tokio::test]
async fn a_restore_of_what_can_not_be_restored() {
    let refusing = Refusing::new().await;
    let event = refusing.event();
    for id in ["", "nothing", "~open", &"x".repeat(2_000)] {
        let refused = refusing.function.invoke(json!({"restore": id})).await;
        let error = refused.result.unwrap_err();
        assert!(
            ["RestoreRefused", "EventRefused"].contains(&error.error_type.as_str()),
            "{id:?}: {error}"
        );
    }
    // A record that changed nothing, and one that is itself a restore.
    let done = refusing.function.invoke(&event).await;
    let id = portcullis_tests::record_of(done.answer());
    let restored = refusing.function.invoke(json!({"restore": id})).await;
    let undo = portcullis_tests::record_of(restored.answer());
    let exempt = refusing.function.invoke(&event).await;
    let nothing = portcullis_tests::record_of(exempt.answer());
    for id in [undo, nothing] {
        let refused = refusing.function.invoke(json!({"restore": id})).await;
        let error = refused.result.unwrap_err();
        assert_eq!(error.error_type, "RestoreRefused", "{error}");
        assert!(error.message.contains(&id), "{error}");
    }
}

/// What an event says ends up in alerts and logs; it must not forge a line in either.
#[tokio::test]
async fn what_comes_from_outside_forges_nothing() {
    let refusing = Refusing::new().await;
    let mut event = refusing.event();
    event["detail"]["userIdentity"]["arn"] = json!("arn:aws:iam::1:user/x\nUNDO\n  rm -rf /\u{1b}[31m");
    event["detail"]["userAgent"] = json!("\r\n\r\nSubject: fine");
    event["detail"]["eventTime"] = json!("yesterday\n");
    event["detail"]["eventID"] = json!("x\n\u{202e}y");
    refusing.function.invoke(event).await.answer();
    let alert = refusing.world.alerts().await.remove(0);
    assert!(alert.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    assert_eq!(
        alert.text.matches("\nUNDO\n").count(),
        1,
        "only our own: {}",
        alert.text
    );
    let control = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
    assert!(!alert.text.chars().any(control), "{:?}", alert.text);
}
