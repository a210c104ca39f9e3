//! Security groups: which addresses reach which ports.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Change, Observed, Resource, ResourceType, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

use crate::naming::SOURCE;
use crate::naming::{self, Id, Naming, at, items};

/// How it is named.
pub(crate) const NAMING: Naming = Naming {
    kind: "AWS::EC2::SecurityGroup",
    path: "security-group",
    id: Id {
        prefix: "sg",
        expected: "a security group's id (sg-…)",
    },
    owned: true,
};

/// A group as read. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2".
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
#[facts(
    change = SecurityGroupChange,
    // The same rules, of which those of egress are changed as well.
    also(
        AllRules,
        read("ec2:DescribeSecurityGroupRules", "ec2:GetManagedPrefixListEntries"),
        write(
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress"
        )
    )
)]
pub struct SecurityGroup {
    /// Its tags; none reads as an empty map. For an event that names a prefix list, `DescribeManagedPrefixLists` comes before it,
    /// and one call for the groups that refer to it.
    #[fact(
        tags,
        name = Description,
        read("ec2:DescribeManagedPrefixLists", "ec2:DescribeSecurityGroups")
    )]
    pub tags: Observed<Tags>,
    /// Its name: `default` is the one that every VPC has.
    #[fact(name = Description)]
    pub name: Observed<String>,
    /// Its rules: `DescribeSecurityGroupRules`, and `GetManagedPrefixListEntries` of the prefix lists that they name.
    #[fact(
        read("ec2:DescribeSecurityGroupRules", "ec2:GetManagedPrefixListEntries"),
        write("ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress")
    )]
    pub rules: Observed<Rules>,
}

/// Rules, as a set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub Vec<Rule>);

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|rule| other.0.contains(rule))
    }
}

impl Eq for Rules {}

/// One rule. Source: EC2 API Reference, `SecurityGroupRule`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rule {
    /// Its id; none of a rule that is yet to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether it is about traffic that leaves.
    #[serde(default)]
    pub egress: bool,
    /// The ports, or what stands for them.
    pub traffic: Traffic,
    /// From where, or to where.
    pub peer: Peer,
    /// What somebody wrote of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A rule that is made again has another id, and is the same rule.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        (self.egress, &self.traffic, &self.peer, &self.description)
            == (other.egress, &other.traffic, &other.peer, &other.description)
    }
}

impl Eq for Rule {}

/// What a rule lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `-1` for all, or a number.
    pub protocol: String,
    /// The first port, or the ICMP type; -1 for all.
    pub from: i32,
    /// The last port, or the ICMP code; -1 for all.
    pub to: i32,
}

/// Where traffic comes from, or goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// IPv4 addresses in CIDR notation.
    Ipv4(String),
    /// IPv6 addresses in CIDR notation.
    Ipv6(String),
    /// A prefix list.
    PrefixList {
        /// Its id.
        id: String,
        /// The widest of its entries, where one is as good as the internet.
        widest: Option<String>,
        /// Whether its entries can't be read.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// Members of a security group, with the account that has it.
    Group {
        /// Its id.
        id: String,
        /// Its owner, where that is another account.
        account: Option<String>,
    },
}

impl Peer {
    /// The network as good as the whole internet that it stands for, if it does: `0.0.0.0/0`, `::/0`, or so much of it that
    /// only few would make the whole.
    pub fn open(&self) -> Option<&str> {
        match self {
            Self::Ipv4(cidr) | Self::Ipv6(cidr) => is_open(cidr).then_some(cidr),
            Self::PrefixList { widest, .. } => widest.as_deref(),
            Self::Group { .. } => None,
        }
    }
}

impl Peer {
    /// The network that it stands for, where that is so large that few of them are the internet together.
    pub fn wide(&self) -> Option<&str> {
        match self {
            Self::Ipv4(cidr) | Self::Ipv6(cidr) => is_wide(cidr).then_some(cidr),
            Self::PrefixList { widest, .. } => widest.as_deref(),
            Self::Group { .. } => None,
        }
    }

    /// Whether it is so wide, or open by itself.
    pub fn is_wide(&self) -> bool {
        self.wide().is_some() || self.open().is_some()
    }
}

/// Whether a network is public and so large that a group can hold enough of them to be the internet.
fn is_wide(cidr: &str) -> bool {
    let Some((first, last, bits, v6)) = range(cidr) else {
        return false;
    };
    let private = [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    ];
    let inside = private
        .iter()
        .filter_map(|one| range(one))
        .any(|(from, to, _, of)| of == v6 && from <= first && last <= to);
    !inside && bits <= if v6 { 28 } else { 14 }
}

/// First and last address of a network, the bits of its prefix, and whether it is of IPv6.
fn range(cidr: &str) -> Option<(u128, u128, u32, bool)> {
    let (address, bits) = cidr.split_once('/')?;
    let bits: u32 = bits.parse().ok()?;
    let (number, of, v6) = match address.parse().ok()? {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32_u32, false),
        IpAddr::V6(v6) => (u128::from(v6), 128, true),
    };
    let free = of.checked_sub(bits)?;
    let host = 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
    Some((number & !host, number | host, bits, v6))
}

/// Whether networks are the internet together: a sixteenth of IPv4, or of IPv6 what is larger than a provider has. So the analyser
/// counts those of a policy's `aws:SourceIp`.
pub fn together_open<'a>(networks: impl IntoIterator<Item = &'a str>) -> bool {
    let mut ranges: Vec<_> = networks
        .into_iter()
        .filter(|one| is_wide(one))
        .filter_map(range)
        .collect();
    ranges.sort_unstable_by_key(|(first, last, _, v6)| (*v6, *first, *last));
    let (mut sums, mut end) = ([0_u128; 2], [None::<u128>; 2]);
    for (first, last, _, v6) in ranges {
        let of = usize::from(v6);
        let from = end[of].map_or(first, |end| first.max(end.saturating_add(1)));
        if from <= last {
            sums[of] = sums[of].saturating_add(last - from + 1);
            end[of] = Some(last);
        }
    }
    sums[0] >= 1 << 28 || sums[1] >= 1 << 112
}

/// Whether a network is as good as the whole internet. In IPv4, where it is larger than what anybody ever had, a /8. In IPv6, where
/// it is larger than what a provider has, a /16, and of the part that is the internet, `2000::/3`: then even the blocks of whole
/// continents, /12, count, while unique local (`fc00::/7`) and link-local addresses (`fe80::/10`) don't. Sources: RFC 4291, 2.4; RFC
/// 4193, 3.1; IANA, "IPv6 Global Unicast Address Assignments".
pub fn is_open(cidr: &str) -> bool {
    let Some((address, bits)) = cidr.split_once('/') else {
        return false;
    };
    match (address.parse(), bits.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(bits)) => bits < 8,
        (Ok(IpAddr::V6(address)), Ok(bits)) => {
            let beyond = 16 - u32::from(bits).min(3);
            bits < 16 && u32::from(address.segments()[0]) >> beyond == 0x2000 >> beyond
        }
        _ => false,
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv4(cidr) | Self::Ipv6(cidr) => f.write_str(cidr),
            Self::PrefixList {
                id,
                widest: Some(widest),
                ..
            } => write!(f, "{id} ({widest})"),
            Self::PrefixList { id, widest: None, .. } | Self::Group { id, account: None } => f.write_str(id),
            Self::Group {
                id,
                account: Some(account),
            } => write!(f, "{id} of {account}"),
        }
    }
}

impl Traffic {
    /// All of it.
    pub const ALL: &'static str = "-1";

    /// TCP to a range of ports.
    pub fn tcp(from: u16, to: u16) -> Self {
        Self {
            protocol: "tcp".into(),
            from: from.into(),
            to: to.into(),
        }
    }

    /// Whether TCP to a port is part of it.
    pub fn lets_tcp(&self, port: u16) -> bool {
        self.lets("tcp", port)
    }

    /// Whether a protocol with ports, to a port, is part of it.
    pub fn lets(&self, protocol: &str, port: u16) -> bool {
        let all_ports = self.from < 0 || self.to < 0;
        self.protocol == Self::ALL
            || self.protocol == protocol && (all_ports || (self.from..=self.to).contains(&i32::from(port)))
    }

    /// Whether it is ICMP, which has no ports: path MTU discovery needs it.
    pub fn is_icmp(&self) -> bool {
        matches!(self.protocol.as_str(), "icmp" | "icmpv6" | "1" | "58")
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.protocol.as_str(), self.from, self.to) {
            (Self::ALL, ..) => f.write_str("all traffic"),
            (protocol, from, to) if self.is_icmp() || from < 0 || to < 0 => f.write_str(protocol),
            (protocol, from, to) if from == to => write!(f, "{protocol} {from}"),
            (protocol, from, to) => write!(f, "{protocol} {from}-{to}"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.egress { "to" } else { "from" };
        write!(f, "{} {way} {}", self.traffic, self.peer)
    }
}

/// A change to a group: rules that go, and what stays open of them, as rules of their own that are made first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupChange {
    /// What it is for: each control replaces rules of its own.
    pub part: Part,
    /// The rules that go.
    pub revoke: Vec<Rule>,
    /// The rules that are made.
    pub authorize: Vec<Rule>,
}

/// Whose rules a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What is open to the internet.
    Open,
    /// All of a default group.
    Default,
    /// All of a quarantine group.
    Quarantine,
}

/// Security groups.
pub const TYPE: ResourceType<SecurityGroup> = ResourceType {
    name: NAMING.kind,
    arn_form: "ec2:{r}:{a}:security-group/sg-{i}",
    source: SOURCE,
    always: &[SecurityGroupFact::Description],
    list_actions: &["ec2:DescribeSecurityGroups"],
    creates: &["CreateDefaultVpc", "CreateSecurityGroup", "CreateVpc"],
    named,
    matters: naming::matters,
    identified: |id, location| NAMING.identified(id, location),
    ..ResourceType::REGIONAL
};

impl Change for SecurityGroupChange {
    type State = SecurityGroup;

    fn fact(&self) -> SecurityGroupFact {
        match self.part {
            Part::Open => SecurityGroupFact::Rules,
            Part::Default | Part::Quarantine => SecurityGroupFact::AllRules,
        }
    }

    fn after(&self, group: &SecurityGroup) -> SecurityGroup {
        let mut after = group.clone();
        if let Observed::Is(Rules(rules)) = &mut after.rules {
            rules.retain(|rule| !self.revoke.contains(rule));
            for made in &self.authorize {
                if !rules.contains(made) {
                    rules.push(made.clone());
                }
            }
        }
        after
    }

    fn inverse(&self, before: &SecurityGroup) -> Option<Self> {
        let Rules(had) = before.rules.get()?;
        Some(Self {
            part: self.part,
            revoke: self
                .authorize
                .iter()
                .filter(|rule| !had.contains(rule))
                .cloned()
                .collect(),
            authorize: self.revoke.iter().filter(|rule| had.contains(rule)).cloned().collect(),
        })
    }

    fn target(&self) -> Cow<'static, str> {
        match self.part {
            Part::Open => "open_rules",
            Part::Default => "default_group_rules",
            Part::Quarantine => "quarantine_group_rules",
        }
        .into()
    }
}

/// The groups of a call, or the prefix list that it changes, or the VPC that it makes: the adapter asks EC2 which groups refer to the
/// one, and which is the default group of the other.
fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    NAMING.resources(call, || {
        if ["CreateDefaultVpc", "CreateVpc"].contains(&call.name.as_str()) {
            let paths = [&["vpc", "vpcId"][..], &["CreateDefaultVpcResponse", "vpc", "vpcId"]];
            let made = paths.iter().find_map(|path| at(&call.response, path));
            let made = made.ok_or_else(|| EventError::Missing("responseElements.vpc.vpcId".into()))?;
            return Ok(vec![VPC.read("vpc.vpcId", made)?]);
        }
        if call.name == "ModifyManagedPrefixList" {
            return Ok(vec![prefix_list(call)?]);
        }
        if call.name == "ModifySecurityGroupRules" && !call.omitted {
            let path = ["ModifySecurityGroupRulesRequest", "GroupId"];
            let group = at(&call.parameters, &path).or_else(|| at(&call.parameters, &["groupId"]));
            let group = group.ok_or_else(|| EventError::Missing(format!("requestParameters.{}", path.join("."))))?;
            return Ok(vec![NAMING.id.read("ModifySecurityGroupRulesRequest.GroupId", group)?]);
        }
        if at(&call.parameters, &["groupId"]).is_some() || at(&call.parameters, &["groupName"]).is_none() {
            return NAMING.named(call, "groupId");
        }
        // A group of the default VPC may be called by its name; the answer says its id.
        let rules = items(&call.response, &["securityGroupRuleSet"]);
        let group = rules
            .iter()
            .find_map(|rule| at(rule, &["groupId"]))
            .or_else(|| at(&call.response, &["groupId"]));
        let group = group.ok_or_else(|| {
            EventError::Missing("requestParameters.groupId (or responseElements.securityGroupRuleSet)".into())
        })?;
        Ok(vec![NAMING.id.read("securityGroupRuleSet.groupId", group)?])
    })
}

/// The ids of VPCs.
const VPC: Id = Id {
    prefix: "vpc",
    expected: "a VPC's id (vpc-…)",
};

/// The ids of prefix lists.
const PREFIX_LIST: Id = Id {
    prefix: "pl",
    expected: "a prefix list's id (pl-…)",
};

/// The prefix list that a call changes.
fn prefix_list(call: &Call) -> Result<String, EventError> {
    let name = "ModifyManagedPrefixListRequest.PrefixListId";
    let paths = [
        &["ModifyManagedPrefixListRequest", "PrefixListId"][..],
        &["prefixListId"],
    ];
    if let Some(value) = paths.iter().find_map(|path| at(&call.parameters, path)) {
        return PREFIX_LIST.read(name, value);
    }
    let named = PREFIX_LIST.among(call).into_iter().next();
    named.ok_or_else(|| EventError::Missing(format!("requestParameters.{name}")))
}

#[cfg(test)]
pub(crate) mod tests;
