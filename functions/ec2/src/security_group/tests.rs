//! Helpers for the tests of controls, and the tests of the type itself.

use portcullis_core::event::Event;
use portcullis_core::settings::Switch;
use portcullis_core::testing::{judging, resource};
use portcullis_core::{Decision, JudgeContext, Plan, Ruling, Settings, State as _, plan};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::settings::Ec2Settings;

const ID: &str = "sg-0a1b2c3d4e5f60718";

/// Runs with internal data under given settings.
pub fn with_settings<T>(settings: &Settings, run: impl FnOnce(&JudgeContext<'_>) -> T) -> T {
    let arn = format!("arn:aws:ec2:eu-west-1:111122223333:security-group/{ID}");
    judging(&resource(TYPE.name, &arn), settings, run)
}

fn call(name: &str, parameters: &Value, response: &Value) -> Call {
    let record = json!({
        "eventSource": SOURCE, "eventName": name, "awsRegion": "eu-west-1", "recipientAccountId": "111122223333",
        "requestParameters": parameters, "responseElements": response,
    });
    match Event::parse(&record).unwrap() {
        Event::Call(call) => *call,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_is_named_in_many_ways() {
    let rules = json!({"securityGroupRuleSet": {"items": [{"groupId": ID, "isEgress": false}]}});
    for (name, parameters, response) in [
        (
            "AuthorizeSecurityGroupIngress",
            json!({"groupId": ID, "ipPermissions": {"items": []}}),
            Value::Null,
        ),
        (
            "AuthorizeSecurityGroupIngress",
            json!({"groupName": "web"}),
            rules.clone(),
        ),
        (
            "AuthorizeSecurityGroupIngress",
            json!({"groupId": "", "groupName": "web"}),
            rules,
        ),
        (
            "ModifySecurityGroupRules",
            json!({"ModifySecurityGroupRulesRequest": {"GroupId": ID}}),
            Value::Null,
        ),
    ] {
        let found = (TYPE.named)(&call(name, &parameters, &response)).unwrap();
        assert_eq!(found.len(), 1, "{parameters}");
        assert_eq!(
            found[0].arn,
            format!("arn:aws:ec2:eu-west-1:111122223333:security-group/{ID}")
        );
    }
}

#[test]
fn what_names_no_group_is_refused_by_name() {
    for (name, parameters) in [
        ("AuthorizeSecurityGroupIngress", json!({"groupId": "sg-1"})),
        ("AuthorizeSecurityGroupIngress", json!({"groupId": "../sg-0a1b2c3d"})),
        ("AuthorizeSecurityGroupIngress", json!({"groupId": {"a": 1}})),
        ("AuthorizeSecurityGroupIngress", json!({"groupName": "web"})),
        ("AuthorizeSecurityGroupIngress", json!({"groupId": ""})),
        ("AuthorizeSecurityGroupIngress", Value::Null),
        (
            "ModifySecurityGroupRules",
            json!({"ModifySecurityGroupRulesRequest": ""}),
        ),
    ] {
        let error = (TYPE.named)(&call(name, &parameters, &Value::Null)).unwrap_err();
        assert!(
            error.to_string().to_lowercase().contains("groupid"),
            "{parameters}: {error}"
        );
    }
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let protocols = prop::sample::select(vec!["tcp", "tcp", "tcp", "udp", "icmp", "icmpv6", "-1", "47"]);
    let ports = prop::sample::select(vec![0, 21, 22, 23, 79, 80, 81, 442, 443, 444, 3389, 8080, 65_535]);
    let peers = prop::sample::select(vec![
        Peer::Ipv4("0.0.0.0/0".into()),
        Peer::Ipv4("0.0.0.0/1".into()),
        Peer::Ipv4("10.0.0.0/8".into()),
        Peer::Ipv4("203.0.113.7/32".into()),
        Peer::Ipv6("::/0".into()),
        Peer::Ipv6("2001:db8::/32".into()),
        Peer::Ipv6("fd00::/8".into()),
        Peer::PrefixList {
            id: "pl-0a1b2c3d".into(),
            widest: Some("0.0.0.0/0".into()),
            unread: false,
        },
        Peer::PrefixList {
            id: "pl-0a1b2c3e".into(),
            widest: None,
            unread: false,
        },
        Peer::Group {
            id: ID.into(),
            account: None,
        },
    ]);
    (protocols, ports.clone(), ports, peers, any::<bool>()).prop_map(|(protocol, one, other, peer, egress)| {
        let (from, to) = if protocol == "tcp" || protocol == "udp" {
            (one.min(other), one.max(other))
        } else {
            (-1, -1)
        };
        Rule {
            id: Some("sgr-0a1b2c3d4e5f60718".into()),
            egress,
            traffic: Traffic {
                protocol: protocol.into(),
                from,
                to,
            },
            peer,
            description: None,
        }
    })
}

fn any_group() -> impl Strategy<Value = SecurityGroup> {
    let names = prop::sample::select(vec!["default", "web"]);
    (prop::collection::vec(any_rule(), 0..8), names).prop_map(|(rules, name)| {
        let mut set: Vec<Rule> = Vec::new();
        for rule in rules {
            if !set.contains(&rule) {
                set.push(rule);
            }
        }
        SecurityGroup {
            tags: Observed::Is(Tags::new()),
            name: Observed::Is(name.into()),
            rules: Observed::Is(Rules(set)),
        }
    })
}

/// The plan with these controls enforced.
fn enforced(state: &SecurityGroup, ids: &[&str]) -> Plan<SecurityGroup> {
    let controls: Vec<_> = crate::controls::SECURITY_GROUP
        .iter()
        .filter(|control| ids.contains(&control.meta.id))
        .collect();
    with_settings(&Settings::default(), |context| {
        plan(state, &controls, context, |_, _| Ruling {
            decision: Decision::Enforce,
            notes: Vec::new(),
            fight: false,
        })
    })
}

const OPEN: &str = "ec2-security-group-open-ingress";
const BOTH: [&str; 2] = [OPEN, "ec2-security-group-default"];

/// Whether the rules let a protocol to a port in from a peer: an evaluation of its own, one request at a time.
fn lets_in(state: &SecurityGroup, protocol: &str, port: u16, peer: &Peer) -> bool {
    let Observed::Is(Rules(rules)) = &state.rules else {
        return false;
    };
    rules.iter().any(|rule| {
        let of_protocol = rule.traffic.protocol == "-1"
            || rule.traffic.protocol == protocol
                && rule.traffic.from <= i32::from(port)
                && i32::from(port) <= rule.traffic.to;
        !rule.egress && rule.peer == *peer && of_protocol
    })
}

fn lets_icmp_in(state: &SecurityGroup, protocol: &str, peer: &Peer) -> bool {
    let Observed::Is(Rules(rules)) = &state.rules else {
        return false;
    };
    let lets = |rule: &Rule| ["-1", protocol].contains(&rule.traffic.protocol.as_str());
    rules
        .iter()
        .any(|rule| !rule.egress && rule.peer == *peer && lets(rule))
}

proptest! {
    /// After the remedy no offending range is left, and every address and port that was rightly open still is; what was
    /// closed stays closed.
    #[test]
    fn what_offends_goes_and_what_does_not_stays(group in any_group()) {
        let after = enforced(&group, &[OPEN]).after;
        let Observed::Is(Rules(rules)) = &group.rules else { unreachable!() };
        let settings = Ec2Settings::default();
        for peer in rules.iter().map(|rule| &rule.peer) {
            for (protocol, allowed) in [("tcp", &settings.open_tcp_ports), ("udp", &settings.open_udp_ports)] {
                for port in [0, 20, 21, 22, 50, 79, 80, 81, 200, 442, 443, 444, 1000, 3389, 8080, 65_534, 65_535] {
                    let (was, is) = (lets_in(&group, protocol, port, peer), lets_in(&after, protocol, port, peer));
                    let right = peer.open().is_none() || allowed.contains(&port);
                    prop_assert_eq!(is, was && right, "{} {} from {}", protocol, port, peer);
                }
            }
            // ICMP has no ports, and is rightly open from everywhere.
            let icmp = if peer.open().is_some_and(|network| network.contains(':')) { "icmpv6" } else { "icmp" };
            for kind in ["icmp", "icmpv6"] {
                let (was, is) = (lets_icmp_in(&group, kind, peer), lets_icmp_in(&after, kind, peer));
                // The other family's can't come from there.
                prop_assert!(is == was || kind != icmp && was, "{} from {}", kind, peer);
            }
        }
        let Observed::Is(Rules(left)) = &after.rules else { unreachable!() };
        // Rules that do not offend are the same rules still, those of traffic that leaves among them.
        for rule in rules.iter().filter(|rule| rule.egress || rule.peer.open().is_none() || rule.traffic.is_icmp()) {
            prop_assert!(left.contains(rule), "{rule}");
        }
    }

    /// What is enforced holds, and enforcing it again changes nothing.
    #[test]
    fn a_plan_converges(group in any_group()) {
        let first = enforced(&group, &BOTH);
        let after = first.remedies.iter().fold(group, |state, remedy| state.after(remedy));
        prop_assert_eq!(&after, &first.after);
        prop_assert!(enforced(&after, &BOTH).remedies.is_empty());
    }

    /// A restore brings every rule back, with its description.
    #[test]
    fn a_plan_can_be_undone(group in any_group()) {
        let first = enforced(&group, &BOTH);
        let after = first.remedies.iter().fold(group.clone(), |state, remedy| state.after(remedy));
        let back = first.remedies.iter().rev().fold(after, |state, remedy| state.after(&group.inverse(remedy).unwrap()));
        prop_assert_eq!(back, group);
    }

    /// No group id makes it panic, and what it accepts is one.
    #[test]
    fn any_group_id_is_read_or_refused(text in "\\PC{0,40}") {
        if let Ok(found) = (TYPE.named)(&call("AuthorizeSecurityGroupIngress", &json!({"groupId": text}), &Value::Null)) {
            prop_assert!(found.iter().all(|group| super::NAMING.id.is(&group.id)));
        }
    }
}

#[test]
fn the_default_switch_of_what_breaks_members_is_notify() {
    let metas: Vec<_> = crate::controls::SECURITY_GROUP
        .iter()
        .map(|control| (control.meta.id, control.meta.default))
        .collect();
    let quarantine = ("ec2-security-group-quarantine", Switch::Enforce);
    assert_eq!(metas, [(OPEN, Switch::Enforce), (BOTH[1], Switch::Notify), quarantine]);
}

#[test]
fn a_prefix_list_is_named_and_what_names_none_is_refused() {
    const LIST: &str = "pl-0a1b2c3d4e5f60718";
    let named = |parameters: &Value| {
        let found = (TYPE.named)(&call("ModifyManagedPrefixList", parameters, &Value::Null));
        found
            .map(|found| found.into_iter().map(|one| one.id).collect::<Vec<_>>())
            .map_err(|error| error.to_string())
    };
    let wrapped = json!({"ModifyManagedPrefixListRequest": {"PrefixListId": LIST, "AddEntry": {"Cidr": "0.0.0.0/0"}}});
    for parameters in [wrapped, json!({"prefixListId": LIST})] {
        assert_eq!(named(&parameters), Ok(vec![LIST.to_owned()]));
    }
    for (parameters, part) in [
        (Value::Null, "PrefixListId"),
        (
            json!({"ModifyManagedPrefixListRequest": {"PrefixListId": "pl-1"}}),
            "pl-1",
        ),
    ] {
        let error = named(&parameters).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}
