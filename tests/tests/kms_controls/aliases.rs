//! Aliases that settings require.

use portcullis_tests::{Answered, controls_in};
use serde_json::json;

use super::support::{Key, Kms, only, told, writes};

const CONTROL: &str = "kms-alias-moved";

async fn target(kms: &Kms) -> Option<String> {
    let answer = kms.client.describe_key().key_id("alias/app").send().await;
    answer.ok().map(|answer| answer.key_metadata.unwrap().key_id)
}

fn required(key: &Key) -> String {
    only(
        &[CONTROL],
        &format!("kms: {{required-aliases: {{alias/app: {}}}}}\n", key.id),
    )
}

#[tokio::test]
async fn a_moved_alias_is_put_back_by_setting_and_a_restore_moves_it_again() {
    let kms = Kms::new().await;
    let (right, wrong) = (kms.key().await, kms.key().await);
    kms.client
        .create_alias()
        .alias_name("alias/app")
        .target_key_id(&wrong.id)
        .send()
        .await
        .unwrap();
    let params = json!({"aliasName": "alias/app", "targetKeyId": wrong.id});
    let event = kms.call("UpdateAlias", params).event();
    let settings = required(&right);
    let notify = kms
        .function()
        .mode("notify")
        .env("PORTCULLIS_SETTINGS", &settings)
        .start()
        .await;
    let noticed = notify.invoke(&event).await;
    assert_eq!(controls_in(noticed.answer()), told(CONTROL, "would-remediate"));
    assert_eq!(writes(&noticed.calls), [""; 0]);
    drop(notify);

    let function = kms.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let fixed = function.invoke(&event).await;
    assert_eq!(
        controls_in(fixed.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        fixed.result
    );
    assert_eq!(writes(&fixed.calls), ["UpdateAlias"]);
    assert_eq!(target(&kms).await, Some(right.id));
    let alerts = kms.world.alerts().await;
    assert!(alerts[1].subject.contains("alias alias/app"), "{}", alerts[1].subject);

    portcullis_tests::put_back(&function, &fixed).await;
    assert_eq!(target(&kms).await, Some(wrong.id));
}

#[tokio::test]
async fn a_deleted_alias_is_made_again_and_a_restore_deletes_it() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let function = kms.function().env("PORTCULLIS_SETTINGS", required(&key)).start().await;
    let event = kms.call("DeleteAlias", json!({"aliasName": "alias/app"})).event();
    let fixed = function.invoke(&event).await;
    assert_eq!(
        controls_in(fixed.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        fixed.result
    );
    assert_eq!(target(&kms).await, Some(key.id));
    portcullis_tests::put_back(&function, &fixed).await;
    assert_eq!(target(&kms).await, None);
}

#[tokio::test]
async fn other_aliases_may_move() {
    let kms = Kms::new().await;
    let function = kms.function().start().await;
    let event = kms.call("DeleteAlias", json!({"aliasName": "alias/other"})).event();
    assert_eq!(function.invoke(&event).await.outcome(), "compliant");
}
