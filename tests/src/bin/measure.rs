//! The sizes of the release binaries, cold start, memory and AWS calls of the S3 function, and calls of EC2's: `make measure`.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "it prints figures, or why there are none"
)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_ec2::types::{IpPermission, IpRange, LaunchPermission, LaunchPermissionModifications, PermissionGroup};
use portcullis_testkit::{Call, CloudTrail, Function, rounds, table};
use portcullis_tests::World;
use serde_json::json;

/// Buckets of the sweep; every fiftieth is left open.
const SWEPT: usize = 2_000;
const LEFT_OPEN: usize = 50;

/// Processes that are started for a median.
const RUNS: usize = 15;

#[tokio::main]
async fn main() {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let folder = folder.expect("measure: expected the folder of the release binaries");
    let [binary, of_ec2] = ["portcullis-s3", "portcullis-ec2"].map(|name| folder.join(name));
    for service in portcullis_catalog::services() {
        let name = service.binary();
        let size = std::fs::metadata(folder.join(&name)).expect("measure: a release binary is missing");
        println!("size of {name:<27} {:.1} MB", megabytes(size.len()));
    }

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
    ec2(&of_ec2).await;
    sweep(&binary).await;
}

/// The AWS calls of EC2's events: of one that finds something, and of the same one again.
async fn ec2(binary: &Path) {
    println!();
    let world = World::new().await;
    let client = aws_sdk_ec2::Client::new(&world.aws.sdk_config());
    let made = client.register_image().name("measured").send().await;
    let image = made.ok().and_then(|made| made.image_id).expect("measure: no image");
    let everybody = LaunchPermission::builder().group(PermissionGroup::All).build();
    let with = LaunchPermissionModifications::builder().add(everybody).build();
    let share = client.modify_image_attribute().image_id(&image).launch_permission(with);
    share.send().await.expect("measure: the image is not shared");
    let group = client
        .create_security_group()
        .group_name("measured")
        .description("measured");
    let group = group
        .send()
        .await
        .ok()
        .and_then(|made| made.group_id)
        .expect("measure: no group");
    let range = IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22);
    let open = client.authorize_security_group_ingress().group_id(&group);
    let open = open.ip_permissions(ssh.ip_ranges(range).build());
    open.send().await.expect("measure: the group is not open");
    let run = client.run_instances().image_id(&image).min_count(10).max_count(10);
    let run = run.send().await.expect("measure: no instances");
    let items: Vec<_> = run
        .instances()
        .iter()
        .map(|one| json!({"instanceId": one.instance_id()}))
        .collect();

    let function = Function::new("portcullis-ec2", &world.aws)
        .deployment(&world.stack)
        .binary(binary);
    let function = function.mode("enforce").start().await;
    for (name, parameters, answer) in [
        ("DisableEbsEncryptionByDefault", json!({}), json!({})),
        ("ModifyImageAttribute", json!({"imageId": image}), json!({})),
        ("AuthorizeSecurityGroupIngress", json!({"groupId": group}), json!({})),
        ("RunInstances", json!({}), json!({"instancesSet": {"items": items}})),
    ] {
        let event = CloudTrail::call("ec2.amazonaws.com", name)
            .params(parameters)
            .response(answer);
        let event = event.account(world.aws.account()).region(&world.region).event();
        let (first, again) = (function.invoke(&event).await, function.invoke(&event).await);
        first.result.as_ref().expect("measure: the event failed");
        let of_ec2 = |calls: &[Call]| calls.iter().filter(|call| call.service == "ec2").count();
        println!(
            "EC2: {name:<31} {} calls, {} of them to EC2; the same again {}, {}",
            first.calls.len(),
            of_ec2(&first.calls),
            again.calls.len(),
            of_ec2(&again.calls)
        );
    }
}

/// A sweep of many buckets, in as many invocations as it takes, as the state machine does it.
async fn sweep(binary: &Path) {
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
