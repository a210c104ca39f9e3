//! An account with EC2, and what each control must do in it.

use aws_sdk_ec2::Client;
use portcullis_testkit::{Actor, Call, CloudTrail, FunctionBuilder, Message};
pub use portcullis_tests::settings::only;
use portcullis_tests::{Story, World, writes_to};
use serde_json::Value;

/// An account with what the stack makes for the function.
pub struct Ec2 {
    pub world: World,
    /// For the test's own calls, as somebody who is not the function.
    pub client: Client,
}

impl Ec2 {
    pub async fn new() -> Self {
        let world = World::new().await;
        let client = Client::new(&world.aws.sdk_config());
        Self { world, client }
    }

    /// The real function, in enforce mode unless told otherwise.
    pub fn function(&self) -> FunctionBuilder {
        self.world.function_of("portcullis-ec2")
    }

    /// A call of EC2 in this account and region, by a role.
    pub fn call(&self, name: &str, params: Value) -> CloudTrail {
        CloudTrail::call("ec2.amazonaws.com", name)
            .params(params)
            .account(self.world.aws.account())
            .region(&self.world.region)
            .actor(Actor::role("deploy", "build-17"))
    }
}

/// The ARNs of a key of the customer's, and of the one that AWS manages for EBS.
pub async fn keys(ec2: &Ec2) -> (String, String) {
    let kms = aws_sdk_kms::Client::new(&ec2.world.aws.sdk_config());
    let own = kms.create_key().send().await.unwrap().key_metadata.unwrap();
    let aws = kms.describe_key().key_id("alias/aws/ebs").send().await.unwrap();
    (own.arn.unwrap(), aws.key_metadata.unwrap().arn.unwrap())
}

/// The calls that change something at EC2, in order.
pub fn writes(calls: &[Call]) -> Vec<String> {
    writes_to("ec2", calls)
}

/// Takes a control through notify mode, enforcement by these calls, and a restore by these. Yields the alert of the enforcement,
/// and what `state` was before, after and at the end.
pub async fn round_trip<T>(
    ec2: &Ec2,
    control: &str,
    settings: &str,
    event: &Value,
    (there, back): (&[&str], &[&str]),
    state: impl AsyncFn() -> T,
) -> (Message, [T; 3]) {
    let story = Story {
        world: &ec2.world,
        function: ec2.function().env("PORTCULLIS_SETTINGS", settings),
        service: "ec2",
        control,
        event,
    };
    let before = state().await;
    let (alert, id) = story.enforced(there).await;
    let after = state().await;
    story.undone(&id, back).await;
    (alert, [before, after, state().await])
}
