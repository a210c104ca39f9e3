//! An account with KMS.

use aws_sdk_kms::Client;
use portcullis_testkit::{Actor, CloudTrail, FunctionBuilder, World};
use serde_json::{Value, json};

/// An account with keys.
#[derive(Debug, Clone)]
pub struct Kms {
    /// The account.
    pub world: World,
    /// For the test's own calls, as somebody who is not the function.
    pub client: Client,
}

impl From<World> for Kms {
    fn from(world: World) -> Self {
        let client = Client::new(&world.sdk_config());
        Self { world, client }
    }
}

impl Kms {
    /// A new one in us-east-1.
    pub async fn new() -> Self {
        World::new().await.into()
    }

    /// A new one elsewhere.
    pub async fn in_region(region: &str) -> Self {
        World::in_region(region).await.into()
    }

    /// The real function, in enforce mode unless told otherwise.
    pub fn function(&self) -> FunctionBuilder {
        self.world.function_of("portcullis-kms")
    }

    /// A call of KMS in this account and region, by a role.
    pub fn call(&self, name: &str, params: Value) -> CloudTrail {
        let call = self.world.call(crate::SOURCE, name, params);
        call.actor(Actor::role("deploy", "build-17"))
    }

    /// The ARN that stands for the account.
    pub fn root(&self) -> String {
        format!("arn:aws:iam::{}:root", self.world.aws.account())
    }

    /// The ARN of a role of the account.
    pub fn role(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.world.aws.account())
    }

    /// The statement that lets the account manage a key.
    pub fn whole_account(&self) -> Value {
        allow(&json!({"AWS": self.root()}), &["kms:*"])
    }
}

/// A statement that lets somebody call these actions.
pub fn allow(principal: &Value, actions: &[&str]) -> Value {
    json!({"Sid": "Some", "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"})
}
