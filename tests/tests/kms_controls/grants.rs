//! Grants to principals outside of trust.

use aws_sdk_kms::types::GrantOperation;
use portcullis_testkit::Fault;
use portcullis_tests::{Answered, Subject, controls_in};
use serde_json::json;

use super::support::{Kms, allow, policy, round_trip, told, writes};

const CONTROL: &str = "kms-key-grants";
const PARTNER: &str = "arn:aws:iam::444455556666:role/Partner";

#[tokio::test]
async fn a_foreign_grant_is_revoked_by_setting_and_kept_whole_in_the_ledger() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let own = key
        .grant(&format!("arn:aws:iam::{}:role/App", kms.world.aws.account()))
        .await;
    let service = key.grant("ec2.us-east-1.amazonaws.com").await;
    let foreign = [
        key.grant(PARTNER).await,
        key.grant(&PARTNER.replace("Partner", "Other")).await,
    ];
    let left = [
        format!("Decrypt for arn:aws:iam::{}:role/App", kms.world.aws.account()),
        "Decrypt for ec2.us-east-1.amazonaws.com".to_owned(),
    ];
    let arranged = key
        .broken_by("CreateGrant")
        .told("HIGH", "remediated")
        .says(PARTNER)
        .says(&foreign[0])
        .fixed_by(&["RevokeGrant", "RevokeGrant"])
        .right("grants", left.join(", "))
        .changes(2)
        .not_undone("no way back for its grant ");
    let record = round_trip(CONTROL, arranged).await.record;
    let mut kept = key.grants().await;
    kept.sort();
    let mut expected = [own, service];
    expected.sort();
    assert_eq!(kept, expected);
    for grant in record["remedies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|remedy| &remedy["revoke-grant"])
    {
        assert_eq!(
            (&grant["name"], &grant["operations"]),
            (&json!("for-tests"), &json!(["Decrypt"]))
        );
    }
}

#[tokio::test]
async fn a_restore_brings_back_what_was_changed_beside_a_grant_and_says_that_the_grant_stays_revoked() {
    const POLICY: &str = "kms-key-external-access";
    let kms = Kms::new().await;
    let key = kms.key().await;
    let partner = allow(&json!({"AWS": "arn:aws:iam::444455556666:root"}), &["kms:Decrypt"]);
    let before = policy(&[kms.whole_account(), partner]);
    key.put_policy(&before).await;
    let grant = key.grant(PARTNER).await;
    let function = kms.enforcing(&[CONTROL, POLICY], "").await;
    function.invoke(json!({"sweep": {}})).await.answer();
    assert_ne!(key.policy().await, before);
    let record = kms.world.records().await.0.remove(0);
    let id = &record["report"]["ledger_id"];
    let no_way = format!("AWS offers no way back for its grant {grant}");
    let alert = kms.world.alerts().await.pop().unwrap();
    for expected in [&format!("Can't be undone: {no_way}"), &format!("{{\"restore\":{id}}}")] {
        assert!(alert.text.contains(expected), "{expected}: {}", alert.text);
    }

    let restored = function.invoke(json!({"restore": id, "by": "ana"})).await;
    assert_eq!(controls_in(restored.answer()), told(POLICY, "restored"));
    assert_eq!(key.policy().await, before);
    assert_eq!(key.grants().await.len(), 0);
    let alert = kms.world.alerts().await.pop().unwrap();
    assert!(alert.text.contains(&format!("Note: {no_way}")), "{}", alert.text);
    let held = &kms.world.status().await["holds"];
    let held: Vec<_> = held.as_array().unwrap().iter().map(|hold| &hold["control"]).collect();
    assert_eq!(held, [POLICY]);
}

#[tokio::test]
async fn a_grant_that_can_not_be_revoked_does_not_keep_the_others() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    for name in ["Partner", "Other"] {
        key.grant(&PARTNER.replace("Partner", name)).await;
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
    let id = key.grant(PARTNER).await;
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
    key.grant(PARTNER).await;
    function.invoke(key.call("CreateGrant").event()).await.answer();
    assert_eq!(kms.world.alerts().await.len(), 2);
}

/// The key's policy may let somebody outside make grants; a service that works for him is as bad as himself.
#[tokio::test]
async fn a_grant_that_an_outsider_made_for_a_service_is_revoked() {
    let (kms, outsider) = (Kms::new().await, Kms::new().await);
    let key = kms.key().await;
    let own = key.grant("dynamodb.us-east-1.amazonaws.com").await;
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
    key.grant("rds.us-east-1.amazonaws.com").await;
    key.grant(&format!("{account}:aws:ec2-infrastructure:i-0a1b2c3d4e5f60718"))
        .await;
    key.grant(PARTNER).await;
    let function = kms
        .enforcing(&[CONTROL], "trusted: {accounts: ['444455556666']}\n")
        .await;
    assert_eq!(
        function.invoke(key.call("CreateGrant").event()).await.outcome(),
        "compliant"
    );
    assert_eq!(key.grants().await.len(), 3);
}
