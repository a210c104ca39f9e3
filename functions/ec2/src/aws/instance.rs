use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, GroupIdentifier, HttpTokensState, Instance as Described, InstanceMetadataEndpointState,
    InstanceNetworkInterface, InstanceSpecification, InstanceStateName, IpPermission, IpRange, Ipv6Range,
    OperatorResponse, Reservation, ResourceType, Snapshot, Tag, TagSpecification,
};
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, ImpactNotes, Kind, PAGE, Page, Regional, Resolved};

use super::balanced;
use super::calls::{Ahead, MANY, done, tags, unless};
use super::security_group::{revoke, rules_of};
use crate::instance::{Instance, InstanceChange, InstanceFact, Interface, NAMING, QUARANTINE, Tokens};
use crate::security_group::Rule;

const GONE: [&str; 1] = ["InvalidInstanceID.NotFound"];
const NO_INTERFACE: [&str; 1] = ["InvalidNetworkInterfaceID.NotFound"];
/// Made meanwhile, by a quarantine beside this one.
const THERE: [&str; 1] = ["InvalidGroup.Duplicate"];

/// The tag of a network interface that keeps its groups while it is quarantined.
const TAG: &str = "portcullis:groups";
/// The tag of the snapshots that are made of an instance when it is cut off; its value is the instance's id.
const EVIDENCE: &str = "portcullis:evidence";
/// What a tag's value holds. Source: EC2 User Guide, "Tag restrictions".
const TAG_LENGTH: usize = 256;

pub struct Aws {
    pub ec2: Regional<Client>,
    pub elb: Regional<aws_sdk_elasticloadbalancingv2::Client>,
    /// What one `DescribeInstances` said of all instances of an event.
    pub ahead: Ahead<Described>,
    /// The rules of the groups of these, read once for all.
    pub open: Ahead<Vec<Rule>>,
    /// Held by whoever reads those rules, or looks for the quarantine group: the others of an event then find them.
    pub turn: tokio::sync::Mutex<()>,
}

impl Adapter for Aws {
    type State = Instance;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<InstanceFact>) -> Result<Option<Instance>, AwsError> {
        let ec2 = &self.ec2.of(&resource.region);
        let ahead = self.ahead.take(&resource.id);
        let is_one_of_many = ahead.is_some();
        let described = match ahead {
            Some(described) => Some(described),
            None => described(ec2, &resource.id).await?,
        };
        let Some(instance) = described else { return Ok(None) };
        let ended = [InstanceStateName::Terminated, InstanceStateName::ShuttingDown];
        if instance
            .state()
            .and_then(|state| state.name())
            .is_some_and(|name| ended.contains(name))
        {
            return Ok(None);
        }
        let up = [InstanceStateName::Pending, InstanceStateName::Running];
        let name = instance.state().and_then(|state| state.name());
        let runs = name.is_some_and(|name| up.contains(name));
        let tokens = instance
            .metadata_options()
            .filter(|options| options.http_endpoint() != Some(&InstanceMetadataEndpointState::Disabled))
            .map(|options| match options.http_tokens() {
                Some(HttpTokensState::Required) => Tokens::Required,
                _ => Tokens::Optional,
            });
        let listed = instance.network_interfaces().iter();
        let interfaces: BTreeMap<_, _> = listed
            .filter_map(|one| Some((one.network_interface_id.clone()?, interface(one))))
            .collect();
        // Rules matter only where the internet finds the instance.
        let reached = interfaces.values().any(|interface| !interface.public.is_empty());
        let open = match (facts.contains(&InstanceFact::Rules), reached) {
            (false, _) => Observed::Unread,
            (true, false) => Observed::Is(BTreeMap::new()),
            (true, true) => {
                let groups = instance
                    .network_interfaces()
                    .iter()
                    .flat_map(InstanceNetworkInterface::groups);
                let groups = groups
                    .filter_map(|group| Some((group.group_id.clone()?, called(group)?)))
                    .collect();
                Observed::Is(self.open(resource, groups, is_one_of_many).await?)
            }
        };
        Ok(Some(Instance {
            tags: Observed::Is(tags(instance.tags())),
            tokens: tokens.into(),
            running: Observed::Is(runs),
            vpc: instance.vpc_id.into(),
            operator: operator(instance.operator.as_ref()).into(),
            interfaces: Observed::Is(interfaces),
            open,
        }))
    }

    /// An event may name one of its network interfaces only.
    async fn resolve(&self, named: Resource) -> Result<Option<Resource>, AwsError> {
        if !named.id.starts_with("eni-") {
            return Ok(Some(named));
        }
        let ec2 = self.ec2.of(&named.region);
        let call = ec2.describe_network_interfaces().network_interface_ids(&named.id);
        let answer = call.include_managed_resources(true).send().await;
        let answer = unless(&NO_INTERFACE, done("DescribeNetworkInterfaces", answer))?;
        let found = answer.and_then(|answer| answer.network_interfaces?.into_iter().next());
        // One that is not attached, or to something of AWS's, is no instance's.
        let id = found.and_then(|found| found.attachment?.instance_id);
        Ok(id.map(|id| NAMING.resource(&id, &named.place())))
    }

    /// One call for all instances that are named.
    async fn resolve_all(&self, named: Vec<Resource>) -> Vec<Resolved> {
        for many in named.chunks(MANY) {
            // One by itself costs as much when it is looked at.
            let ids: Vec<_> = many
                .iter()
                .map(|one| one.id.clone())
                .filter(|id| id.starts_with("i-"))
                .collect();
            if let ([first, ..], [_, _, ..]) = (many, ids.as_slice()) {
                match filtered(&self.ec2.of(&first.region), ids).await {
                    Ok(described) => self.ahead.put(described),
                    // Each is asked for by itself then.
                    Err(error) => tracing::warn!(%error, "instances can't be read ahead"),
                }
            }
        }
        let mut found = Vec::with_capacity(named.len());
        for one in named {
            let is = self.resolve(one.clone()).await;
            found.push((one, is.map(|is| is.into_iter().collect())));
        }
        found
    }

    fn forget(&self) {
        self.ahead.clear();
        self.open.clear();
    }

    /// The load balancers before one that is to be cut off, or stopped: they take it for dead then.
    async fn impact_notes(&self, resource: &Resource, state: &Instance, remedies: &[InstanceChange]) -> ImpactNotes {
        let cuts =
            |change: &InstanceChange| matches!(change, InstanceChange::Groups { .. } | InstanceChange::Running(false));
        match state.vpc.get().filter(|_| remedies.iter().any(cuts)) {
            Some(vpc) => balanced::impact_notes(&self.elb.of(&resource.region), vpc, &resource.id).await,
            None => ImpactNotes::default(),
        }
    }

    /// Instances are known by the client token of the call that launched them. Source: EC2 API Reference, `RunInstances`.
    async fn unanswered(&self, place: &Location, token: Option<&str>) -> Result<Vec<Resource>, AwsError> {
        let Some(token) = token else {
            return self.list_all(place).await;
        };
        let launched = matching(&self.ec2.of(&place.region), launched_by(token)).await?;
        Ok(launched.iter().map(|(id, _)| NAMING.resource(id, place)).collect())
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let call = self.ec2.of(&place.region).describe_instances();
        let call = call
            .max_results(PAGE)
            .set_next_token(from)
            .include_managed_resources(true);
        let answer = done("DescribeInstances", call.send().await)?;
        let instances = answer.reservations().iter().flat_map(Reservation::instances);
        let ids = instances.filter_map(|instance| instance.instance_id());
        Ok(Page {
            resources: ids.map(|id| NAMING.resource(id, place)).collect(),
            next: answer.next_token.clone().filter(|token| !token.is_empty()),
        })
    }

    async fn execute(&self, resource: &Resource, change: &InstanceChange) -> Result<(), AwsError> {
        let ec2 = &self.ec2.of(&resource.region);
        match change {
            InstanceChange::Tokens(tokens) => {
                let tokens = match tokens {
                    Tokens::Required => HttpTokensState::Required,
                    Tokens::Optional => HttpTokensState::Optional,
                };
                // Whether there are metadata at all stays as it is, since it is not named.
                let call = ec2.modify_instance_metadata_options().instance_id(&resource.id);
                done("ModifyInstanceMetadataOptions", call.http_tokens(tokens).send().await)?;
            }
            InstanceChange::Snapshots(false) => {}
            InstanceChange::Snapshots(true) => keep_evidence(ec2, &resource.id).await?,
            InstanceChange::Running(true) => {
                let call = ec2.start_instances().instance_ids(&resource.id);
                done("StartInstances", call.send().await)?;
            }
            InstanceChange::Running(false) => {
                let call = ec2.stop_instances().instance_ids(&resource.id);
                done("StopInstances", call.send().await)?;
            }
            InstanceChange::Groups { vpc, from, to } => {
                let mut quarantine = None;
                for (interface, groups) in to {
                    let closed = groups.contains(QUARANTINE);
                    // What it had before an earlier quarantine is in the tag already.
                    if let Some(kept) = from.get(interface).filter(|kept| closed && !kept.contains(QUARANTINE)) {
                        let tag = Tag::builder().key(TAG).value(joined(kept)).build();
                        let call = ec2.create_tags().resources(interface).tags(tag);
                        done("CreateTags", call.send().await)?;
                    }
                    if closed && quarantine.is_none() {
                        let _turn = self.turn.lock().await;
                        quarantine = Some(closed_group(ec2, &resource.account, vpc).await?);
                    }
                    let ids = groups.iter().filter(|group| *group != QUARANTINE).cloned();
                    let ids = ids.chain(quarantine.clone().filter(|_| closed)).collect();
                    let call = ec2.modify_network_interface_attribute().network_interface_id(interface);
                    let answer = call.set_groups(Some(ids)).send().await;
                    // One that is detached and deleted lets nobody in.
                    unless(&NO_INTERFACE, done("ModifyNetworkInterfaceAttribute", answer))?;
                    if !closed {
                        let tag = Tag::builder().key(TAG).build();
                        let call = ec2.delete_tags().resources(interface).tags(tag);
                        unless(&NO_INTERFACE, done("DeleteTags", call.send().await))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What finds the instances that a call launched.
pub fn launched_by(token: &str) -> Filter {
    Filter::builder().name("client-token").values(token).build()
}

/// The service that alone may change what it manages. Source: EC2 API Reference, `OperatorResponse`.
pub fn operator(of: Option<&OperatorResponse>) -> Option<String> {
    let managed = of.filter(|operator| operator.managed == Some(true))?;
    Some(managed.principal.clone().unwrap_or_else(|| "an AWS service".to_owned()))
}

/// Snapshots of all its volumes, unless an earlier try made them lately: of these very volumes, whatever else bears the tag.
async fn keep_evidence(ec2: &Client, instance: &str) -> Result<(), AwsError> {
    let described = described(ec2, instance).await?;
    let devices = described.iter().flat_map(Described::block_device_mappings);
    let volumes: BTreeSet<_> = devices
        .filter_map(|device| device.ebs.as_ref()?.volume_id.as_deref())
        .collect();
    let filter = Filter::builder().name(format!("tag:{EVIDENCE}")).values(instance);
    let call = ec2.describe_snapshots().owner_ids("self").filters(filter.build());
    let made = done("DescribeSnapshots", call.send().await)?;
    let lately = jiff::Timestamp::now().as_second() - 15 * 60;
    let is_new = |one: &&Snapshot| one.start_time().is_some_and(|time| time.secs() > lately);
    let of: BTreeSet<_> = made
        .snapshots()
        .iter()
        .filter(is_new)
        .filter_map(Snapshot::volume_id)
        .collect();
    if !volumes.is_empty() && volumes.is_subset(&of) {
        return Ok(());
    }
    let tag = Tag::builder().key(EVIDENCE).value(instance).build();
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Snapshot)
        .tags(tag);
    let of = InstanceSpecification::builder().instance_id(instance).build();
    let call = ec2.create_snapshots().instance_specification(of);
    let call = call.description(format!("Portcullis: {instance} when it was cut off"));
    done("CreateSnapshots", call.tag_specifications(tags.build()).send().await)?;
    Ok(())
}

async fn described(ec2: &Client, id: &str) -> Result<Option<Described>, AwsError> {
    let call = ec2
        .describe_instances()
        .instance_ids(id)
        .include_managed_resources(true);
    let answer = unless(&GONE, done("DescribeInstances", call.send().await))?;
    let mut reservations = answer
        .and_then(|answer| answer.reservations)
        .unwrap_or_default()
        .into_iter();
    Ok(reservations.find_map(|one| one.instances?.into_iter().next()))
}

/// By a filter, one that is gone is left out; by their ids, it would be an error for all.
async fn filtered(ec2: &Client, ids: Vec<String>) -> Result<Vec<(String, Described)>, AwsError> {
    matching(ec2, Filter::builder().name("instance-id").set_values(Some(ids)).build()).await
}

/// The instances that a filter finds, by id.
pub async fn matching(ec2: &Client, filter: Filter) -> Result<Vec<(String, Described)>, AwsError> {
    let call = ec2.describe_instances().filters(filter).include_managed_resources(true);
    let mut pages = call.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let reservations = done("DescribeInstances", page)?.reservations.unwrap_or_default();
        let instances = reservations
            .into_iter()
            .flat_map(|one| one.instances.unwrap_or_default());
        found.extend(instances.filter_map(|one| Some((one.instance_id.clone()?, one))));
    }
    Ok(found)
}

fn interface(of: &InstanceNetworkInterface) -> Interface {
    let addresses = of
        .private_ip_addresses()
        .iter()
        .filter_map(|address| address.association());
    let public = addresses
        .chain(of.association())
        .filter_map(|association| association.public_ip.clone());
    let global = of
        .ipv6_addresses()
        .iter()
        .filter_map(|address| address.ipv6_address.clone());
    Interface {
        public: public.chain(global).collect(),
        groups: of.groups().iter().filter_map(called).collect(),
    }
}

/// A group's id; the quarantine group goes by its name, since it may be yet to be made.
fn called(group: &GroupIdentifier) -> Option<String> {
    match group.group_name() {
        Some(QUARANTINE) => Some(QUARANTINE.to_owned()),
        _ => group.group_id.clone(),
    }
}

impl Aws {
    /// The rules of these groups that let traffic in from far and wide, by what each group is called here.
    async fn open(
        &self,
        resource: &Resource,
        groups: BTreeMap<String, String>,
        is_one_of_many: bool,
    ) -> Result<BTreeMap<String, Vec<Rule>>, AwsError> {
        let _turn = if is_one_of_many {
            Some(self.turn.lock().await)
        } else {
            None
        };
        let known = |group: &String| self.open.known(group).filter(|_| is_one_of_many);
        let unknown: BTreeSet<_> = groups.keys().filter(|group| known(group).is_none()).cloned().collect();
        let mut read: BTreeMap<String, Vec<Rule>> = unknown.iter().map(|group| (group.clone(), Vec::new())).collect();
        for (group, rule) in rules_of(&self.ec2.of(&resource.region), &resource.account, unknown).await? {
            if !rule.egress && rule.peer.is_wide() {
                read.entry(group).or_default().push(rule);
            }
        }
        if is_one_of_many {
            self.open.put(read.clone());
        }
        let rules = groups.into_iter().filter_map(|(group, called)| {
            let rules = read.remove(&group).or_else(|| known(&group))?;
            (!rules.is_empty()).then_some((called, rules))
        });
        Ok(rules.collect())
    }
}

/// As many of these as a tag can hold; the ledger has them all.
fn joined(groups: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for group in groups {
        if text.len() + 1 + group.len() > TAG_LENGTH {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(group);
    }
    text
}

/// The quarantine group of a VPC, made where there is none, without any rule.
async fn closed_group(ec2: &Client, account: &str, vpc: &str) -> Result<String, AwsError> {
    let is = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let find = || async {
        let call = ec2.describe_security_groups().filters(is("vpc-id", vpc));
        let answer = call.filters(is("group-name", QUARANTINE)).send().await;
        let found = done("DescribeSecurityGroups", answer)?.security_groups;
        Ok::<_, AwsError>(found.and_then(|found| found.into_iter().next()?.group_id))
    };
    let mut id = find().await?;
    let is_new = id.is_none();
    if is_new {
        let call = ec2.create_security_group().group_name(QUARANTINE).vpc_id(vpc);
        let call = call.description("Lets nothing in or out: Portcullis puts instances here");
        let made = unless(&THERE, done("CreateSecurityGroup", call.send().await))?;
        id = match made {
            Some(made) => made.group_id,
            None => find().await?,
        };
    }
    let id = id.ok_or_else(|| AwsError {
        operation: "CreateSecurityGroup",
        code: "unreadable answer".into(),
        message: format!("expected the id of {QUARANTINE} in {vpc}, found none"),
        kind: Kind::Transient,
    })?;
    // A new group lets everything out. What it lets out may not be listed yet, so that it goes by its value then. Source: EC2 API
    // Reference, "Eventual consistency".
    let rules = rules_of(ec2, account, [id.clone()].into()).await?;
    if is_new && !rules.iter().any(|(_, rule)| rule.egress) {
        let all = IpPermission::builder().ip_protocol("-1");
        let out = [
            all.clone().ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build()),
            all.ipv6_ranges(Ipv6Range::builder().cidr_ipv6("::/0").build()),
        ];
        for permission in out {
            revoke(ec2, &id, true, None, Some(vec![permission.build()])).await?;
        }
    }
    for egress in [false, true] {
        let ids: Vec<_> = rules
            .iter()
            .filter(|(_, rule)| rule.egress == egress)
            .filter_map(|(_, rule)| rule.id.clone())
            .collect();
        if !ids.is_empty() {
            revoke(ec2, &id, egress, Some(ids), None).await?;
        }
    }
    Ok(id)
}
