//! An account with S3.

use std::ops::Deref;

use portcullis_testkit::{CloudTrail, FunctionBuilder, World};
use serde_json::Value;

/// An account with buckets.
#[derive(Debug, Clone)]
pub struct S3 {
    world: World,
    /// For the test's own calls, as somebody who is not the function.
    pub s3: aws_sdk_s3::Client,
    /// The same for S3 Control.
    pub control: aws_sdk_s3control::Client,
}

impl From<World> for S3 {
    fn from(world: World) -> Self {
        let config = world.sdk_config();
        Self {
            s3: aws_sdk_s3::Client::new(&config),
            control: aws_sdk_s3control::Client::new(&config),
            world,
        }
    }
}

impl Deref for S3 {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl S3 {
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
        self.function_of("portcullis-s3")
    }

    /// A call of S3 in this account and region.
    pub fn call(&self, name: &str, params: Value) -> CloudTrail {
        self.world.call("s3.amazonaws.com", name, params)
    }

    /// The ARN of a role of the account.
    pub fn role(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.aws.account())
    }
}
