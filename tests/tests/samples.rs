//! The odd sample events in `events/s3/odd`, each replayed into the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use portcullis_testkit::{Invocation, assert_called};
use portcullis_tests::{Answered, Bucket, World, controls_in, samples};
use serde_json::{Value, json};

#[test]
fn each_sample_is_named_for_its_call_and_of_the_documentation_s_account() {
    for (name, text) in &samples::in_folder("s3") {
        let event: Value = serde_json::from_str(text).unwrap();
        assert_eq!(event["detail"]["eventName"], **name);
        assert_eq!(
            (&event["detail"]["eventSource"], &event["source"]),
            (&json!("s3.amazonaws.com"), &json!("aws.s3"))
        );
        assert_eq!(
            (&event["account"], &event["region"]),
            (&json!(samples::ACCOUNT), &json!(samples::REGION))
        );
    }
}

struct Odd {
    world: World,
    bucket: Bucket,
    invocation: Invocation,
}

/// Sends an odd sample about a bucket that has no public access block.
async fn odd(name: &str) -> Odd {
    let world = World::new().await;
    let bucket = world.open_bucket().await;
    let text = &samples::in_folder("s3/odd")[name];
    let function = world.function().start().await;
    let invocation = function
        .invoke(samples::moved(text, &world, &[("quarterly-reports", &bucket.name)]))
        .await;
    Odd {
        world,
        bucket,
        invocation,
    }
}

#[test]
fn each_odd_sample_has_a_test() {
    let source = include_str!("samples.rs");
    for name in samples::in_folder("s3/odd").keys() {
        assert!(
            source.contains(&format!("odd(\"{name}\")")),
            "events/s3/odd/{name}.json"
        );
    }
}

#[tokio::test]
async fn parameters_that_were_left_out_are_read_from_the_bucket_and_raise_the_severity() {
    let Odd { world, invocation, .. } = odd("parameters-omitted").await;
    assert_eq!(
        controls_in(invocation.answer())["s3-bucket-public-policy"],
        "remediated"
    );
    let alert = world.alerts().await.remove(0);
    assert!(alert.text.contains("known way to hide a change"), "{}", alert.text);
    let severities: Vec<_> = alert.json["controls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|told| &told["severity"])
        .collect();
    assert_eq!(severities, ["CRITICAL", "HIGH"], "plain HTTP is medium otherwise");
}

#[tokio::test]
async fn parameters_that_were_left_out_without_a_resource_are_refused_by_name() {
    let Odd { invocation, .. } = odd("parameters-omitted-nothing-named").await;
    let error = invocation.result.unwrap_err();
    assert_eq!(error.error_type, "EventRefused");
    assert!(error.message.contains("bucketName"), "{error}");
}

#[tokio::test]
async fn what_needs_nothing_done_is_ignored_without_a_call() {
    let ignored = [
        odd("call-failed").await,
        odd("by-own-role").await,
        odd("call-of-no-control").await,
        odd("service-event-of-another-service").await,
    ];
    for Odd { invocation, .. } in ignored {
        assert!(invocation.answer()["ignored"].is_string(), "{:?}", invocation.result);
        assert_called(&invocation.calls, &[]);
    }
}

#[tokio::test]
async fn what_is_not_ours_to_look_after_is_ignored_without_a_call() {
    for Odd { invocation, world, .. } in [
        odd("bucket-of-another-account").await,
        odd("tag-of-an-access-point").await,
    ] {
        assert!(invocation.answer()["ignored"].is_string(), "{:?}", invocation.result);
        assert_called(&invocation.calls, &[]);
        assert!(world.alerts().await.is_empty());
    }
}

#[tokio::test]
async fn a_bare_record_is_handled_like_one_in_an_envelope() {
    let Odd { invocation, .. } = odd("bare-record").await;
    let controls = controls_in(invocation.answer());
    assert_eq!(controls["s3-bucket-public-access-block"], "remediated");
}

#[tokio::test]
async fn a_tool_that_will_put_it_back_is_named() {
    for (Odd { world, .. }, tool) in [
        (odd("by-cloudformation").await, "CloudFormation"),
        (odd("by-terraform").await, "Terraform"),
    ] {
        let alert = world.alerts().await.remove(0);
        assert!(
            alert.text.contains("MANAGED BY") && alert.text.contains(tool),
            "{}",
            alert.text
        );
        assert!(alert.json["managed_by"].as_str().unwrap().contains(tool));
    }
}

#[tokio::test]
async fn whoever_it_was_is_told_as_far_as_it_is_known() {
    let Odd { world, .. } = odd("by-another-account").await;
    let actor = &world.alerts().await[0].json["actor"];
    assert_eq!(actor["account"], "444455556666");
    let Odd { world, .. } = odd("by-nobody-named").await;
    let text = &world.alerts().await[0].text;
    assert!(text.contains("WHO\n  Unknown"), "{text}");
}

#[tokio::test]
async fn an_old_record_takes_its_account_from_the_envelope() {
    let Odd {
        world,
        invocation,
        bucket,
    } = odd("old-record").await;
    assert_eq!(controls_in(invocation.answer())["s3-bucket-public-acl"], "remediated");
    assert_eq!(world.alerts().await[0].json["resource"]["id"], *bucket.name);
}

#[tokio::test]
async fn a_bucket_that_was_made_from_another_region_is_looked_for_in_its_own() {
    let Odd { invocation, .. } = odd("created-from-another-region").await;
    invocation.answer();
    let of_bucket = invocation.calls.iter().filter(|call| call.service == "s3");
    assert!(of_bucket.clone().count() > 8);
    assert!(
        of_bucket.clone().all(|call| call.region == "eu-west-1"),
        "the region's old name was EU"
    );
}

#[tokio::test]
async fn the_record_that_the_other_account_gets_of_a_call_across_accounts_is_refused() {
    let Odd { invocation, .. } = odd("of-another-account").await;
    assert_eq!(invocation.result.unwrap_err().error_type, "ForeignAccount");
}
