//! Sweeps: what no event led to is found, told in one message, and carried on where one invocation is not enough.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::time::Duration;

use portcullis_testkit::{Fault, Function, assert_no_changes};
use portcullis_tests::settings::only;
use portcullis_tests::{Answered, World, template, writes};
use serde_json::{Value, json};

const CONTROLS: [&str; 2] = ["s3-bucket-public-access-block", "s3-bucket-versioning"];

async fn enforcing(world: &World) -> Function {
    let settings = only(&CONTROLS, "");
    world.function().env("PORTCULLIS_SETTINGS", settings).start().await
}

async fn sweep(function: &Function) -> Value {
    function.invoke(json!({"sweep": {}})).await.answer()["sweep"].clone()
}

#[tokio::test]
async fn all_resources_are_put_right_and_told_in_one_message() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.bucket(name).await;
    }
    let right = world.bucket("right").await;
    right.put_block([true; 4]).await;
    right.put_versioning(true).await;
    let function = enforcing(&world).await;
    let done = sweep(&function).await;
    assert_eq!(done["counts"]["findings"], json!({"remediated": 6}), "{done}");
    assert_eq!((&done["counts"]["compliant"], &done["new"]), (&json!(1), &json!(6)));
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1, "one message, not one a resource");
    assert!(alerts[0].subject.contains("6 new findings"), "{}", alerts[0].subject);
    let (records, open) = world.records().await;
    assert!(records.len() == 3 && !open);

    // Another one finds nothing to tell, changes nothing, and leaves nothing to tell.
    let again = function.invoke(json!({"sweep": {}})).await;
    assert_eq!(writes(&again.calls), Vec::<String>::new());
    assert_eq!(again.answer()["sweep"]["new"], 0);
    assert_eq!(again.answer()["sweep"]["counts"]["compliant"], 4);
    let items = world.aws.ledger_items_in(&world.region, &world.stack.table).await;
    assert!(items.iter().all(|item| item["todo"].is_null()), "{items:?}");
}

#[tokio::test]
async fn a_summary_that_did_not_leave_is_told_by_the_next_sweep() {
    let world = World::new().await;
    world.bucket("open").await;
    let function = enforcing(&world).await;
    let refused = Fault::on("sns", "Publish").status(403, "AuthorizationError").always();
    world.aws.fault(refused).await;
    assert!(function.invoke(json!({"sweep": {}})).await.result.is_err());
    world.aws.clear_faults().await;
    // The metric that an alarm misses proves that alerts can be published.
    let swept = |function: &Function| function.logs().iter().any(|line| line.contains("\"SweptResources\":"));
    assert!(!swept(&function));
    assert_eq!(sweep(&function).await["new"], 2);
    assert!(swept(&function));
    assert_eq!(world.alerts().await.len(), 1);
}

#[tokio::test]
async fn what_was_begun_and_left_is_finished() {
    let world = World::new().await;
    let bucket = world.bucket("left").await;
    let function = enforcing(&world).await;
    let refused = Fault::on("sns", "Publish").status(403, "AuthorizationError").always();
    world.aws.fault(refused).await;
    let event = world.call("CreateBucket", json!({"bucketName": bucket.name})).event();
    assert!(function.invoke(event).await.result.is_err());
    assert!(world.records().await.1, "the record is open");
    world.aws.clear_faults().await;
    let done = sweep(&function).await;
    assert_eq!(done["new"], 2);
    // It counts once, and not as compliant, though its page finds it so by then.
    let again = sweep(&function).await;
    assert_eq!(done["counts"]["resources"], again["counts"]["resources"]);
    assert_eq!(
        (&done["counts"]["compliant"], &again["counts"]["compliant"]),
        (&json!(0), &json!(1))
    );
    let (records, open) = world.records().await;
    assert!(records.len() == 1 && !open);
    assert_eq!(
        records[0]["report"]["event"], "CreateBucket",
        "who opened the hole is still known"
    );
}

#[tokio::test]
async fn notify_mode_only_reads_and_tells() {
    let world = World::new().await;
    world.bucket("open").await;
    let function = world.function().mode("notify").start().await;
    let swept = function.invoke(json!({"sweep": {}})).await;
    assert!(swept.answer()["sweep"]["counts"]["findings"]["would-remediate"].as_u64() > Some(0));
    assert_no_changes(&swept.calls);
    assert_eq!(world.alerts().await.len(), 1);
}

/// As the state machine does it: the first part answers with what is left, the parts carry on, the last tells.
#[tokio::test]
async fn what_one_invocation_can_not_do_others_carry_on() {
    let world = World::new().await;
    let first = world.bucket("first").await;
    for name in 1..30 {
        world.bucket(&format!("many-{name}")).await;
    }
    let settings = only(&CONTROLS, "");
    // Two seconds of work: after that one resource might not come to its end.
    let short = world.function().timeout(Duration::from_secs(17));
    let function = short.env("PORTCULLIS_SETTINGS", settings).start().await;
    world.aws.slow(Duration::from_millis(120)).await;
    let begun = sweep(&function).await;
    let more = begun["more"].as_array().unwrap();
    assert!(!more.is_empty(), "{begun}");
    assert!(
        world.alerts().await.is_empty(),
        "the end is not told before it is there"
    );
    world.aws.clear_faults().await;
    let mut parts = Vec::new();
    for page in more {
        let (mut pages, mut counts) = (json!([page]), json!({}));
        while pages[0].is_object() {
            let part = function
                .invoke(json!({"sweep": {"pages": pages, "counts": counts}}))
                .await;
            let part = &part.answer()["sweep"];
            (pages, counts) = (part["more"].clone(), part["counts"].clone());
        }
        parts.push(counts);
    }
    // What the beginning looked at is left out by the parts.
    let known = json!({"pages": [{"type": "AWS::S3::Bucket"}], "ahead": [format!("arn:aws:s3:::{}", first.name)]});
    let part = function.invoke(json!({"sweep": known})).await;
    assert_eq!(part.answer()["sweep"]["counts"]["resources"], 29);
    let end = function
        .invoke(json!({"sweep": {"counts": begun["counts"], "finish": parts}}))
        .await;
    let end = &end.answer()["sweep"];
    assert_eq!(end["counts"]["findings"]["remediated"], 60, "{end}");
    assert_eq!(end["new"], 60);
    assert_eq!(world.alerts().await.len(), 1);
}

/// The heading of the guide under which all findings are listed.
const HEADING: &str = "What was found, and what was changed?";

/// A message lists forty findings; the command that it names for the rest reads them all, and nothing from before.
#[tokio::test]
async fn what_a_message_can_not_list_is_found_by_the_command_that_it_names() {
    let world = World::new().await;
    world.bucket("before").await;
    let function = enforcing(&world).await;
    sweep(&function).await;
    let now = jiff::Timestamp::now().as_millisecond();
    let since = format!("record#{:08x}-{:04x}", now >> 16, now & 0xffff);
    for name in 0..21 {
        world.bucket(&format!("many-{name}")).await;
    }
    assert_eq!(sweep(&function).await["new"], 42);
    let text = &world.alerts().await[1].text;
    assert!(
        text.contains(&format!("and 2 more: docs/operations.md, \"{HEADING}\"")),
        "{text}"
    );
    let guide = std::fs::read_to_string(template::root().join("docs/operations.md")).unwrap();
    assert!(guide.contains(&format!("\n## {HEADING}\n")));
    let value = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.into());
    let scan = aws_sdk_dynamodb::Client::new(&world.aws.sdk_config())
        .scan()
        .table_name(&world.stack.table)
        .filter_expression("sk BETWEEN :since AND :end")
        .expression_attribute_values(":since", value(&since))
        .expression_attribute_values(":end", value("record#~"));
    let found = scan.send().await.unwrap();
    let told = found.items().iter().map(|item| {
        let record: Value = serde_json::from_str(item["document"].as_s().unwrap()).unwrap();
        record["report"]["told"].as_array().unwrap().len()
    });
    assert_eq!(told.sum::<usize>(), 42);
}

/// What is gone is not still wrong, and what is noted of it ends by itself.
#[tokio::test]
async fn what_is_gone_is_forgotten() {
    let world = World::new().await;
    let bucket = world.bucket("gone").await;
    let function = world.function().mode("notify").start().await;
    sweep(&function).await;
    let status = async || {
        let items = world.aws.ledger_items_in(&world.region, &world.stack.table).await;
        let of_it = |item: &Value| item["sk"] == "~status" && item["pk"] == format!("arn:aws:s3:::{}", bucket.name);
        items.into_iter().find(of_it).unwrap()
    };
    let told = |item: &Value| {
        let document: Value = serde_json::from_str(item["document"].as_str().unwrap()).unwrap();
        document["told"].as_object().unwrap().len()
    };
    assert!(told(&status().await) > 0);
    world.s3.delete_bucket().bucket(&bucket.name).send().await.unwrap();
    let event = world.call("PutBucketAcl", json!({"bucketName": bucket.name})).event();
    assert_eq!(function.invoke(event).await.outcome(), "gone");
    let status = status().await;
    assert_eq!(told(&status), 0);
    let expires: i64 = status["expires"].to_string().trim_matches('"').parse().unwrap();
    assert!(expires > jiff::Timestamp::now().as_second() + 399 * 24 * 60 * 60);
}

#[tokio::test]
async fn a_sweep_that_can_not_be_understood_is_refused_by_name() {
    let world = World::new().await;
    let function = world.function().start().await;
    for (sweep, named) in [
        (json!({"page": 1}), "page"),
        (json!({"pages": [{"type": "AWS::S3::Bukket"}]}), "AWS::S3::Bukket"),
        (
            json!({"pages": [{"type": "AWS::S3::Bucket", "resources": ["arn:aws:sns:us-east-1:1:x"]}]}),
            "ids or ARNs",
        ),
    ] {
        let error = function.invoke(json!({"sweep": sweep})).await.result.unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}
