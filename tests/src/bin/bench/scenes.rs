//! What happens: resources as somebody left them, the event, the policy that asks of Cloud Custodian what we do by
//! default, and the proof that it was done.

use std::path::Path;

use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{Filter, HttpTokensState, IpPermission, IpRange, Reservation};
use aws_sdk_kms::Client as Kms;
use futures_util::{StreamExt as _, stream};
use portcullis_testkit::{Call, CloudTrail, Invocation};
use portcullis_tests::{Bucket, Subject as _, World};
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
const LAUNCHED: i32 = 10;

/// One kind of event in an account of its own.
#[derive(Debug)]
pub struct Scene {
    pub name: String,
    pub kind: Kind,
    pub world: World,
    kms: Kms,
    ec2: Ec2,
    others: usize,
}

/// One resource and what happened to it.
#[derive(Debug)]
pub struct Case {
    pub event: Value,
    resources: Vec<String>,
}

impl Scene {
    pub async fn new(name: &str, kind: Kind) -> Self {
        let world = World::new().await;
        let ec2 = Ec2::new(&world.aws.sdk_config());
        if kind == Kind::TenInstances {
            // Volumes have nothing wrong: both sides find the same.
            let encrypted = ec2.enable_ebs_encryption_by_default().send().await;
            encrypted.expect("bench: encrypt new volumes");
        }
        Self {
            name: name.to_owned(),
            kind,
            kms: Kms::new(&world.aws.sdk_config()),
            ec2,
            world,
            others: 0,
        }
    }

    /// Makes buckets until so many others are in the account.
    pub async fn grow(&mut self, others: usize) {
        let world = &self.world;
        let made = stream::iter(self.others..others).map(|number| async move {
            world.bucket(&format!("other-{number}")).await;
        });
        made.buffer_unordered(8).collect::<Vec<()>>().await;
        self.others = others.max(self.others);
    }

    /// The function that is in charge.
    pub fn function(&self) -> &'static str {
        match self.kind {
            Kind::BareBucket | Kind::CompliantBucket => "portcullis-s3",
            Kind::UnrotatedKey => "portcullis-kms",
            Kind::OpenGroup | Kind::TenInstances => "portcullis-ec2",
        }
    }

    /// A new resource, so that each event finds the same work to do.
    pub async fn case(&self) -> Case {
        let case = |resources: Vec<String>, call: CloudTrail| Case {
            event: call.event(),
            resources,
        };
        let call = |service: &str, name: &str| {
            CloudTrail::call(&format!("{service}.amazonaws.com"), name).account(self.world.aws.account())
        };
        match self.kind {
            Kind::BareBucket => {
                let bucket = self.world.bucket("bare").await;
                case(vec![bucket.name.clone()], bucket.call("CreateBucket"))
            }
            Kind::CompliantBucket => {
                let bucket = self.world.bucket("safe").await;
                bucket.make_safe().await;
                case(vec![bucket.name.clone()], bucket.call("CreateBucket"))
            }
            Kind::UnrotatedKey => {
                let made = self.kms.create_key().send().await.expect("bench: create a key");
                let key = made.key_metadata.expect("bench: a key has metadata").key_id;
                let event = call("kms", "DisableKeyRotation").params(json!({"keyId": key}));
                case(vec![key], event)
            }
            Kind::OpenGroup => {
                let name = self.world.aws.unique("group");
                let create = self.ec2.create_security_group().group_name(&name).description(&name);
                let made = create.send().await.expect("bench: create a security group");
                let group = made.group_id.expect("bench: a group has an id");
                let everywhere = IpRange::builder().cidr_ip("0.0.0.0/0").build();
                let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22);
                let open = self.ec2.authorize_security_group_ingress().group_id(&group);
                let open = open.ip_permissions(ssh.ip_ranges(everywhere).build()).send().await;
                open.expect("bench: open the group");
                let event = call("ec2", "AuthorizeSecurityGroupIngress").params(json!({"groupId": group}));
                case(vec![group], event)
            }
            Kind::TenInstances => {
                let run = self.ec2.run_instances().image_id("ami-12c6146b");
                let made = run.min_count(LAUNCHED).max_count(LAUNCHED).send().await;
                let made = made.expect("bench: run instances");
                let ids: Vec<String> = made
                    .instances()
                    .iter()
                    .filter_map(|one| one.instance_id.clone())
                    .collect();
                let items: Vec<_> = ids.iter().map(|id| json!({"instanceId": id})).collect();
                let event = call("ec2", "RunInstances").response(json!({"instancesSet": {"items": items}}));
                case(ids, event)
            }
        }
    }

    /// Fails unless the event was handled: who does nothing is quick.
    pub async fn prove(&self, case: &Case, done: &Invocation) {
        let done_by = |what: &str| {
            format!(
                "bench: {} of {:?}: {what}: {:?}\n{}\n{}",
                self.name,
                case.resources,
                done.result,
                done.logs.join("\n"),
                portcullis_testkit::table(&done.calls)
            )
        };
        assert!(done.result.is_ok(), "{}", done_by("the function failed"));
        let told = done.calls.iter().any(|call| call.name() == "sns:Publish");
        assert_eq!(told, self.kind != Kind::CompliantBucket, "{}", done_by("the alert"));
        match self.kind {
            Kind::BareBucket => {
                let bucket = Bucket {
                    world: self.world.clone(),
                    name: case.resources[0].clone(),
                };
                let facts = bucket.snapshot().await;
                assert_eq!(facts["block"], "all four", "{}", done_by("not blocked"));
            }
            Kind::CompliantBucket => {
                let reads = done.calls.iter().all(Call::is_read);
                assert!(reads, "{}", done_by("a compliant bucket was changed"));
            }
            Kind::UnrotatedKey => {
                let status = self
                    .kms
                    .get_key_rotation_status()
                    .key_id(&case.resources[0])
                    .send()
                    .await;
                let rotated = status.expect("bench: the rotation status").key_rotation_enabled;
                assert!(rotated, "{}", done_by("not rotated"));
            }
            Kind::OpenGroup => {
                let of_group = Filter::builder().name("group-id").values(&case.resources[0]).build();
                let rules = self.ec2.describe_security_group_rules().filters(of_group).send().await;
                let rules = rules.expect("bench: the group's rules");
                let mut rules = rules.security_group_rules().iter();
                assert!(
                    rules.all(|rule| rule.is_egress() == Some(true)),
                    "{}",
                    done_by("still open")
                );
            }
            Kind::TenInstances => {
                let of_event = self
                    .ec2
                    .describe_instances()
                    .set_instance_ids(Some(case.resources.clone()));
                let found = of_event.send().await.expect("bench: the instances");
                let tokens: Vec<_> = found
                    .reservations()
                    .iter()
                    .flat_map(Reservation::instances)
                    .map(|one| one.metadata_options().and_then(|options| options.http_tokens()))
                    .collect();
                let required = tokens == [Some(&HttpTokensState::Required); LAUNCHED as usize];
                assert!(required, "{}", done_by("a metadata service without tokens"));
            }
        }
    }

    /// Removes the resource, so that the account keeps its size.
    pub async fn remove(&self, case: Case) {
        let [first, ..] = case.resources.as_slice() else { return };
        match self.kind {
            Kind::BareBucket | Kind::CompliantBucket => {
                let removed = self.world.s3.delete_bucket().bucket(first).send().await;
                removed.expect("bench: an empty bucket can be deleted");
            }
            // A key stays for days.
            Kind::UnrotatedKey => (),
            Kind::OpenGroup => {
                let removed = self.ec2.delete_security_group().group_id(first).send().await;
                removed.expect("bench: a group without members can be deleted");
            }
            Kind::TenInstances => {
                let gone = self.ec2.terminate_instances().set_instance_ids(Some(case.resources));
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
