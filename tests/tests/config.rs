//! AWS Config: its events lead to the resource, its rules get evaluations of what is there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use portcullis_testkit::{Fault, Function, Invocation, assert_no_changes};
use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Bucket, Subject, World, samples, writes};
use serde_json::{Value, json};

const CONTROLS: [&str; 2] = ["s3-bucket-public-access-block", "s3-bucket-versioning"];

async fn enforcing(world: &World) -> Function {
    let settings = only(&CONTROLS, "");
    world.function().env("PORTCULLIS_SETTINGS", settings).start().await
}

fn sample(name: &str, world: &World, bucket: &Bucket) -> Value {
    samples::moved(
        &samples::in_folder("config")[name],
        world,
        &[("quarterly-reports", &bucket.name)],
    )
}

/// A sample of an invocation by Config, with another token and other parameters.
fn asked(name: &str, world: &World, bucket: &Bucket, parameters: &Value) -> Value {
    let mut event = sample(name, world, bucket);
    event["resultToken"] = json!("a-token-of-config");
    event["ruleParameters"] = json!(parameters.to_string());
    event
}

/// Changes what Config wrote as a text.
fn edited(mut event: Value, edit: impl FnOnce(&mut Value)) -> Value {
    let mut invoking = serde_json::from_str(event["invokingEvent"].as_str().unwrap()).unwrap();
    edit(&mut invoking);
    event["invokingEvent"] = json!(invoking.to_string());
    event
}

/// The batches that were put, as requests.
fn put(done: &Invocation) -> Vec<Value> {
    let puts = done.calls.iter().filter(|call| call.action == "PutEvaluations");
    puts.map(|call| serde_json::from_str(call.body.as_deref().unwrap()).unwrap())
        .collect()
}

/// That nothing was changed by it, and nothing written down: AWS Config got an answer.
fn assert_only_answered(done: &Invocation) {
    let mut others = done.calls.clone();
    others.retain(|call| call.action != "PutEvaluations");
    assert_no_changes(&others);
    assert!(
        others
            .iter()
            .all(|call| call.service != "dynamodb" || call.action == "Query")
    );
}

/// Its evaluation of a bucket.
fn evaluation(done: &Invocation, id: &str) -> Value {
    let batches = put(done);
    let mut all = batches
        .iter()
        .flat_map(|batch| batch["Evaluations"].as_array().unwrap());
    all.find(|one| one["ComplianceResourceId"] == id).unwrap().clone()
}

#[tokio::test]
async fn a_change_that_config_saw_leads_to_the_live_resource() {
    for name in ["ComplianceChange", "ItemChange", "OversizedItemChange"] {
        let world = World::new().await;
        let bucket = world.bucket("open").await;
        let function = enforcing(&world).await;
        let done = function.invoke(sample(name, &world, &bucket)).await;
        assert_eq!(done.outcome(), "remediated", "{name}");
        assert_eq!(bucket.snapshot().await["block"], "all four", "{name}");
        let alerts = world.alerts().await;
        assert_eq!(alerts.len(), 1, "{name}");
        assert!(alerts[0].text.contains("Config"), "{name}: {}", alerts[0].text);
        // The change that this made comes back as an item: it costs reads only.
        let again = function.invoke(sample("ItemChange", &world, &bucket)).await;
        assert_eq!(again.outcome(), "compliant", "{name}");
        assert_eq!(writes(&again.calls), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn what_is_no_violation_or_nobody_s_here_is_ignored_or_refused() {
    let world = World::new().await;
    let bucket = world.bucket("open").await;
    let function = enforcing(&world).await;
    let mut right = sample("ComplianceChange", &world, &bucket);
    right["detail"]["newEvaluationResult"]["complianceType"] = json!("COMPLIANT");
    let mut deleted = sample("ItemChange", &world, &bucket);
    deleted["detail"]["configurationItem"]["configurationItemStatus"] = json!("ResourceDeleted");
    let mut other = sample("ItemChange", &world, &bucket);
    other["detail"]["configurationItem"]["resourceType"] = json!("AWS::RDS::DBInstance");
    let mut path = sample("ItemChange", &world, &bucket);
    path["detail"]["configurationItem"]["resourceId"] = json!("../other");
    for event in [right, deleted, other, path] {
        let done = function.invoke(event.clone()).await;
        assert!(done.answer()["ignored"].is_string(), "{event}");
        assert_no_changes(&done.calls);
        assert!(done.calls.is_empty(), "{event}: {:?}", done.calls);
    }
    let mut foreign = sample("ItemChange", &world, &bucket);
    foreign["detail"]["configurationItem"]["awsAccountId"] = json!("999988887777");
    let refused = function.invoke(foreign).await.result.unwrap_err().to_string();
    assert!(refused.contains("ForeignAccount"), "{refused}");
}

#[tokio::test]
async fn a_rule_is_answered_with_what_is_there_and_changes_nothing() {
    let world = World::new().await;
    let bucket = world.bucket("open").await;
    let function = enforcing(&world).await;
    for name in ["RuleItem", "RuleOversizedItem"] {
        let event = asked(name, &world, &bucket, &json!({"remediate": "false"}));
        let done = function.invoke(event).await;
        let found = evaluation(&done, &bucket.name);
        assert_eq!(found["ComplianceType"], "NON_COMPLIANT", "{name}");
        assert_eq!(found["ComplianceResourceType"], "AWS::S3::Bucket");
        let annotation = found["Annotation"].as_str().unwrap();
        assert!(annotation.starts_with("s3-bucket-public-access-block "), "{annotation}");
        assert!(annotation.chars().count() <= 256, "{annotation}");
        // 2026-11-20T09:30:05Z: when the item was so, not when it was asked about.
        assert!((found["OrderingTimestamp"].as_f64().unwrap() - 1_795_167_005.0).abs() < 1.0);
        assert_eq!(put(&done)[0]["ResultToken"], "a-token-of-config");
        assert_only_answered(&done);
        assert!(
            world.alerts().await.is_empty(),
            "it was asked, so it does not tell anybody else"
        );
    }
    bucket.put_block([true; 4]).await;
    bucket.put_versioning(true).await;
    let right = function.invoke(asked("RuleItem", &world, &bucket, &json!({}))).await;
    assert_eq!(evaluation(&right, &bucket.name)["ComplianceType"], "COMPLIANT");
}

#[tokio::test]
async fn a_rule_that_remediates_answers_with_the_state_after() {
    let world = World::new().await;
    let bucket = world.bucket("open").await;
    let function = enforcing(&world).await;
    let controls = json!({"remediate": "true", "controls": "s3-bucket-public-access-block"});
    let done = function.invoke(asked("RuleItem", &world, &bucket, &controls)).await;
    assert_eq!(evaluation(&done, &bucket.name)["ComplianceType"], "COMPLIANT");
    assert_eq!(bucket.snapshot().await["block"], "all four");
    assert_eq!(world.alerts().await.len(), 1);
    let other = function.invoke(asked("RuleItem", &world, &bucket, &json!({}))).await;
    let annotation = evaluation(&other, &bucket.name)["Annotation"].to_string();
    assert!(
        annotation.contains("s3-bucket-versioning"),
        "only what was asked for: {annotation}"
    );
}

#[tokio::test]
async fn a_schedule_is_answered_for_all_resources_in_batches() {
    let world = World::new().await;
    let right = world.bucket("right").await;
    right.put_block([true; 4]).await;
    right.put_versioning(true).await;
    for name in 0..104 {
        world.bucket(&format!("open-{name}")).await;
    }
    let function = enforcing(&world).await;
    let done = function.invoke(asked("RuleSchedule", &world, &right, &json!({}))).await;
    let batches = put(&done);
    let sizes: Vec<_> = batches
        .iter()
        .map(|batch| batch["Evaluations"].as_array().unwrap().len())
        .collect();
    // The account is one of them: its control is off here.
    assert_eq!(sizes, [100, 6]);
    let counts = &done.answer()["evaluations"];
    assert_eq!(
        *counts,
        json!({"COMPLIANT": 1, "NON_COMPLIANT": 104, "NOT_APPLICABLE": 1})
    );
    assert_eq!(
        evaluation(&done, world.aws.account())["ComplianceResourceType"],
        "AWS::::Account"
    );
    assert_only_answered(&done);

    // One that can't be read does not keep the others from being answered, and is not passed over in silence.
    let denied = Fault::on("s3", "GetPublicAccessBlock")
        .status(403, "AccessDenied")
        .times(1);
    world.aws.fault(denied).await;
    let broken = function.invoke(asked("RuleSchedule", &world, &right, &json!({}))).await;
    let message = broken.result.as_ref().unwrap_err().to_string();
    assert!(
        message.contains("EvaluationsFailed") && message.contains("1 could not be evaluated"),
        "{message}"
    );
    let sizes: usize = put(&broken)
        .iter()
        .map(|batch| batch["Evaluations"].as_array().unwrap().len())
        .sum();
    assert_eq!(sizes, 105);
}

/// What was found before the time is over is answered; beyond that nothing is listed any more.
#[tokio::test]
async fn a_schedule_is_answered_as_far_as_there_is_time() {
    let world = World::new().await;
    let bucket = world.bucket("one-of-many").await;
    for name in 0..220 {
        world.bucket(&format!("open-{name}")).await;
    }
    // Two seconds of work: after that one resource might not come to its end.
    let short = world.function().timeout(std::time::Duration::from_secs(17));
    let function = short.env("PORTCULLIS_SETTINGS", only(&CONTROLS, "")).start().await;
    world.aws.slow(std::time::Duration::from_millis(100)).await;
    let done = function
        .invoke(asked("RuleSchedule", &world, &bucket, &json!({})))
        .await;
    world.aws.clear_faults().await;
    let message = done.result.as_ref().unwrap_err().to_string();
    assert!(message.contains("there was no time left"), "{message}");
    let answered: usize = put(&done)
        .iter()
        .map(|batch| batch["Evaluations"].as_array().unwrap().len())
        .sum();
    assert!(answered > 0 && answered < 221, "{answered}");
    let lists = done.calls.iter().filter(|call| call.action == "ListBuckets").count();
    assert_eq!(lists, 1, "the second page of 200 was not asked for");
}

#[tokio::test]
async fn what_is_gone_or_out_of_scope_is_not_applicable_and_a_trial_is_a_trial() {
    let world = World::new().await;
    let bucket = world.bucket("open").await;
    let function = enforcing(&world).await;
    let gone = edited(asked("RuleItem", &world, &bucket, &json!({})), |invoking| {
        invoking["configurationItem"]["configurationItemStatus"] = json!("ResourceDeletedNotRecorded");
    });
    let mut left = asked("RuleItem", &world, &bucket, &json!({}));
    left["eventLeftScope"] = json!(true);
    let never = edited(asked("RuleItem", &world, &bucket, &json!({})), |invoking| {
        invoking["configurationItem"]["resourceId"] = json!("never-was-there");
    });
    for (event, id) in [
        (gone, bucket.name.as_str()),
        (left, &bucket.name),
        (never, "never-was-there"),
    ] {
        let done = function.invoke(event).await;
        assert_eq!(evaluation(&done, id)["ComplianceType"], "NOT_APPLICABLE");
    }
    let trial = function.invoke(sample("RuleItem", &world, &bucket)).await;
    assert_eq!(put(&trial)[0]["TestMode"], true);
}

#[tokio::test]
async fn a_question_that_can_not_be_understood_or_answered_is_an_error_by_name() {
    let world = World::new().await;
    let bucket = world.bucket("open").await;
    let function = enforcing(&world).await;
    let mut no_token = sample("RuleItem", &world, &bucket);
    no_token.as_object_mut().unwrap().remove("resultToken");
    let mut no_json = sample("RuleItem", &world, &bucket);
    no_json["invokingEvent"] = json!("{");
    let kind = edited(sample("RuleItem", &world, &bucket), |invoking| {
        invoking["messageType"] = json!("ConfigurationSnapshotDeliveryCompleted");
    });
    let asked = |parameters: Value| asked("RuleItem", &world, &bucket, &parameters);
    for (event, named) in [
        (no_token, "resultToken"),
        (no_json, "invokingEvent"),
        (kind, "messageType"),
        (asked(json!({"remediate": "yes"})), "ruleParameters.remediate"),
        (
            asked(json!({"control": "x"})),
            "only the parameters controls and remediate",
        ),
        (asked(json!({"controls": "s3-bucket-tsl-only"})), "s3-bucket-tsl-only"),
    ] {
        let done = function.invoke(event).await;
        let refused = done.result.as_ref().unwrap_err().to_string();
        assert!(refused.contains("EventRefused") && refused.contains(named), "{refused}");
        assert!(done.calls.is_empty(), "{:?}", done.calls);
    }
    let refused = Fault::on("config", "PutEvaluations")
        .status(400, "InvalidResultTokenException")
        .always();
    world.aws.fault(refused).await;
    let failed = function.invoke(sample("RuleItem", &world, &bucket)).await;
    let message = failed.result.unwrap_err().to_string();
    assert!(message.contains("InvalidResultTokenException"), "{message}");
}
