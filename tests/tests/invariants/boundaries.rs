//! 10. Blast radius, 11. least privilege, 12. partitions.

use portcullis_core::Impact;
use portcullis_core::settings::Switch;
use portcullis_testkit::{Fault, assert_no_changes};
use portcullis_tests::settings::{everything, only};
use portcullis_tests::{Answered, Subject, World};
use serde_json::json;

/// What can stop something from working is switched on by a person; a quarantine asks for one by the data's level.
#[test]
fn what_may_disturb_availability_is_told_by_default() {
    for meta in portcullis_s3::listings().iter().flat_map(|listing| listing.controls()) {
        let by_level = meta.id == "s3-bucket-quarantine";
        assert!(
            meta.impact != Impact::Availability || meta.default == Switch::Notify || by_level,
            "{}",
            meta.id
        );
    }
}

#[tokio::test]
async fn notify_mode_works_under_a_role_that_can_only_read() {
    let world = World::new().await;
    let bucket = world.bucket("readonly").await;
    bucket.put_canned_acl("public-read-write").await;
    let function = world
        .function()
        .mode("notify")
        .env("PORTCULLIS_SETTINGS", everything(""))
        .start()
        .await;
    let denied = ["s3", "s3control"].map(|service| Fault::on_changes(service).denied().always());
    world.aws.faults(&denied).await;
    let before = bucket.snapshot().await;
    for call in ["CreateBucket", "PutBucketAcl", "PutBucketPolicy"] {
        // What CreateBucket tells, the others need not tell again.
        let invocation = function.invoke(bucket.call(call).event()).await;
        assert!(
            ["needs-action", "would-remediate", "told-before"].contains(&&*invocation.outcome()),
            "{call}"
        );
        assert_no_changes(&invocation.calls);
    }
    assert_eq!(bucket.snapshot().await, before);
}

#[tokio::test]
async fn a_control_that_is_off_is_not_even_read() {
    let world = World::new().await;
    let bucket = world.bucket("off").await;
    let settings = only(&["s3-bucket-versioning"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(invocation.outcome(), "remediated");
    let mut reads: Vec<_> = invocation
        .calls
        .iter()
        .filter(|call| call.is_read())
        .map(portcullis_testkit::Call::name)
        .collect();
    reads.sort();
    reads.dedup();
    assert_eq!(
        reads,
        ["dynamodb:Query", "s3:GetBucketTagging", "s3:GetBucketVersioning"]
    );
    let off = function.invoke(bucket.call("PutBucketAcl").event()).await;
    assert_eq!((off.outcome().as_str(), off.calls.len()), ("ignored", 0));
}

#[tokio::test]
async fn other_partitions_have_their_own_arns() {
    for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let world = World::in_region(region).await;
        let bucket = world.bucket("elsewhere").await;
        let own_role = format!("arn:{partition}:iam::{}:role/portcullis", world.aws.account());
        let function = world
            .function()
            .env("PORTCULLIS_ROLE_ARN", &own_role)
            .env(
                "PORTCULLIS_SETTINGS",
                only(&["s3-bucket-tls-only", "s3-bucket-public-access-block"], ""),
            )
            .start()
            .await;
        let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
        assert_eq!(invocation.outcome(), "remediated", "{region}: {:?}", invocation.result);
        let after = bucket.snapshot().await;
        assert_eq!(after["block"], "all four");
        assert!(
            after["policy"].contains(&format!("arn:{partition}:s3:::{}", bucket.name)),
            "{}",
            after["policy"]
        );
        let alerts = world.alerts().await;
        assert_eq!(alerts[0].json["resource"]["arn"], bucket.arn());
        assert!(!alerts[0].text.contains("arn:aws:"), "{}", alerts[0].text);
        // The function's own calls carry the partition's role.
        let mut own = bucket.call("PutBucketPolicy").record();
        own["userIdentity"]["sessionContext"] = json!({"sessionIssuer": {"arn": own_role}});
        assert!(function.invoke(own).await.answer()["ignored"].is_string());
    }
}

#[tokio::test]
async fn a_function_that_is_set_up_wrongly_does_not_start_and_says_why() {
    let world = World::new().await;
    let refused = world
        .function()
        .env("PORTCULLIS_MODE", "Enforce")
        .try_start()
        .await
        .unwrap_err();
    assert!(refused.message.contains("PORTCULLIS_MODE"), "{refused}");
    let refused = world
        .function()
        .env("PORTCULLIS_SETTINGS", "controls: {s3-bucket-publik-acl: {mode: off}}")
        .try_start()
        .await
        .unwrap_err();
    assert!(
        refused.message.contains("did you mean s3-bucket-public-acl?"),
        "{refused}"
    );
}
