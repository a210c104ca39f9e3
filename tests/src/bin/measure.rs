//! Size, cold start, memory and AWS calls of the release binary of the S3 function: `make measure`.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "it prints figures, or why there are none"
)]

use std::path::PathBuf;
use std::time::Duration;

use portcullis_testkit::{Call, CloudTrail, rounds, table};
use portcullis_tests::World;
use serde_json::json;

/// Buckets of the sweep; every fiftieth is left open.
const SWEPT: usize = 2_000;
const LEFT_OPEN: usize = 50;

/// Processes that are started for a median.
const RUNS: usize = 15;

#[tokio::main]
async fn main() {
    let binary = PathBuf::from(
        std::env::args()
            .nth(1)
            .expect("measure: expected the path of a release binary"),
    );
    let size = std::fs::metadata(&binary)
        .expect("measure: the binary can't be read")
        .len();
    println!("size                                {:.1} MB", megabytes(size));

    let world = World::new().await;
    let bucket = world.bucket("measured").await;
    let event = world.call("CreateBucket", json!({"bucketName": bucket.name})).event();
    let ignored = CloudTrail::call("s3.amazonaws.com", "ListBuckets")
        .account(world.aws.account())
        .event();
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    let mut starts = Vec::new();
    let mut memory = 0;
    for _ in 0..RUNS {
        // As on Lambda, where the template names one bundle of certificates.
        let function = world
            .function()
            .binary(&binary)
            .env("SSL_CERT_FILE", bundle)
            .start()
            .await;
        function
            .invoke(&ignored)
            .await
            .result
            .expect("measure: the event failed");
        starts.push(
            function
                .cold_start()
                .and_then(|start| start.to_first_answer)
                .unwrap_or_default(),
        );
        memory = function.peak_memory_kib().unwrap_or_default().max(memory);
    }
    starts.sort();
    let at = |index: usize| starts[index].as_secs_f64() * 1_000.0;
    println!(
        "cold start, process to first answer {:.0} ms (median of {RUNS}; {:.0} to {:.0})",
        at(RUNS / 2),
        at(0),
        at(RUNS - 1)
    );
    println!("peak memory, started                {:.1} MiB", mebibytes(memory));

    let function = world
        .function()
        .binary(&binary)
        .env("SSL_CERT_FILE", bundle)
        .start()
        .await;
    // Slow answers make plain which calls wait for which.
    world.aws.slow(Duration::from_millis(60)).await;
    let first = function.invoke(&event).await;
    first.result.as_ref().expect("measure: the event failed");
    let to_alert = first
        .calls
        .iter()
        .position(|call| call.name() == "sns:Publish")
        .map_or(0, |at| at + 1);
    println!(
        "peak memory, a bare bucket handled  {:.1} MiB\n",
        mebibytes(function.peak_memory_kib().unwrap_or_default())
    );
    println!(
        "CreateBucket of a bare bucket: {} rounds up to the alert, {} with closing the record",
        rounds(&first.calls[..to_alert]),
        rounds(&first.calls)
    );
    println!("{}", table(&first.calls));
    let again = function.invoke(&event).await;
    let writes = again.calls.iter().filter(|call| !Call::is_read(call)).count();
    println!("The same event again: {} rounds, {writes} writes", rounds(&again.calls));
    sweep(&binary).await;
}

/// A sweep of many buckets, in as many invocations as it takes, as the state machine does it.
async fn sweep(binary: &std::path::Path) {
    let world = World::new().await;
    let controls = ["s3-bucket-public-access-block", "s3-bucket-versioning"];
    for number in 0..SWEPT {
        let bucket = world.bucket("swept").await;
        if number % LEFT_OPEN > 0 {
            bucket.put_block([true; 4]).await;
            bucket.put_versioning(true).await;
        }
    }
    let settings = portcullis_tests::settings::only(&controls, "");
    let function = world.function().binary(binary).env("PORTCULLIS_SETTINGS", settings);
    let function = function.timeout(Duration::from_mins(1)).start().await;
    let compliant = world.bucket("single").await;
    compliant.put_block([true; 4]).await;
    compliant.put_versioning(true).await;
    let event = world
        .call("CreateBucket", json!({"bucketName": compliant.name}))
        .event();
    let single = function.invoke(&event).await;
    println!("\na compliant bucket by an event: {} calls", single.calls.len());

    let (mut request, mut parts, mut begun) = (json!({"sweep": {}}), Vec::new(), json!({}));
    let mut queue: Vec<serde_json::Value> = Vec::new();
    let mut invocations = 0;
    loop {
        let started = std::time::Instant::now();
        let part = function.invoke(&request).await;
        let answer = part.result.expect("measure: the sweep failed")["sweep"].clone();
        invocations += 1;
        println!(
            "sweep, invocation {invocations}: {} resources, {} calls, {:.1} s, peak memory {:.1} MiB",
            answer["counts"]["resources"],
            part.calls.len(),
            started.elapsed().as_secs_f64(),
            mebibytes(function.peak_memory_kib().unwrap_or_default())
        );
        if answer.get("new").is_some() {
            println!("sweep, in all: {answer}");
            break;
        }
        if request == json!({"sweep": {}}) {
            begun = answer["counts"].clone();
        } else {
            parts.push(answer["counts"].clone());
        }
        queue.extend(answer["more"].as_array().into_iter().flatten().cloned());
        request = match queue.pop() {
            Some(page) => json!({"sweep": {"pages": [page], "counts": {}}}),
            None => json!({"sweep": {"counts": begun, "finish": parts}}),
        };
    }
    println!("messages of the sweep: {}", world.alerts().await.len());
}

#[expect(clippy::cast_precision_loss, reason = "sizes for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "sizes for people")]
fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
