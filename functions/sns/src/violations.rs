//! A violation of each control of SNS, and what SNS's sample events come to.
//!
//! What is right afterwards is what AWS documents: SNS Developer Guide, "Example cases for Amazon SNS access control", "Amazon SNS
//! security best practices", "Encrypting an Amazon SNS topic"; SNS API Reference, `SetTopicAttributes`.
#![allow(clippy::unwrap_used, reason = "this is test support: a panic is how a test fails")]

use aws_sdk_sns::Client;
use portcullis_testkit::{
    Arranged, CloudTrail, Sample, ServiceUnderTest, Snapshot, Subject, World, levels, policy, violation,
};
use serde_json::{Value, json};

/// SNS as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: &[
        violation!("sns-topic-public-policy", |world: World| {
            let topic = Topic::new(world, "public").await;
            let (own, all) = (topic.lets_in(topic.world.aws.account()), topic.lets_in("*"));
            topic.set("Policy", &policy(&[own.clone(), all])).await;
            topic
                .put_right("SetTopicAttributes", "CRITICAL")
                .right("policy", policy(&[own]))
        }),
        violation!("sns-topic-external-access", |world: World| {
            let topic = Topic::new(world, "partner").await;
            topic.set("Policy", &policy(&[topic.lets_in("777788889999")])).await;
            let own = policy(&[topic.lets_in(topic.world.aws.account())]);
            topic.put_right("AddPermission", "HIGH").right("policy", own)
        }),
        violation!("sns-topic-tls-only", |world: World| {
            let topic = Topic::new(world, "plain-http").await;
            let own = topic.lets_in(topic.world.aws.account());
            topic.set("Policy", &policy(std::slice::from_ref(&own))).await;
            let denied = json!({"Sid": "PortcullisTlsOnly", "Effect": "Deny", "Principal": "*", "Action": "sns:Publish",
                "Resource": topic.arn(), "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
            topic
                .put_right("RemovePermission", "LOW")
                .right("policy", policy(&[own, denied]))
        }),
        violation!("sns-topic-encrypted", |world: World| {
            let topic = Topic::new(world, "payroll").await;
            let tag = aws_sdk_sns::types::Tag::builder()
                .key("DataClassification")
                .value("restricted");
            let tags = topic.client.tag_resource().resource_arn(topic.arn());
            tags.tags(tag.build().unwrap()).send().await.unwrap();
            let key = topic.world.arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab");
            let needs =
                format!("restricted: {{values: [restricted], encryption: customer-managed-key, key: \"{key}\"}}");
            let arranged = topic.put_right("TagResource", "MEDIUM").settings(levels(&needs));
            arranged.right("key", key)
        }),
    ],
    samples: &[
        Sample::of("AddPermission", "sns-topic-external-access").told("topic-external-access topic-tls-only"),
        Sample::of("CreateTopic", "sns-topic-tls-only").told("topic-tls-only"),
        Sample::of("DeleteTopic", "sns-topic-tls-only"),
        Sample::of("RemovePermission", "sns-topic-tls-only").told("topic-tls-only"),
        Sample::of("SetTopicAttributes", "sns-topic-public-policy")
            .right("topic-public-policy")
            .told("topic-tls-only"),
        Sample::of("TagResource", "sns-topic-encrypted").left("topic-encrypted"),
        Sample::of("UntagResource", "sns-topic-encrypted").left("topic-encrypted"),
    ],
    ways: &[],
};

/// A topic of the test's.
#[derive(Clone)]
struct Topic {
    world: World,
    client: Client,
    name: &'static str,
}

impl Topic {
    /// One as AWS makes them.
    async fn new(world: World, name: &'static str) -> Self {
        let client = Client::new(&world.sdk_config());
        client.create_topic().name(name).send().await.unwrap();
        Self { world, client, name }
    }

    fn arn(&self) -> String {
        self.world.arn("sns", self.name)
    }

    /// A statement for an account, or for everybody (`*`). SNS writes an account by its ARN.
    fn lets_in(&self, account: &str) -> Value {
        let principal = if account == "*" {
            account.to_owned()
        } else {
            format!("arn:aws:iam::{account}:root")
        };
        json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sns:Publish", "Resource": self.arn()})
    }

    fn put_right(&self, call: &str, severity: &'static str) -> Arranged {
        self.remediated(call, severity, &["SetTopicAttributes"])
    }

    async fn set(&self, name: &str, value: &str) {
        let set = self.client.set_topic_attributes().topic_arn(self.arn());
        set.attribute_name(name).attribute_value(value).send().await.unwrap();
    }
}

impl Subject for Topic {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("topic {}", self.name)
    }

    fn call(&self, name: &str) -> CloudTrail {
        let params = match name {
            "TagResource" | "UntagResource" => json!({"resourceArn": self.arn()}),
            _ => json!({"topicArn": self.arn()}),
        };
        self.world.call(crate::topic::SOURCE, name, params)
    }

    async fn snapshot(&self) -> Snapshot {
        let get = self.client.get_topic_attributes().topic_arn(self.arn());
        let attributes = get.send().await.unwrap().attributes.unwrap_or_default();
        let set = |name| attributes.get(name).filter(|value| !value.is_empty());
        // The emulator writes policies anew, with other spaces.
        let policy = set("Policy").map(|text| serde_json::from_str::<Value>(text).unwrap().to_string());
        let key = set("KmsMasterKeyId").map_or("none", String::as_str);
        Snapshot([("policy", policy.unwrap_or_default()), ("key", key.to_owned())].into())
    }
}
