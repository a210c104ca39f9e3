use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, PrefixListState, SecurityGroupRule, UserIdGroupPair,
};
use futures_util::future::{try_join, try_join_all};
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, Kind, PAGE, Page, Regional, Resolved};

use super::calls::{done, tags, unless};
use crate::security_group::{
    NAMING, Peer, Rule, Rules, SecurityGroup, SecurityGroupChange, SecurityGroupFact, Traffic, is_open, together_open,
};

const GONE: [&str; 1] = ["InvalidGroup.NotFound"];
/// A rule that is there already, or not any more: what was wanted.
const THERE: [&str; 1] = ["InvalidPermission.Duplicate"];
/// No room for another rule. Source: EC2 API Reference, "Error codes".
const FULL: [&str; 1] = ["RulesPerSecurityGroupLimitExceeded"];
const NOT_THERE: [&str; 2] = ["InvalidPermission.NotFound", "InvalidSecurityGroupRuleId.NotFound"];

/// Source: EC2 API Reference, "Error codes".
const NO_LIST: &str = "InvalidPrefixListID.NotFound";

pub struct Aws(pub Regional<Client>);

impl Adapter for Aws {
    type State = SecurityGroup;

    async fn observe(
        &self,
        resource: &Resource,
        facts: &BTreeSet<SecurityGroupFact>,
    ) -> Result<Option<SecurityGroup>, AwsError> {
        let ec2 = &self.0.of(&resource.region);
        let description = async {
            let answer = ec2.describe_security_groups().group_ids(&resource.id).send().await;
            let answer = unless(&GONE, done("DescribeSecurityGroups", answer))?;
            Ok(answer.and_then(|answer| answer.security_groups?.into_iter().next()))
        };
        let rules = async {
            if facts.iter().any(|fact| *fact != SecurityGroupFact::Description) {
                let rules = rules_of(ec2, &resource.account, [resource.id.clone()].into()).await?;
                Ok(Observed::Is(Rules(rules.into_iter().map(|(_, rule)| rule).collect())))
            } else {
                Ok(Observed::Unread)
            }
        };
        let (group, rules) = try_join(description, rules).await?;
        Ok(group.map(|group| SecurityGroup {
            tags: Observed::Is(tags(group.tags())),
            name: group.group_name.into(),
            rules,
        }))
    }

    /// A prefix list stands for the groups whose rules let in what is on it, a VPC for its default group.
    async fn resolve_all(&self, named: Vec<Resource>) -> Vec<Resolved> {
        let mut found = Vec::with_capacity(named.len());
        for one in named {
            let ec2 = &self.0.of(&one.region);
            let is = if one.id.starts_with("pl-") {
                referring(ec2, &one).await
            } else if one.id.starts_with("vpc-") {
                default_group(ec2, &one).await
            } else {
                Ok(vec![one.clone()])
            };
            found.push((one, is));
        }
        found
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let call = self.0.of(&place.region).describe_security_groups();
        let answer = call.max_results(PAGE).set_next_token(from).send().await;
        let answer = done("DescribeSecurityGroups", answer)?;
        let ids = answer.security_groups().iter().filter_map(|group| group.group_id());
        Ok(Page {
            resources: ids.map(|id| NAMING.resource(id, place)).collect(),
            next: answer.next_token.clone().filter(|token| !token.is_empty()),
        })
    }

    async fn execute(&self, resource: &Resource, change: &SecurityGroupChange) -> Result<(), AwsError> {
        let (ec2, group) = (&self.0.of(&resource.region), &resource.id);
        // What stays open is open by a rule of its own before the rule that let it in goes.
        let (made, refused) = authorize_all(ec2, group, &change.authorize).await;
        let Some(error) = refused else {
            return revoke_all(ec2, group, &change.revoke).await;
        };
        if !FULL.contains(&error.code.as_str()) {
            return Err(error);
        }
        let left: Vec<_> = change
            .authorize
            .iter()
            .filter(|rule| !made.contains(rule))
            .cloned()
            .collect();
        if !makes_room(&change.revoke, &left) {
            // Nothing closes that is rightly open: the group is as it was.
            revoke_all(ec2, group, &made).await?;
            return Err(error);
        }
        revoke_all(ec2, group, &change.revoke).await?;
        let (_, refused) = authorize_all(ec2, group, &left).await;
        let Some(error) = refused else { return Ok(()) };
        // Somebody took the place: what went comes back.
        let again: Vec<_> = change
            .revoke
            .iter()
            .map(|rule| Rule {
                id: None,
                ..rule.clone()
            })
            .collect();
        let (_, lost) = authorize_all(ec2, group, &again).await;
        revoke_all(ec2, group, &made).await?;
        Err(lost.map_or(error.clone(), |lost| AwsError {
            message: format!(
                "{}; the rules that were taken away could not be put back ({}), so that what they let in is cut off: {}",
                error.message,
                lost.message,
                again.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            ..error
        }))
    }
}

/// Whether rules that go leave room for others. Rules of IPv4 and of IPv6 are counted apart, and so are both directions. Source: VPC
/// User Guide, "Amazon VPC quotas".
fn makes_room(gone: &[Rule], new: &[Rule]) -> bool {
    let kind = |rule: &Rule| (rule.egress, matches!(rule.peer, Peer::Ipv6(_)));
    let many = |rules: &[Rule], of: (bool, bool)| rules.iter().filter(|rule| kind(rule) == of).count();
    new.iter().map(kind).all(|of| many(new, of) <= many(gone, of))
}

/// The default group of a VPC, which every VPC is made with.
async fn default_group(ec2: &Client, vpc: &Resource) -> Result<Vec<Resource>, AwsError> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let call = ec2.describe_security_groups().filters(filter("vpc-id", &vpc.id));
    let answer = call.filters(filter("group-name", "default")).send().await;
    let groups = done("DescribeSecurityGroups", answer)?
        .security_groups
        .unwrap_or_default();
    let ids = groups.iter().filter_map(|group| group.group_id.as_deref());
    Ok(ids.map(|id| NAMING.resource(id, &vpc.place())).collect())
}

/// The groups that let in what is on a prefix list. While it is being changed AWS shows what was on it before: an event about it has to
/// be tried again. Source: EC2 API Reference, `ModifyManagedPrefixList`.
async fn referring(ec2: &Client, list: &Resource) -> Result<Vec<Resource>, AwsError> {
    let call = ec2.describe_managed_prefix_lists().prefix_list_ids(&list.id);
    let answer = unless(&[NO_LIST], done("DescribeManagedPrefixLists", call.send().await))?;
    // No group refers to one that is gone: AWS does not delete it before.
    let Some(described) = answer.and_then(|answer| answer.prefix_lists?.into_iter().next()) else {
        return Ok(Vec::new());
    };
    if described.state() == Some(&PrefixListState::ModifyInProgress) {
        return Err(AwsError {
            operation: "DescribeManagedPrefixLists",
            code: "not there yet".into(),
            message: format!("{} is still being changed", list.id),
            kind: Kind::Transient,
        });
    }
    let place = list.place();
    let by = Filter::builder().name("ip-permission.prefix-list-id").values(&list.id);
    let call = ec2.describe_security_groups().filters(by.build());
    let mut groups = call.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(group) = groups.next().await {
        let id = done("DescribeSecurityGroups", group)?.group_id;
        found.extend(id.map(|id| NAMING.resource(&id, &place)));
    }
    Ok(found)
}

/// Makes rules; yields those that are made now, and what AWS said where it refused one.
async fn authorize_all(ec2: &Client, group: &str, rules: &[Rule]) -> (Vec<Rule>, Option<AwsError>) {
    let mut made = Vec::new();
    let (out, into): (Vec<_>, Vec<_>) = rules.iter().partition(|rule| rule.egress);
    // One by one: that one is there already must not keep AWS from making the others.
    for rule in into.into_iter().chain(out) {
        match authorize(ec2, group, rule).await {
            Ok(true) => made.push(rule.clone()),
            Ok(false) => {}
            Err(error) => return (made, Some(error)),
        }
    }
    (made, None)
}

/// Makes a rule; whether it was not there before.
async fn authorize(ec2: &Client, group: &str, rule: &Rule) -> Result<bool, AwsError> {
    let permission = permission(rule);
    let is_new = if rule.egress {
        let call = ec2.authorize_security_group_egress().group_id(group);
        let answer = call.ip_permissions(permission).send().await;
        unless(&THERE, done("AuthorizeSecurityGroupEgress", answer))?.is_some()
    } else {
        let call = ec2.authorize_security_group_ingress().group_id(group);
        let answer = call.ip_permissions(permission).send().await;
        unless(&THERE, done("AuthorizeSecurityGroupIngress", answer))?.is_some()
    };
    Ok(is_new)
}

async fn revoke_all(ec2: &Client, group: &str, rules: &[Rule]) -> Result<(), AwsError> {
    for egress in [false, true] {
        let gone = rules.iter().filter(|rule| rule.egress == egress);
        let (known, unknown): (Vec<_>, Vec<_>) = gone.partition(|rule| rule.id.is_some());
        let ids: Vec<_> = known.iter().filter_map(|rule| rule.id.clone()).collect();
        let permissions: Vec<_> = unknown.into_iter().map(permission).collect();
        if !ids.is_empty() {
            revoke(ec2, group, egress, Some(ids), None).await?;
        }
        if !permissions.is_empty() {
            revoke(ec2, group, egress, None, Some(permissions)).await?;
        }
    }
    Ok(())
}

pub async fn revoke(
    ec2: &Client,
    group: &str,
    egress: bool,
    ids: Option<Vec<String>>,
    permissions: Option<Vec<IpPermission>>,
) -> Result<(), AwsError> {
    if egress {
        let call = ec2.revoke_security_group_egress().group_id(group);
        let call = call.set_security_group_rule_ids(ids).set_ip_permissions(permissions);
        unless(&NOT_THERE, done("RevokeSecurityGroupEgress", call.send().await))?;
    } else {
        let call = ec2.revoke_security_group_ingress().group_id(group);
        let call = call.set_security_group_rule_ids(ids).set_ip_permissions(permissions);
        unless(&NOT_THERE, done("RevokeSecurityGroupIngress", call.send().await))?;
    }
    Ok(())
}

/// The rules of groups, each with its group's id, and what the prefix lists among them stand for.
pub async fn rules_of(ec2: &Client, own: &str, groups: BTreeSet<String>) -> Result<Vec<(String, Rule)>, AwsError> {
    // A filter without a value would be none.
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let of_groups = Filter::builder()
        .name("group-id")
        .set_values(Some(groups.into_iter().collect()));
    let call = ec2.describe_security_group_rules().filters(of_groups.build());
    let mut items = call.into_paginator().items().send();
    let mut found: Vec<SecurityGroupRule> = Vec::new();
    while let Some(rule) = items.next().await {
        found.push(done("DescribeSecurityGroupRules", rule)?);
    }
    let lists: BTreeSet<_> = found.iter().filter_map(|rule| rule.prefix_list_id.clone()).collect();
    let read = lists.into_iter().map(|list| async move {
        let entries = match widest(ec2, &list).await {
            Ok(widest) => Entries { widest, unread: false },
            // Somebody else's, who shares it no more: the rules that don't name it are judged all the same.
            Err(error) if matches!(error.kind, Kind::Denied | Kind::NotFound) || error.code == NO_LIST => Entries {
                widest: None,
                unread: true,
            },
            Err(error) => return Err(error),
        };
        Ok((list, entries))
    });
    let lists: BTreeMap<_, _> = try_join_all(read).await?.into_iter().collect();
    let rules = found.into_iter().filter_map(|rule| {
        let group = rule.group_id.clone().unwrap_or_default();
        Some((group, rule_of(rule, own, &lists)?))
    });
    Ok(rules.collect())
}

/// What is known of the entries of a prefix list.
#[derive(Default, Clone)]
struct Entries {
    widest: Option<String>,
    unread: bool,
}

/// The entry of a prefix list that is as good as the whole internet, if there is one; or the first, where all are that together.
async fn widest(ec2: &Client, list: &str) -> Result<Option<String>, AwsError> {
    let mut entries = ec2
        .get_managed_prefix_list_entries()
        .prefix_list_id(list)
        .into_paginator()
        .items()
        .send();
    let mut all = Vec::new();
    while let Some(entry) = entries.next().await {
        let Some(cidr) = done("GetManagedPrefixListEntries", entry)?.cidr else {
            continue;
        };
        if is_open(&cidr) {
            return Ok(Some(cidr));
        }
        all.push(cidr);
    }
    let is_open = together_open(all.iter().map(String::as_str));
    Ok(all.into_iter().next().filter(|_| is_open))
}

fn rule_of(rule: SecurityGroupRule, own: &str, lists: &BTreeMap<String, Entries>) -> Option<Rule> {
    let list = |id: String| {
        let Entries { widest, unread } = lists.get(&id).cloned().unwrap_or_default();
        Peer::PrefixList { id, widest, unread }
    };
    let group = rule.referenced_group_info.and_then(|group| {
        let account = group.user_id.filter(|account| account != own);
        group.group_id.map(|id| Peer::Group { id, account })
    });
    let peer = rule
        .cidr_ipv4
        .map(Peer::Ipv4)
        .or(rule.cidr_ipv6.map(Peer::Ipv6))
        .or(rule.prefix_list_id.map(list))
        .or(group)?;
    Some(Rule {
        id: rule.security_group_rule_id,
        egress: rule.is_egress.unwrap_or_default(),
        traffic: Traffic {
            protocol: rule.ip_protocol.unwrap_or_else(|| Traffic::ALL.into()),
            from: rule.from_port.unwrap_or(-1),
            to: rule.to_port.unwrap_or(-1),
        },
        peer,
        description: rule.description.filter(|text| !text.is_empty()),
    })
}

fn permission(rule: &Rule) -> IpPermission {
    let ports = (rule.traffic.protocol != Traffic::ALL).then_some((rule.traffic.from, rule.traffic.to));
    let all = IpPermission::builder()
        .ip_protocol(&rule.traffic.protocol)
        .set_from_port(ports.map(|(from, _)| from))
        .set_to_port(ports.map(|(_, to)| to));
    let text = rule.description.clone();
    match &rule.peer {
        Peer::Ipv4(cidr) => all.ip_ranges(IpRange::builder().cidr_ip(cidr).set_description(text).build()),
        Peer::Ipv6(cidr) => all.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).set_description(text).build()),
        Peer::PrefixList { id, .. } => {
            all.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).set_description(text).build())
        }
        Peer::Group { id, account } => {
            let pair = UserIdGroupPair::builder().group_id(id).set_user_id(account.clone());
            all.user_id_group_pairs(pair.set_description(text).build())
        }
    }
    .build()
}
