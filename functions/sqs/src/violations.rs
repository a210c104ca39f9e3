//! A violation of each control of SQS, and what SQS's sample events come to.
//!
//! What is right afterwards is what AWS documents: SQS Developer Guide, "Encryption at rest in Amazon SQS", "Basic examples of Amazon
//! SQS policies"; SQS API Reference, `SetQueueAttributes`.
#![allow(clippy::unwrap_used, reason = "this is test support: a panic is how a test fails")]

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use portcullis_testkit::{
    Arranged, CloudTrail, Sample, ServiceUnderTest, Snapshot, Subject, World, levels, policy, violation,
};
use serde_json::{Value, json};

/// SQS as the tests know it.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: &[
        violation!("sqs-queue-public-policy", |world: World| {
            let queue = Queue::new(world, "public").await;
            let (own, all) = (queue.lets_in(queue.world.aws.account()), queue.lets_in("*"));
            queue.set(Name::Policy, &policy(&[own.clone(), all])).await;
            queue
                .put_right("SetQueueAttributes", "CRITICAL")
                .right("policy", policy(&[own]))
        }),
        violation!("sqs-queue-external-access", |world: World| {
            let queue = Queue::new(world, "partner").await;
            queue.set(Name::Policy, &policy(&[queue.lets_in("777788889999")])).await;
            queue.put_right("AddPermission", "HIGH").right("policy", "none")
        }),
        violation!("sqs-queue-tls-only", |world: World| {
            let queue = Queue::new(world, "plain-http").await;
            let denied = json!({"Sid": "PortcullisTlsOnly", "Effect": "Deny", "Principal": "*", "Action": "sqs:*",
                "Resource": queue.arn(), "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
            queue
                .put_right("RemovePermission", "LOW")
                .right("policy", policy(&[denied]))
        }),
        violation!("sqs-queue-encrypted", |world: World| {
            let queue = Queue::new(world, "plain").await;
            queue.set(Name::SqsManagedSseEnabled, "false").await;
            queue.put_right("CreateQueue", "MEDIUM").right("encryption", "SSE-SQS")
        }),
        violation!("sqs-queue-encryption-key", |world: World| {
            let queue = Queue::new(world, "payroll").await;
            let tag = queue.client.tag_queue().queue_url(&queue.url);
            tag.tags("DataClassification", "restricted").send().await.unwrap();
            let key = queue.world.arn("kms", "key/1234abcd-12ab-34cd-56ef-1234567890ab");
            let needs =
                format!("restricted: {{values: [restricted], encryption: customer-managed-key, key: \"{key}\"}}");
            let arranged = queue.put_right("TagQueue", "MEDIUM").settings(levels(&needs));
            arranged.right("encryption", format!("SSE-KMS {key}"))
        }),
    ],
    samples: &[
        Sample::of("AddPermission", "sqs-queue-external-access").told("queue-external-access queue-tls-only"),
        Sample::of("CreateQueue", "sqs-queue-encrypted")
            .right("queue-encrypted")
            .told("queue-tls-only"),
        Sample::of("DeleteQueue", "sqs-queue-encrypted"),
        Sample::of("RemovePermission", "sqs-queue-tls-only").told("queue-tls-only"),
        Sample::of("SetQueueAttributes", "sqs-queue-public-policy")
            .right("queue-public-policy")
            .told("queue-tls-only"),
        Sample::of("TagQueue", "sqs-queue-encryption-key").told("queue-encryption-key"),
        Sample::of("UntagQueue", "sqs-queue-encrypted").right("queue-encrypted"),
    ],
    ways: &[],
};

/// A queue of the test's.
#[derive(Clone)]
struct Queue {
    world: World,
    client: Client,
    name: &'static str,
    url: String,
}

impl Queue {
    /// One that is encrypted, as AWS makes them.
    async fn new(world: World, name: &'static str) -> Self {
        let client = Client::new(&world.sdk_config());
        let create = client.create_queue().queue_name(name);
        let create = create.attributes(Name::SqsManagedSseEnabled, "true");
        let url = create.send().await.unwrap().queue_url.unwrap();
        Self {
            world,
            client,
            name,
            url,
        }
    }

    fn arn(&self) -> String {
        self.world.arn("sqs", self.name)
    }

    fn lets_in(&self, account: &str) -> Value {
        json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sqs:SendMessage", "Resource": self.arn()})
    }

    fn put_right(&self, call: &str, severity: &'static str) -> Arranged {
        self.remediated(call, severity, &["SetQueueAttributes"])
    }

    async fn set(&self, name: Name, value: &str) {
        let set = self.client.set_queue_attributes().queue_url(&self.url);
        set.attributes(name, value).send().await.unwrap();
    }
}

impl Subject for Queue {
    fn world(&self) -> &World {
        &self.world
    }

    fn described(&self) -> String {
        format!("queue {}", self.name)
    }

    fn call(&self, name: &str) -> CloudTrail {
        let url = json!({"queueUrl": self.url});
        self.world.call(crate::queue::SOURCE, name, url.clone()).response(url)
    }

    async fn snapshot(&self) -> Snapshot {
        let get = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = get.attribute_names(Name::All).send().await.unwrap();
        let set = |name| answer.attributes.as_ref()?.get(&name).filter(|value| !value.is_empty());
        // The emulator writes policies anew, with other spaces.
        let policy = set(Name::Policy).map(|text| serde_json::from_str::<Value>(text).unwrap());
        let encryption = match (set(Name::KmsMasterKeyId), set(Name::SqsManagedSseEnabled)) {
            (Some(key), _) => format!("SSE-KMS {key}"),
            (None, on) => if on.is_some_and(|on| on == "true") {
                "SSE-SQS"
            } else {
                "off"
            }
            .into(),
        };
        let policy = policy.map_or_else(|| "none".into(), |policy| policy.to_string());
        Snapshot([("policy", policy), ("encryption", encryption)].into())
    }
}
