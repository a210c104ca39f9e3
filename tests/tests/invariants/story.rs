//! 1. State over story, 7. own changes, 4. and 11. the owner on the wire.

use portcullis_testkit::{Actor, CloudTrail, assert_called, assert_only_reads};
use portcullis_tests::settings::{everything, only};
use portcullis_tests::{Answered, Subject, World, assert_changed, writes};
use serde_json::json;

#[tokio::test]
async fn an_event_that_tells_of_a_hole_does_nothing_where_there_is_none() {
    let world = World::new().await;
    let bucket = world.bucket("safe").await;
    bucket.make_safe().await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", everything(""))
        .start()
        .await;
    let before = bucket.snapshot().await;
    let public = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": format!("{}/*", bucket.arn())},
    ]});
    let stories = [
        (
            "PutBucketPolicy",
            json!({"bucketName": bucket.name, "bucketPolicy": public}),
        ),
        (
            "PutBucketAcl",
            json!({"bucketName": bucket.name, "x-amz-acl": "public-read-write"}),
        ),
        ("DeleteBucketPublicAccessBlock", bucket.params()),
        ("DeleteBucketEncryption", bucket.params()),
        (
            "PutBucketVersioning",
            json!({"bucketName": bucket.name, "VersioningConfiguration": {"Status": "Suspended"}}),
        ),
    ];
    for (call, params) in stories {
        let invocation = function.invoke(world.call(call, params).event()).await;
        assert_eq!(invocation.outcome(), "compliant", "{call}");
        assert_only_reads(&invocation.calls);
    }
    assert_changed(&before, &bucket.snapshot().await, &[]);
    assert_eq!(world.alerts().await.len(), 0);
    assert_eq!(world.records().await, (vec![], false));
}

#[tokio::test]
async fn an_event_that_tells_of_a_cure_finds_the_hole_that_was_torn_since() {
    let world = World::new().await;
    let bucket = world.bucket("torn").await;
    let settings = only(&["s3-bucket-public-access-block"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let all_on = json!({
        "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true, "RestrictPublicBuckets": true,
    });
    let params = json!({"bucketName": bucket.name, "PublicAccessBlockConfiguration": all_on});
    let event = world
        .call("PutBucketPublicAccessBlock", params)
        .time("2020-01-01T00:00:00Z");
    let invocation = function.invoke(event.event()).await;
    assert_eq!(
        invocation.outcome(),
        "remediated",
        "an event years late is as good as any"
    );
    assert_eq!(bucket.snapshot().await["block"], "all four");
}

#[tokio::test]
async fn own_changes_are_ignored_by_the_exact_role() {
    let world = World::new().await;
    let bucket = world.bucket("own").await;
    let settings = only(&["s3-bucket-public-access-block"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let call = bucket.call("PutBucketPublicAccessBlock");
    let own = function
        .invoke(call.clone().actor(Actor::role("portcullis", "s3")).event())
        .await;
    assert!(
        own.answer()["ignored"].as_str().unwrap().contains("own"),
        "{:?}",
        own.result
    );
    assert_called(&own.calls, &[]);

    // A name that begins the same, the same name elsewhere, the same tool: all somebody else.
    let mut elsewhere = call.record()["userIdentity"].clone();
    elsewhere["sessionContext"] = json!({"sessionIssuer": {"arn": "arn:aws:iam::444455556666:role/portcullis"}});
    let others = [
        call.clone().actor(Actor::role("portcullis-admin", "s3")),
        call.clone().actor(Actor::Custom(elsewhere)),
        call.clone().actor(Actor::user("portcullis")),
        call.user_agent("aws-sdk-rust/1.3 portcullis-s3"),
    ];
    for other in others {
        world
            .s3
            .delete_public_access_block()
            .bucket(&bucket.name)
            .send()
            .await
            .unwrap();
        let invocation = function.invoke(other.event()).await;
        assert_eq!(invocation.outcome(), "remediated", "{}", other.record()["userIdentity"]);
    }
}

#[tokio::test]
async fn an_event_of_another_account_is_refused_before_anything_is_read() {
    let world = World::new().await;
    let bucket = world.bucket("theirs").await;
    let function = world.function().start().await;
    let event = CloudTrail::call("s3.amazonaws.com", "CreateBucket")
        .params(bucket.params())
        .account("444455556666");
    let refused = function.invoke(event.event()).await;
    let error = refused.result.unwrap_err();
    assert_eq!(error.error_type, "ForeignAccount");
    assert!(
        error.message.contains("444455556666") && error.message.contains(world.aws.account()),
        "{error}"
    );
    assert_called(&refused.calls, &[]);
}

#[tokio::test]
async fn every_call_about_a_bucket_says_whose_it_must_be() {
    let world = World::new().await;
    let bucket = world.bucket("mine").await;
    bucket.classify("confidential").await;
    bucket.put_canned_acl("public-read").await;
    bucket.put_ownership("ObjectWriter").await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", everything(""))
        .start()
        .await;
    let mut calls = Vec::new();
    for call in ["CreateBucket", "PutBucketPolicy", "PutBucketAcl", "PutBucketWebsite"] {
        let invocation = function.invoke(bucket.call(call).event()).await;
        assert!(invocation.result.is_ok(), "{:?}", invocation.result);
        calls.extend(invocation.calls);
    }
    calls.retain(|call| call.service == "s3");
    assert!(writes(&calls).len() >= 5, "{}", portcullis_testkit::table(&calls));
    for call in calls {
        assert_eq!(
            call.expected_owner.as_deref(),
            Some(world.aws.account()),
            "{}",
            call.name()
        );
    }
}

#[tokio::test]
async fn a_bucket_of_that_name_that_is_somebody_elses_by_now_is_not_touched() {
    let world = World::new().await;
    let stranger = World::new().await;
    let theirs = stranger.bucket("recreated").await;
    let settings = only(&["s3-bucket-public-access-block"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = theirs.snapshot().await;
    let invocation = function
        .invoke(world.call("CreateBucket", theirs.params()).event())
        .await;
    assert!(invocation.result.is_err(), "{:?}", invocation.result);
    assert_eq!(writes(&invocation.calls), [""; 0]);
    assert_changed(&before, &theirs.snapshot().await, &[]);
}
