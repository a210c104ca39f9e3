//! A restore is an act like any other: written ahead, finished by whoever comes next, and never undone by itself.

use portcullis_testkit::Fault;
use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Subject, World, record_of, writes};
use serde_json::json;

const BLOCK: &str = "s3-bucket-public-access-block";
const SSE_C: &str = "s3-bucket-sse-c-blocked";

/// It put the former state back, and could not tell: the hold is there all the same.
#[tokio::test]
async fn a_restore_that_could_not_be_told_is_held_and_finished_by_whoever_comes_next() {
    let world = World::new().await;
    let bucket = world.bucket("untold").await;
    let before = bucket.snapshot().await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let event = bucket.call("DeleteBucketPublicAccessBlock").event();
    let done = function.invoke(&event).await;
    let id = record_of(done.answer());
    world.aws.fault(Fault::on("sns", "Publish").denied().always()).await;
    let untold = function.invoke(json!({"restore": id, "by": "ana"})).await;
    assert_eq!(untold.result.as_ref().unwrap_err().error_type, "NotifyFailed");
    world.aws.clear_faults().await;
    assert_eq!(bucket.snapshot().await, before);

    let next = function.invoke(&event).await;
    assert_eq!(next.outcome(), "exempt", "{:?}", next.result);
    assert_eq!(bucket.snapshot().await, before, "what ana restored stays");
    let alerts = world.alerts().await;
    assert!(
        alerts.iter().any(|alert| alert.attributes["outcome"] == "restored"),
        "{alerts:?}"
    );
    let (records, open) = world.records().await;
    assert!(!open && records[1]["restores"] == json!(id), "{records:?}");
    // And it can't be restored twice.
    let again = function
        .invoke(json!({"restore": records[1]["report"]["ledger_id"]}))
        .await;
    assert_eq!(again.result.as_ref().unwrap_err().error_type, "RestoreRefused");
}

/// Whoever makes another bucket of the name is not who restored the one that was.
#[tokio::test]
async fn a_hold_ends_with_the_bucket_that_it_was_left_on() {
    let world = World::new().await;
    let bucket = world.bucket("again").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let event = bucket.call("DeleteBucketPublicAccessBlock").event();
    portcullis_tests::put_back(&function, &function.invoke(&event).await).await;
    assert_eq!(function.invoke(&event).await.outcome(), "exempt");
    let told = world.alerts().await.len();

    world.s3.delete_bucket().bucket(&bucket.name).send().await.unwrap();
    let gone = function.invoke(&event).await;
    assert_eq!(gone.outcome(), "released", "{:?}", gone.result);
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), told + 1);
    let text = &alerts[told].text;
    assert!(
        text.contains("no longer held: it was deleted") && text.contains("ana had left it by restoring"),
        "{text}"
    );
    let (records, open) = world.records().await;
    assert!(!open);
    assert_eq!(records.last().unwrap()["report"]["told"][0]["outcome"], "released");
    // Once it is told, it is gone and no more.
    assert_eq!(function.invoke(&event).await.outcome(), "gone");

    world.s3.create_bucket().bucket(&bucket.name).send().await.unwrap();
    let anew = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(anew.outcome(), "remediated", "{:?}", anew.result);
    assert_eq!(world.alerts().await.len(), told + 2);
}

/// The name was taken anew before anybody looked: that the bucket was deleted, only its event says.
#[tokio::test]
async fn a_hold_ends_with_the_call_that_deletes_the_bucket_and_not_with_an_older_one() {
    let world = World::new().await;
    let bucket = world.bucket("taken").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let older = bucket.call("DeleteBucket").event();
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let event = bucket.call("DeleteBucketPublicAccessBlock").event();
    portcullis_tests::put_back(&function, &function.invoke(&event).await).await;
    let late = function.invoke(older).await;
    assert_eq!(late.outcome(), "ignored", "{:?}", late.result);
    assert_eq!(function.invoke(&event).await.outcome(), "exempt");

    world.s3.delete_bucket().bucket(&bucket.name).send().await.unwrap();
    world.s3.create_bucket().bucket(&bucket.name).send().await.unwrap();
    let deleted = bucket.call("DeleteBucket").event();
    let now = function.invoke(&deleted).await;
    assert_eq!(now.outcome(), "remediated", "{:?}", now.result);
    let alerts = world.alerts().await;
    assert!(
        alerts
            .iter()
            .any(|alert| alert.text.contains("no longer held: it was deleted"))
    );
    assert_eq!(
        function.invoke(deleted).await.outcome(),
        "ignored",
        "nothing is held any more"
    );
}

/// Between the restore that broke off and whoever finishes it, somebody closed the hole by hand.
#[tokio::test]
async fn a_restore_that_broke_off_does_not_overwrite_what_somebody_did_meanwhile() {
    let world = World::new().await;
    let bucket = world.bucket("meanwhile").await;
    bucket.put_block([true, true, false, false]).await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let event = bucket.call("PutBucketPublicAccessBlock").event();
    let done = function.invoke(&event).await;
    let id = record_of(done.answer());
    world.aws.fault(Fault::on("sns", "Publish").denied().always()).await;
    let untold = function.invoke(json!({"restore": id, "by": "ana"})).await;
    assert!(untold.result.is_err());
    world.aws.clear_faults().await;
    bucket.put_block([true, true, true, false]).await;
    let mine = bucket.snapshot().await;

    let crossed = function.invoke(json!({"restore": id, "by": "ana"})).await;
    let error = crossed.result.as_ref().unwrap_err();
    assert!(error.message.contains("after it broke off"), "{error}");
    assert_eq!(bucket.snapshot().await, mine);
    // Nothing was restored, so nothing is held.
    assert_eq!(world.status().await["holds"], json!([]));
    assert_eq!(function.invoke(&event).await.outcome(), "remediated");
}

/// The function was not allowed to remove the policy, so somebody did it by hand: to undo the rest must not bring it back.
#[tokio::test]
async fn what_somebody_put_right_after_a_failure_is_not_overwritten() {
    let world = World::new().await;
    let bucket = world.bucket("by-hand").await;
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{}/*", bucket.arn())});
    bucket
        .put_policy(json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
        .await;
    let settings = only(&["s3-bucket-public-policy", SSE_C], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    world
        .aws
        .fault(Fault::on("s3", "DeleteBucketPolicy").denied().always())
        .await;
    let half = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(half.result.as_ref().unwrap_err().error_type, "NotRemediated");
    world.aws.clear_faults().await;
    let (records, _) = world.records().await;
    let id = records[0]["report"]["ledger_id"].clone();
    let alerts = world.alerts().await;
    assert!(
        alerts[0].text.contains(&format!("{{\"restore\":{id}}}")),
        "{}",
        alerts[0].text
    );
    world
        .s3
        .delete_bucket_policy()
        .bucket(&bucket.name)
        .send()
        .await
        .unwrap();

    let refused = function.invoke(json!({"restore": id})).await;
    let error = refused.result.as_ref().unwrap_err();
    assert!(error.message.contains("changed it since (policy)"), "{error}");
    assert_eq!(writes(&refused.calls), [""; 0]);
    let forced = function.invoke(json!({"restore": id, "force": true})).await;
    assert_eq!(forced.outcome(), "restored", "{:?}", forced.result);
    assert!(bucket.snapshot().await["policy"].contains("s3:GetObject"));
}
