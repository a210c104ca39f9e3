//! What only looks as if it were safe, or as if it could be put right.

use portcullis_tests::settings::{levels, only};
use portcullis_tests::{ALL_USERS, Answered, Bucket, Subject, World, assert_changed, controls_in, writes};
use serde_json::{Value, json};

fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn public(bucket: &Bucket) -> Value {
    json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{}/*", bucket.arn())})
}

/// A deny to everybody, as the controls write it, under a condition.
fn deny(bucket: &Bucket, sid: &str, condition: &Value) -> Value {
    let arn = bucket.arn();
    json!({"Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, format!("{arn}/*")],
        "Condition": condition})
}

#[tokio::test]
async fn a_statement_by_the_name_of_a_quarantine_is_none() {
    let world = World::new().await;
    let settings = only(&["s3-bucket-quarantine", "s3-bucket-public-policy"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let bucket = world.bucket("named").await;
    bucket.classify("restricted").await;
    let toothless = deny(
        &bucket,
        "PortcullisQuarantine",
        &json!({"ArnNotLike": {"aws:PrincipalArn": "*"}}),
    );
    bucket.put_policy(policy(&[public(&bucket), toothless])).await;
    let invocation = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(
        controls_in(invocation.answer())["s3-bucket-quarantine"],
        "quarantined",
        "{:?}",
        invocation.result
    );
    let after = bucket.snapshot().await;
    assert!(after["policy"].contains("PortcullisQuarantine2"), "{}", after["policy"]);
    let again = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(again.outcome(), "compliant");
}

#[tokio::test]
async fn a_deny_that_spares_others_keeps_nobody_to_the_endpoints() {
    let world = World::new().await;
    let level = levels("restricted: {values: [restricted], vpc-endpoints: [vpce-0a1b2c3d4e5f]}");
    let settings = only(&["s3-bucket-vpc-endpoints-only"], &level);
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let elsewhere = json!({"aws:SourceVpce": ["vpce-0a1b2c3d4e5f"]});
    for toothless in [
        json!({"StringNotEquals": elsewhere, "ArnNotLike": {"aws:PrincipalArn": "*"}}),
        json!({"StringNotEquals": elsewhere, "ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/nobody"}}),
        json!({"StringNotEquals": elsewhere, "Bool": {"aws:PrincipalIsAWSService": "true"}}),
    ] {
        let bucket = world.bucket("vpce").await;
        bucket.classify("restricted").await;
        bucket.put_policy(policy(&[deny(&bucket, "Vpce", &toothless)])).await;
        let invocation = function.invoke(bucket.call("PutBucketPolicy").event()).await;
        assert_eq!(invocation.outcome(), "remediated", "{toothless}");
        let after = bucket.snapshot().await;
        assert!(after["policy"].contains("PortcullisVpcEndpointsOnly"), "{toothless}");
    }
}

#[tokio::test]
async fn what_s3_would_refuse_under_a_block_is_told_and_not_tried() {
    let world = World::new().await;
    let bucket = world.bucket("site").await;
    bucket.classify("public").await;
    bucket.put_policy(policy(&[public(&bucket)])).await;
    bucket.put_grants(&[(ALL_USERS, "READ"), (ALL_USERS, "WRITE")]).await;
    bucket.put_block([true; 4]).await;
    let settings = only(&["s3-bucket-tls-only", "s3-bucket-public-acl"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = bucket.snapshot().await;
    for (call, control, flag) in [
        ("PutBucketPolicy", "s3-bucket-tls-only", "BlockPublicPolicy"),
        ("PutBucketAcl", "s3-bucket-public-acl", "BlockPublicAcls"),
    ] {
        let invocation = function.invoke(bucket.call(call).event()).await;
        assert_eq!(controls_in(invocation.answer())[control], "needs-action");
        assert_eq!(writes(&invocation.calls), [""; 0]);
        let text = world.alerts().await.pop().unwrap().text;
        assert!(text.contains(flag), "{text}");
    }
    assert_changed(&before, &bucket.snapshot().await, &[]);
}

#[tokio::test]
async fn a_key_of_another_region_is_told_and_not_tried() {
    let world = World::new().await;
    let bucket = world.bucket("region").await;
    bucket.classify("restricted").await;
    let key = format!("arn:aws:kms:eu-west-1:{}:key/own", world.aws.account());
    let level = levels(&format!(
        "restricted: {{values: [restricted], encryption: customer-managed-key, key: \"{key}\"}}"
    ));
    let ids = ["s3-bucket-default-encryption", "s3-bucket-encrypted-writes"];
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&ids, &level))
        .start()
        .await;
    let invocation = function.invoke(bucket.call("PutBucketTagging").event()).await;
    let told = controls_in(invocation.answer());
    assert!(ids.iter().all(|id| told[*id] == "needs-action"), "{told:?}");
    assert_eq!(writes(&invocation.calls), [""; 0]);
    assert!(
        world.alerts().await[0]
            .text
            .contains("is in eu-west-1, the bucket in us-east-1")
    );
}

#[tokio::test]
async fn tags_that_were_set_by_arn_classify_a_bucket() {
    let world = World::new().await;
    let bucket = world.bucket("abac").await;
    bucket.classify("confidential").await;
    let settings = only(&["s3-bucket-default-encryption"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let event = world.call("TagResource", json!({"resourceArn": bucket.arn()})).event();
    assert_eq!(function.invoke(event).await.outcome(), "remediated");
    assert!(bucket.snapshot().await["encryption"].starts_with("aws:kms"));
}
