//! 3. Convergent and idempotent: once is enough, and one at a time.

use std::time::Duration;

use portcullis_testkit::{Fault, assert_no_changes, assert_only_reads};
use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Subject, World, record_of, writes};

const BLOCK: &str = "s3-bucket-public-access-block";

#[tokio::test]
async fn a_duplicate_changes_nothing_more_and_tells_nobody_twice() {
    let world = World::new().await;
    let bucket = world.bucket("twice").await;
    let function = world.function().start().await;
    let event = bucket.call("CreateBucket").event();
    let first = function.invoke(&event).await;
    first.answer();
    let after = bucket.snapshot().await;
    for _ in 0..3 {
        // What is only told, not enforced, is still wrong: it was told before.
        let again = function.invoke(&event).await;
        assert_eq!(again.outcome(), "told-before");
        assert_only_reads(&again.calls);
    }
    assert_eq!(bucket.snapshot().await, after);
    assert_eq!(world.alerts().await.len(), 1);
    assert_eq!(world.records().await.0.len(), 1);
}

#[tokio::test]
async fn a_finding_that_changes_or_comes_back_is_told_again() {
    let world = World::new().await;
    let bucket = world.bucket("again").await;
    let function = world
        .function()
        .mode("notify")
        .env("PORTCULLIS_SETTINGS", only(&[BLOCK], ""))
        .start()
        .await;
    let event = bucket.call("PutBucketPublicAccessBlock").event();
    let mut told = 0;
    for (flags, tells) in [
        (Some([true, true, false, false]), true),
        (Some([true, true, false, false]), false),
        (Some([true, false, false, false]), true), // another hole
        (Some([true; 4]), false),                  // cured
        (Some([true, false, false, false]), true), // and torn again
    ] {
        if let Some(flags) = flags {
            bucket.put_block(flags).await;
        }
        let invocation = function.invoke(&event).await;
        assert_no_changes(&invocation.calls);
        told += usize::from(tells);
        assert_eq!(world.alerts().await.len(), told, "{flags:?}");
    }
}

#[tokio::test]
async fn ten_invocations_of_one_event_at_once_remediate_and_tell_once() {
    let world = World::new().await;
    let bucket = world.bucket("storm").await;
    let event = bucket.call("DeleteBucketPublicAccessBlock").event();
    let mut functions = Vec::new();
    for _ in 0..5 {
        let settings = only(&[BLOCK], "");
        functions.push(world.function().env("PORTCULLIS_SETTINGS", settings).start().await);
    }
    let invocations = functions
        .iter()
        .chain(&functions)
        .map(|function| function.invoke(&event));
    let done = futures_util::future::join_all(invocations).await;
    let mut outcomes: Vec<_> = done
        .iter()
        .map(|invocation| match &invocation.result {
            Ok(_) => invocation.outcome(),
            Err(error) => error.error_type.clone(),
        })
        .collect();
    outcomes.sort_unstable();
    let count = |what: &str| outcomes.iter().filter(|outcome| *outcome == what).count();
    assert_eq!(count("remediated"), 1, "{outcomes:?}");
    assert_eq!(count("ResourceBusy") + count("compliant"), 9, "{outcomes:?}");
    assert_eq!(bucket.snapshot().await["block"], "all four");
    // Lambda retries those that found it busy.
    for (function, busy) in functions.iter().zip(done.iter().filter(|done| done.result.is_err())) {
        assert_eq!(function.retry(busy).await.outcome(), "compliant");
    }
    assert_eq!(world.alerts().await.len(), 1);
    let (records, open) = world.records().await;
    assert_eq!((records.len(), open), (1, false));
    let all = world.aws.calls().await;
    assert_eq!(writes(&all), ["s3:PutPublicAccessBlock"]);
}

/// One that was held up, and comes to write when another has finished. It read the state and the ledger before that; or the state
/// alone, so that the ledger knows of a change that the state does not show.
#[tokio::test]
async fn what_was_read_before_another_finished_is_read_again() {
    for (held_up, delay, seen) in [
        ("TransactWriteItems", 1500, "dynamodb:Query"),
        ("Query", 2500, "s3:GetPublicAccessBlock"),
    ] {
        let world = World::new().await;
        let bucket = world.bucket("stale").await;
        let event = bucket.call("DeleteBucketPublicAccessBlock").event();
        let settings = only(&[BLOCK], "");
        let slow = world.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
        let quick = world.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
        let hold_up = Fault::on("dynamodb", held_up).delay(Duration::from_millis(delay));
        world.aws.fault(hold_up).await;
        let late = async {
            // The slow one is held up by now; nobody else is from now on.
            world.aws.wait_for_call(seen, 1).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
            world.aws.clear_faults().await;
            quick.invoke(&event).await
        };
        let (late_one, prompt) = tokio::join!(slow.invoke(&event), late);
        assert_eq!(prompt.outcome(), "remediated", "{held_up}");
        assert_eq!(late_one.outcome(), "compliant", "{held_up}: {:?}", late_one.result);
        assert_eq!(
            writes(&world.aws.calls().await),
            ["s3:PutPublicAccessBlock"],
            "{held_up}"
        );
        let told = (world.alerts().await.len(), world.records().await.0.len());
        assert_eq!(told, (1, 1), "{held_up}");
    }
}

/// Lambda delivers an event at least once: it may come twice at the same time, and under one request id.
#[tokio::test]
async fn a_duplicate_with_the_same_request_id_waits_for_the_first() {
    let world = World::new().await;
    let bucket = world.bucket("same").await;
    let event = bucket.call("DeleteBucketPublicAccessBlock").event();
    let settings = only(&[BLOCK], "");
    let slow = world.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
    let quick = world.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
    let hold_up = Fault::on("s3", "PutPublicAccessBlock").delay(Duration::from_millis(2500));
    world.aws.fault(hold_up).await;
    let request = "8f507cfc-0000-4000-8000-000000000001";
    let late = async {
        world.aws.wait_for_call("dynamodb:TransactWriteItems", 1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.aws.clear_faults().await;
        quick.invoke_as(request, &event).await
    };
    let (first, duplicate) = tokio::join!(slow.invoke_as(request, &event), late);
    let busy = duplicate.result.as_ref().unwrap_err();
    assert_eq!(busy.error_type, "ResourceBusy", "{busy}");
    assert_eq!(first.outcome(), "remediated", "{:?}", first.result);
    assert_eq!(quick.retry(&duplicate).await.outcome(), "compliant");
    assert_eq!(writes(&world.aws.calls().await), ["s3:PutPublicAccessBlock"]);
    assert_eq!((world.alerts().await.len(), world.records().await.0.len()), (1, 1));
}

/// Deleted between the change and the look back: nothing is proved, and nothing is left to be wrong.
#[tokio::test]
async fn what_is_gone_before_it_is_read_again_is_told_as_gone() {
    let world = World::new().await;
    let bucket = world.bucket("deleted").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let deleted = Fault::on("s3", "GetPublicAccessBlock")
        .status(404, "NoSuchBucket")
        .after(1);
    world.aws.fault(deleted.always()).await;
    let done = function
        .invoke(bucket.call("DeleteBucketPublicAccessBlock").event())
        .await;
    assert_eq!(done.outcome(), "gone", "{:?}", done.result);
    let alerts = world.alerts().await;
    assert_eq!(alerts[0].attributes["outcome"], "gone");
    assert!(!alerts[0].text.contains("read again to prove it"), "{}", alerts[0].text);
}

/// Somebody takes every change back at once.
#[tokio::test]
async fn a_change_that_does_not_last_until_it_is_read_again_is_a_failure() {
    let world = World::new().await;
    let bucket = world.bucket("contested").await;
    let settings = only(&[BLOCK], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let event = bucket.call("CreateBucket").event();
    world.aws.slow(Duration::from_millis(50)).await;
    let somebody = async {
        loop {
            let delete = world.s3.delete_public_access_block().bucket(&bucket.name);
            delete.send().await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let invocation = tokio::select! {
        invocation = function.invoke(&event) => invocation,
        () = somebody => unreachable!("somebody never tires"),
    };
    let error = invocation.result.as_ref().unwrap_err();
    assert_eq!(error.error_type, "NotRemediated", "{error}");
    assert!(error.message.contains("read again"), "{error}");
    let alerts = world.alerts().await;
    assert_eq!((alerts.len(), alerts[0].attributes["outcome"].as_str()), (1, "failed"));
    // Left in peace, it is put right and told.
    world.aws.clear_faults().await;
    let healed = function.retry(&invocation).await;
    assert_eq!(healed.outcome(), "remediated");
    assert_eq!(world.alerts().await.len(), 2);
    let (records, open) = world.records().await;
    assert_eq!((records.len(), open), (2, false));
    assert_eq!(records[1]["report"]["ledger_id"], record_of(healed.answer()));
}
