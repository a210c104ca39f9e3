//! The heartbeat: whether what leads to the function, and what it needs, is alive.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

use portcullis_testkit::{Fault, Function, Invocation};
use portcullis_tests::{Answered as _, World, samples, writes};
use serde_json::Value;

/// The sample, about the test's topic.
fn beat(world: &World) -> Value {
    let sample = &samples::in_folder("heartbeat")["TagResource"];
    let topic = format!("arn:aws:sns:{}:{}:portcullis-alerts", samples::REGION, samples::ACCOUNT);
    samples::moved(&sample.replace(&topic, &world.stack.topic_arn), world, &[])
}

async fn subscribe(world: &World) {
    let sns = aws_sdk_sns::Client::new(&world.aws.sdk_config());
    let subscribe = sns.subscribe().topic_arn(&world.stack.topic_arn).protocol("sqs");
    let queue = format!("arn:aws:sqs:{}:{}:alerts", world.region, world.aws.account());
    subscribe.endpoint(queue).send().await.unwrap();
}

fn beats(function: &Function) -> usize {
    let lines = function.logs().into_iter();
    lines.filter(|line| line.contains("\"Heartbeat\":1")).count()
}

fn failure(invocation: &Invocation) -> String {
    format!("{:?}", invocation.result.as_ref().unwrap_err())
}

#[tokio::test]
async fn each_function_proves_that_it_is_alive_and_wakes_nobody() {
    for service in portcullis_catalog::services() {
        let name = service.binary();
        let world = World::new().await;
        subscribe(&world).await;
        let function = Function::new(&name, &world.aws).deployment(&world.stack);
        let function = function.mode("notify").start().await;
        let done = function.invoke(beat(&world)).await;
        assert_eq!(done.answer()["heartbeat"], "alive", "{name}");
        assert!(writes(&done.calls).is_empty(), "{name}: only the ledger is written");
        assert_eq!(beats(&function), 1, "{name}");
        assert!(world.alerts().await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn what_nobody_hears_or_what_is_broken_is_no_heartbeat() {
    let world = World::new().await;
    let function = world.function().start().await;
    let unheard = function.invoke(beat(&world)).await;
    assert_eq!(unheard.answer()["heartbeat"], "unheard");
    assert!(
        function
            .logs()
            .iter()
            .any(|line| line.contains("no alert reaches anybody"))
    );

    subscribe(&world).await;
    for (service, call, says) in [
        ("dynamodb", "UpdateItem", "LedgerFailed"),
        ("sns", "ListSubscriptionsByTopic", "NotifyFailed"),
    ] {
        world.aws.fault(Fault::on(service, call).denied().always()).await;
        let broken = function.invoke(beat(&world)).await;
        assert!(failure(&broken).contains(says), "{call}: {}", failure(&broken));
        world.aws.clear_faults().await;
    }
    assert_eq!(beats(&function), 0);
    assert_eq!(function.invoke(beat(&world)).await.answer()["heartbeat"], "alive");
    assert_eq!(beats(&function), 1);
}

#[tokio::test]
async fn settings_that_can_t_be_used_any_more_are_no_heartbeat() {
    let world = World::new().await;
    subscribe(&world).await;
    let ssm = aws_sdk_ssm::Client::new(&world.aws.sdk_config());
    let put = async |yaml: &str| {
        let put = ssm
            .put_parameter()
            .name("/portcullis/settings")
            .value(yaml)
            .overwrite(true);
        put.r#type(aws_sdk_ssm::types::ParameterType::String)
            .send()
            .await
            .unwrap();
    };
    put("mode: notify\n").await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS_PARAMETER", "/portcullis/settings");
    let function = function.start().await;
    assert_eq!(function.invoke(beat(&world)).await.answer()["heartbeat"], "alive");
    // Events are still handled, by the last good ones.
    put("mode: sometimes\n").await;
    let broken = function.invoke(beat(&world)).await;
    assert!(failure(&broken).contains("sometimes"), "{}", failure(&broken));
    assert_eq!(beats(&function), 1);
}

/// The line of a function's last heartbeat with its metrics.
fn metrics(function: &Function) -> Value {
    let lines = function.logs().into_iter().rev();
    let mut read = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    read.find(|line| line["Heartbeat"].is_number()).unwrap()
}

/// Of each function's heartbeats one metric is made, so the others have to miss the one that is silent.
#[tokio::test]
async fn a_function_whose_heartbeat_is_missing_is_missed_by_the_others() {
    let world = World::new().await;
    subscribe(&world).await;
    let s3 = world.function().env("PORTCULLIS_OTHER_FUNCTIONS", "portcullis-kms");
    let s3 = s3.start().await;
    let alone = s3.invoke(beat(&world)).await;
    assert_eq!(alone.answer()["heartbeat"], "alone");
    assert_eq!(alone.answer()["silent"], serde_json::json!(["portcullis-kms"]));
    assert_eq!(metrics(&s3)["Heartbeat"], 0);
    let says = |line: &String| line.contains("portcullis-kms") && line.contains("no good one for more than six hours");
    assert!(s3.logs().iter().any(says), "{:?}", s3.logs());

    let kms = world.function_of("portcullis-kms").start().await;
    assert_eq!(kms.invoke(beat(&world)).await.answer()["heartbeat"], "alive");
    assert_eq!(s3.invoke(beat(&world)).await.answer()["heartbeat"], "alive");
    assert_eq!(metrics(&s3)["Heartbeat"], 1);

    // Seven hours later it is silent again.
    noted(&world, "portcullis-kms", "at", 7).await;
    assert_eq!(s3.invoke(beat(&world)).await.answer()["heartbeat"], "alone");
}

/// Moves what is noted of a function's heartbeats into the past.
async fn noted(world: &World, function: &str, what: &str, hours: i64) {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    let past = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
    let update = aws_sdk_dynamodb::Client::new(&world.aws.sdk_config()).update_item();
    update
        .table_name(&world.stack.table)
        .key("pk", S(format!("heartbeat#{function}")))
        .key("sk", S("last".into()))
        .update_expression("SET #what = :past")
        .expression_attribute_names("#what", what)
        .expression_attribute_values(":past", S(past.to_string()))
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn how_long_ago_a_sweep_was_told_comes_with_the_heartbeat() {
    let sweep = serde_json::json!({"sweep": {}});
    let world = World::new().await;
    let function = world.function().start().await;
    function.invoke(&sweep).await.answer();
    noted(&world, "portcullis-s3", "swept", 30).await;
    subscribe(&world).await;
    function.invoke(beat(&world)).await.answer();
    assert_eq!(metrics(&function)["HoursUnswept"], 30, "a heartbeat is no sweep");

    let world = World::new().await;
    let function = world.function().start().await;
    function.invoke(&sweep).await.answer();
    noted(&world, "portcullis-s3", "swept", 30).await;
    function.invoke(&sweep).await.answer();
    subscribe(&world).await;
    function.invoke(beat(&world)).await.answer();
    assert_eq!(metrics(&function)["HoursUnswept"], 0);

    let world = World::new().await;
    let function = world.function().start().await;
    subscribe(&world).await;
    function.invoke(beat(&world)).await.answer();
    assert_eq!(metrics(&function)["HoursUnswept"], 0, "since the first heartbeat");
}

#[tokio::test]
async fn a_tag_on_another_topic_is_ignored() {
    let world = World::new().await;
    let function = world.function().start().await;
    let sample = &samples::in_folder("heartbeat")["TagResource"];
    let done = function.invoke(samples::moved(sample, &world, &[])).await;
    assert!(done.answer()["ignored"].is_string(), "{:?}", done.result);
    assert!(done.calls.is_empty());
}

/// Each log line of an event can be found by CloudTrail's id of it, whatever came of it; the alert has the request's as well.
#[tokio::test]
async fn each_line_of_an_event_carries_its_id() {
    let world = World::new().await;
    let bucket = world.bucket("logged").await;
    let function = world.function().env("AWS_LAMBDA_LOG_FORMAT", "JSON").start().await;
    let event = |name: &str, id: &str| {
        let call = portcullis_tests::Subject::call(&bucket, name);
        call.id(id).event()
    };
    for (name, id, says) in [
        ("CreateBucket", "11111111-0000-4000-8000-000000000000", "remediated"),
        ("PutBucketAcl", "22222222-0000-4000-8000-000000000000", "told before"),
        ("GetBucketAcl", "33333333-0000-4000-8000-000000000000", "ignored"),
    ] {
        let done = function.invoke(event(name, id)).await;
        let lines = done
            .logs
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<_> = lines.filter(|line| line["_aws"].is_null()).collect();
        assert!(lines.iter().any(|line| line.to_string().contains(says)), "{lines:?}");
        for line in &lines {
            assert_eq!(line["span"]["event_id"], id, "{line}");
            assert!(line["span"]["requestId"].is_string(), "{line}");
        }
        if name == "CreateBucket" {
            let alert = &world.alerts().await[0].json;
            assert_eq!(alert["event"]["id"], id);
            assert_eq!(alert["request_id"], lines[0]["span"]["requestId"]);
        }
    }
}

/// What is only too early wakes nobody; what fails is counted, with its event's id in the line.
#[tokio::test]
async fn what_the_next_try_is_for_is_no_failure() {
    let world = World::new().await;
    let function = world.function().start().await;
    let young = world
        .call("CreateBucket", serde_json::json!({"bucketName": "not-there-yet"}))
        .event();
    let early = function.invoke(young).await;
    assert!(failure(&early).contains("NotVisibleYet"), "{}", failure(&early));
    let counted = |done: &Invocation| done.logs.iter().any(|line| line.contains("\"Failures\":1"));
    assert!(!counted(&early));
    let bucket = world.bucket("unread").await;
    let throttled = Fault::on("s3", "GetBucketVersioning").status(503, "SlowDown").always();
    world.aws.fault(throttled).await;
    let call = portcullis_tests::Subject::call(&bucket, "PutBucketVersioning");
    let failed = function
        .invoke(call.id("44444444-0000-4000-8000-000000000000").event())
        .await;
    assert!(failure(&failed).contains("ObserveFailed"), "{}", failure(&failed));
    assert!(counted(&failed), "{:?}", failed.logs);
    let named = |line: &String| line.contains("ObserveFailed: ") && line.contains("(event 44444444-");
    assert!(failed.logs.iter().any(named), "{:?}", failed.logs);
}

/// What an event took is measured, its AWS calls as many as were recorded on the way.
#[tokio::test]
async fn the_metrics_of_an_event_count_its_calls() {
    let world = World::new().await;
    let bucket = world.bucket("counted").await;
    let function = world.function().start().await;
    let done = function
        .invoke(portcullis_tests::Subject::call(&bucket, "CreateBucket").event())
        .await;
    done.answer();
    let lines = function.logs();
    let line = lines.iter().find(|line| line.contains("\"AwsCalls\":")).unwrap();
    let metric: Value = serde_json::from_str(line).unwrap();
    assert_eq!(metric["AwsCalls"], done.calls.len());
    assert_eq!(metric["Event"], "CreateBucket");
    assert!(metric["Duration"].is_i64() && metric["EventAge"].is_i64(), "{metric}");
    let declared = metric["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    assert_eq!(declared.len(), 3, "{metric}");
}
