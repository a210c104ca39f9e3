//! The heartbeat: whether what leads to the function, and what it needs, is alive.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

use portcullis_testkit::{Fault, Function, Invocation};
use portcullis_tests::{Answered as _, World, samples, writes};
use serde_json::Value;

/// The sample, about the test's topic.
fn beat(world: &World) -> Value {
    let sample = &samples::in_folder("heartbeat")["TagResource"];
    let topic = format!("arn:aws:sns:{}:{}:portcullis-alerts", samples::REGION, samples::ACCOUNT);
    samples::moved(&sample.replace(&topic, &world.stack.topic_arn), world, "", "")
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
    for name in ["portcullis-s3", "portcullis-kms", "portcullis-ec2"] {
        let world = World::new().await;
        subscribe(&world).await;
        let function = Function::new(name, &world.aws).deployment(&world.stack);
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
        ("dynamodb", "PutItem", "LedgerFailed"),
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

#[tokio::test]
async fn a_tag_on_another_topic_is_ignored() {
    let world = World::new().await;
    let function = world.function().start().await;
    let sample = &samples::in_folder("heartbeat")["TagResource"];
    let done = function.invoke(samples::moved(sample, &world, "", "")).await;
    assert!(done.answer()["ignored"].is_string(), "{:?}", done.result);
    assert!(done.calls.is_empty());
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
