//! 5. Lost races, 6. nothing silent, 9. fail closed: what AWS may answer.

use portcullis_testkit::Fault;
use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Subject, World, assert_changed, controls_in, record_of, writes};
use serde_json::{Value, json};

const BLOCK: &str = "s3-bucket-public-access-block";

#[tokio::test]
async fn a_conflict_is_retried_from_the_read() {
    let world = World::new().await;
    let bucket = world.bucket("race").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let conflict = Fault::on("s3", "PutPublicAccessBlock").status(409, "OperationAborted");
    world.aws.fault(conflict.clone().times(2)).await;
    let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(invocation.outcome(), "remediated", "{:?}", invocation.result);
    let count = |name: &str| invocation.calls.iter().filter(|call| call.name() == name).count();
    assert_eq!(count("s3:PutPublicAccessBlock"), 3);
    assert_eq!(
        count("s3:GetPublicAccessBlock"),
        4,
        "read before each, and once to prove it"
    );
    assert_eq!((world.alerts().await.len(), world.records().await.0.len()), (1, 1));
}

#[tokio::test]
async fn a_new_bucket_that_is_not_shown_yet_is_looked_at_again() {
    let world = World::new().await;
    let bucket = world.bucket("new").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let unseen = Fault::on("s3", "GetPublicAccessBlock").status(404, "NoSuchBucket");
    world.aws.fault(unseen).await;
    let early = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(early.result.as_ref().unwrap_err().error_type, "NotVisibleYet");
    let retried = function.retry(&early).await;
    assert_eq!(retried.outcome(), "remediated", "{:?}", retried.result);
}

#[tokio::test]
async fn a_race_that_is_lost_again_and_again_is_left_to_the_retry() {
    let world = World::new().await;
    let bucket = world.bucket("race").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let conflict = Fault::on("s3", "PutPublicAccessBlock").status(409, "OperationAborted");
    world.aws.fault(conflict.always()).await;
    let lost = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(lost.result.as_ref().unwrap_err().error_type, "LostRace");
    world.aws.clear_faults().await;
    // With another request id: the lease was given back.
    let next = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(next.outcome(), "remediated", "{:?}", next.result);
    assert_eq!((world.alerts().await.len(), world.records().await.0.len()), (1, 1));
}

#[tokio::test]
async fn a_refused_write_is_told_once_and_fails_the_event() {
    let world = World::new().await;
    let bucket = world.bucket("refused").await;
    let settings = only(&[BLOCK, "s3-bucket-sse-c-blocked"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    world
        .aws
        .fault(Fault::on("s3", "PutPublicAccessBlock").denied().always())
        .await;
    let before = bucket.snapshot().await;
    let first = function.invoke(bucket.call("CreateBucket").event()).await;
    let error = first.result.as_ref().unwrap_err();
    assert_eq!(error.error_type, "NotRemediated");
    assert!(
        error.message.contains(BLOCK) && error.message.contains("AccessDenied"),
        "{error}"
    );
    // What could be put right was, and the message says both.
    assert_changed(
        &before,
        &bucket.snapshot().await,
        &[("encryption", "AES256 blocks SSE-C")],
    );
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].attributes["outcome"], "failed");
    let outcomes: Vec<_> = alerts[0].json["controls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|told| &told["outcome"])
        .collect();
    assert_eq!(outcomes, ["failed", "remediated"]);
    assert!(alerts[0].text.contains("AccessDenied") && alerts[0].text.contains("dead-letter queue"));
    for _ in 0..2 {
        assert!(function.retry(&first).await.result.is_err());
    }
    assert_eq!(world.alerts().await.len(), 1, "the retries wake nobody");
}

/// One line in a bucket's policy denies this function one read: it must not be the switch that turns the rest off.
#[tokio::test]
async fn a_read_that_is_refused_blinds_only_what_needs_it() {
    let world = World::new().await;
    let bucket = world.bucket("one-eyed").await;
    let settings = only(&[BLOCK, "s3-bucket-public-acl"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    world.aws.fault(Fault::on("s3", "GetBucketAcl").denied().always()).await;
    let before = bucket.snapshot().await;
    let first = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(first.result.as_ref().unwrap_err().error_type, "NotRemediated");
    assert_changed(&before, &bucket.snapshot().await, &[("block", "all four")]);
    let alerts = world.alerts().await;
    let told: Vec<_> = alerts[0].json["controls"].as_array().unwrap().iter().collect();
    let outcome = |id: &str| told.iter().find(|told| told["control"] == id).unwrap()["outcome"].clone();
    assert_eq!(
        (outcome(BLOCK), outcome("s3-bucket-public-acl")),
        (json!("remediated"), json!("failed"))
    );
    assert!(alerts[0].text.contains("GetBucketAcl was denied"), "{}", alerts[0].text);
    // The retry still can't see it, and wakes nobody.
    let retried = function.retry(&first).await;
    assert_eq!(retried.result.as_ref().unwrap_err().error_type, "ObserveFailed");
    assert_eq!(world.alerts().await.len(), 1);
    world.aws.clear_faults().await;
    assert_eq!(function.retry(&first).await.outcome(), "compliant");
}

#[tokio::test]
async fn what_can_not_be_read_is_told_and_never_taken_for_compliant() {
    // The fact itself, and the tags that decide what the data needs.
    for action in ["GetPublicAccessBlock", "GetBucketTagging"] {
        let world = World::new().await;
        let bucket = world.bucket("hidden").await;
        let settings = only(&[BLOCK], "");
        let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
        world.aws.fault(Fault::on("s3", action).denied().always()).await;
        let first = function.invoke(bucket.call("CreateBucket").event()).await;
        assert!(first.result.is_err(), "{action}: {:?}", first.result);
        assert_eq!(writes(&first.calls), [""; 0]);
        let alerts = world.alerts().await;
        assert_eq!(alerts.len(), 1, "{action}");
        assert_eq!(alerts[0].attributes["outcome"], "failed");
        assert!(
            alerts[0].text.contains("can't be judged") && alerts[0].text.contains(action),
            "{}",
            alerts[0].text
        );
        assert!(function.retry(&first).await.result.is_err());
        assert_eq!(world.alerts().await.len(), 1, "{action}: told once");
        world.aws.clear_faults().await;
        assert_eq!(function.retry(&first).await.outcome(), "remediated", "{action}");
    }
}

#[tokio::test]
async fn a_read_that_breaks_off_is_an_error_to_retry() {
    let world = World::new().await;
    let bucket = world.bucket("flaky").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let event = bucket.call("CreateBucket").event();
    // Once is the SDK's to retry, always is Lambda's.
    world
        .aws
        .fault(Fault::on("s3", "GetPublicAccessBlock").drop_connection().always())
        .await;
    let broken = function.invoke(&event).await;
    assert_eq!(broken.result.as_ref().unwrap_err().error_type, "ObserveFailed");
    assert_eq!((writes(&broken.calls).len(), world.alerts().await.len()), (0, 0));
    world
        .aws
        .fault(Fault::on("s3", "GetPublicAccessBlock").status(503, "SlowDown"))
        .await;
    assert_eq!(function.retry(&broken).await.outcome(), "remediated");
}

#[tokio::test]
async fn a_bucket_that_is_no_more_is_gone_and_nobody_is_woken() {
    let world = World::new().await;
    let function = world.function().start().await;
    for call in [
        "CreateBucket",
        "DeleteBucketPolicy",
        "DeleteBucketTagging",
        "PutBucketVersioning",
    ] {
        let params = json!({"bucketName": world.aws.unique("gone")});
        // Later than AWS takes to show what it has made.
        let event = world.call(call, params).time("2026-01-01T00:00:00Z").event();
        assert_eq!(function.invoke(event).await.outcome(), "gone", "{call}");
    }
    assert_eq!(
        (world.alerts().await.len(), world.records().await),
        (0, (vec![], false))
    );
}

#[tokio::test]
async fn a_bucket_deleted_before_its_outcome_was_told_is_told_as_gone() {
    let world = World::new().await;
    let bucket = world.bucket("fleeting").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let denied = Fault::on("sns", "Publish").status(403, "AuthorizationError").always();
    world.aws.fault(denied).await;
    let first = function.invoke(bucket.call("CreateBucket").event()).await;
    assert!(first.result.is_err());
    world.aws.clear_faults().await;
    world.s3.delete_bucket().bucket(&bucket.name).send().await.unwrap();
    let retried = function.retry(&first).await;
    assert_eq!(retried.outcome(), "gone", "{:?}", retried.result);
    assert_eq!(world.alerts().await.len(), 1);
    assert_eq!((world.records().await.0.len(), world.records().await.1), (1, false));
}

#[tokio::test]
async fn each_finding_is_one_outcome_one_line_one_metric_and_one_record() {
    let world = World::new().await;
    let bucket = world.bucket("loud").await;
    let function = world.function().start().await;
    let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
    let controls = controls_in(invocation.answer());
    assert!(controls.len() >= 4, "{controls:?}");
    let lines: Vec<Value> = invocation
        .logs
        .iter()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    for (control, outcome) in &controls {
        let metrics = lines
            .iter()
            .filter(|line| line["Control"] == **control && line["Outcome"] == **outcome);
        assert_eq!(metrics.count(), 1, "{control}: one metric among {:#?}", invocation.logs);
        let told = invocation
            .logs
            .iter()
            .filter(|line| line.contains(control.as_str()) && !line.contains("_aws"));
        assert_eq!(told.count(), 1, "{control}: one line among {:#?}", invocation.logs);
    }
    let (records, _) = world.records().await;
    assert_eq!(records.len(), 1, "one record for all");
    assert_eq!(records[0]["report"]["told"].as_array().unwrap().len(), controls.len());
    assert_eq!(records[0]["report"]["ledger_id"], record_of(invocation.answer()));
}
