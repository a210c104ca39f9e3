//! Keys under test: how to make them, and what AWS says of them.

use aws_sdk_kms::Client;
use aws_sdk_kms::operation::create_key::builders::CreateKeyFluentBuilder;
use portcullis_testkit::{Actor, Call, CloudTrail, Function, FunctionBuilder, Message};
pub use portcullis_tests::settings::only;
pub use portcullis_tests::told;
use portcullis_tests::{Story, World, writes_to};
use serde_json::{Value, json};

/// An account with keys.
#[derive(Debug, Clone)]
pub struct Kms {
    pub world: World,
    /// For the test's own calls, as somebody who is not the function.
    pub client: Client,
}

/// A key of the test's.
#[derive(Debug, Clone)]
pub struct Key {
    pub kms: Kms,
    pub id: String,
    pub arn: String,
}

impl Kms {
    pub async fn new() -> Self {
        Self::in_region("us-east-1").await
    }

    pub async fn in_region(region: &str) -> Self {
        let world = World::in_region(region).await;
        let client = Client::new(&world.aws.sdk_config_in(&world.region));
        Self { world, client }
    }

    /// The real function, in enforce mode unless told otherwise.
    pub fn function(&self) -> FunctionBuilder {
        self.world.function_of("portcullis-kms").region(&self.world.region)
    }

    /// The same, with only these controls on.
    pub async fn enforcing(&self, controls: &[&str], more: &str) -> Function {
        self.function()
            .env("PORTCULLIS_SETTINGS", only(controls, more))
            .start()
            .await
    }

    /// A symmetric key.
    pub async fn key(&self) -> Key {
        self.key_with(|create| create).await
    }

    pub async fn key_with(&self, change: impl FnOnce(CreateKeyFluentBuilder) -> CreateKeyFluentBuilder) -> Key {
        let made = change(self.client.create_key()).send().await.unwrap();
        let metadata = made.key_metadata.unwrap();
        Key {
            kms: self.clone(),
            arn: metadata.arn.unwrap(),
            id: metadata.key_id,
        }
    }

    /// A call of KMS in this account and region, by a role.
    pub fn call(&self, name: &str, params: Value) -> CloudTrail {
        CloudTrail::call("kms.amazonaws.com", name)
            .params(params)
            .account(self.world.aws.account())
            .region(&self.world.region)
            .actor(Actor::role("deploy", "build-17"))
    }

    pub fn root(&self) -> String {
        format!("arn:aws:iam::{}:root", self.world.aws.account())
    }
}

impl Key {
    /// An event that names it by its id.
    pub fn call(&self, name: &str) -> CloudTrail {
        self.kms
            .call(name, json!({"keyId": self.id}))
            .resource(&self.arn, "AWS::KMS::Key")
    }

    pub async fn state(&self) -> String {
        let answer = self.kms.client.describe_key().key_id(&self.id).send().await.unwrap();
        answer.key_metadata.unwrap().key_state.unwrap().as_str().to_owned()
    }

    pub async fn disable(&self) -> &Self {
        self.kms.client.disable_key().key_id(&self.id).send().await.unwrap();
        self
    }

    pub async fn schedule_deletion(&self, days: i32) -> &Self {
        let schedule = self.kms.client.schedule_key_deletion().key_id(&self.id);
        schedule.pending_window_in_days(days).send().await.unwrap();
        self
    }

    /// Days between rotations; none where it does not rotate.
    pub async fn rotation(&self) -> Option<i32> {
        let answer = self
            .kms
            .client
            .get_key_rotation_status()
            .key_id(&self.id)
            .send()
            .await
            .unwrap();
        answer
            .key_rotation_enabled
            .then(|| answer.rotation_period_in_days.unwrap())
    }

    pub async fn policy(&self) -> String {
        let get = self.kms.client.get_key_policy().key_id(&self.id).policy_name("default");
        get.send().await.unwrap().policy.unwrap()
    }

    /// Sets its policy, byte for byte, whoever is locked out.
    pub async fn put_policy(&self, text: &str) -> &Self {
        let put = self.kms.client.put_key_policy().key_id(&self.id).policy_name("default");
        put.policy(text)
            .bypass_policy_lockout_safety_check(true)
            .send()
            .await
            .unwrap();
        self
    }

    pub async fn tag(&self, key: &str, value: &str) -> &Self {
        let tag = aws_sdk_kms::types::Tag::builder()
            .tag_key(key)
            .tag_value(value)
            .build()
            .unwrap();
        self.kms
            .client
            .tag_resource()
            .key_id(&self.id)
            .tags(tag)
            .send()
            .await
            .unwrap();
        self
    }

    /// The ids of its grants.
    pub async fn grants(&self) -> Vec<String> {
        let answer = self.kms.client.list_grants().key_id(&self.id).send().await.unwrap();
        answer
            .grants()
            .iter()
            .filter_map(|grant| grant.grant_id.clone())
            .collect()
    }
}

/// A policy of these statements.
pub fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// Everything for somebody.
pub fn allow(principal: &Value, actions: &[&str]) -> Value {
    json!({"Sid": "Some", "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"})
}

/// The calls that change something at KMS, in order.
pub fn writes(calls: &[Call]) -> Vec<String> {
    writes_to("kms", calls)
}

fn story<'a>(key: &'a Key, control: &'a str, settings: &str, event: &'a Value) -> Story<'a> {
    Story {
        world: &key.kms.world,
        function: key.kms.function().env("PORTCULLIS_SETTINGS", settings),
        service: "kms",
        control,
        event,
    }
}

/// Takes a control through notify mode and enforcement by these calls; yields the alert and its record.
pub async fn enforce(key: &Key, control: &str, settings: &str, event: &Value, calls: &[&str]) -> (Message, String) {
    let (alert, id) = story(key, control, settings, event).enforced(calls).await;
    assert!(alert.text.contains(&key.id), "{}", alert.text);
    (alert, id)
}

/// Undoes a record by these calls, and sees that the event does not redo what a person decided.
pub async fn restore(key: &Key, control: &str, settings: &str, event: &Value, id: &str, calls: &[&str]) {
    story(key, control, settings, event).undone(id, calls).await;
}
