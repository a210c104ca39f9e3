//! A preflight after a deploy: whether the keys that settings name can be used.

use portcullis_testkit::{Fault, assert_only_reads};
use portcullis_tests::Answered;
use serde_json::{Value, json};

use super::support::{Kms, allow, policy};

const CONTROL: &str = "kms-key-required";
const LOGS: &str = "logs.us-east-1.amazonaws.com";

/// The packed controls, with a level of data for each key.
fn levels(keys: &[&str]) -> String {
    let mut yaml = String::from("classification:\n  levels:\n    internal: {values: [internal]}\n");
    for (number, key) in keys.iter().enumerate() {
        yaml +=
            &format!("    level-{number}: {{values: [l{number}], encryption: customer-managed-key, key: '{key}'}}\n");
    }
    yaml + &format!("kms: {{required-services: [{LOGS}]}}\n")
}

fn by_key<'a>(report: &'a Value, arn: &str) -> &'a Value {
    let keys = report["resources"].as_array().unwrap();
    keys.iter()
        .find(|key| key["resource"] == arn)
        .unwrap_or_else(|| panic!("{arn} in {report}"))
}

#[tokio::test]
async fn each_key_that_settings_name_is_reported_and_what_is_wrong_is_told_once() {
    let kms = Kms::new().await;
    let (right, disabled, closed) = (kms.key().await, kms.key().await, kms.key().await);
    let account = kms.world.aws.account();
    let root = || allow(&json!({"AWS": kms.root()}), &["kms:*"]);
    let logs = || allow(&json!({"Service": LOGS}), &["kms:Encrypt*", "kms:Decrypt*"]);
    for key in [&right, &disabled] {
        key.put_policy(&policy(&[root(), logs()])).await;
    }
    closed.put_policy(&policy(&[root()])).await;
    disabled.disable().await;
    let gone = format!("arn:aws:kms:us-east-1:{account}:key/0d9f3a5e-7c41-4b8e-9f16-2a6b8c4d1e70");
    let elsewhere = gone.replace("us-east-1", "eu-west-1");
    let theirs = gone.replace(account, "444455556666");
    let settings = levels(&[&right.arn, &disabled.arn, &closed.arn, &gone, &elsewhere, &theirs]);
    let function = kms.function().env("PORTCULLIS_SETTINGS", settings).start().await;

    let looked = function.invoke(json!({"preflight": {"by": "deploy"}})).await;
    let report = looked.answer();
    assert_eq!(
        report["preflight"],
        json!({"right": 1, "wrong": 4, "unchecked": 1}),
        "{report}"
    );
    assert_eq!(by_key(report, &right.arn)["outcome"], "compliant");
    for (arn, why) in [
        (disabled.arn.as_str(), "Disabled"),
        (&closed.arn, "does not let in logs.us-east-1.amazonaws.com"),
        (&gone, "is no more"),
        (&elsewhere, "is in eu-west-1, so that nothing in us-east-1"),
    ] {
        let key = by_key(report, arn);
        assert_eq!(key["outcome"], "needs-action");
        assert!(key["findings"][CONTROL].as_str().unwrap().contains(why), "{key}");
    }
    let unchecked = by_key(report, &theirs);
    assert_eq!(unchecked["outcome"], "unchecked");
    assert!(unchecked["why"].as_str().unwrap().contains("444455556666"));
    assert!(looked.calls.iter().all(|call| call.service != "kms" || call.is_read()));
    let alerts = kms.world.alerts().await;
    assert_eq!(alerts.len(), 4);
    assert!(alerts.iter().all(|alert| alert.attributes["severity"] == "CRITICAL"));
    assert!(
        alerts[0].text.contains("by preflight") && alerts[0].text.contains("deploy"),
        "{}",
        alerts[0].text
    );

    // What was told is reported again, and wakes nobody again.
    let again = function.invoke(json!({"preflight": {}})).await;
    assert_eq!(again.answer()["preflight"], report["preflight"]);
    assert_eq!(by_key(again.answer(), &disabled.arn)["outcome"], "told-before");
    assert_only_reads(&again.calls);
    assert_eq!(kms.world.alerts().await.len(), 4);
}

#[tokio::test]
async fn a_key_that_can_not_be_read_does_not_keep_the_others_from_being_reported() {
    let kms = Kms::new().await;
    let (closed, fine) = (kms.key().await, kms.key().await);
    let settings = levels(&[&closed.arn, &fine.arn]).replace(LOGS, "");
    let function = kms.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let denied = Fault::on("kms", "DescribeKey").status(400, "AccessDeniedException");
    kms.world.aws.fault(denied).await;
    let looked = function.invoke(json!({"preflight": {}})).await;
    let report = looked.answer();
    assert_eq!(
        report["preflight"],
        json!({"right": 1, "wrong": 1, "unchecked": 0}),
        "{report}"
    );
    let key = by_key(report, &closed.arn);
    assert_eq!(key["outcome"], "failed");
    assert!(key["why"].as_str().unwrap().contains("DescribeKey"), "{key}");
    assert_eq!(kms.world.alerts().await[0].attributes["outcome"], "failed");
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_name() {
    // No partition has this region.
    const MIXED: &str = "arn:aws-cn:kms:us-east-1:111122223333:key/k-1";
    let kms = Kms::new().await;
    let function = kms
        .function()
        .env("PORTCULLIS_SETTINGS", levels(&[MIXED]))
        .start()
        .await;
    let refused = function.invoke(json!({"preflight": {}})).await;
    let error = refused.result.unwrap_err().to_string();
    assert!(error.contains("level-0.key") && error.contains(MIXED), "{error}");
    let odd = function
        .invoke(json!({"preflight": {"key": "k-1"}}))
        .await
        .result
        .unwrap_err()
        .to_string();
    assert!(odd.contains("preflight") && odd.contains("key"), "{odd}");
}
