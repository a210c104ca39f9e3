//! Grants to principals outside of trust.

use aws_sdk_kms::types::GrantOperation;
use portcullis_testkit::Fault;
use portcullis_tests::{Answered, controls_in};
use serde_json::json;

use super::support::{Key, Kms, enforce, only, told, writes};

const CONTROL: &str = "kms-key-grants";
const PARTNER: &str = "arn:aws:iam::444455556666:role/Partner";

async fn grant(key: &Key, grantee: &str) -> String {
    let create = key.kms.client.create_grant().key_id(&key.id).grantee_principal(grantee);
    let made = create
        .operations(GrantOperation::Decrypt)
        .name("for-tests")
        .send()
        .await
        .unwrap();
    made.grant_id.unwrap()
}

#[tokio::test]
async fn a_foreign_grant_is_revoked_by_setting_and_kept_whole_in_the_ledger() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let own = grant(&key, &format!("arn:aws:iam::{}:role/App", kms.world.aws.account())).await;
    let service = grant(&key, "ec2.us-east-1.amazonaws.com").await;
    let foreign = [
        grant(&key, PARTNER).await,
        grant(&key, &PARTNER.replace("Partner", "Other")).await,
    ];
    let settings = only(&[CONTROL], "");
    let event = key.call("CreateGrant").event();
    let (alert, id) = enforce(&key, CONTROL, &settings, &event, &["RevokeGrant", "RevokeGrant"]).await;
    let mut left = key.grants().await;
    left.sort();
    let mut expected = [own, service];
    expected.sort();
    assert_eq!(left, expected);
    assert!(
        alert.text.contains(PARTNER) && alert.text.contains(&foreign[0]),
        "{}",
        alert.text
    );
    let record = kms.world.records().await.0.pop().unwrap();
    let revoked = record["remedies"].as_array().unwrap();
    assert_eq!(revoked.len(), 2, "{record}");
    for grant in revoked.iter().map(|remedy| &remedy["revoke-grant"]) {
        assert_eq!(
            (&grant["name"], &grant["operations"]),
            (&json!("for-tests"), &json!(["Decrypt"]))
        );
    }

    // AWS has no way back, and it is said by name.
    let function = kms.function().start().await;
    let refused = function.invoke(json!({"restore": id})).await.result.unwrap_err();
    assert!(refused.to_string().contains("no way back for its grant "), "{refused}");
}

#[tokio::test]
async fn a_grant_that_can_not_be_revoked_does_not_keep_the_others() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    for name in ["Partner", "Other"] {
        grant(&key, &PARTNER.replace("Partner", name)).await;
    }
    let function = kms.enforcing(&[CONTROL], "").await;
    let denied = Fault::on("kms", "RevokeGrant").status(400, "AccessDeniedException");
    kms.world.aws.fault(denied).await;
    let half = function.invoke(key.call("CreateGrant").event()).await;
    assert_eq!(half.result.as_ref().unwrap_err().error_type, "NotRemediated");
    assert_eq!(writes(&half.calls), ["RevokeGrant", "RevokeGrant"]);
    assert_eq!(key.grants().await.len(), 1);
    let retried = function.retry(&half).await;
    assert_eq!(
        controls_in(retried.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        retried.result
    );
    assert_eq!(writes(&retried.calls), ["RevokeGrant"]);
    assert_eq!(key.grants().await.len(), 0);
}

#[tokio::test]
async fn a_foreign_grant_is_told_by_default_and_again_when_it_comes_back() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let function = kms.function().start().await;
    let id = grant(&key, PARTNER).await;
    let noticed = function.invoke(key.call("CreateGrant").event()).await;
    assert_eq!(controls_in(noticed.answer()), told(CONTROL, "would-remediate"));
    assert_eq!(writes(&noticed.calls), [""; 0]);
    function.invoke(key.call("CreateGrant").event()).await.answer();
    assert_eq!(kms.world.alerts().await.len(), 1);

    kms.client
        .revoke_grant()
        .key_id(&key.id)
        .grant_id(id)
        .send()
        .await
        .unwrap();
    assert_eq!(
        function.invoke(key.call("RevokeGrant").event()).await.outcome(),
        "compliant"
    );
    grant(&key, PARTNER).await;
    function.invoke(key.call("CreateGrant").event()).await.answer();
    assert_eq!(kms.world.alerts().await.len(), 2);
}

/// The key's policy may let somebody outside make grants; a service that works for him is as bad as himself.
#[tokio::test]
async fn a_grant_that_an_outsider_made_for_a_service_is_revoked() {
    let (kms, outsider) = (Kms::new().await, Kms::new().await);
    let key = kms.key().await;
    let own = grant(&key, "dynamodb.us-east-1.amazonaws.com").await;
    let create = outsider.client.create_grant().key_id(&key.arn);
    let create = create.grantee_principal("dynamodb.us-east-1.amazonaws.com");
    create.operations(GrantOperation::Decrypt).send().await.unwrap();
    let function = kms.enforcing(&[CONTROL], "").await;
    let revoked = function.invoke(key.call("CreateGrant").event()).await;
    assert_eq!(
        controls_in(revoked.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        revoked.result
    );
    assert_eq!(key.grants().await, [own]);
    let alert = kms.world.alerts().await.pop().unwrap();
    assert!(alert.text.contains(outsider.world.aws.account()), "{}", alert.text);
}

#[tokio::test]
async fn services_the_account_and_trusted_accounts_are_fine() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let account = kms.world.aws.account();
    grant(&key, "rds.us-east-1.amazonaws.com").await;
    grant(&key, &format!("{account}:aws:ec2-infrastructure:i-0a1b2c3d4e5f60718")).await;
    grant(&key, PARTNER).await;
    let function = kms
        .enforcing(&[CONTROL], "trusted: {accounts: ['444455556666']}\n")
        .await;
    assert_eq!(
        function.invoke(key.call("CreateGrant").event()).await.outcome(),
        "compliant"
    );
    assert_eq!(key.grants().await.len(), 3);
}
