//! What an event costs: AWS round trips in sequence.

use portcullis_testkit::{assert_only_reads, rounds, table};
use portcullis_tests::settings::everything;
use portcullis_tests::{APART, Answered, Subject, World};

/// Run with `--no-capture` (cargo test: `--nocapture`) to see the calls.
#[expect(clippy::print_stdout, reason = "the table of calls is what this test is read for")]
#[tokio::test]
async fn a_bare_bucket_is_safe_and_told_in_five_rounds_and_closed_in_a_sixth() {
    let world = World::new().await;
    let bucket = world.bucket("bare").await;
    let function = world.function().start().await;
    world.aws.slow(APART).await;
    let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
    invocation.answer();
    println!(
        "a bare bucket, by default in enforce mode: {}",
        table(&invocation.calls)
    );
    let told = invocation
        .calls
        .iter()
        .position(|call| call.name() == "sns:Publish")
        .unwrap();
    // Observe, record, apply, verify, notify; then the record is closed.
    assert_eq!(rounds(&invocation.calls[..=told]), 5, "{}", table(&invocation.calls));
    assert_eq!(rounds(&invocation.calls), 6, "{}", table(&invocation.calls));
    let after = bucket.snapshot().await;
    assert_eq!(
        (after["block"].as_str(), after["encryption"].as_str()),
        ("all four", "AES256 blocks SSE-C")
    );
}

#[expect(clippy::print_stdout, reason = "the table of calls is what this test is read for")]
#[tokio::test]
async fn a_compliant_bucket_costs_one_round_of_reads() {
    let world = World::new().await;
    let bucket = world.bucket("safe").await;
    bucket.make_safe().await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", everything(""))
        .start()
        .await;
    world.aws.slow(APART).await;
    let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
    println!("a compliant bucket, all controls on: {}", table(&invocation.calls));
    assert_eq!(invocation.outcome(), "compliant");
    assert_only_reads(&invocation.calls);
    assert_eq!(rounds(&invocation.calls), 1, "{}", table(&invocation.calls));
    assert_eq!(world.alerts().await.len(), 0);
}
