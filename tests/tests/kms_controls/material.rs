//! Imported key material that is gone, or soon will be.

use portcullis_testkit::CloudTrail;
use portcullis_tests::{Answered, Subject, controls_in};
use serde_json::json;

use super::support::{Kms, told, writes};

const CONTROL: &str = "kms-key-imported-material";

#[tokio::test]
async fn material_that_expires_soon_is_told_with_what_to_do() {
    let kms = Kms::new().await;
    let function = kms.function().start().await;
    let (soon, late) = (kms.imported(20).await, kms.imported(200).await);
    let noticed = function.invoke(soon.call("ImportKeyMaterial").event()).await;
    assert_eq!(controls_in(noticed.answer()), told(CONTROL, "needs-action"));
    assert_eq!(writes(&noticed.calls), [""; 0]);
    assert_eq!(
        function.invoke(late.call("ImportKeyMaterial").event()).await.outcome(),
        "compliant"
    );
    let alerts = kms.world.alerts().await;
    let [alert] = alerts.as_slice() else {
        panic!("expected one alert, found {alerts:#?}")
    };
    assert_eq!(alert.attributes["severity"], "CRITICAL");
    assert!(alert.text.contains("GetParametersForImport"), "{}", alert.text);
}

#[tokio::test]
async fn material_that_is_gone_is_told_once() {
    let kms = Kms::new().await;
    let function = kms.function().start().await;
    let key = kms.imported(200).await;
    kms.client
        .delete_imported_key_material()
        .key_id(&key.id)
        .send()
        .await
        .unwrap();
    let deleted = function.invoke(key.call("DeleteImportedKeyMaterial").event()).await;
    assert_eq!(controls_in(deleted.answer()), told(CONTROL, "needs-action"));
    // What KMS says when material expires has no parameters.
    let expired = CloudTrail::service_event("kms.amazonaws.com", "DeleteExpiredKeyMaterial")
        .account(kms.world.aws.account())
        .member("serviceEventDetails", json!({"keyId": key.id}));
    function.invoke(expired.event()).await.answer();
    let alerts = kms.world.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert!(
        alerts[0].text.contains("has lost its imported key material"),
        "{}",
        alerts[0].text
    );
}
