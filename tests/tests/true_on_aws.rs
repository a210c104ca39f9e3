//! What AWS does and the local one does not by itself: it takes its time, refuses a part, leaves answers out, and lets others write.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::time::Duration;

use portcullis_testkit::{Fault, Queue};
use portcullis_tests::settings::only;
use portcullis_tests::template::{MOST_RECEIVES, VISIBILITY_TIMEOUT};
use portcullis_tests::{Answered, Subject as _, World, controls_in, writes};
use serde_json::{Value, json};

/// Reads of S3 may show for a while what was so before. Source: S3 User Guide, "Amazon S3 data consistency model" (bucket
/// configurations are eventually consistent).
#[tokio::test]
async fn what_aws_shows_minutes_later_is_told_once_and_as_it_is() {
    let world = World::new().await;
    let sqs = aws_sdk_sqs::Client::new(&world.sdk_config());
    for name in ["events", "events-dead-letters"] {
        sqs.create_queue().queue_name(name).send().await.unwrap();
    }
    let bucket = world.bucket("slow").await;
    bucket.put_versioning(false).await;
    let settings = only(&["s3-bucket-versioning"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    // The first look and all four after the change see it suspended.
    world.aws.fault(Fault::on("s3", "GetBucketVersioning").lagging(4)).await;
    let mut queue = Queue::new(MOST_RECEIVES, VISIBILITY_TIMEOUT);
    queue.send(bucket.call("PutBucketVersioning").event());
    let first = queue.deliver(&function).await.unwrap();
    assert_eq!(writes(&first.calls), ["s3:PutBucketVersioning"]);
    assert_eq!(world.alerts().await.len(), 0, "neither done nor failed");
    assert_eq!(queue.len(), 1, "it comes again");
    queue.wait();
    assert!(queue.now < 60, "soon: after {} s", queue.now);
    queue.deliver(&function).await.unwrap();
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].subject.contains("remediated"), "{}", alerts[0].subject);
    assert!(queue.is_empty() && queue.letters.is_empty());
}

#[tokio::test]
async fn what_was_told_as_failed_and_holds_later_is_told_as_right() {
    let world = World::new().await;
    let bucket = world.bucket("later").await;
    bucket.put_versioning(false).await;
    let settings = only(&["s3-bucket-versioning"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    world.aws.fault(Fault::on("s3", "GetBucketVersioning").lagging(4)).await;
    // Whoever invokes the function gets an answer: it does not come again by itself.
    let event = bucket.call("PutBucketVersioning").event();
    let failed = function.invoke(&event).await;
    assert_eq!(failed.result.unwrap_err().error_type, "NotRemediated");
    let again = function.invoke(&event).await;
    assert_eq!(controls_in(again.answer())["s3-bucket-versioning"], "compliant");
    let subjects: Vec<_> = world.alerts().await.into_iter().map(|alert| alert.subject).collect();
    assert!(
        subjects[0].contains("failed") && subjects[1].contains("compliant"),
        "{subjects:?}"
    );
    assert_eq!(subjects.len(), 2);
}

/// A document is put only over the one that was judged.
#[tokio::test]
async fn a_statement_that_somebody_adds_between_read_and_write_is_kept() {
    let world = World::new().await;
    let bucket = world.bucket("raced").await;
    let open = bucket.lets_in("Everybody", &json!("*"));
    let policy = |statements: &[&Value]| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    bucket.put_policy(policy(&[&open])).await;
    let settings = only(&["s3-bucket-public-policy"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let slow = Fault::on("dynamodb", "TransactWriteItems").delay(Duration::from_millis(1_500));
    world.aws.fault(slow).await;
    let mut deny = bucket.lets_in("Responder", &json!("*"));
    deny["Effect"] = json!("Deny");
    deny["Action"] = json!("s3:DeleteObject");
    let event = bucket.call("PutBucketPolicy").event();
    let (done, ()) = tokio::join!(function.invoke(&event), async {
        world.aws.wait_for_call("s3:GetBucketPolicy", 1).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        bucket.put_policy(policy(&[&open, &deny])).await;
    });
    assert_eq!(done.outcome(), "remediated", "{:?}", done.result);
    let left = bucket.snapshot().await["policy"].clone();
    assert!(left.contains("Responder") && !left.contains("Everybody"), "{left}");
}

/// AWS shows a deleted role by its unique id, and refuses to take that back. Source: S3 User Guide, "Principals for bucket policies".
#[tokio::test]
async fn a_principal_that_is_no_more_does_not_keep_a_policy_from_being_closed() {
    let world = World::new().await;
    let bucket = world.bucket("dead").await;
    let open = bucket.lets_in("Everybody", &json!("*"));
    let dead = "AROAEXAMPLEEXAMPLE001";
    let app = bucket.lets_in(
        "App",
        &json!({"AWS": [dead, format!("arn:aws:iam::{}:role/app", world.aws.account())]}),
    );
    bucket
        .put_policy(json!({"Version": "2012-10-17", "Statement": [open, app]}).to_string())
        .await;
    let settings = only(&["s3-bucket-public-policy"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let done = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(done.outcome(), "remediated", "{:?}", done.result);
    let left = bucket.snapshot().await["policy"].clone();
    assert!(!left.contains(dead) && left.contains("role/app"), "{left}");
    let alert = world.alerts().await.pop().unwrap();
    assert!(
        alert.text.contains(dead) && alert.text.contains("deleted"),
        "{}",
        alert.text
    );
}
