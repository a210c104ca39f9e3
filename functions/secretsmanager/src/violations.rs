//! A violation of each control of Secrets Manager, and what its sample events come to.
//!
//! What is right afterwards is what AWS documents: Secrets Manager User Guide, "Resource-based policies", "Restore an AWS Secrets Manager
//! secret", "Secret encryption and decryption in AWS Secrets Manager"; Secrets Manager API Reference, `PutResourcePolicy`,
//! `RestoreSecret`, `UpdateSecret`.
#![allow(clippy::unwrap_used, reason = "this is test support: a panic is how a test fails")]

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::Tag;
use portcullis_testkit::{CloudTrail, Sample, ServiceUnderTest, Snapshot, Subject, World, levels, policy, violation};
use serde_json::{Value, json};

/// Secrets Manager as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: &[
        violation!("secretsmanager-secret-scheduled-deletion", |world: World| {
            let secret = Secret::new(world, "doomed").await;
            let delete = secret.client.delete_secret().secret_id(&secret.arn);
            delete.recovery_window_in_days(30).send().await.unwrap();
            let arranged = secret.broken_by("DeleteSecret").told("HIGH", "remediated");
            let arranged = arranged.fixed_by(&["RestoreSecret"]).undone_by(&["DeleteSecret"]);
            arranged.right("deletion", "none").right("policy", "none").changes(1)
        }),
        violation!("secretsmanager-secret-public-policy", |world: World| {
            let secret = Secret::new(world, "public").await;
            let (own, all) = (secret.lets_in(secret.world.aws.account()), secret.lets_in("*"));
            secret.set_policy(&policy(&[own.clone(), all])).await;
            let arranged = secret.broken_by("PutResourcePolicy").told("CRITICAL", "remediated");
            // Secrets Manager refuses a public policy once, and is told that it is meant.
            let undone = &["PutResourcePolicy", "PutResourcePolicy"];
            let arranged = arranged.fixed_by(&["PutResourcePolicy"]).undone_by(undone);
            arranged.right("policy", policy(&[own]))
        }),
        violation!("secretsmanager-secret-external-access", |world: World| {
            let secret = Secret::new(world, "partner").await;
            secret.set_policy(&policy(&[secret.lets_in("777788889999")])).await;
            let arranged = secret.broken_by("PutResourcePolicy").told("HIGH", "remediated");
            let arranged = arranged.fixed_by(&["DeleteResourcePolicy"]);
            arranged.undone_by(&["PutResourcePolicy"]).right("policy", "none")
        }),
        violation!("secretsmanager-secret-encryption-key", |world: World| {
            let secret = Secret::new(world, "payroll").await;
            let tag = Tag::builder().key("DataClassification").value("restricted").build();
            let tags = secret.client.tag_resource().secret_id(&secret.arn).tags(tag);
            tags.send().await.unwrap();
            let key = secret.world.arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab");
            let needs =
                format!("restricted: {{values: [restricted], encryption: customer-managed-key, key: \"{key}\"}}");
            let arranged = secret.remediated("TagResource", "LOW", &["UpdateSecret"]);
            arranged.settings(levels(&needs)).right("key", key)
        }),
        violation!("secretsmanager-secret-rotation", |world: World| {
            let secret = Secret::new(world, "forever").await;
            secret.broken_by("CancelRotateSecret").told("MEDIUM", "needs-action")
        }),
    ],
    samples: &[
        Sample::of("CancelRotateSecret", "secretsmanager-secret-rotation").left("secret-rotation"),
        Sample::of("CreateSecret", "secretsmanager-secret-rotation").left("secret-rotation"),
        Sample::of("DeleteSecret", "secretsmanager-secret-scheduled-deletion").right("secret-scheduled-deletion"),
        Sample::of("PutResourcePolicy", "secretsmanager-secret-public-policy").right("secret-public-policy"),
        Sample::of("RestoreSecret", "secretsmanager-secret-external-access").told("secret-external-access"),
        Sample::of("TagResource", "secretsmanager-secret-encryption-key").left("secret-encryption-key"),
        Sample::of("UntagResource", "secretsmanager-secret-encryption-key").left("secret-encryption-key"),
        Sample::of("UpdateSecret", "secretsmanager-secret-encryption-key").left("secret-encryption-key"),
    ],
    ways: &[],
};

/// A secret of the test's.
#[derive(Clone)]
struct Secret {
    world: World,
    client: Client,
    arn: String,
}

impl Secret {
    /// One as AWS makes them.
    async fn new(world: World, name: &str) -> Self {
        let client = Client::new(&world.sdk_config());
        let create = client.create_secret().name(name).secret_string("not-a-secret");
        let arn = create.send().await.unwrap().arn.unwrap();
        Self { world, client, arn }
    }

    fn lets_in(&self, account: &str) -> Value {
        json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "secretsmanager:GetSecretValue",
            "Resource": self.arn})
    }

    async fn set_policy(&self, policy: &str) {
        let put = self.client.put_resource_policy().secret_id(&self.arn);
        put.resource_policy(policy).send().await.unwrap();
    }
}

impl Subject for Secret {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("secret {}", self.arn.rsplit(':').next().unwrap_or_default())
    }

    fn call(&self, name: &str) -> CloudTrail {
        let params = json!({"secretId": self.arn});
        self.world.call(crate::secret::SOURCE, name, params)
    }

    async fn snapshot(&self) -> Snapshot {
        let described = self.client.describe_secret().secret_id(&self.arn).send().await.unwrap();
        let deleted = described.deleted_date.is_some();
        let policy = if deleted {
            "not shown".to_owned()
        } else {
            let get = self.client.get_resource_policy().secret_id(&self.arn);
            let policy = get.send().await.unwrap().resource_policy;
            policy
                .filter(|policy| !policy.is_empty())
                .unwrap_or_else(|| "none".into())
        };
        let deletion = if deleted { "scheduled" } else { "none" };
        let key = described
            .kms_key_id
            .unwrap_or_else(|| crate::secret::DEFAULT_KEY.into());
        Snapshot([("policy", policy), ("deletion", deletion.into()), ("key", key)].into())
    }
}
