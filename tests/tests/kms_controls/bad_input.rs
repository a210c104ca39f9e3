//! The many names of a key, and what is none.

use portcullis_tests::{Answered, Subject, controls_in, resource_of};
use serde_json::json;

use super::support::{Kms, told};

const CONTROL: &str = "kms-key-disabled";

#[tokio::test]
async fn every_name_of_a_key_leads_to_it() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    key.disable().await;
    let alias = "alias/team/app_1";
    kms.client
        .create_alias()
        .alias_name(alias)
        .target_key_id(&key.id)
        .send()
        .await
        .unwrap();
    let alias_arn = format!("arn:aws:kms:us-east-1:{}:{alias}", kms.world.aws.account());
    let function = kms.enforcing(&[CONTROL], "").await;
    for name in [key.id.as_str(), key.arn.as_str(), alias, &alias_arn] {
        key.disable().await;
        let handled = function
            .invoke(kms.call("DisableKey", json!({"keyId": name})).event())
            .await;
        assert_eq!(resource_of(handled.answer())["resource"], key.arn, "{name}");
        assert_eq!(controls_in(handled.answer()), told(CONTROL, "remediated"), "{name}");
        assert_eq!(key.state().await, "Enabled");
    }
    let nobody = function
        .invoke(kms.call("DisableKey", json!({"keyId": "alias/nobody"})).event())
        .await;
    assert_eq!(nobody.outcome(), "gone");
}

#[tokio::test]
async fn what_names_no_key_is_refused_by_name_and_reads_nothing() {
    let kms = Kms::new().await;
    let function = kms.function().start().await;
    for name in [
        json!("not a key"),
        json!("alias/"),
        json!({"id": 1}),
        json!("arn:aws:s3:::b"),
        json!(null),
    ] {
        let event = kms.call("DisableKey", json!({"keyId": name})).event();
        let refused = function.invoke(event).await;
        assert_eq!(refused.calls, []);
        let error = refused.result.unwrap_err().to_string();
        assert!(error.contains("requestParameters.keyId"), "{error}");
    }
}

#[tokio::test]
async fn another_account_s_key_is_ignored() {
    let kms = Kms::new().await;
    let function = kms.function().start().await;
    let theirs = "arn:aws:kms:us-east-1:444455556666:key/0d9f3a5e-7c41-4b8e-9f16-2a6b8c4d1e70";
    let ignored = function
        .invoke(kms.call("CreateGrant", json!({"keyId": theirs})).event())
        .await;
    assert!(ignored.answer()["ignored"].is_string(), "{:?}", ignored.result);
    assert_eq!(ignored.calls, []);
    assert!(ignored.answer().to_string().contains("another account's"));
}

#[tokio::test]
async fn hidden_parameters_raise_the_severity() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    key.put_policy(&super::support::policy(&[
        super::support::allow(&json!({"AWS": kms.root()}), &["kms:*"]),
        super::support::allow(&json!({"AWS": "arn:aws:iam::444455556666:root"}), &["kms:Decrypt"]),
    ]))
    .await;
    let function = kms.enforcing(&["kms-key-external-access"], "").await;
    let hidden = kms.call("PutKeyPolicy", json!(null)).omitted_params();
    let fixed = function
        .invoke(hidden.resource(&key.arn, "AWS::KMS::Key").event())
        .await;
    assert_eq!(
        controls_in(fixed.answer()),
        told("kms-key-external-access", "remediated")
    );
    assert_eq!(kms.world.alerts().await[0].attributes["severity"], "CRITICAL");
}

#[tokio::test]
async fn calls_that_failed_or_are_our_own_change_nothing() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let function = kms.function().start().await;
    let failed = key.call("ScheduleKeyDeletion").error("AccessDenied", "no");
    let own = key.call("EnableKey").actor(portcullis_testkit::Actor::role(
        kms.world.aws.role_arn().rsplit('/').next().unwrap(),
        "portcullis",
    ));
    for event in [failed.event(), own.event()] {
        let ignored = function.invoke(event).await;
        assert!(ignored.answer()["ignored"].is_string(), "{:?}", ignored.result);
        assert_eq!(ignored.calls, []);
    }
}
