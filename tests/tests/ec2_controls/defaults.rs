//! A region's defaults.

use portcullis_testkit::assert_only_reads;
use portcullis_tests::{Answered, Subject, controls_in};
use serde_json::json;

use super::support::{Ec2, only, round_trip};

#[tokio::test]
async fn the_key_of_new_volumes_is_that_of_the_settings_and_a_restore_brings_the_other_back() {
    let ec2 = Ec2::new().await;
    ec2.client.enable_ebs_encryption_by_default().send().await.unwrap();
    let account = ec2.world.aws.account();
    let key = format!("arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    let arranged = ec2
        .defaults()
        .broken_by("ResetEbsDefaultKmsKeyId")
        .settings(format!("ec2: {{default-key: '{key}'}}\n"))
        .told("MEDIUM", "remediated")
        .says(&key)
        .fixed_by(&["ModifyEbsDefaultKmsKeyId"])
        .right("their key", &key)
        .undone_by(&["ModifyEbsDefaultKmsKeyId"]);
    round_trip("ec2-ebs-encryption-by-default", arranged).await;
}

#[tokio::test]
async fn metadata_defaults_are_told_and_never_changed() {
    let ec2 = Ec2::new().await;
    let control = "ec2-instance-metadata-defaults";
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[control], ""))
        .start()
        .await;
    let params = json!({"ModifyInstanceMetadataDefaultsRequest": {"HttpTokens": "optional"}});
    let event = ec2.call("ModifyInstanceMetadataDefaults", params).event();
    let told = function.invoke(&event).await;
    assert_eq!(controls_in(told.answer())[control], "needs-action");
    let alert = &ec2.world.alerts().await[0];
    assert!(
        alert.text.contains("modify-instance-metadata-defaults"),
        "{}",
        alert.text
    );
    ec2.client
        .modify_instance_metadata_defaults()
        .http_tokens(aws_sdk_ec2::types::MetadataDefaultHttpTokensState::Required)
        .send()
        .await
        .unwrap();
    let fine = function.invoke(&event).await;
    assert_eq!(fine.outcome(), "compliant", "{:?}", fine.result);
}

#[tokio::test]
async fn compliant_defaults_cost_one_round_of_reads() {
    let ec2 = Ec2::new().await;
    ec2.client.enable_ebs_encryption_by_default().send().await.unwrap();
    let function = ec2.function().start().await;
    let event = ec2
        .call(
            "EnableEbsEncryptionByDefault",
            json!({"EnableEbsEncryptionByDefaultRequest": ""}),
        )
        .event();
    let fine = function.invoke(&event).await;
    assert_eq!(fine.outcome(), "compliant");
    assert_only_reads(&fine.calls);
    assert_eq!(ec2.world.alerts().await.len(), 0);
}
