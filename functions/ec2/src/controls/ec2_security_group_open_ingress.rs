//! # What it requires
//! The internet (`0.0.0.0/0`, `::/0`, or a network that is nearly all of it) reaches only the ports that settings allow
//! (`ec2.open-tcp-ports`, `ec2.open-udp-ports`). A rule for all traffic, or for a range of ports, counts with all that is in it,
//! and a prefix list with its entries. ICMP is left, of a rule for all traffic too: it has no ports, and path MTU discovery needs
//! it. Nearly all is more than a /8 of IPv4, more than a /16 of IPv6's global addresses; private ones are not the internet. Networks
//! that let the same port in count together: a sixteenth of IPv4 in pieces is the internet, too.
//!
//! # Why
//! Whatever listens there is scanned within minutes. Ports of administration and of databases (`ec2.critical-ports`) are
//! critical.
//!
//! # What it changes
//! `RevokeSecurityGroupIngress` of exactly the offending rules, by their ids. Where a rule also lets allowed ports through, these
//! get rules of their own first (`AuthorizeSecurityGroupIngress`), so that nothing that is rightly open closes; in a group that is
//! full, right after, if the rules that go leave room for them. If they don't, nothing is changed, and that is told. Other rules, and other sources, stay. Descriptions are kept for a restore. A rule that
//! names a prefix list goes with all of its entries, which the alert says; one whose list can't be read is told and left.
//!
//! # What may break
//! Whoever reaches the port from the internet, on purpose: name the port in the settings, or exempt the group.
//!
//! # References
//! VPC User Guide, "Control traffic to your AWS resources using security groups"; Security Hub EC2.13, EC2.14, EC2.18, EC2.19,
//! EC2.53, EC2.54; CIS AWS Foundations Benchmark v3.0.0 5.2, 5.3.

use std::fmt::Write as _;

use portcullis_core::settings::Switch;
use portcullis_core::{Clause, Control, Finding, Impact, JudgeContext, Judgement, Meta, Severity};

use crate::security_group::{
    Part, Peer, Rule, Rules, SecurityGroup, SecurityGroupChange, SecurityGroupFact, Traffic, together_open,
};
use crate::settings::Ec2Settings;

pub const CONTROL: Control<SecurityGroup> = Control {
    meta: Meta {
        id: "ec2-security-group-open-ingress",
        title: "The internet reaches allowed ports only",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &[
            "Security Hub EC2.13",
            "Security Hub EC2.14",
            "Security Hub EC2.18",
            "Security Hub EC2.19",
            "Security Hub EC2.53",
            "Security Hub EC2.54",
            "CIS AWS Foundations Benchmark v3.0.0 5.2",
            "CIS AWS Foundations Benchmark v3.0.0 5.3",
            "Config vpc-sg-open-only-to-authorized-ports",
            "Config restricted-common-ports",
        ],
        calls: &[
            "AuthorizeSecurityGroupIngress",
            "CreateTags",
            "DeleteTags",
            "ModifyManagedPrefixList",
            "ModifySecurityGroupRules",
        ],
    },
    reads: &[SecurityGroupFact::Rules],
    changes: &[SecurityGroupFact::Rules],
    judge: &judge,
};

fn judge(group: &SecurityGroup, context: &JudgeContext<'_>) -> Judgement<SecurityGroupChange> {
    let settings = &*context.settings.section::<Ec2Settings>();
    let none = Rules::default();
    let Rules(rules) = group.rules.get().unwrap_or(&none);
    let all: Vec<&Rule> = rules.iter().collect();
    let offending = offending(&all, settings);
    let unread: Vec<String> = rules
        .iter()
        .filter(|rule| matches!(rule.peer, Peer::PrefixList { unread: true, .. }) && lets_more(rule, settings))
        .map(ToString::to_string)
        .collect();
    let unread = unread.join(", ");
    if offending.is_empty() {
        if unread.is_empty() {
            return Judgement::Compliant;
        }
        let summary = Clause::new("may be", "may have been").followed_by(format!(
            " open to the internet by a prefix list that can't be read: {unread}"
        ));
        return Finding::new(
            Severity::High,
            summary,
            "have the list shared, or revoke the rule",
            Vec::new(),
        )
        .only_notify("what can't be read can't be judged")
        .into();
    }
    let mut authorize: Vec<Rule> = Vec::new();
    for kept in offending.iter().flat_map(|rule| rightly_open(rule, settings)) {
        let there = |rule: &Rule| !rule.egress && (&rule.traffic, &rule.peer) == (&kept.traffic, &kept.peer);
        // AWS refuses a rule that is there already, whatever its description.
        if !rules.iter().any(there) && !authorize.iter().any(there) {
            authorize.push(kept);
        }
    }
    let critical = settings.critical_ports.iter().any(|port| {
        offending.iter().any(|rule| rule.traffic.lets_tcp(*port)) && !settings.open_tcp_ports.contains(port)
    });
    let severity = if critical { Severity::Critical } else { Severity::High };
    let list = |rules: &mut dyn Iterator<Item = &Rule>| rules.map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let open = list(&mut offending.iter().copied());
    let mut change = format!("revoke {open}");
    if !authorize.is_empty() {
        change = format!("keep {} as rules of their own, {change}", list(&mut authorize.iter()));
    }
    if offending
        .iter()
        .any(|rule| matches!(rule.peer, Peer::PrefixList { .. }))
    {
        change.push_str(", with all that their prefix lists hold");
    }
    if !unread.is_empty() {
        let _ = write!(change, "; left, since its prefix list can't be read: {unread}");
    }
    let remedy = SecurityGroupChange {
        part: Part::Open,
        revoke: offending.into_iter().cloned().collect(),
        authorize,
    };
    Finding::new(
        severity,
        Clause::is(format!("open to the internet: {open}")),
        change,
        vec![remedy],
    )
    .into()
}

/// The rules among these by which the internet comes in where it should not: each by itself, or together with others for one port.
pub fn offending<'a>(rules: &[&'a Rule], settings: &Ec2Settings) -> Vec<&'a Rule> {
    let more: Vec<&Rule> = rules.iter().copied().filter(|rule| lets_more(rule, settings)).collect();
    let pieces: Vec<&Rule> = more
        .iter()
        .copied()
        .filter(|rule| rule.peer.open().is_none() && rule.peer.wide().is_some())
        .collect();
    let together = |rule: &Rule| {
        let lets_same = pieces.iter().filter(|other| meets(&other.traffic, &rule.traffic));
        together_open(lets_same.filter_map(|other| other.peer.wide()))
    };
    let is_piece = |rule: &Rule| rule.peer.wide().is_some() && together(rule);
    more.into_iter()
        .filter(|rule| rule.peer.open().is_some() || is_piece(rule))
        .collect()
}

/// Whether what two rules let through has something in common.
fn meets(one: &Traffic, other: &Traffic) -> bool {
    let all = |traffic: &Traffic| traffic.protocol == Traffic::ALL;
    let ports = |traffic: &Traffic| {
        if traffic.from < 0 {
            (0, i32::from(u16::MAX))
        } else {
            (traffic.from, traffic.to)
        }
    };
    let ((from, to), (first, last)) = (ports(one), ports(other));
    all(one) || all(other) || (one.protocol == other.protocol && from <= last && first <= to)
}

/// Whether a rule lets in more than the internet may reach.
fn lets_more(rule: &Rule, settings: &Ec2Settings) -> bool {
    if rule.egress || rule.traffic.is_icmp() {
        return false;
    }
    let allowed = match rule.traffic.protocol.as_str() {
        "tcp" | "6" => &settings.open_tcp_ports,
        "udp" | "17" => &settings.open_udp_ports,
        _ => return true,
    };
    let Traffic { from, to, .. } = rule.traffic;
    from < 0 || to < 0 || (from..=to).any(|port| !allowed.iter().any(|allowed| i32::from(*allowed) == port))
}

/// What a rule lets through that may be open, as rules of their own: neighbouring ports in one, and ICMP.
fn rightly_open(rule: &Rule, settings: &Ec2Settings) -> Vec<Rule> {
    let mut kept: Vec<Rule> = Vec::new();
    for (protocol, number, allowed) in [
        ("tcp", "6", &settings.open_tcp_ports),
        ("udp", "17", &settings.open_udp_ports),
    ] {
        let mut ports: Vec<u16> = allowed
            .iter()
            .copied()
            .filter(|port| rule.traffic.lets(protocol, *port) || rule.traffic.lets(number, *port))
            .collect();
        ports.sort_unstable();
        ports.dedup();
        let mut first = 0;
        while first < ports.len() {
            let mut last = first;
            while last + 1 < ports.len() && ports[last + 1] == ports[last] + 1 {
                last += 1;
            }
            let traffic = Traffic {
                protocol: protocol.into(),
                ..Traffic::tcp(ports[first], ports[last])
            };
            kept.push(Rule {
                id: None,
                traffic,
                ..rule.clone()
            });
            first = last + 1;
        }
    }
    if rule.traffic.protocol == Traffic::ALL {
        let of_ipv6 = rule.peer.open().is_some_and(|network| network.contains(':'));
        let traffic = Traffic {
            protocol: if of_ipv6 { "icmpv6" } else { "icmp" }.into(),
            from: -1,
            to: -1,
        };
        kept.push(Rule {
            id: None,
            traffic,
            ..rule.clone()
        });
    }
    kept
}

#[cfg(test)]
pub(super) mod tests {
    use portcullis_core::{Observed, Settings};

    use super::*;
    use crate::security_group::tests::with_settings;

    fn rule(protocol: &str, from: i32, to: i32, peer: &str) -> Rule {
        let peer = match peer {
            list if list.starts_with("pl-") => Peer::PrefixList {
                id: list.into(),
                widest: Some("0.0.0.0/0".into()),
                unread: false,
            },
            v6 if v6.contains(':') => Peer::Ipv6(v6.into()),
            v4 => Peer::Ipv4(v4.into()),
        };
        Rule {
            id: Some("sgr-0a1b2c3d4e5f60718".into()),
            egress: false,
            traffic: Traffic {
                protocol: protocol.into(),
                from,
                to,
            },
            peer,
            description: Some("why".into()),
        }
    }

    fn found(rules: &[Rule]) -> Option<(Severity, Vec<String>, Vec<String>)> {
        let group = SecurityGroup {
            rules: Observed::Is(Rules(rules.to_vec())),
            ..SecurityGroup::default()
        };
        let finding = with_settings(&Settings::default(), |context| judge(&group, context).finding())?;
        let texts = |rules: &[Rule]| rules.iter().map(ToString::to_string).collect();
        Some((
            finding.severity,
            texts(&finding.remedies[0].revoke),
            texts(&finding.remedies[0].authorize),
        ))
    }

    #[test]
    fn exactly_what_offends_goes_and_what_may_be_open_stays() {
        for (rules, expected) in [
            (
                vec![rule("tcp", 443, 443, "0.0.0.0/0"), rule("tcp", 22, 22, "10.0.0.0/8")],
                None,
            ),
            (vec![rule("icmp", -1, -1, "0.0.0.0/0")], None),
            (
                vec![rule("tcp", 22, 22, "0.0.0.0/0")],
                Some((Severity::Critical, vec!["tcp 22 from 0.0.0.0/0"], vec![])),
            ),
            (
                vec![rule("tcp", 22, 22, "::/0")],
                Some((Severity::Critical, vec!["tcp 22 from ::/0"], vec![])),
            ),
            (
                vec![rule("tcp", 12345, 12345, "0.0.0.0/0")],
                Some((Severity::High, vec!["tcp 12345 from 0.0.0.0/0"], vec![])),
            ),
            // One of two halves of the internet is no way around it.
            (
                vec![rule("tcp", 22, 22, "128.0.0.0/1")],
                Some((Severity::Critical, vec!["tcp 22 from 128.0.0.0/1"], vec![])),
            ),
            (
                vec![rule("tcp", 80, 443, "0.0.0.0/0")],
                Some((
                    Severity::Critical,
                    vec!["tcp 80-443 from 0.0.0.0/0"],
                    vec!["tcp 80 from 0.0.0.0/0", "tcp 443 from 0.0.0.0/0"],
                )),
            ),
            (
                vec![rule("-1", -1, -1, "0.0.0.0/0"), rule("tcp", 443, 443, "0.0.0.0/0")],
                Some((
                    Severity::Critical,
                    vec!["all traffic from 0.0.0.0/0"],
                    vec!["tcp 80 from 0.0.0.0/0", "icmp from 0.0.0.0/0"],
                )),
            ),
            (
                vec![rule("-1", -1, -1, "::/0"), rule("tcp", 80, 80, "::/0")],
                Some((
                    Severity::Critical,
                    vec!["all traffic from ::/0"],
                    vec!["tcp 443 from ::/0", "icmpv6 from ::/0"],
                )),
            ),
            // The block of a continent is nearly all that there is; a provider's is not, and a private one is not the internet.
            (
                vec![rule("tcp", 22, 22, "2a00::/12")],
                Some((Severity::Critical, vec!["tcp 22 from 2a00::/12"], vec![])),
            ),
            (
                vec![rule("tcp", 22, 22, "2003::/19"), rule("tcp", 22, 22, "fd00::/8")],
                None,
            ),
            (
                vec![rule("udp", 53, 53, "0.0.0.0/0")],
                Some((Severity::High, vec!["udp 53 from 0.0.0.0/0"], vec![])),
            ),
            (
                vec![rule("47", -1, -1, "0.0.0.0/0")],
                Some((Severity::High, vec!["47 from 0.0.0.0/0"], vec![])),
            ),
            (
                vec![rule("tcp", 3389, 3389, "pl-0a1b2c3d4e5f60718")],
                Some((
                    Severity::Critical,
                    vec!["tcp 3389 from pl-0a1b2c3d4e5f60718 (0.0.0.0/0)"],
                    vec![],
                )),
            ),
        ] {
            let own = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
            let expected = expected.map(|(severity, revoke, keep)| (severity, own(revoke), own(keep)));
            assert_eq!(found(&rules), expected, "{rules:?}");
        }
    }

    #[test]
    fn what_is_as_good_as_the_internet() {
        use crate::security_group::is_open;
        for open in [
            "0.0.0.0/0",
            "0.0.0.0/1",
            "128.0.0.0/1",
            "16.0.0.0/7",
            "::/0",
            "::/1",
            "::/2",
            "2000::/3",
            "2000::/4",
            "3000::/4",
            "2400::/12",
            "2600::/15",
        ] {
            assert!(is_open(open), "{open}");
        }
        for closed in [
            "10.0.0.0/8",
            "203.0.113.7/32",
            "2630::/16",
            "2003::/19",
            "2001:db8::/32",
            "fc00::/7",
            "fd00::/8",
            "fe80::/10",
            "ff00::/8",
            "8000::/1",
            "4000::/2",
            "::1/128",
            "0.0.0.0",
            "x/0",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }

    #[test]
    fn a_prefix_list_that_can_t_be_read_leaves_only_its_own_rule_undecided() {
        let mut unread = rule("tcp", 22, 22, "pl-0a1b2c3d4e5f60718");
        unread.peer = Peer::PrefixList {
            id: "pl-0a1b2c3d4e5f60718".into(),
            widest: None,
            unread: true,
        };
        let judged = |rules: &[&Rule]| {
            let group = SecurityGroup {
                rules: Observed::Is(Rules(rules.iter().map(|&rule| rule.clone()).collect())),
                ..SecurityGroup::default()
            };
            with_settings(&Settings::default(), |context| judge(&group, context).finding())
        };
        let alone = judged(&[&unread]).unwrap();
        assert!(alone.remedies.is_empty());
        assert!(
            alone.summary.is.contains("can't be read: tcp 22 from pl-"),
            "{}",
            alone.summary.is
        );
        let open = rule("tcp", 22, 22, "0.0.0.0/0");
        let both = judged(&[&unread, &open]).unwrap();
        assert_eq!(both.remedies[0].revoke, [open]);
        assert!(
            both.change.contains("left, since its prefix list can't be read"),
            "{}",
            both.change
        );
        unread.traffic = Traffic::tcp(443, 443);
        assert_eq!(judged(&[&unread]), None);
    }
}
