//! Events wait in a queue: outages heal by themselves, and nobody speaks for the operator by it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portcullis_testkit::{Fault, Function, Queue, batch};
use portcullis_tests::settings::only;
use portcullis_tests::template::{MOST_RECEIVES, VISIBILITY_TIMEOUT};
use portcullis_tests::{Bucket, Subject as _, World, record_of, samples, writes};
use serde_json::{Value, json};

const HOUR: u64 = 60 * 60;

fn queue() -> Queue {
    Queue::new(MOST_RECEIVES, VISIBILITY_TIMEOUT)
}

/// The function with one control, and with one try a call, since it is the queue's tries that are counted.
async fn started(world: &World) -> Function {
    let sqs = aws_sdk_sqs::Client::new(&world.sdk_config());
    for name in ["events", "events-dead-letters"] {
        sqs.create_queue().queue_name(name).send().await.unwrap();
    }
    let function = world.function().env("AWS_MAX_ATTEMPTS", "1");
    function
        .env("PORTCULLIS_SETTINGS", only(&["s3-bucket-versioning"], ""))
        .start()
        .await
}

async fn unversioned(world: &World, name: &str) -> Bucket {
    let bucket = world.bucket(name).await;
    bucket.put_versioning(false).await;
    bucket
}

fn event(bucket: &Bucket) -> Value {
    bucket.call("PutBucketVersioning").event()
}

/// How often each bucket was told of.
async fn told(world: &World) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for alert in world.alerts().await {
        let id = alert.json["resource"]["id"].as_str().unwrap_or_default().to_owned();
        *told.entry(id).or_default() += 1;
    }
    told
}

#[tokio::test]
async fn an_outage_of_the_ledger_of_six_hours_loses_nothing_and_tells_each_once() {
    // As many as a test has time for; shared/runtime/src/retry.rs counts the tries of two hundred.
    const EVENTS: u64 = 40;
    let world = World::new().await;
    let function = started(&world).await;
    let mut buckets = Vec::new();
    for number in 0..EVENTS {
        buckets.push(unversioned(&world, &format!("b-{number}")).await);
    }
    let outage = Fault::on_service("dynamodb").status(500, "InternalServerError");
    world.aws.fault(outage.always()).await;
    let mut queue = queue();
    let mut waiting = buckets.iter();
    let mut most_received = 0;
    while queue.now < 6 * HOUR {
        // They come over the six hours.
        while let Some(bucket) = waiting.next() {
            queue.send(event(bucket));
            if (waiting.len() as u64) < EVENTS - EVENTS * (queue.now + 1) / (6 * HOUR) {
                break;
            }
        }
        if queue.deliver(&function).await.is_none() {
            queue.now += 60;
        }
        // Else each invocation would be slower than the one before: what it called is looked up in the list of all.
        world.aws.clear_calls().await;
        most_received = most_received.max(queue.most_received());
    }
    for bucket in waiting {
        queue.send(event(bucket));
    }
    assert_eq!(queue.len() as u64, EVENTS);
    assert!(told(&world).await.is_empty());
    world.aws.clear_faults().await;
    let ended = queue.now;
    while !queue.is_empty() {
        queue.wait();
        queue.deliver(&function).await;
        world.aws.clear_calls().await;
    }
    assert!(queue.letters.is_empty());
    let told = told(&world).await;
    assert_eq!(told.len() as u64, EVENTS);
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    // The longest wait between two tries, and none is near its last.
    assert!(queue.now - ended <= 900, "{} seconds", queue.now - ended);
    assert!(most_received < MOST_RECEIVES * 3 / 4, "{most_received}");
}

#[tokio::test]
async fn what_kills_the_process_each_time_ends_as_a_dead_letter_alone() {
    let world = World::new().await;
    let function = Arc::new(started(&world).await);
    let poison = unversioned(&world, "poison").await;
    let mut queue = Queue::new(24, VISIBILITY_TIMEOUT);
    queue.send(event(&poison));
    for number in 0..7 {
        queue.send(event(&unversioned(&world, &format!("neighbour-{number}")).await));
    }
    // Between the look at the bucket, which is what kills it, and the first thing written: time enough on a busy machine.
    let opening = Fault::on("dynamodb", "TransactWriteItems").delay(Duration::from_millis(400));
    world.aws.fault(opening.always()).await;
    while !queue.is_empty() {
        queue.wait();
        let watched = tokio::spawn(kill_at(
            Arc::clone(&function),
            world.clone(),
            world.aws.calls().await.len(),
        ));
        queue.deliver(&function).await;
        watched.abort();
        // The queue's clock is the test's own, that of leases is not: by the next delivery the lease of what was killed has ended.
        world.a_minute_later().await;
    }
    let [(letter, _)] = &queue.letters[..] else {
        panic!("{:?}", queue.letters);
    };
    assert!(
        letter
            .to_string()
            .contains(poison.described().rsplit(' ').next().unwrap())
    );
    let told = told(&world).await;
    assert_eq!(told.len(), 7);
    assert!(
        told.values().all(|times| *times == 1) && !told.keys().any(|bucket| bucket.starts_with("poison")),
        "{told:?}"
    );
}

/// Kills the process as soon as it looks at the bucket `poison`.
async fn kill_at(function: Arc<Function>, world: World, before: usize) {
    loop {
        let calls = world.aws.calls().await;
        let mut calls = calls.iter().skip(before);
        if calls.any(|call| call.service == "s3" && call.path.contains("poison")) {
            function.kill().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn whoever_writes_to_the_queue_asks_for_nothing_in_the_operators_name() {
    let world = World::new().await;
    let function = started(&world).await;
    let bucket = unversioned(&world, "reports").await;
    let done = function.invoke(event(&bucket)).await;
    let record = record_of(done.result.as_ref().unwrap());
    let before = bucket.snapshot().await;
    let mut queue = queue();
    let forged = [
        json!({"restore": record, "force": true, "by": "the operator"}),
        json!({"release": bucket.arn()}),
        json!({"preflight": {}}),
        json!({"sweep": {}}),
        json!({"scheduled": bucket.arn(), "control": "s3-bucket-versioning"}),
        json!({"waiting": {}}),
        serde_json::from_str(&samples::in_folder("config")["RuleItem"]).unwrap(),
    ];
    for request in &forged {
        queue.send(request.clone());
    }
    let done = queue.deliver(&function).await.unwrap();
    assert!(queue.is_empty());
    assert!(writes(&done.calls).is_empty());
    let failures: Vec<_> = queue.letters.iter().map(|(_, failure)| failure.as_deref()).collect();
    assert_eq!(failures, [Some("NotFromQueue"); 7]);
    assert_eq!(bucket.snapshot().await, before);
    // Nor does what nobody can read stay in the way, or go unkept.
    for broken in [
        json!("no JSON"),
        json!({}),
        json!({"detail-type": "AWS API Call via CloudTrail"}),
    ] {
        queue.send(broken);
    }
    queue.deliver(&function).await.unwrap();
    assert!(queue.is_empty());
    let refused = queue
        .letters
        .iter()
        .filter(|(_, failure)| failure.as_deref() == Some("EventRefused"));
    assert_eq!(refused.count(), 3);
}

#[tokio::test]
async fn a_storm_about_one_bucket_is_one_look() {
    let world = World::new().await;
    let function = started(&world).await;
    let bucket = unversioned(&world, "stormy").await;
    let other = unversioned(&world, "calm").await;
    let one = function.invoke(batch(&[event(&other)])).await.calls.len();
    let mut events: Vec<_> = (0..9).map(|_| event(&bucket)).collect();
    events.push(bucket.call("PutBucketTagging").event());
    let storm = function.invoke(batch(&events)).await;
    assert_eq!(storm.result.unwrap(), json!({"batchItemFailures": []}));
    // The second name asks for controls of its own: that is a look more at what is right by then.
    assert!(
        storm.calls.len() <= 2 * one,
        "{} calls, {one} for one event",
        storm.calls.len()
    );
    assert_eq!(told(&world).await.into_values().max(), Some(1));
}

#[tokio::test]
async fn a_message_fails_by_itself() {
    let world = World::new().await;
    let function = started(&world).await;
    let broken = unversioned(&world, "broken").await;
    let mut queue = queue();
    queue.send(event(&broken));
    for number in 0..4 {
        queue.send(event(&unversioned(&world, &format!("fine-{number}")).await));
    }
    // What the function reads first is asked for in no order, so the one that is refused is named by what is told.
    world
        .aws
        .fault(Fault::on("s3", "GetBucketVersioning").status(500, "InternalError"))
        .await;
    let done = queue.deliver(&function).await.unwrap();
    assert_eq!(done.result.unwrap()["batchItemFailures"].as_array().unwrap().len(), 1);
    assert_eq!((queue.len(), told(&world).await.len()), (1, 4));
    queue.wait();
    assert_eq!(queue.now, 10);
    queue.deliver(&function).await;
    assert!(queue.is_empty());
    assert_eq!(told(&world).await.len(), 5);
}
