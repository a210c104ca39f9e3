//! Key policies: what is taken out, what is told, and that nobody is locked out.

use portcullis_testkit::Fault;
use portcullis_tests::{Answered, Subject, controls_in};
use serde_json::{Value, json};

use super::support::{Kms, allow, policy, round_trip, told, writes};

const PUBLIC: &str = "kms-key-public-policy";
const EXTERNAL: &str = "kms-key-external-access";
const PRACTICE: &str = "kms-key-policy-practice";

#[tokio::test]
async fn the_public_statement_goes_and_comes_back_byte_for_byte() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let kept = format!(
        r#"{{ "Action" : "kms:*",  "Sid":"Account – all of it", "Effect":"Allow","Principal":{{"AWS":"{}"}}, "Resource":"*" }}"#,
        kms.root()
    );
    let public = r#"{"Sid":"Everybody","Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}"#;
    let before = format!("{{\"Version\":\"2012-10-17\",\n \"Statement\":[{kept},\n   {public}]}}");
    key.put_policy(&before).await;
    let arranged = key
        .broken_by("PutKeyPolicy")
        .told("CRITICAL", "remediated")
        .fixed_by(&["PutKeyPolicy"])
        .right("policy", before.replace(&format!(",\n   {public}"), ""))
        .undone_by(&["PutKeyPolicy"]);
    let after = round_trip(PUBLIC, arranged).await.after;
    assert!(after["policy"].contains(&kept) && !after["policy"].contains("Everybody"));
    assert_eq!(key.policy().await, before);
}

#[tokio::test]
async fn what_the_account_depends_on_is_narrowed_to_the_account() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let before = policy(&[allow(&json!({"AWS": "*"}), &["kms:*"])]);
    key.put_policy(&before).await;
    let arranged = key
        .broken_by("PutKeyPolicy")
        .told("CRITICAL", "remediated")
        .fixed_by(&["PutKeyPolicy"])
        .right("policy", policy(&[allow(&json!({"AWS": kms.root()}), &["kms:*"])]))
        .undone_by(&["PutKeyPolicy"]);
    round_trip(PUBLIC, arranged).await;
    assert_eq!(key.policy().await, before);
}

#[tokio::test]
async fn what_would_lock_the_account_out_is_told_and_left() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let before = policy(&[allow(&json!("*"), &["kms:Decrypt"])]);
    key.put_policy(&before).await;
    let function = kms.enforcing(&[PUBLIC], "").await;
    let left = function.invoke(key.call("PutKeyPolicy").event()).await;
    assert_eq!(controls_in(left.answer()), told(PUBLIC, "needs-action"));
    assert_eq!(writes(&left.calls), [""; 0]);
    assert_eq!(key.policy().await, before);
    let alerts = kms.world.alerts().await;
    assert_eq!(alerts[0].attributes["severity"], "CRITICAL");
    assert!(
        alerts[0]
            .text
            .contains("nobody of the account could call kms:PutKeyPolicy any more"),
        "{}",
        alerts[0].text
    );
}

#[tokio::test]
async fn the_check_against_a_lock_out_is_never_bypassed() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let root = allow(&json!({"AWS": kms.root()}), &["kms:*"]);
    key.put_policy(&policy(&[root, allow(&json!("*"), &["kms:Decrypt"])]))
        .await;
    let function = kms.enforcing(&[PUBLIC], "").await;
    let fixed = function.invoke(key.call("PutKeyPolicy").event()).await;
    let put = fixed.calls.iter().find(|call| call.action == "PutKeyPolicy").unwrap();
    let body: Value = serde_json::from_str(put.body.as_deref().unwrap()).unwrap();
    assert_eq!(body["BypassPolicyLockoutSafetyCheck"], json!(false));
    assert_eq!(body["KeyId"], key.arn);
}

#[tokio::test]
async fn a_foreign_account_is_told_by_default_and_a_trusted_one_is_not() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let partner = allow(&json!({"AWS": "arn:aws:iam::444455556666:root"}), &["kms:Decrypt"]);
    let before = policy(&[allow(&json!({"AWS": kms.root()}), &["kms:*"]), partner]);
    key.put_policy(&before).await;
    let event = key.call("PutKeyPolicy").event();
    let default = format!("controls: {{{PRACTICE}: {{mode: off}}}}\n");
    let by_default = kms.function().env("PORTCULLIS_SETTINGS", default).start().await;
    let noticed = by_default.invoke(&event).await;
    assert_eq!(controls_in(noticed.answer()), told(EXTERNAL, "would-remediate"));
    drop(by_default);

    let trusting = kms
        .enforcing(&[EXTERNAL], "trusted: {accounts: ['444455556666']}\n")
        .await;
    assert_eq!(trusting.invoke(&event).await.outcome(), "compliant");
}

#[tokio::test]
async fn practice_is_told_and_nothing_else() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let account = kms.world.aws.account();
    let both = json!({"AWS": format!("arn:aws:iam::{account}:role/Both")});
    key.put_policy(&policy(&[
        allow(&json!({"AWS": kms.root()}), &["kms:*"]),
        allow(&both, &["kms:*"]),
    ]))
    .await;
    let function = kms.enforcing(&[PRACTICE], "").await;
    let noticed = function.invoke(key.call("PutKeyPolicy").event()).await;
    assert_eq!(controls_in(noticed.answer()), told(PRACTICE, "needs-action"));
    assert_eq!(writes(&noticed.calls), [""; 0]);
    let alerts = kms.world.alerts().await;
    assert_eq!(alerts[0].attributes["severity"], "LOW");
    assert!(alerts[0].text.contains("kms:*"), "{}", alerts[0].text);
    let bare = kms.key().await;
    assert_eq!(
        function.invoke(bare.call("CreateKey").event()).await.outcome(),
        "compliant"
    );
}

#[tokio::test]
async fn a_key_of_a_level_that_cannot_be_used_is_told() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let level = format!(
        "classification:\n  levels:\n    internal: {{values: [internal]}}\n    restricted: {{values: [restricted], encryption: \
         customer-managed-key, key: '{}'}}\nkms: {{required-services: [logs.us-east-1.amazonaws.com]}}\n",
        key.arn
    );
    let function = kms.enforcing(&["kms-key-required"], &level).await;
    key.disable().await;
    let noticed = function.invoke(key.call("DisableKey").event()).await;
    assert_eq!(controls_in(noticed.answer()), told("kms-key-required", "needs-action"));
    let alerts = kms.world.alerts().await;
    for part in ["CRITICAL", "restricted", "Disabled", "logs.us-east-1.amazonaws.com"] {
        assert!(alerts[0].text.contains(part), "{part}: {}", alerts[0].text);
    }
}

#[tokio::test]
async fn a_key_whose_own_policy_refuses_is_told_as_failed_and_others_go_on() {
    let kms = Kms::new().await;
    let (closed, open) = (kms.key().await, kms.key().await);
    let denied = Fault::on("kms", "DescribeKey").status(400, "AccessDeniedException");
    let function = kms.enforcing(&["kms-key-rotation"], "").await;
    kms.world.aws.fault(denied).await;
    let refused = function.invoke(closed.call("DisableKeyRotation").event()).await;
    assert!(refused.result.is_err());
    let alerts = kms.world.alerts().await;
    assert_eq!(alerts[0].attributes["outcome"], "failed");
    assert!(alerts[0].text.contains("DescribeKey was denied"), "{}", alerts[0].text);

    // Named by an alias, it can't even be seen which key it is: then the alias is told.
    let denied = Fault::on("kms", "DescribeKey").status(400, "AccessDeniedException");
    kms.world.aws.fault(denied.times(2)).await;
    let alias = kms.call("DisableKeyRotation", json!({"keyId": "alias/closed"}));
    assert!(function.invoke(alias.event()).await.result.is_err());
    let alerts = kms.world.alerts().await;
    assert!(alerts[1].text.contains("alias/closed"), "{}", alerts[1].text);

    let fine = function.invoke(open.call("DisableKeyRotation").event()).await;
    assert_eq!(controls_in(fine.answer()), told("kms-key-rotation", "remediated"));
}
