//! 2. Write ahead: whatever happens at whatever moment, the next one to come finishes it.

use std::ops::RangeInclusive;
use std::time::Duration;

use portcullis_testkit::Fault;
use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Subject, World, record_of, writes};
use serde_json::{Value, json};

const CONTROLS: [&str; 2] = ["s3-bucket-public-access-block", "s3-bucket-sse-c-blocked"];

#[tokio::test]
async fn the_ledger_holds_what_was_and_what_is_to_come_before_anything_changes() {
    let world = World::new().await;
    let bucket = world.bucket("ahead").await;
    bucket.put_block([true, false, false, false]).await;
    let settings = only(&CONTROLS, "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(invocation.outcome(), "remediated");
    let position = |name: &str| invocation.calls.iter().position(|call| call.name() == name).unwrap();
    let record = &invocation.calls[position("dynamodb:TransactWriteItems")];
    for write in ["s3:PutPublicAccessBlock", "s3:PutBucketEncryption"] {
        assert!(
            record.ended_ms <= invocation.calls[position(write)].started_ms,
            "{write}"
        );
    }
    let sent: Value = serde_json::from_str(record.body.as_deref().unwrap()).unwrap();
    let document = sent["TransactItems"][0]["Put"]["Item"]["document"]["S"]
        .as_str()
        .unwrap();
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["prior"]["public_access_block"]["BlockPublicAcls"], true);
    assert_eq!(document["prior"]["public_access_block"]["IgnorePublicAcls"], false);
    assert_eq!(document["prior"]["encryption"]["algorithm"], "AES256");
    assert_eq!(document["remedies"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn without_the_ledger_nothing_is_changed() {
    let world = World::new().await;
    let bucket = world.bucket("unwritten").await;
    let settings = only(&CONTROLS, "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = bucket.snapshot().await;
    for (action, code) in [
        ("TransactWriteItems", "AccessDeniedException"),
        ("Query", "ResourceNotFoundException"),
    ] {
        world
            .aws
            .fault(Fault::on("dynamodb", action).status(400, code).always())
            .await;
        let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
        let error = invocation.result.as_ref().unwrap_err();
        assert_eq!(error.error_type, "LedgerFailed", "{error}");
        assert!(error.message.contains(code), "{error}");
        assert_eq!(writes(&invocation.calls), [""; 0], "{action}");
    }
    assert_eq!(bucket.snapshot().await, before);
    assert_eq!(world.alerts().await.len(), 0);
    world.aws.clear_faults().await;
    assert_eq!(
        function.invoke(bucket.call("CreateBucket").event()).await.outcome(),
        "remediated"
    );
}

/// Kills the process once this call was answered, and lets Lambda retry.
async fn killed_after(call: &str, times: usize, alerts: RangeInclusive<usize>) {
    let world = World::new().await;
    let bucket = world.bucket("killed").await;
    let settings = only(&CONTROLS, "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    // Each call is held back for long enough that the next one has no effect yet when the process dies.
    world.aws.slow(Duration::from_millis(80)).await;
    let event = bucket.call("CreateBucket").event();
    let (killed, ()) = tokio::join!(function.invoke(&event), async {
        world.aws.wait_for_call(call, times).await;
        function.kill().await;
    });
    assert_eq!(
        killed.result.as_ref().unwrap_err().error_type,
        "Runtime.ExitError",
        "{call}"
    );
    // What was on its way when the process died still arrives.
    tokio::time::sleep(Duration::from_millis(150)).await;
    world.aws.clear_faults().await;
    world.a_minute_later().await;
    let retried = function.retry(&killed).await;
    assert!(retried.result.is_ok(), "{call}: {:?}", retried.result);

    let after = bucket.snapshot().await;
    assert_eq!(
        (after["block"].as_str(), after["encryption"].as_str()),
        ("all four", "AES256 blocks SSE-C"),
        "{call}"
    );
    let (records, open) = world.records().await;
    assert_eq!((records.len(), open), (1, false), "{call}");
    let report = &records[0]["report"];
    for told in report["told"].as_array().unwrap() {
        assert_eq!(told["outcome"], "remediated", "{call}");
    }
    assert_eq!(report["told"].as_array().unwrap().len(), 2, "{call}");
    assert_eq!(
        records[0]["prior"]["public_access_block"],
        json!(null),
        "{call}: what was there before the first change"
    );
    let told = world.alerts().await;
    assert!(alerts.contains(&told.len()), "{call}: {} alerts", told.len());
    // However often it was told, it is one record, which a restore takes back to the very beginning.
    let id = report["ledger_id"].as_str().unwrap();
    assert!(told.iter().all(|alert| alert.json["ledger_id"] == id), "{call}");
    let restored = function.invoke(json!({"restore": id})).await;
    assert_eq!(restored.outcome(), "restored", "{call}: {:?}", restored.result);
    let back = bucket.snapshot().await;
    assert_eq!(
        (back["block"].as_str(), back["encryption"].as_str()),
        ("absent", "AES256"),
        "{call}"
    );
}

#[tokio::test]
async fn killed_after_reading() {
    killed_after("dynamodb:Query", 1, 1..=1).await;
}

#[tokio::test]
async fn killed_after_writing_ahead() {
    killed_after("dynamodb:TransactWriteItems", 1, 1..=1).await;
}

#[tokio::test]
async fn killed_after_the_first_change() {
    killed_after("s3:PutPublicAccessBlock", 1, 1..=1).await;
}

#[tokio::test]
async fn killed_after_the_other_change() {
    killed_after("s3:PutBucketEncryption", 1, 1..=1).await;
}

#[tokio::test]
async fn killed_after_verifying() {
    // The alert may be on its way already.
    killed_after("s3:GetPublicAccessBlock", 2, 1..=2).await;
}

#[tokio::test]
async fn killed_after_the_alert() {
    // It was told, but the ledger does not know: twice is better than never.
    killed_after("sns:Publish", 1, 1..=2).await;
}

#[tokio::test]
async fn an_alert_that_did_not_leave_keeps_the_record_open_until_it_does() {
    let world = World::new().await;
    let bucket = world.bucket("mute").await;
    let settings = only(&CONTROLS, "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let denied = Fault::on("sns", "Publish").status(403, "AuthorizationError").always();
    world.aws.fault(denied).await;
    let event = bucket.call("CreateBucket").event();
    let mute = function.invoke(&event).await;
    assert_eq!(mute.result.as_ref().unwrap_err().error_type, "NotifyFailed");
    assert_eq!(
        bucket.snapshot().await["block"],
        "all four",
        "what was changed stays changed"
    );
    assert_eq!((world.alerts().await.len(), world.records().await), (0, (vec![], true)));
    world.aws.clear_faults().await;
    // Whoever comes next, with any request id: the lease was given back.
    let next = function.invoke(&event).await;
    assert_eq!(next.outcome(), "remediated", "{:?}", next.result);
    assert_eq!(writes(&next.calls), [""; 0], "nothing is left to change");
    let alerts = world.alerts().await;
    assert_eq!(alerts.len(), 1);
    let before = &alerts[0].json["before"];
    assert_eq!(
        before["public_access_block"],
        json!(null),
        "it tells what was there before: {before}"
    );
    let (records, open) = world.records().await;
    assert_eq!((records.len(), open), (1, false));
}

#[tokio::test]
async fn the_lease_of_one_that_died_ends_by_itself() {
    let world = World::new().await;
    let bucket = world.bucket("lease").await;
    let settings = only(&CONTROLS, "");
    let lifetime = Duration::from_secs(2);
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", &settings)
        .timeout(lifetime)
        .start()
        .await;
    world.aws.slow(Duration::from_millis(80)).await;
    let event = bucket.call("CreateBucket").event();
    let (killed, ()) = tokio::join!(function.invoke(&event), async {
        world.aws.wait_for_call("dynamodb:TransactWriteItems", 1).await;
        function.kill().await;
    });
    assert!(killed.result.is_err());
    world.aws.clear_faults().await;
    // What the dead one had sent is answered, and logged, before the next one's calls are looked at.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let other = world.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
    let busy = other.invoke(&event).await;
    assert_eq!(
        busy.result.as_ref().unwrap_err().error_type,
        "ResourceBusy",
        "the dead one's lease still holds"
    );
    assert_eq!(writes(&busy.calls), [""; 0]);
    tokio::time::sleep(lifetime).await;
    let (_, open) = world.records().await;
    assert!(open);
    let retried = other.retry(&busy).await;
    assert_eq!(retried.outcome(), "remediated", "{:?}", retried.result);
    let (records, open) = world.records().await;
    assert_eq!((records.len(), open, world.alerts().await.len()), (1, false, 1));
}

#[tokio::test]
async fn a_restore_that_was_killed_is_finished_by_its_retry() {
    let world = World::new().await;
    let bucket = world.bucket("undone").await;
    bucket.put_block([true, true, false, false]).await;
    let settings = only(&CONTROLS, "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = bucket.snapshot().await;
    let event = bucket.call("CreateBucket").event();
    let done = function.invoke(&event).await;
    let id = record_of(done.answer());
    world.aws.slow(Duration::from_millis(80)).await;
    let (killed, ()) = tokio::join!(function.invoke(json!({"restore": id, "by": "ana"})), async {
        world.aws.wait_for_call("s3:PutPublicAccessBlock", 2).await;
        function.kill().await;
    });
    assert!(killed.result.is_err());
    tokio::time::sleep(Duration::from_millis(150)).await;
    world.aws.clear_faults().await;
    world.a_minute_later().await;
    let retried = function.retry(&killed).await;
    assert_eq!(retried.outcome(), "restored", "{:?}", retried.result);
    assert_eq!(bucket.snapshot().await, before);
    let (records, open) = world.records().await;
    assert_eq!((records.len(), open), (2, false));
    assert_eq!(function.invoke(&event).await.outcome(), "exempt");
}
