//! A violation of each control of KMS, and what KMS's sample events come to.
//!
//! What is right afterwards is what AWS documents: AWS KMS Developer Guide, "Key states of AWS KMS keys" (a key whose deletion is
//! cancelled is disabled), "Rotate AWS KMS keys", "Key policies in AWS KMS", "Grants in AWS KMS", "Aliases in AWS KMS".
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is test support: a panic is how a test fails"
)]

mod account;
mod key;

use portcullis_testkit::{
    CloudTrail, Function, Sample, ServiceUnderTest, Subject as _, Violation, Way, levels, put_back, violation,
};
use serde_json::json;

pub use account::{Kms, allow};
pub use key::{Alias, Key};
pub use portcullis_testkit::policy;

/// KMS as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: VIOLATIONS,
    samples: SAMPLES,
    ways: &[Way {
        name: "a required alias that is gone is made again, and a restore deletes it",
        go: |world| {
            Box::pin(async move {
                let kms = Kms::from(world);
                let key = kms.key().await;
                let function = kms.enforcing(&["kms-alias-moved"], &required_alias(&key)).await;
                let deleted = kms.call("DeleteAlias", json!({"aliasName": "alias/app"})).event();
                put_back(&function, &function.invoke(deleted).await).await;
            })
        },
    }],
};

const VIOLATIONS: &[Violation] = &[
    violation!("kms-key-scheduled-deletion", |kms: Kms| {
        let key = kms.key().await;
        key.alias("alias/reports").await.schedule_deletion(7).await;
        let arranged = key
            .broken_by("ScheduleKeyDeletion")
            .told("CRITICAL", "remediated")
            .fixed_by(&["CancelKeyDeletion", "EnableKey"])
            .right("state", "Enabled")
            .changes(2)
            .undone_by(&["DisableKey", "ScheduleKeyDeletion"]);
        let texts = ["alias/reports", "no grants", "not used since", "PendingDeletion"];
        texts.into_iter().fold(arranged, portcullis_testkit::Arranged::says)
    }),
    violation!("kms-key-disabled", |kms: Kms| {
        let key = kms.key().await;
        key.disable().await;
        key.broken_by("DisableKey")
            .told("HIGH", "remediated")
            .fixed_by(&["EnableKey"])
            .right("state", "Enabled")
            .undone_by(&["DisableKey"])
    }),
    violation!("kms-key-rotation", |kms: Kms| {
        let key = kms.key().await;
        key.broken_by("DisableKeyRotation")
            .told("MEDIUM", "remediated")
            .fixed_by(&["EnableKeyRotation"])
            .right("rotation", "every 365 days")
            .undone_by(&["DisableKeyRotation"])
    }),
    violation!("kms-key-public-policy", |kms: Kms| {
        let (key, account) = (kms.key().await, kms.whole_account());
        key.put_policy(&policy(&[account.clone(), allow(&json!("*"), &["kms:Decrypt"])]))
            .await;
        key.broken_by("PutKeyPolicy")
            .told("CRITICAL", "remediated")
            .fixed_by(&["PutKeyPolicy"])
            .right("policy", policy(&[account]))
            .undone_by(&["PutKeyPolicy"])
    }),
    violation!("kms-key-external-access", |kms: Kms| {
        let (key, account) = (kms.key().await, kms.whole_account());
        let partner = allow(&json!({"AWS": "arn:aws:iam::444455556666:root"}), &["kms:Decrypt"]);
        let stranger = allow(&json!({"AWS": "arn:aws:iam::777788889999:root"}), &["kms:Decrypt"]);
        key.put_policy(&policy(&[account.clone(), partner.clone(), stranger]))
            .await;
        key.broken_by("PutKeyPolicy")
            .settings("trusted: {accounts: ['444455556666']}\n")
            .told("HIGH", "remediated")
            .says("777788889999")
            .fixed_by(&["PutKeyPolicy"])
            .right("policy", policy(&[account, partner]))
            .undone_by(&["PutKeyPolicy"])
    }),
    violation!("kms-key-policy-practice", |kms: Kms| {
        let key = kms.key().await;
        let both = allow(&json!({"AWS": kms.role("Both")}), &["kms:*"]);
        key.put_policy(&policy(&[kms.whole_account(), both])).await;
        key.broken_by("PutKeyPolicy").told("LOW", "needs-action").says("kms:*")
    }),
    violation!("kms-key-grants", |kms: Kms| {
        let key = kms.key().await;
        key.grant(&kms.role("App")).await;
        key.grant("arn:aws:iam::444455556666:role/Partner").await;
        key.broken_by("CreateGrant")
            .told("HIGH", "remediated")
            .says("arn:aws:iam::444455556666:role/Partner")
            .fixed_by(&["RevokeGrant"])
            .right("grants", format!("Decrypt for {}", kms.role("App")))
            .not_undone("no way back for its grant ")
    }),
    violation!("kms-key-imported-material", |kms: Kms| {
        let key = kms.imported(20).await;
        let told = key.broken_by("ImportKeyMaterial").told("CRITICAL", "needs-action");
        told.says("GetParametersForImport")
    }),
    violation!("kms-key-region", |kms: Kms| {
        let key = kms.key_with(|create| create.multi_region(true)).await;
        let elsewhere = if kms.world.region == "eu-west-1" {
            "us-east-1"
        } else {
            "eu-west-1"
        };
        let replicate = kms.client.replicate_key().key_id(&key.id).replica_region(elsewhere);
        replicate.send().await.unwrap();
        let told = key.broken_by("ReplicateKey").told("MEDIUM", "needs-action");
        told.says(format!("replicas in {elsewhere}"))
    }),
    violation!("kms-key-required", |kms: Kms| {
        let key = kms.key().await;
        key.disable().await;
        let level = format!(
            "restricted: {{values: [restricted], encryption: customer-managed-key, key: '{}'}}",
            key.arn
        );
        key.broken_by("DisableKey")
            .settings(levels(&level))
            .told("CRITICAL", "needs-action")
            .says("restricted")
    }),
    violation!("kms-key-destroyed", |kms: Kms| {
        let key = kms.never_made();
        let deleted = CloudTrail::service_event(crate::SOURCE, "DeleteKey").account(kms.world.aws.account());
        let deleted = deleted.region(&kms.world.region).resource(&key.arn, "AWS::KMS::Key");
        key.broken_by("DeleteKey")
            .by_aws(deleted)
            .told("CRITICAL", "needs-action")
            .says("AWS Internal")
    }),
    violation!("kms-alias-moved", |kms: Kms| {
        let (right, wrong) = (kms.key().await, kms.key().await);
        wrong.alias("alias/app").await;
        kms.alias("alias/app")
            .broken_by("UpdateAlias")
            .settings(required_alias(&right))
            .told("HIGH", "remediated")
            .fixed_by(&["UpdateAlias"])
            .right("target", &right.id)
            .undone_by(&["UpdateAlias"])
            .own(&right.id, "RIGHT")
            .own(&wrong.id, "WRONG")
    }),
];

/// What each call comes to by default.
const SAMPLES: &[Sample] = &[
    Sample::of("CancelKeyDeletion", "kms-key-disabled").told("key-disabled"),
    // No alias is required by default.
    Sample::of("CreateAlias", "kms-alias-moved"),
    Sample::of("DeleteAlias", "kms-alias-moved"),
    Sample::of("UpdateAlias", "kms-alias-moved"),
    Sample::of("CreateGrant", "kms-key-grants").told("key-grants"),
    Sample::of("RevokeGrant", "kms-key-grants").told("key-grants"),
    Sample::of("CreateKey", "kms-key-public-policy").right("key-public-policy key-rotation"),
    Sample::of("DeleteExpiredKeyMaterial", "kms-key-imported-material").told("key-imported-material"),
    Sample::of("DeleteImportedKeyMaterial", "kms-key-imported-material").told("key-imported-material"),
    Sample::of("ImportKeyMaterial", "kms-key-imported-material").told("key-imported-material"),
    Sample::of("DeleteKey", "kms-key-destroyed").told("key-destroyed"),
    Sample::of("DisableKey", "kms-key-disabled").told("key-disabled"),
    Sample::of("EnableKey", "kms-key-rotation").right("key-rotation"),
    Sample::of("DisableKeyRotation", "kms-key-rotation").right("key-rotation"),
    Sample::of("EnableKeyRotation", "kms-key-rotation").right("key-rotation"),
    Sample::of("PutKeyPolicy", "kms-key-public-policy").right("key-public-policy"),
    Sample::of("ReplicateKey", "kms-key-region")
        .right("key-rotation")
        .told("key-region"),
    Sample::of("UpdatePrimaryRegion", "kms-key-region")
        .right("key-rotation")
        .told("key-region"),
    Sample::of("ScheduleKeyDeletion", "kms-key-scheduled-deletion").right("key-scheduled-deletion"),
    Sample::of("TagResource", "kms-key-policy-practice").told("key-policy-practice"),
    Sample::of("UntagResource", "kms-key-policy-practice").told("key-policy-practice"),
];

impl Kms {
    /// The same, with only these controls on.
    pub async fn enforcing(&self, controls: &[&str], more: &str) -> Function {
        let settings = SERVICE.only(controls, more);
        self.function().env("PORTCULLIS_SETTINGS", settings).start().await
    }
}

fn required_alias(key: &Key) -> String {
    format!("kms: {{required-aliases: {{alias/app: {}}}}}\n", key.id)
}
