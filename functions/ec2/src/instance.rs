//! Instances: their metadata service, and whether the internet reaches them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Control, Guard, Location, Observed, Resource, Settings, Tags};
use serde::{Deserialize, Serialize};

use crate::naming::{self, Id, Type, at, items};
use crate::security_group::Rule;
use crate::{SOURCE, controls};

/// The guard of instances.
pub struct Instance;

/// How it is named.
pub(crate) const TYPE: Type = Type {
    kind: Instance::KIND,
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

/// What can be read of an instance, one API call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `DescribeInstances`; for an event that names only a network interface, `DescribeNetworkInterfaces` first.
    Description,
    /// `DescribeSecurityGroupRules` of its groups, and `GetManagedPrefixListEntries` of the prefix lists that they name.
    Rules,
}

/// An instance as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Its tags; none reads as an empty map.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub tags: Observed<Tags>,
    /// How its metadata are asked for; absent where there are none to ask for.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub tokens: Observed<Tokens>,
    /// Whether it runs, or is about to.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub running: Observed<bool>,
    /// Its VPC.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub vpc: Observed<String>,
    /// Its network interfaces, by id.
    #[serde(skip_serializing_if = "Observed::is_unread")]
    pub interfaces: Observed<BTreeMap<String, Interface>>,
    /// The rules that let traffic in from far and wide, by group.
    #[serde(skip_serializing_if = "Observed::is_unread")]
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
    /// Its public IPv4 addresses.
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
pub enum Remedy {
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

impl State {
    /// What else is to be said of it: that it is replaced if it stops.
    pub fn scaled(&self) -> String {
        let group = self.tags.get().and_then(|tags| tags.get(SCALED));
        group.map_or_else(String::new, |group| {
            format!("; it is of the Auto Scaling group {group}, which launches the next one alike")
        })
    }
}

impl portcullis_core::State for State {
    type Remedy = Remedy;

    fn after(&self, remedy: &Remedy) -> Self {
        let mut after = self.clone();
        match remedy {
            Remedy::Tokens(tokens) => after.tokens = Observed::Is(*tokens),
            Remedy::Snapshots(_) => {}
            Remedy::Running(running) => after.running = Observed::Is(*running),
            Remedy::Groups { to, .. } => {
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

    fn inverse(&self, remedy: &Remedy) -> Option<Remedy> {
        match remedy {
            Remedy::Tokens(_) => self.tokens.get().copied().map(Remedy::Tokens),
            Remedy::Snapshots(_) => Some(Remedy::Snapshots(false)),
            Remedy::Running(_) => self.running.get().copied().map(Remedy::Running),
            Remedy::Groups { vpc, to, .. } => {
                let had = self.interfaces.get()?.iter().filter(|(id, _)| to.contains_key(*id));
                Some(Remedy::Groups {
                    vpc: vpc.clone(),
                    from: to.clone(),
                    to: had
                        .map(|(id, interface)| (id.clone(), interface.groups.clone()))
                        .collect(),
                })
            }
        }
    }

    /// A public address that is not an Elastic IP goes with a stop, and another comes with a start.
    fn comparable(&self) -> Self {
        let mut state = self.clone();
        if let Observed::Is(interfaces) = &mut state.interfaces {
            for interface in interfaces.values_mut() {
                interface.public.clear();
            }
        }
        state
    }

    fn tags(&self) -> Option<&Tags> {
        self.tags.get()
    }
}

impl portcullis_core::Remedy for Remedy {
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

    fn writes(&self) -> &'static [&'static str] {
        match self {
            Self::Tokens(_) => &["ec2:ModifyInstanceMetadataOptions"],
            Self::Groups { .. } => &[
                "ec2:CreateSecurityGroup",
                "ec2:CreateTags",
                "ec2:DeleteTags",
                "ec2:ModifyNetworkInterfaceAttribute",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ],
            Self::Snapshots(_) => &["ec2:CreateSnapshots", "ec2:CreateTags"],
            // The grant is AWS's, on behalf of who starts it, for each disk that is encrypted with a key of the customer's.
            Self::Running(_) => &["ec2:StartInstances", "ec2:StopInstances", "kms:CreateGrant"],
        }
    }
}

impl Guard for Instance {
    const KIND: &'static str = "AWS::EC2::Instance";
    const SOURCE: &'static str = SOURCE;
    type Fact = Fact;
    type State = State;
    type Remedy = Remedy;

    fn controls() -> &'static [Control<Self>] {
        controls::INSTANCE
    }

    fn quarantines() -> &'static [&'static str] {
        &[controls::EXPOSED]
    }

    /// Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
    fn reads(fact: Fact) -> &'static [&'static str] {
        match fact {
            Fact::Description => &["ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces"],
            Fact::Rules => &[
                "ec2:DescribeSecurityGroupRules",
                "ec2:DescribeSecurityGroups",
                "ec2:GetManagedPrefixListEntries",
            ],
        }
    }

    /// The classification of the data is in its tags.
    fn always() -> &'static [Fact] {
        &[Fact::Description]
    }

    /// Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Elastic Load Balancing V2".
    fn impact_reads() -> &'static [&'static str] {
        &[
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeTargetHealth",
        ]
    }

    fn touches(_: &Remedy) -> Fact {
        Fact::Description
    }

    /// The instances of a call, or the network interface by which it names one: the adapter asks EC2 whose that is.
    fn resources(call: &Call) -> Result<Vec<Resource>, EventError> {
        TYPE.resources(call, || {
            let mut ids = Vec::new();
            for list in [&call.response, &call.parameters] {
                let items = items(list, &["instancesSet"]).into_iter();
                for value in items.filter_map(|item| at(item, &["instanceId"])) {
                    ids.push(TYPE.id.read("instancesSet.items.instanceId", value)?);
                }
            }
            let wrapped = ["ModifyInstanceMetadataOptionsRequest", "InstanceId"];
            for path in [&wrapped[..], &["instanceId"]] {
                if let Some(value) = at(&call.parameters, path) {
                    ids.push(TYPE.id.read(&path.join("."), value)?);
                }
            }
            if let Some(value) = at(&call.parameters, &["networkInterfaceId"]).filter(|_| ids.is_empty()) {
                ids.push(INTERFACE.read("networkInterfaceId", value)?);
            }
            if ids.is_empty() {
                ids = TYPE.id.among(call);
            }
            if ids.is_empty() {
                return Err(EventError::Missing(
                    "requestParameters.instanceId (or instancesSet, networkInterfaceId)".into(),
                ));
            }
            Ok(ids)
        })
    }

    fn matters(call: &Call, settings: &Settings) -> bool {
        naming::matters(call, settings)
    }

    fn identified(id: &str, place: &Location) -> Option<Resource> {
        TYPE.identified(id, place)
    }

    fn lists() -> &'static [&'static str] {
        &["ec2:DescribeInstances"]
    }
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
        let found = Instance::resources(&call).map_err(|error| error.to_string())?;
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
