//! What happens: resources as somebody left them, the event, the policy that asks of Cloud Custodian what we do by
//! default, and the proof that it was done.

use std::path::Path;

use futures_util::{StreamExt as _, stream};
use portcullis_ec2::violations::Ec2;
use portcullis_s3::violations::S3;
use portcullis_testkit::{Arranged, Call, Invocation, Subject as _, World};
use portcullis_tests::service_of;
use serde_json::{Value, json};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A new bucket without a public access block.
    BareBucket,
    /// A bucket on which no control has anything to say.
    CompliantBucket,
    /// Somebody disabled a key's rotation.
    UnrotatedKey,
    /// SSH from everywhere.
    OpenGroup,
    /// Ten instances at once whose metadata service asks for no token.
    TenInstances,
}

/// How many instances a launch makes.
const LAUNCHED: usize = 10;

/// One kind of event in an account of its own.
#[derive(Debug)]
pub struct Scene {
    pub name: String,
    pub kind: Kind,
    pub world: World,
    others: usize,
}

/// What happened, and to what.
#[derive(Debug)]
pub struct Case {
    pub event: Value,
    arranged: Vec<Arranged>,
}

impl Kind {
    /// The control that is violated, or would be.
    fn control(self) -> &'static str {
        match self {
            Self::BareBucket | Self::CompliantBucket => "s3-bucket-public-access-block",
            Self::UnrotatedKey => "kms-key-rotation",
            Self::OpenGroup => "ec2-security-group-open-ingress",
            Self::TenInstances => "ec2-instance-imdsv2",
        }
    }
}

impl Scene {
    pub async fn new(name: &str, kind: Kind) -> Self {
        let world = World::new().await;
        if kind == Kind::TenInstances {
            // Volumes have nothing wrong: both sides find the same.
            let ec2 = Ec2::from(world.clone()).client;
            let encrypted = ec2.enable_ebs_encryption_by_default().send().await;
            encrypted.expect("bench: encrypt new volumes");
        }
        Self {
            name: name.to_owned(),
            kind,
            world,
            others: 0,
        }
    }

    /// Makes buckets until so many others are in the account.
    pub async fn grow(&mut self, others: usize) {
        let s3 = &S3::from(self.world.clone());
        let made = stream::iter(self.others..others).map(|number| async move {
            s3.bucket(&format!("other-{number}")).await;
        });
        made.buffer_unordered(8).collect::<Vec<()>>().await;
        self.others = others.max(self.others);
    }

    /// The function that is in charge.
    pub fn function(&self) -> String {
        service_of(self.kind.control()).function_name()
    }

    /// A new resource, so that each event finds the same work to do.
    pub async fn case(&self) -> Case {
        let control = self.kind.control();
        let arrange = service_of(control).violation(control).arrange;
        let mut arranged = Vec::new();
        match self.kind {
            Kind::CompliantBucket => {
                let bucket = S3::from(self.world.clone()).bucket("safe").await;
                bucket.make_safe().await;
                arranged.push(bucket.broken_by("CreateBucket"));
            }
            Kind::TenInstances => {
                for _ in 0..LAUNCHED {
                    arranged.push(arrange(self.world.clone()).await);
                }
            }
            _ => arranged.push(arrange(self.world.clone()).await),
        }
        let event = if self.kind == Kind::TenInstances {
            let ids = arranged.iter().map(|one| json!({"instanceId": one.described().1}));
            let launched = json!({"instancesSet": {"items": ids.collect::<Vec<_>>()}});
            let call = self.world.call("ec2.amazonaws.com", "RunInstances", json!({}));
            call.response(launched).event()
        } else {
            arranged[0].event()
        };
        Case { event, arranged }
    }

    /// Fails unless the event was handled: who does nothing is quick.
    pub async fn prove(&self, case: &Case, done: &Invocation) {
        let done_by = |what: &str| {
            format!(
                "bench: {} of {:?}: {what}: {:?}\n{}\n{}",
                self.name,
                case.arranged,
                done.result,
                done.logs.join("\n"),
                portcullis_testkit::table(&done.calls)
            )
        };
        assert!(done.result.is_ok(), "{}", done_by("the function failed"));
        let told = done.calls.iter().any(|call| call.name() == "sns:Publish");
        assert_eq!(told, self.kind != Kind::CompliantBucket, "{}", done_by("the alert"));
        if self.kind == Kind::CompliantBucket {
            let reads = done.calls.iter().all(Call::is_read);
            assert!(reads, "{}", done_by("a compliant bucket was changed"));
        }
        for arranged in &case.arranged {
            let now = arranged.snapshot().await;
            assert!(arranged.is_right(&now), "{}", done_by("not put right"));
        }
    }

    /// Removes the resource, so that the account keeps its size.
    pub async fn remove(&self, case: Case) {
        let ids: Vec<_> = case.arranged.iter().map(|one| one.described().1.to_owned()).collect();
        match self.kind {
            Kind::BareBucket | Kind::CompliantBucket => {
                let s3 = S3::from(self.world.clone()).s3;
                let removed = s3.delete_bucket().bucket(&ids[0]).send().await;
                removed.expect("bench: an empty bucket can be deleted");
            }
            // A key stays for days.
            Kind::UnrotatedKey => (),
            Kind::OpenGroup => {
                let ec2 = Ec2::from(self.world.clone()).client;
                let removed = ec2.delete_security_group().group_id(&ids[0]).send().await;
                removed.expect("bench: a group without members can be deleted");
            }
            Kind::TenInstances => {
                let ec2 = Ec2::from(self.world.clone()).client;
                let gone = ec2.terminate_instances().set_instance_ids(Some(ids));
                gone.send().await.expect("bench: instances can be terminated");
            }
        }
    }

    /// The policy of Cloud Custodian. `augment-keys: none` is its documented way to spare calls.
    pub fn policy(&self, output: &Path) -> Value {
        let topic = self.world.stack.topic_arn.rsplit(':').next().unwrap_or_default();
        let notify = json!({
            "type": "notify", "to": ["ops@example.com"], "subject": "remediated",
            "transport": {"type": "sns", "topic": topic},
        });
        let (resource, event, filters, actions) = match self.kind {
            Kind::BareBucket | Kind::CompliantBucket => (
                "s3",
                json!("CreateBucket"),
                json!([{"or": [{"type": "check-public-block"}, {"type": "bucket-encryption", "state": false}]}]),
                json!(["set-public-block", "set-bucket-encryption", notify]),
            ),
            Kind::UnrotatedKey => (
                "kms-key",
                json!({
                    "source": "kms.amazonaws.com", "event": "DisableKeyRotation", "ids": "requestParameters.keyId",
                }),
                json!([{"type": "key-rotation-status", "key": "KeyRotationEnabled", "value": false}]),
                json!([{"type": "set-rotation", "state": true}, notify]),
            ),
            Kind::OpenGroup => (
                "security-group",
                json!({
                    "source": "ec2.amazonaws.com", "event": "AuthorizeSecurityGroupIngress",
                    "ids": "requestParameters.groupId",
                }),
                json!([{"or": [
                    {"type": "ingress", "OnlyPorts": [80, 443], "Cidr": {"value": "0.0.0.0/0"}},
                    {"type": "ingress", "OnlyPorts": [80, 443], "CidrV6": {"value": "::/0"}},
                ]}]),
                json!([{"type": "remove-permissions", "ingress": "matched"}, notify]),
            ),
            Kind::TenInstances => (
                "ec2",
                json!("RunInstances"),
                json!([{"MetadataOptions.HttpTokens": "optional"}]),
                json!([{"type": "set-metadata-access", "tokens": "required"}, notify]),
            ),
        };
        let mut policy = json!({
            "name": "bench",
            "resource": resource,
            "mode": {
                "type": "cloudtrail", "events": [event], "memory": 512,
                "role": format!("arn:aws:iam::{}:role/custodian", self.world.aws.account()),
                "execution-options": {"output_dir": output.display().to_string()},
            },
            "filters": filters,
            "actions": actions,
        });
        if resource == "s3" {
            policy["query"] = json!([{"augment-keys": "none"}]);
        }
        policy
    }
}
