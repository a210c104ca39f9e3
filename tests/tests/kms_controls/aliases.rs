//! Aliases that settings require.

use portcullis_tests::{Answered, controls_in};
use serde_json::json;

use super::support::{Kms, told};

const CONTROL: &str = "kms-alias-moved";

#[tokio::test]
async fn a_deleted_alias_is_made_again_and_a_restore_deletes_it() {
    let kms = Kms::new().await;
    let key = kms.key().await;
    let required = format!("kms: {{required-aliases: {{alias/app: {}}}}}\n", key.id);
    let function = kms.enforcing(&[CONTROL], &required).await;
    let event = kms.call("DeleteAlias", json!({"aliasName": "alias/app"})).event();
    let fixed = function.invoke(&event).await;
    assert_eq!(
        controls_in(fixed.answer()),
        told(CONTROL, "remediated"),
        "{:?}",
        fixed.result
    );
    assert_eq!(kms.alias("alias/app").target().await, Some(key.id));
    portcullis_tests::put_back(&function, &fixed).await;
    assert_eq!(kms.alias("alias/app").target().await, None);
}

#[tokio::test]
async fn other_aliases_may_move() {
    let kms = Kms::new().await;
    let function = kms.function().start().await;
    let event = kms.call("DeleteAlias", json!({"aliasName": "alias/other"})).event();
    assert_eq!(function.invoke(&event).await.outcome(), "compliant");
}
