//! An account with EC2.

use aws_sdk_ec2::Client;
use portcullis_testkit::{Actor, CloudTrail, FunctionBuilder, World};
use serde_json::Value;

/// An account with EC2.
#[derive(Debug, Clone)]
pub struct Ec2 {
    /// The account.
    pub world: World,
    /// For the test's own calls, as somebody who is not the function.
    pub client: Client,
}

impl From<World> for Ec2 {
    fn from(world: World) -> Self {
        let client = Client::new(&world.sdk_config());
        Self { world, client }
    }
}

impl Ec2 {
    /// A new one in us-east-1.
    pub async fn new() -> Self {
        World::new().await.into()
    }

    /// The real function, in enforce mode unless told otherwise.
    pub fn function(&self) -> FunctionBuilder {
        self.world.function_of("portcullis-ec2")
    }

    /// A call of EC2 in this account and region, by a role.
    pub fn call(&self, name: &str, params: Value) -> CloudTrail {
        let call = self.world.call(crate::SOURCE, name, params);
        call.actor(Actor::role("deploy", "build-17"))
    }

    /// The ARNs of a key of the customer's, and of the one that AWS manages for EBS.
    pub async fn keys(&self) -> (String, String) {
        let kms = aws_sdk_kms::Client::new(&self.world.sdk_config());
        let own = kms.create_key().send().await.unwrap().key_metadata.unwrap();
        let aws = kms.describe_key().key_id("alias/aws/ebs").send().await.unwrap();
        (own.arn.unwrap(), aws.key_metadata.unwrap().arn.unwrap())
    }
}
