//! Default encryption and SSE-C.

use portcullis_tests::settings::{levels, only};
use portcullis_tests::{Answered, LOG_DELIVERY, Subject, World, assert_changed, controls_in, round_trip, writes};
use serde_json::json;

const CONTROL: &str = "s3-bucket-default-encryption";

/// A level `restricted` that needs this key.
fn needs_key(encryption: &str, key: &str) -> String {
    levels(&format!(
        "restricted: {{values: [restricted], encryption: {encryption}, key: \"{key}\"}}"
    ))
}

#[tokio::test]
async fn what_the_console_sets_for_sse_s3_is_left_alone() {
    let world = World::new().await;
    let bucket = world.bucket("console").await;
    bucket.put_encryption("AES256", None, true, &["SSE-C"]).await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[CONTROL], ""))
        .start()
        .await;
    let invocation = function.invoke(bucket.call("PutBucketEncryption").event()).await;
    assert_eq!(invocation.outcome(), "compliant");
    assert_eq!(bucket.snapshot().await["encryption"], "AES256 bucket-key blocks SSE-C");
}

#[tokio::test]
async fn the_level_names_the_key() {
    let world = World::new().await;
    let bucket = world.bucket("cmk").await;
    let key = format!(
        "arn:aws:kms:us-east-1:{}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        world.aws.account()
    );
    bucket.classify("restricted").await;
    let arranged = bucket
        .broken_by("PutBucketTagging")
        .settings(needs_key("customer-managed-key", &key))
        .told("HIGH", "remediated")
        .fixed_by(&["PutBucketEncryption"])
        .right("encryption", format!("aws:kms {key} bucket-key"))
        .undone_by(&["PutBucketEncryption"]);
    round_trip(CONTROL, arranged).await;
}

#[tokio::test]
async fn two_layers_have_no_bucket_key() {
    let world = World::new().await;
    let bucket = world.bucket("dsse").await;
    let key = format!(
        "arn:aws:kms:us-east-1:{}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        world.aws.account()
    );
    bucket.classify("restricted").await;
    bucket.put_encryption("aws:kms", Some(&key), true, &[]).await;
    let arranged = bucket
        .broken_by("PutBucketEncryption")
        .settings(needs_key("dual-layer", &key))
        .told("HIGH", "remediated")
        .fixed_by(&["PutBucketEncryption"])
        .right("encryption", format!("aws:kms:dsse {key}"))
        .undone_by(&["PutBucketEncryption"]);
    round_trip(CONTROL, arranged).await;
}

#[tokio::test]
async fn a_bucket_key_that_is_off_is_turned_on_with_the_same_key() {
    let world = World::new().await;
    let bucket = world.bucket("costly").await;
    let key = format!("arn:aws:kms:us-east-1:{}:key/own", world.aws.account());
    bucket.put_encryption("aws:kms", Some(&key), false, &["SSE-C"]).await;
    let arranged = bucket
        .broken_by("PutBucketEncryption")
        .told("LOW", "remediated")
        .fixed_by(&["PutBucketEncryption"])
        .right("encryption", format!("aws:kms {key} bucket-key blocks SSE-C"))
        .undone_by(&["PutBucketEncryption"]);
    round_trip(CONTROL, arranged).await;
}

#[tokio::test]
async fn what_is_stricter_than_asked_is_never_made_weaker() {
    let world = World::new().await;
    let key = format!("arn:aws:kms:us-east-1:{}:key/own", world.aws.account());
    // Level of the data, and an encryption that is at least as strict.
    let stricter = [
        ("internal", "aws:kms", None, true),
        ("internal", "aws:kms", Some(key.as_str()), true),
        ("internal", "aws:kms:dsse", Some(key.as_str()), false),
        ("confidential", "aws:kms", Some(key.as_str()), true),
        ("confidential", "aws:kms:dsse", Some(key.as_str()), false),
        ("restricted", "aws:kms", Some(key.as_str()), true),
        ("restricted", "aws:kms:dsse", Some(key.as_str()), false),
    ];
    let bucket = world.bucket("strict").await;
    let settings = only(&[CONTROL, "s3-bucket-sse-c-blocked"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    for (level, algorithm, key, bucket_key) in stricter {
        bucket.classify(level).await;
        bucket.put_encryption(algorithm, key, bucket_key, &["SSE-C"]).await;
        let before = bucket.snapshot().await;
        let invocation = function.invoke(bucket.call("PutBucketEncryption").event()).await;
        assert_eq!(invocation.outcome(), "compliant", "{level} under {algorithm}");
        assert_changed(&before, &bucket.snapshot().await, &[]);
    }
    // Another control's remedy on the same document keeps what is stricter as well.
    bucket.put_encryption("aws:kms:dsse", Some(&key), false, &[]).await;
    let before = bucket.snapshot().await;
    let invocation = function.invoke(bucket.call("PutBucketEncryption").event()).await;
    assert_eq!(invocation.outcome(), "remediated");
    let changes = [("encryption", &*format!("aws:kms:dsse {key} blocks SSE-C"))];
    assert_changed(&before, &bucket.snapshot().await, &changes);
}

#[tokio::test]
async fn without_a_named_key_restricted_data_is_left_to_a_person() {
    let world = World::new().await;
    let bucket = world.bucket("keyless").await;
    bucket.classify("restricted").await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[CONTROL], ""))
        .start()
        .await;
    let before = bucket.snapshot().await;
    let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(controls_in(invocation.answer())[CONTROL], "needs-action");
    assert_changed(&before, &bucket.snapshot().await, &[]);
    let text = &world.alerts().await[0].text;
    assert!(
        text.contains("classification.levels.restricted.key"),
        "names the setting: {text}"
    );
}

#[tokio::test]
async fn a_bucket_that_receives_logs_keeps_receiving_them() {
    let world = World::new().await;
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[CONTROL], ""))
        .start()
        .await;
    let by_acl = world.bucket("logs").await;
    by_acl.put_grants(&[(LOG_DELIVERY, "WRITE")]).await;
    let by_policy = world.bucket("logs").await;
    let logs = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": format!("{}/*", by_policy.arn()),
    }]});
    by_policy.put_policy(logs.to_string()).await;
    let of_balancers = world.bucket("logs").await;
    let logs = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::127311923021:root"}, "Action": "s3:PutObject",
        "Resource": format!("{}/AWSLogs/{}/*", of_balancers.arn(), world.aws.account()),
    }]});
    of_balancers.put_policy(logs.to_string()).await;
    for bucket in [by_acl, by_policy, of_balancers] {
        bucket.classify("confidential").await;
        let invocation = function.invoke(bucket.call("PutBucketTagging").event()).await;
        assert_eq!(invocation.outcome(), "needs-action");
        assert_eq!(writes(&invocation.calls), [""; 0]);
        assert_eq!(bucket.snapshot().await["encryption"], "AES256");
    }
}

#[tokio::test]
async fn client_provided_keys_are_blocked_and_nothing_else() {
    let world = World::new().await;
    let bucket = world.bucket("ssec").await;
    let key = format!("arn:aws:kms:us-east-1:{}:key/own", world.aws.account());
    bucket.put_encryption("aws:kms", Some(&key), true, &["NONE"]).await;
    let arranged = bucket
        .broken_by("PutBucketEncryption")
        .told("MEDIUM", "remediated")
        .fixed_by(&["PutBucketEncryption"])
        .right("encryption", format!("aws:kms {key} bucket-key blocks SSE-C"))
        .undone_by(&["PutBucketEncryption"]);
    round_trip("s3-bucket-sse-c-blocked", arranged).await;
}

#[tokio::test]
async fn both_controls_of_encryption_make_one_write() {
    let world = World::new().await;
    let bucket = world.bucket("once").await;
    bucket.classify("confidential").await;
    let settings = only(&[CONTROL, "s3-bucket-sse-c-blocked"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let invocation = function.invoke(bucket.call("DeleteBucketEncryption").event()).await;
    assert_eq!(invocation.outcome(), "remediated");
    assert_eq!(writes(&invocation.calls), ["s3:PutBucketEncryption"]);
    assert_eq!(bucket.snapshot().await["encryption"], "aws:kms bucket-key blocks SSE-C");
}
