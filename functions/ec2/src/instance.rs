//! Instances: their metadata service, and whether the internet reaches them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Change, Observed, Resource, ResourceType, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::naming::SOURCE;
use crate::naming::{self, Id, Naming, at, items};
use crate::security_group::Rule;

/// How it is named.
pub(crate) const NAMING: Naming = Naming {
    kind: "AWS::EC2::Instance",
    path: "instance",
    id: Id {
        prefix: "i",
        expected: "an instance's id (i-…)",
    },
    owned: true,
};
/// The ids of network interfaces.
const INTERFACE: Id = Id {
    prefix: "eni",
    expected: "a network interface's id (eni-…)",
};

/// An instance as read. `DescribeInstances` says most of it; for an event that names only a network interface,
/// `DescribeNetworkInterfaces` comes first. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
#[facts(
    change = InstanceChange,
    // Snapshots of all its volumes: made, never taken away.
    also(
        Snapshots,
        read("ec2:DescribeInstances"),
        write("ec2:CreateSnapshots", "ec2:CreateTags")
    )
)]
pub struct Instance {
    /// Its tags; none reads as an empty map.
    #[fact(
        tags,
        name = Description,
        read("ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces")
    )]
    pub tags: Observed<Tags>,
    /// How its metadata are asked for; absent where there are none to ask for.
    #[fact(read("ec2:DescribeInstances"), write("ec2:ModifyInstanceMetadataOptions"))]
    pub tokens: Observed<Tokens>,
    /// Whether it runs, or is about to. The grant is AWS's, on behalf of who starts it, for each disk that is encrypted with a key
    /// of the customer's.
    #[fact(
        read("ec2:DescribeInstances"),
        write("ec2:StartInstances", "ec2:StopInstances", "kms:CreateGrant")
    )]
    pub running: Observed<bool>,
    /// Its VPC.
    #[fact(name = Description)]
    pub vpc: Observed<String>,
    /// The service that alone may change it, as in `eks.amazonaws.com`; absent where its owner may.
    #[fact(name = Description)]
    pub operator: Observed<String>,
    /// Its network interfaces, by id.
    #[fact(
        read("ec2:DescribeInstances"),
        write(
            "ec2:CreateSecurityGroup",
            "ec2:CreateTags",
            "ec2:DeleteTags",
            "ec2:ModifyNetworkInterfaceAttribute",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress"
        )
    )]
    pub interfaces: Observed<BTreeMap<String, Interface>>,
    /// The rules that let traffic in from far and wide, by group; `GetManagedPrefixListEntries` of the prefix lists that they
    /// name.
    #[fact(
        name = Rules,
        read(
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:GetManagedPrefixListEntries"
        )
    )]
    pub open: Observed<BTreeMap<String, Vec<Rule>>>,
}

/// Whether who asks for metadata has to show a token. Source: EC2 API Reference, `InstanceMetadataOptionsResponse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tokens {
    /// IMDSv1 works as well.
    Optional,
    /// IMDSv2.
    Required,
}

/// A network interface of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its public IPv4 addresses, and its IPv6 addresses, which are global. Source: VPC User Guide, "IP addressing for your VPCs and
    /// subnets".
    pub public: BTreeSet<String>,
    /// The ids of its security groups; of the quarantine group its name, since it may be yet to be made.
    pub groups: BTreeSet<String>,
}

/// The name of the security group of a VPC that lets nothing in or out.
pub const QUARANTINE: &str = "portcullis-quarantine";

/// The tag that EC2 Auto Scaling puts on its instances.
const SCALED: &str = "aws:autoscaling:groupName";

/// The groups of interfaces, by the interface's id.
pub type Groups = BTreeMap<String, BTreeSet<String>>;

/// A change to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceChange {
    /// `ModifyInstanceMetadataOptions`
    Tokens(Tokens),
    /// `ModifyNetworkInterfaceAttribute` of each interface. A tag of it keeps the groups that a quarantine took.
    Groups {
        /// The VPC, in which the quarantine group may be yet to be made.
        vpc: String,
        /// What they are.
        from: Groups,
        /// What they are to be.
        to: Groups,
    },
    /// `CreateSnapshots` of all its volumes; `false`, the way back, keeps them.
    Snapshots(bool),
    /// `StartInstances` or `StopInstances`
    Running(bool),
}

/// Instances. The classification of the data is in their tags.
pub const TYPE: ResourceType<Instance> = ResourceType {
    name: NAMING.kind,
    arn_form: "ec2:{r}:{a}:instance/i-{i}",
    source: SOURCE,
    always: &[InstanceFact::Description],
    // Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Elastic Load Balancing V2".
    impact_reads: &[
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
    ],
    list_actions: &["ec2:DescribeInstances"],
    creates: &["RunInstances"],
    answered: &["RunInstances"],
    comparable,
    owner: |instance| instance.operator.get().cloned(),
    named,
    matters: naming::matters,
    identified: |id, location| NAMING.identified(id, location),
    ..ResourceType::REGIONAL
};

impl Instance {
    /// What else is to be said of it: that it is replaced if it stops.
    pub fn scaled(&self) -> String {
        let group = self.tags.get().and_then(|tags| tags.get(SCALED));
        group.map_or_else(String::new, |group| {
            format!("; it is of the Auto Scaling group {group}, which launches the next one alike")
        })
    }
}

impl Change for InstanceChange {
    type State = Instance;

    fn fact(&self) -> InstanceFact {
        match self {
            Self::Tokens(_) => InstanceFact::Tokens,
            Self::Groups { .. } => InstanceFact::Interfaces,
            Self::Snapshots(_) => InstanceFact::Snapshots,
            Self::Running(_) => InstanceFact::Running,
        }
    }

    fn after(&self, instance: &Instance) -> Instance {
        let mut after = instance.clone();
        match self {
            Self::Tokens(tokens) => after.tokens = Observed::Is(*tokens),
            Self::Snapshots(_) => {}
            Self::Running(running) => after.running = Observed::Is(*running),
            Self::Groups { to, .. } => {
                if let Observed::Is(interfaces) = &mut after.interfaces {
                    for (id, interface) in interfaces {
                        if let Some(groups) = to.get(id) {
                            interface.groups.clone_from(groups);
                        }
                    }
                }
            }
        }
        if let (Observed::Is(open), Observed::Is(interfaces)) = (&mut after.open, &after.interfaces) {
            let used = |group: &String| interfaces.values().any(|interface| interface.groups.contains(group));
            open.retain(|group, _| used(group));
        }
        after
    }

    fn inverse(&self, before: &Instance) -> Option<Self> {
        match self {
            Self::Tokens(_) => before.tokens.get().copied().map(Self::Tokens),
            Self::Snapshots(_) => Some(Self::Snapshots(false)),
            Self::Running(_) => before.running.get().copied().map(Self::Running),
            Self::Groups { vpc, to, .. } => {
                let had = before.interfaces.get()?.iter().filter(|(id, _)| to.contains_key(*id));
                Some(Self::Groups {
                    vpc: vpc.clone(),
                    from: to.clone(),
                    to: had
                        .map(|(id, interface)| (id.clone(), interface.groups.clone()))
                        .collect(),
                })
            }
        }
    }

    fn target(&self) -> Cow<'static, str> {
        match self {
            Self::Tokens(_) => "tokens",
            Self::Groups { .. } => "groups",
            Self::Snapshots(_) => "snapshots",
            Self::Running(_) => "running",
        }
        .into()
    }

    fn concurrency_group(&self) -> u8 {
        match self {
            Self::Tokens(_) => 0,
            // What is cut off first can do nothing to its volumes any more.
            Self::Groups { .. } | Self::Snapshots(_) | Self::Running(_) => 1,
        }
    }
}

/// A public address that is not an Elastic IP goes with a stop, and another comes with a start.
fn comparable(instance: &Instance) -> Instance {
    let mut state = instance.clone();
    if let Observed::Is(interfaces) = &mut state.interfaces {
        for interface in interfaces.values_mut() {
            interface.public.clear();
        }
    }
    state
}

/// The instances of a call, or the network interface by which it names one: the adapter asks EC2 whose that is.
fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    NAMING.resources(call, || {
        let mut ids = Vec::new();
        for list in [&call.response, &call.parameters] {
            let items = items(list, &["instancesSet"]).into_iter();
            for value in items.filter_map(|item| at(item, &["instanceId"])) {
                ids.push(NAMING.id.read("instancesSet.items.instanceId", value)?);
            }
        }
        let wrapped = ["ModifyInstanceMetadataOptionsRequest", "InstanceId"];
        for path in [
            &wrapped[..],
            &["instanceId"],
            &["CreateReplaceRootVolumeTaskRequest", "InstanceId"],
        ] {
            if let Some(value) = at(&call.parameters, path) {
                ids.push(NAMING.id.read(&path.join("."), value)?);
            }
        }
        let interface = [
            &["networkInterfaceId"][..],
            &["AssignIpv6AddressesRequest", "NetworkInterfaceId"],
        ];
        let interface = interface.into_iter().find_map(|path| at(&call.parameters, path));
        if let Some(value) = interface.filter(|_| ids.is_empty()) {
            ids.push(INTERFACE.read("networkInterfaceId", value)?);
        }
        if ids.is_empty() {
            ids = NAMING.id.among(call);
        }
        if ids.is_empty() {
            return Err(EventError::Missing(
                "requestParameters.instanceId (or instancesSet, networkInterfaceId)".into(),
            ));
        }
        Ok(ids)
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::event::Event;
    use serde_json::{Value, json};

    use super::*;

    const ID: &str = "i-0b8c4d1e700d9f3a6";

    fn named(name: &str, parameters: &Value, response: &Value) -> Result<Vec<String>, String> {
        let record = json!({
            "eventSource": SOURCE, "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
            "requestParameters": parameters, "responseElements": response,
        });
        let Event::Call(call) = Event::parse(&record).unwrap() else {
            panic!()
        };
        let found = (TYPE.named)(&call).map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|instance| instance.id).collect())
    }

    #[test]
    fn an_instance_is_named_in_many_ways() {
        let ids: Vec<String> = (0..50).map(|number| format!("i-0b8c4d1e700d9f3{number:02x}")).collect();
        let items: Vec<_> = ids.iter().map(|id| json!({"instanceId": id})).collect();
        let many = json!({"instancesSet": {"items": items}});
        let asked = json!({"instancesSet": {"items": [{"imageId": "ami-0b8e90d9f3a5e7c41", "minCount": 1}]}});
        assert_eq!(named("RunInstances", &asked, &many), Ok(ids));
        let one = Ok(vec![ID.to_owned()]);
        let wrapped = json!({"ModifyInstanceMetadataOptionsRequest": {"InstanceId": ID, "HttpTokens": "optional"}});
        assert_eq!(named("ModifyInstanceMetadataOptions", &wrapped, &Value::Null), one);
        let started = json!({"instancesSet": {"items": [{"instanceId": ID}]}});
        assert_eq!(named("StartInstances", &started, &started), one);
        let associated = json!({"instanceId": ID, "allocationId": "eipalloc-0d9f3a5e7c414b8e9"});
        assert_eq!(named("AssociateAddress", &associated, &Value::Null), one);
        let eni = "eni-0d9f3a5e7c414b8e9";
        let interface = json!({"networkInterfaceId": eni, "instanceId": ""});
        assert_eq!(
            named("ModifyNetworkInterfaceAttribute", &interface, &Value::Null),
            Ok(vec![eni.to_owned()])
        );
    }

    #[test]
    fn what_names_none_is_refused_by_name() {
        for (parameters, expected) in [
            (json!({"instanceId": "i-1"}), "i-1"),
            (json!({"instancesSet": {}}), "instancesSet"),
            (json!({"instancesSet": {"items": []}}), "instancesSet"),
            (
                json!({"instancesSet": {"items": [{"instanceId": "../i-0b8c4d1e"}]}}),
                "../i-0b8c4d1e",
            ),
            (json!({"networkInterfaceId": "eni"}), "networkInterfaceId"),
            (Value::Null, "instanceId"),
        ] {
            let error = named("AssociateAddress", &parameters, &Value::Null).unwrap_err();
            assert!(error.contains(expected), "{parameters}: {error}");
        }
    }
}
