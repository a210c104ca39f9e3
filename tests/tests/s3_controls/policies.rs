//! Bucket policies: what is taken out, what is added, what stays byte for byte.

use portcullis_tests::settings::{levels, only};
use portcullis_tests::{Answered, Bucket, Subject, World, assert_changed, controls_in, round_trip, writes};
use serde_json::{Value, json};

/// Two statements as a person wrote them: odd spaces, keys in an order of their own, an escape that nobody needs.
fn by_hand(bucket: &Bucket, public: bool) -> String {
    let (arn, account) = (bucket.arn(), bucket.world.aws.account());
    let everybody = format!(
        r#",
    {{"Sid":"Everybody","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"{arn}/open/*"}}"#
    );
    format!(
        r#"{{
  "Version": "2012-10-17",
  "Statement": [
    {{ "Resource" : ["{arn}\/*"],   "Sid": "Partner – read only",
       "Effect": "Allow", "Principal": {{"AWS": ["arn:aws:iam::{account}:role/app"]}}, "Action": ["s3:GetObject"] }}{}
  ]
}}"#,
        if public { everybody.as_str() } else { "" }
    )
}

fn statements(policy: &str) -> Vec<Value> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

#[tokio::test]
async fn only_the_public_statement_goes_and_the_rest_stays_byte_for_byte() {
    let world = World::new().await;
    let bucket = world.bucket("policy").await;
    let text = by_hand(&bucket, true);
    bucket.put_policy(&text).await;
    let before = bucket.snapshot().await;
    assert_eq!(before["policy"], text);
    let settings = only(&["s3-bucket-public-policy"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let invocation = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(invocation.outcome(), "remediated", "{:?}", invocation.result);
    let after = bucket.snapshot().await;
    let kept = &text[text.find("{ \"Resource\"").unwrap()..text.find(",\n    {\"Sid\":\"Everybody\"").unwrap()];
    assert!(after["policy"].contains(kept), "{}", after["policy"]);
    assert_eq!(statements(&after["policy"]).len(), 1);
    portcullis_tests::put_back(&function, &invocation).await;
    assert_changed(&before, &bucket.snapshot().await, &[]);
}

#[tokio::test]
async fn a_policy_of_which_nothing_is_left_is_deleted() {
    let world = World::new().await;
    let bucket = world.bucket("policy").await;
    let public = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": format!("{}/*", bucket.arn())},
    ]});
    bucket.put_policy(public.to_string()).await;
    let arranged = bucket
        .broken_by("PutBucketPolicy")
        .told("CRITICAL", "remediated")
        .fixed_by(&["DeleteBucketPolicy"])
        .right("policy", "absent")
        .undone_by(&["PutBucketPolicy"]);
    round_trip("s3-bucket-public-policy", arranged).await;
}

#[tokio::test]
async fn a_public_policy_behind_a_block_is_rated_lower() {
    let world = World::new().await;
    let bucket = world.bucket("policy").await;
    bucket.put_policy(by_hand(&bucket, true)).await;
    bucket.put_block([false, false, false, true]).await;
    let settings = only(&["s3-bucket-public-policy"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let invocation = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(invocation.outcome(), "remediated");
    assert_eq!(world.alerts().await[0].attributes["severity"], "LOW");
}

#[tokio::test]
async fn plain_http_is_denied_beside_the_statements_that_are_there() {
    let world = World::new().await;
    let bucket = world.bucket("tls").await;
    let text = by_hand(&bucket, false);
    bucket.put_policy(&text).await;
    let before = bucket.snapshot().await;
    let settings = only(&["s3-bucket-tls-only"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let invocation = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    assert_eq!(invocation.outcome(), "remediated", "{:?}", invocation.result);
    let after = bucket.snapshot().await;
    assert!(
        after["policy"].starts_with(text.trim_end_matches(['}', ']', '\n', ' '])),
        "{}",
        after["policy"]
    );
    let added = &statements(&after["policy"])[1];
    assert_eq!(
        (&added["Effect"], &added["Principal"], &added["Action"]),
        (&json!("Deny"), &json!("*"), &json!("s3:*"))
    );
    assert_eq!(added["Resource"], json!([bucket.arn(), format!("{}/*", bucket.arn())]));
    assert_eq!(added["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
    portcullis_tests::put_back(&function, &invocation).await;
    assert_changed(&before, &bucket.snapshot().await, &[]);
}

#[tokio::test]
async fn uploads_that_name_a_weaker_encryption_are_denied_and_those_that_name_none_are_not() {
    let world = World::new().await;
    let bucket = world.bucket("uploads").await;
    let key = format!("arn:aws:kms:us-east-1:{}:key/own", world.aws.account());
    bucket.classify("restricted").await;
    let level = levels(&format!(
        "restricted: {{values: [restricted], encryption: customer-managed-key, key: \"{key}\"}}"
    ));
    let settings = only(&["s3-bucket-encrypted-writes"], &level);
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = bucket.snapshot().await;
    let invocation = function.invoke(bucket.call("PutBucketTagging").event()).await;
    assert_eq!(invocation.outcome(), "remediated", "{:?}", invocation.result);
    let after = bucket.snapshot().await;
    let added = statements(&after["policy"]);
    assert_eq!(added.len(), 2);
    for statement in &added {
        assert_eq!(
            (&statement["Effect"], &statement["Action"]),
            (&json!("Deny"), &json!("s3:PutObject"))
        );
        let spares_the_unnamed = statement["Condition"]["Null"].as_object().unwrap();
        assert_eq!(
            spares_the_unnamed.keys().collect::<Vec<_>>(),
            ["s3:x-amz-server-side-encryption"]
        );
        assert!(spares_the_unnamed.values().all(|value| value == "false"));
    }
    assert!(after["policy"].contains(&key));
    let again = function.invoke(bucket.call("PutBucketTagging").event()).await;
    assert_eq!(again.outcome(), "compliant");
    portcullis_tests::put_back(&function, &invocation).await;
    assert_changed(&before, &bucket.snapshot().await, &[]);
    let held = function.invoke(bucket.call("PutBucketTagging").event()).await;
    assert_eq!(controls_in(held.answer())["s3-bucket-encrypted-writes"], "exempt");
}

#[tokio::test]
async fn classified_data_is_reached_through_its_endpoints_only() {
    let world = World::new().await;
    let bucket = world.bucket("vpce").await;
    bucket.classify("restricted").await;
    let level = levels("restricted: {values: [restricted], vpc-endpoints: [vpce-0a1b2c3d4e5f]}");
    let settings = only(&["s3-bucket-vpc-endpoints-only"], &level);
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = bucket.snapshot().await;
    let invocation = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(invocation.outcome(), "remediated", "{:?}", invocation.result);
    let after = bucket.snapshot().await;
    let added = &statements(&after["policy"])[0];
    assert_eq!(added["Effect"], "Deny");
    assert_eq!(
        added["Condition"]["StringNotEquals"]["aws:SourceVpce"],
        json!(["vpce-0a1b2c3d4e5f"])
    );
    assert!(
        added["Condition"].to_string().contains(&world.aws.role_arn()),
        "spares this function"
    );
    assert!(
        !added["Action"].to_string().contains("Bucket\""),
        "managing it stays possible: {}",
        added["Action"]
    );
    portcullis_tests::put_back(&function, &invocation).await;
    assert_changed(&before, &bucket.snapshot().await, &[]);
    let held = function.invoke(bucket.call("CreateBucket").event()).await;
    assert_eq!(controls_in(held.answer())["s3-bucket-vpc-endpoints-only"], "exempt");
}

#[tokio::test]
async fn several_controls_of_one_policy_make_one_write() {
    let world = World::new().await;
    let bucket = world.bucket("several").await;
    bucket.classify("confidential").await;
    bucket.put_policy(by_hand(&bucket, true)).await;
    let ids = [
        "s3-bucket-public-policy",
        "s3-bucket-tls-only",
        "s3-bucket-encrypted-writes",
    ];
    let function = world
        .function()
        .env("PORTCULLIS_SETTINGS", only(&ids, ""))
        .start()
        .await;
    let before = bucket.snapshot().await;
    let invocation = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    let told = controls_in(invocation.answer());
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.values().all(|outcome| outcome == "remediated"), "{told:?}");
    assert_eq!(writes(&invocation.calls), ["s3:PutBucketPolicy"]);
    assert_eq!(world.alerts().await.len(), 1);
    portcullis_tests::put_back(&function, &invocation).await;
    assert_changed(&before, &bucket.snapshot().await, &[]);
}

#[tokio::test]
async fn a_restore_refuses_to_overwrite_what_somebody_changed_since_unless_forced() {
    let world = World::new().await;
    let bucket = world.bucket("contested").await;
    bucket.put_policy(by_hand(&bucket, true)).await;
    let settings = only(&["s3-bucket-public-policy"], "");
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = bucket.snapshot().await;
    let invocation = function.invoke(bucket.call("PutBucketPolicy").event()).await;
    let id = portcullis_tests::record_of(invocation.answer());
    let theirs = by_hand(&bucket, false).replace("role/app", "role/other");
    bucket.put_policy(&theirs).await;
    let refused = function.invoke(json!({"restore": id})).await;
    let error = refused.result.unwrap_err();
    assert_eq!(error.error_type, "RestoreRefused");
    assert!(
        error.message.contains("changed it since") && error.message.contains("force"),
        "{error}"
    );
    assert_eq!(bucket.snapshot().await["policy"], theirs);
    let forced = function
        .invoke(json!({"restore": id, "force": true, "by": "ana"}))
        .await;
    assert_eq!(forced.outcome(), "restored", "{:?}", forced.result);
    assert_changed(&before, &bucket.snapshot().await, &[]);
}

#[tokio::test]
async fn an_exemption_is_told_once_and_leaves_everything_as_it_is() {
    let world = World::new().await;
    let bucket = world.bucket("legacy").await;
    bucket.put_policy(by_hand(&bucket, true)).await;
    let exemption = "exemptions: [{control: s3-bucket-public-policy, resource: \"arn:aws:s3:::legacy-*\", \
                     reason: \"downloads, TICKET-1\", owner: ana, until: 2099-01-01T00:00:00Z}]\n";
    let settings = only(&["s3-bucket-public-policy"], exemption);
    let function = world.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let before = bucket.snapshot().await;
    let event = bucket.call("PutBucketPolicy").event();
    let invocation = function.invoke(&event).await;
    assert_eq!(invocation.outcome(), "exempt");
    assert_changed(&before, &bucket.snapshot().await, &[]);
    assert!(world.alerts().await[0].text.contains("TICKET-1"));
    function.invoke(&event).await.answer();
    assert_eq!(world.alerts().await.len(), 1, "an open finding is told once");
}
