//! # What it requires
//! No instance has a public IPv4 address or an IPv6 address and, on the same network interface, a security group that lets the
//! internet in by that protocol, to ports that settings do not allow. Whether a route leads there is not asked.
//!
//! # Why
//! It is being scanned already. `ec2-security-group-open-ingress` closes the group when that changes; an instance that gets an open
//! group, or a public address, later is found here.
//!
//! # What it changes
//! Where the data's level says `quarantine: true` (or this control does): the security groups of all its network interfaces are
//! swapped for one that lets nothing in or out, `portcullis-quarantine`, which is made in its VPC if it isn't there
//! (`ModifyNetworkInterfaceAttribute`). It runs on, so that people can look. The ledger keeps the groups, and so does the tag
//! `portcullis:groups` of each interface; a restore swaps them back. Elsewhere it is told. With `ec2.exposed-instances.snapshot`,
//! snapshots of all its volumes are made then (`CreateSnapshots`, tagged `portcullis:evidence`), which a restore keeps; with
//! `ec2.exposed-instances.stop` it is stopped after that, unless it is of an Auto Scaling group, which would terminate it, and started
//! again by a restore; a public address that is no Elastic IP is then another one.
//!
//! # What may break
//! All that the instance does over the network, until a restore. EC2 may let connections go on that are open already. An Auto
//! Scaling group, or a load balancer, takes it for dead: both are named in the alert. The load balancers are looked up before the
//! instance is cut off, in the first 50 target groups of its VPC that have instances for targets; what could not be learned is said,
//! and keeps nothing from being done. Classic Load Balancers, and targets by IP address, are not looked at.
//!
//! # References
//! AWS Security Incident Response Guide, "Containment"; EC2 User Guide, "Security group connection tracking"; Security Hub EC2.9.

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Effect, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use super::ec2_security_group_open_ingress::offending;
use crate::instance::{Groups, Instance, InstanceChange, InstanceFact, Interface, QUARANTINE};
use crate::security_group::Rule;
use crate::settings::Ec2Settings;

/// Its id, which settings name where it is to quarantine.
const ID: &str = "ec2-instance-exposed";

pub const CONTROL: Control<Instance> = Control {
    meta: Meta {
        id: ID,
        title: "An instance that the internet reaches is cut off, where its data are the most sensitive",
        severity: Severity::Critical,
        impact: Impact::Availability,
        default: Switch::Enforce,
        standards: &[
            "Security Hub EC2.9",
            "AWS Security Incident Response Guide: containment",
        ],
        calls: &[
            "AssignIpv6Addresses",
            "AssociateAddress",
            "AttachNetworkInterface",
            "CreateTags",
            "DeleteTags",
            "ModifyInstanceAttribute",
            "ModifyNetworkInterfaceAttribute",
            "RunInstances",
            "StartInstances",
        ],
    },
    reads: &[InstanceFact::Description, InstanceFact::Rules],
    changes: &[InstanceFact::Interfaces, InstanceFact::Snapshots, InstanceFact::Running],
    judge: &judge,
};

/// Whether what a rule lets in comes by the protocol of one of the addresses.
fn reaches(rule: &Rule, interface: &Interface) -> bool {
    let of_ipv6 = |network: &str| network.contains(':');
    let network = rule.peer.open().or(rule.peer.wide()).map(of_ipv6);
    interface.public.iter().any(|address| Some(of_ipv6(address)) == network)
}

fn judge(instance: &Instance, context: &JudgeContext<'_>) -> Judgement<InstanceChange> {
    let (Some(interfaces), Some(open)) = (instance.interfaces.get(), instance.open.get()) else {
        return Judgement::Compliant;
    };
    let settings = &*context.settings.section::<Ec2Settings>();
    let let_in = |interface: &Interface| -> Vec<&Rule> {
        let rules = interface.groups.iter().filter_map(|group| open.get(group)).flatten();
        let rules: Vec<&Rule> = rules.filter(|rule| reaches(rule, interface)).collect();
        offending(&rules, settings)
    };
    let reached = interfaces.values().filter(|interface| !interface.public.is_empty());
    let ways: Vec<_> = reached
        .map(|interface| (interface, let_in(interface)))
        .filter(|(_, rules)| !rules.is_empty())
        .collect();
    let rules = || ways.iter().flat_map(|(_, rules)| rules);
    if ways.is_empty() {
        return Judgement::Compliant;
    }
    let mut texts: Vec<String> = rules().map(ToString::to_string).collect();
    texts.sort();
    texts.dedup();
    let addresses: Vec<&str> = ways
        .iter()
        .flat_map(|(interface, _)| &interface.public)
        .map(String::as_str)
        .collect();
    let summary = Clause::is(format!(
        "reached by the internet at {}: {}{}",
        addresses.join(", "),
        texts.join(", "),
        instance.scaled()
    ));
    let critical = settings
        .critical_ports
        .iter()
        .any(|port| rules().any(|rule| rule.traffic.lets_tcp(*port)) && !settings.open_tcp_ports.contains(port));
    let severity = if critical { Severity::Critical } else { Severity::High };
    let also = settings.exposed_instances;
    // Its Auto Scaling group would terminate it, and what there is to look into with it.
    let stop = also.stop && instance.running.get() == Some(&true) && instance.scaled().is_empty();
    let change = format!(
        "swap the security groups of all its network interfaces for {QUARANTINE}, which lets nothing in or out{}{}",
        if also.snapshot {
            "; make snapshots of all its volumes"
        } else {
            ""
        },
        if stop { "; stop it" } else { "" },
    );
    let Some(vpc) = instance
        .vpc
        .get()
        .filter(|_| context.level.quarantine || context.settings.quarantines(ID))
    else {
        let change = "close the security groups, or take the public address away";
        return Finding::new(severity, summary, change, Vec::new())
            .only_notify(format!("data of the level {} are not quarantined", context.level_name))
            .into();
    };
    let from: Groups = interfaces
        .iter()
        .map(|(id, interface)| (id.clone(), interface.groups.clone()))
        .collect();
    let to = from
        .keys()
        .map(|id| (id.clone(), [QUARANTINE.to_owned()].into()))
        .collect();
    let vpc = vpc.clone();
    let mut remedies = vec![InstanceChange::Groups { vpc, from, to }];
    remedies.extend(also.snapshot.then_some(InstanceChange::Snapshots(true)));
    remedies.extend(stop.then_some(InstanceChange::Running(false)));
    Judgement::Violated(Finding {
        effect: Effect::Quarantine,
        ..Finding::new(severity, summary, change, remedies)
    })
}

#[cfg(test)]
mod tests {
    use portcullis_core::settings::ControlSettings;
    use portcullis_core::{Observed, Settings, State as _, Tags};

    use super::*;
    use crate::security_group::tests::with_settings;
    use crate::security_group::{Peer, Traffic};
    use crate::settings::ExposedInstances;

    fn interface(public: &[&str], groups: &[&str]) -> Interface {
        let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Interface {
            public: own(public),
            groups: own(groups),
        }
    }

    /// Group `sg-1` is open at a port, `sg-2` isn't.
    fn instance(port: u16, interfaces: &[(&str, Interface)]) -> Instance {
        let rule = Rule {
            id: None,
            egress: false,
            traffic: Traffic::tcp(port, port),
            peer: Peer::Ipv4("0.0.0.0/0".into()),
            description: None,
        };
        Instance {
            tags: Observed::Is(Tags::new()),
            vpc: Observed::Is("vpc-1".into()),
            interfaces: Observed::Is(
                interfaces
                    .iter()
                    .map(|(id, one)| ((*id).to_owned(), one.clone()))
                    .collect(),
            ),
            open: Observed::Is([("sg-1".to_owned(), vec![rule])].into()),
            ..Instance::default()
        }
    }

    fn quarantining() -> Settings {
        let mut settings = Settings::default();
        let quarantine = ControlSettings {
            quarantine: true,
            ..ControlSettings::default()
        };
        settings.controls.insert(ID.into(), quarantine);
        settings
    }

    fn found(instance: &Instance, settings: &Settings) -> Option<Finding<InstanceChange>> {
        with_settings(settings, |context| judge(instance, context).finding())
    }

    #[test]
    fn it_takes_an_address_an_open_group_and_a_port_that_may_not_be_open_on_one_interface() {
        let both = interface(&["203.0.113.7"], &["sg-1", "sg-2"]);
        let severity = |port, interfaces: &[(&str, Interface)]| {
            found(&instance(port, interfaces), &quarantining()).map(|finding| finding.severity)
        };
        assert_eq!(severity(22, &[("eni-1", both.clone())]), Some(Severity::Critical));
        assert_eq!(severity(12_345, &[("eni-1", both.clone())]), Some(Severity::High));
        assert_eq!(severity(443, &[("eni-1", both)]), None);
        assert_eq!(severity(22, &[("eni-1", interface(&[], &["sg-1"]))]), None);
        let apart = [
            ("eni-1", interface(&["203.0.113.7"], &["sg-2"])),
            ("eni-2", interface(&[], &["sg-1"])),
        ];
        assert_eq!(severity(22, &apart), None);
    }

    #[test]
    fn a_quarantine_takes_every_interface_and_a_restore_gives_each_its_groups_back() {
        let before = instance(
            22,
            &[
                ("eni-1", interface(&["203.0.113.7"], &["sg-1", "sg-2"])),
                ("eni-2", interface(&[], &["sg-2"])),
            ],
        );
        let finding = found(&before, &quarantining()).unwrap();
        assert_eq!(finding.effect, Effect::Quarantine);
        let [remedy] = &finding.remedies[..] else { panic!() };
        let after = before.after(remedy);
        assert_eq!(found(&after, &quarantining()), None);
        let interfaces = after.interfaces.get().unwrap().values();
        assert!(
            interfaces
                .clone()
                .all(|one| one.groups == [QUARANTINE.to_owned()].into())
        );
        let back = after.after(&before.inverse(remedy).unwrap());
        assert_eq!(back.interfaces, before.interfaces);
    }

    #[test]
    fn what_is_not_to_be_quarantined_is_told_with_its_auto_scaling_group() {
        let mut reached = instance(22, &[("eni-1", interface(&["203.0.113.7"], &["sg-1"]))]);
        let scaled = [("aws:autoscaling:groupName".to_owned(), "web".to_owned())];
        reached.tags = Observed::Is(scaled.into_iter().collect());
        let finding = found(&reached, &Settings::default()).unwrap();
        assert!(finding.remedies.is_empty() && finding.only_notify.is_some());
        assert!(
            finding.summary.is.contains("Auto Scaling group web"),
            "{}",
            finding.summary.is
        );
    }

    #[test]
    fn a_member_of_an_auto_scaling_group_is_cut_off_and_not_stopped() {
        let mut settings = quarantining();
        settings.set(Ec2Settings {
            exposed_instances: ExposedInstances {
                snapshot: false,
                stop: true,
            },
            ..Ec2Settings::default()
        });
        let mut reached = instance(22, &[("eni-1", interface(&["203.0.113.7"], &["sg-1"]))]);
        reached.running = Observed::Is(true);
        let stops = |instance: &Instance| {
            let finding = found(instance, &settings).unwrap();
            finding.remedies.contains(&InstanceChange::Running(false))
        };
        assert!(stops(&reached));
        let scaled = [("aws:autoscaling:groupName".to_owned(), "web".to_owned())];
        reached.tags = Observed::Is(scaled.into_iter().collect());
        assert!(!stops(&reached));
    }
}
