//! A region's defaults.

use portcullis_testkit::assert_only_reads;
use portcullis_tests::{Answered, controls_in};
use serde_json::json;

use super::support::{Ec2, only, round_trip};

#[tokio::test]
async fn encryption_by_default_is_turned_on_and_off_again() {
    let ec2 = Ec2::new().await;
    let control = "ec2-ebs-encryption-by-default";
    let event = ec2
        .call(
            "DisableEbsEncryptionByDefault",
            json!({"DisableEbsEncryptionByDefaultRequest": ""}),
        )
        .event();
    let calls: (&[&str], &[&str]) = (&["EnableEbsEncryptionByDefault"], &["DisableEbsEncryptionByDefault"]);
    let state = async || {
        let answer = ec2.client.get_ebs_encryption_by_default().send().await.unwrap();
        answer.ebs_encryption_by_default
    };
    let (alert, states) = round_trip(&ec2, control, &only(&[control], ""), &event, calls, state).await;
    assert_eq!(states, [Some(false), Some(true), Some(false)]);
    assert!(
        alert.subject.contains("account defaults us-east-1"),
        "{}",
        alert.subject
    );
    assert_eq!(alert.attributes["severity"], "MEDIUM");
}

#[tokio::test]
async fn the_key_of_new_volumes_is_that_of_the_settings_and_a_restore_brings_the_other_back() {
    let ec2 = Ec2::new().await;
    ec2.client.enable_ebs_encryption_by_default().send().await.unwrap();
    let control = "ec2-ebs-encryption-by-default";
    let account = ec2.world.aws.account();
    let key = format!("arn:aws:kms:us-east-1:{account}:key/1234abcd-12ab-34cd-56ef-1234567890ab");
    let settings = only(&[control], &format!("ec2: {{default-key: '{key}'}}\n"));
    let event = ec2
        .call("ResetEbsDefaultKmsKeyId", json!({"ResetEbsDefaultKmsKeyIdRequest": ""}))
        .event();
    let calls: (&[&str], &[&str]) = (&["ModifyEbsDefaultKmsKeyId"], &["ModifyEbsDefaultKmsKeyId"]);
    let state = async || {
        let answer = ec2.client.get_ebs_default_kms_key_id().send().await.unwrap();
        answer.kms_key_id.unwrap()
    };
    let (alert, states) = round_trip(&ec2, control, &settings, &event, calls, state).await;
    assert_eq!(states, ["alias/aws/ebs", &key, "alias/aws/ebs"]);
    assert!(alert.text.contains(&key), "{}", alert.text);
}

#[tokio::test]
async fn snapshots_can_not_be_public_any_more_and_a_restore_lifts_it() {
    let ec2 = Ec2::new().await;
    let control = "ec2-snapshot-block-public-access";
    let event = ec2
        .call(
            "DisableSnapshotBlockPublicAccess",
            json!({"DisableSnapshotBlockPublicAccessRequest": ""}),
        )
        .event();
    let calls: (&[&str], &[&str]) = (
        &["EnableSnapshotBlockPublicAccess"],
        &["DisableSnapshotBlockPublicAccess"],
    );
    let state = async || {
        let answer = ec2
            .client
            .get_snapshot_block_public_access_state()
            .send()
            .await
            .unwrap();
        answer.state.unwrap().as_str().to_owned()
    };
    let (_, states) = round_trip(&ec2, control, &only(&[control], ""), &event, calls, state).await;
    assert_eq!(states, ["unblocked", "block-all-sharing", "unblocked"]);
}

#[tokio::test]
async fn images_can_not_become_public_any_more_and_a_restore_lifts_it() {
    let ec2 = Ec2::new().await;
    let control = "ec2-image-block-public-access";
    let event = ec2
        .call(
            "DisableImageBlockPublicAccess",
            json!({"DisableImageBlockPublicAccessRequest": ""}),
        )
        .event();
    let calls: (&[&str], &[&str]) = (&["EnableImageBlockPublicAccess"], &["DisableImageBlockPublicAccess"]);
    let state = async || {
        let answer = ec2.client.get_image_block_public_access_state().send().await.unwrap();
        answer.image_block_public_access_state.unwrap()
    };
    let (_, states) = round_trip(&ec2, control, &only(&[control], ""), &event, calls, state).await;
    assert_eq!(states, ["unblocked", "block-new-sharing", "unblocked"]);
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
    assert_eq!(controls_in(told.answer())[control], "would-remediate");
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
