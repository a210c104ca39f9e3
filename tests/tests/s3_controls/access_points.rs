//! Access points: a policy can be changed, a block can't.

use portcullis_tests::settings::only;
use portcullis_tests::{Answered, Subject, World, assert_changed, controls_in, round_trip, writes};
use serde_json::json;

fn policy(arn: &str, statements: &[(&str, serde_json::Value)]) -> String {
    let statements: Vec<_> = statements
        .iter()
        .map(|(sid, principal)| {
            json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": format!("{arn}/object/*")})
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[tokio::test]
async fn a_public_policy_is_removed_and_comes_back() {
    let world = World::new().await;
    let bucket = world.bucket("behind").await;
    let point = world.access_point(&bucket, [false; 4], None).await;
    point
        .put_policy(policy(&point.arn(), &[("Everybody", json!("*"))]))
        .await;
    let arranged = point
        .broken_by("PutAccessPointPolicy")
        .told("CRITICAL", "remediated")
        .fixed_by(&["DeleteAccessPointPolicy"])
        .right("policy", "absent")
        .undone_by(&["PutAccessPointPolicy"]);
    round_trip("s3-access-point-public-policy", arranged).await;
}

#[tokio::test]
async fn a_block_that_can_not_be_changed_is_told_with_what_to_do() {
    let world = World::new().await;
    let bucket = world.bucket("behind").await;
    let point = world.access_point(&bucket, [true, true, false, true], None).await;
    let settings = only(&["s3-access-point-public-access-block"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = point.snapshot().await;
    let invocation = function.invoke(point.call("CreateAccessPoint").event()).await;
    let controls = controls_in(invocation.answer());
    assert_eq!(controls["s3-access-point-public-access-block"], "needs-action");
    assert_eq!(writes(&invocation.calls), [""; 0]);
    assert_changed(&before, &point.snapshot().await, &[]);
    let alert = world.alerts().await.remove(0);
    assert!(alert.text.contains("BlockPublicPolicy off") && alert.text.contains("make a new access point"));
    assert!(!alert.text.contains("UNDO"), "there is nothing to undo");
}

#[tokio::test]
async fn an_access_point_of_a_vpc_is_never_public() {
    let world = World::new().await;
    let bucket = world.bucket("behind").await;
    let point = world.access_point(&bucket, [false; 4], Some("vpc-0a1b2c3d")).await;
    point
        .put_policy(policy(&point.arn(), &[("Everybody", json!("*"))]))
        .await;
    let function = world.function().start().await;
    for call in ["CreateAccessPoint", "PutAccessPointPolicy"] {
        let invocation = function.invoke(point.call(call).event()).await;
        assert_eq!(invocation.outcome(), "compliant", "{call}");
    }
}

#[tokio::test]
async fn the_accounts_block_lowers_what_a_public_access_point_weighs() {
    let world = World::new().await;
    let bucket = world.bucket("behind").await;
    let point = world.access_point(&bucket, [false; 4], None).await;
    point
        .put_policy(policy(&point.arn(), &[("Everybody", json!("*"))]))
        .await;
    world.account_block().put([false, false, false, true]).await;
    let settings = only(&["s3-access-point-public-policy"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let invocation = function.invoke(point.call("PutAccessPointPolicy").event()).await;
    assert_eq!(invocation.outcome(), "remediated");
    assert_eq!(point.snapshot().await["policy"], "absent");
    assert_eq!(world.alerts().await[0].attributes["severity"], "LOW");
}

#[tokio::test]
async fn the_bucket_s_block_lowers_what_a_public_access_point_weighs() {
    let world = World::new().await;
    let bucket = world.bucket("behind").await;
    let point = world.access_point(&bucket, [false; 4], None).await;
    point
        .put_policy(policy(&point.arn(), &[("Everybody", json!("*"))]))
        .await;
    bucket.put_block([true; 4]).await;
    let ids = ["s3-access-point-public-policy", "s3-access-point-public-access-block"];
    let settings = only(&ids, "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let invocation = function.invoke(point.call("CreateAccessPoint").event()).await;
    let told = controls_in(invocation.answer());
    assert_eq!((&*told[ids[0]], &*told[ids[1]]), ("remediated", "needs-action"));
    assert_eq!(point.snapshot().await["policy"], "absent");
    let alert = world.alerts().await.remove(0);
    assert_eq!(alert.attributes["severity"], "LOW");
    assert!(
        alert.text.contains("the block of its bucket restricts"),
        "{}",
        alert.text
    );
}
