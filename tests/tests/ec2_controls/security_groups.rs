//! Security groups: exactly what offends goes, and comes back.

use aws_sdk_ec2::types::{AddPrefixListEntry, Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
use portcullis_ec2::violations::Resource;
use portcullis_testkit::{Fault, assert_rounds};
use portcullis_tests::{Answered, Subject, controls_in};
use serde_json::json;

use super::support::{Ec2, only, round_trip, writes};

const OPEN: &str = "ec2-security-group-open-ingress";
const DEFAULT: &str = "ec2-security-group-default";

async fn vpc(ec2: &Ec2) -> String {
    let made = ec2.client.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap();
    made.vpc.unwrap().vpc_id.unwrap()
}

async fn group(ec2: &Ec2) -> String {
    let vpc = vpc(ec2).await;
    let create = ec2
        .client
        .create_security_group()
        .group_name("web")
        .description("web")
        .vpc_id(vpc);
    create.send().await.unwrap().group_id.unwrap()
}

async fn let_in(ec2: &Ec2, group: &str, protocol: &str, ports: Option<(i32, i32)>, cidr: &str) {
    let all = IpPermission::builder()
        .ip_protocol(protocol)
        .set_from_port(ports.map(|(from, _)| from))
        .set_to_port(ports.map(|(_, to)| to));
    let permission = if cidr.starts_with("sg-") {
        all.user_id_group_pairs(UserIdGroupPair::builder().group_id(cidr).build())
    } else if cidr.contains(':') {
        all.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(cidr).description("v6").build())
    } else {
        all.ip_ranges(IpRange::builder().cidr_ip(cidr).description("why").build())
    };
    let call = ec2.client.authorize_security_group_ingress().group_id(group);
    call.ip_permissions(permission.build()).send().await.unwrap();
}

/// The rules, in words, sorted.
async fn rules(ec2: &Ec2, group: &str) -> Vec<String> {
    let of_group = Filter::builder().name("group-id").values(group).build();
    let answer = ec2
        .client
        .describe_security_group_rules()
        .filters(of_group)
        .send()
        .await
        .unwrap();
    let mut rules: Vec<_> = answer
        .security_group_rules()
        .iter()
        .map(|rule| {
            let peer = rule
                .cidr_ipv4()
                .or(rule.cidr_ipv6())
                .or(rule.referenced_group_info().and_then(|info| info.group_id()));
            let way = if rule.is_egress() == Some(true) { "out" } else { "in" };
            let (from, to) = (rule.from_port().unwrap_or(-1), rule.to_port().unwrap_or(-1));
            let text = rule.description().unwrap_or_default();
            format!(
                "{way} {} {from}-{to} {} {text}",
                rule.ip_protocol().unwrap_or_default(),
                peer.unwrap_or_default()
            )
        })
        .collect();
    rules.sort();
    rules
}

#[tokio::test]
async fn ssh_from_everywhere_is_revoked_and_the_rest_stays() {
    let ec2 = Ec2::new().await;
    let id = group(&ec2).await;
    let_in(&ec2, &id, "tcp", Some((22, 22)), "0.0.0.0/0").await;
    let_in(&ec2, &id, "tcp", Some((22, 22)), "::/0").await;
    let_in(&ec2, &id, "tcp", Some((22, 22)), "10.0.0.0/8").await;
    let_in(&ec2, &id, "tcp", Some((443, 443)), "0.0.0.0/0").await;
    let_in(&ec2, &id, "tcp", Some((0, 65_535)), &id).await;
    let arranged = Resource::group(&ec2, &id)
        .broken_by("AuthorizeSecurityGroupIngress")
        .told("CRITICAL", "remediated")
        .says("tcp 22 from 0.0.0.0/0, tcp 22 from ::/0")
        .fixed_by(&["RevokeSecurityGroupIngress"])
        .right(
            "lets in",
            format!("0-65535 from {id}, 22 from 10.0.0.0/8 (why), 443 from 0.0.0.0/0 (why)"),
        )
        .undone_by(&["AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"]);
    round_trip(OPEN, arranged).await;
}

#[tokio::test]
async fn all_traffic_becomes_the_ports_that_may_be_open() {
    let ec2 = Ec2::new().await;
    let id = group(&ec2).await;
    let_in(&ec2, &id, "-1", None, "0.0.0.0/0").await;
    let arranged = Resource::group(&ec2, &id)
        .broken_by("ModifySecurityGroupRules")
        .told("CRITICAL", "remediated")
        .fixed_by(&[
            "AuthorizeSecurityGroupIngress",
            "AuthorizeSecurityGroupIngress",
            "AuthorizeSecurityGroupIngress",
            "RevokeSecurityGroupIngress",
        ])
        .right(
            "lets in",
            "443 from 0.0.0.0/0 (why), 80 from 0.0.0.0/0 (why), all icmp from 0.0.0.0/0 (why)",
        )
        .undone_by(&["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]);
    round_trip(OPEN, arranged).await;
}

/// Rules of IPv4 and IPv6 are counted apart, sixty of a direction by default. Source: VPC User Guide, "Amazon VPC quotas".
#[tokio::test]
async fn a_full_group_is_closed_where_what_goes_leaves_room_for_what_stays_and_else_is_told_as_it_is() {
    let (authorize, revoke) = ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress");
    for (ports, fits, left) in [
        // Only port 80 may be open of it: one goes, one comes.
        ((0, 442), true, "in tcp 80-80 0.0.0.0/0 why"),
        // Ports 80 and 443 would need two places, and there is one.
        ((0, 65_535), false, "in tcp 0-65535 0.0.0.0/0 why"),
    ] {
        let ec2 = Ec2::new().await;
        let id = group(&ec2).await;
        let_in(&ec2, &id, "tcp", Some(ports), "0.0.0.0/0").await;
        let full = Fault::on("ec2", authorize).status(400, "RulesPerSecurityGroupLimitExceeded");
        ec2.world.aws.fault(full).await;
        let function = ec2
            .function()
            .env("PORTCULLIS_SETTINGS", only(&[OPEN], ""))
            .start()
            .await;
        let event = ec2.call(authorize, json!({"groupId": id}));
        let done = function.invoke(event.event()).await;
        let mut rules = rules(&ec2, &id).await;
        rules.retain(|rule| rule.starts_with("in"));
        assert_eq!(rules, [left]);
        if fits {
            assert_eq!(writes(&done.calls), [authorize, revoke, authorize]);
            assert_eq!(done.outcome(), "remediated", "{:?}", done.result);
            continue;
        }
        assert_eq!(writes(&done.calls), [authorize]);
        assert_eq!(done.result.unwrap_err().error_type, "NotRemediated");
        let alert = &ec2.world.alerts().await[0];
        assert!(alert.subject.contains("CRITICAL failed"), "{}", alert.subject);
        assert!(
            alert.text.contains("RulesPerSecurityGroupLimitExceeded"),
            "{}",
            alert.text
        );
    }
}

/// Read with the ledger, written ahead, revoked, verified, told; then closed.
#[tokio::test]
async fn an_open_group_is_closed_in_five_rounds_and_told() {
    let ec2 = Ec2::new().await;
    let id = group(&ec2).await;
    let_in(&ec2, &id, "tcp", Some((3389, 3389)), "0.0.0.0/0").await;
    let function = ec2.function().start().await;
    ec2.world.aws.slow(portcullis_tests::APART).await;
    let event = ec2
        .call("AuthorizeSecurityGroupIngress", json!({"groupId": id}))
        .event();
    let closed = function.invoke(&event).await;
    assert_eq!(controls_in(closed.answer())[OPEN], "remediated");
    let told = closed
        .calls
        .iter()
        .position(|call| call.name() == "sns:Publish")
        .unwrap();
    assert_rounds(&closed.calls[..=told], 5);
    assert_eq!(closed.calls.len(), 9, "{}", portcullis_testkit::table(&closed.calls));
    let again = function.invoke(&event).await;
    assert_eq!(again.calls.len(), 3, "description, rules, ledger");
    assert_rounds(&again.calls, 1);
}

#[tokio::test]
async fn another_group_than_the_default_one_is_left() {
    let ec2 = Ec2::new().await;
    let other = group(&ec2).await;
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[DEFAULT], ""))
        .start()
        .await;
    let left = function
        .invoke(
            ec2.call("AuthorizeSecurityGroupIngress", json!({"groupId": other}))
                .event(),
        )
        .await;
    assert_eq!(left.outcome(), "not-applicable");
    assert_eq!(writes(&left.calls), [""; 0]);
}

#[tokio::test]
async fn settings_say_what_may_be_open() {
    let ec2 = Ec2::new().await;
    let id = group(&ec2).await;
    let_in(&ec2, &id, "tcp", Some((8443, 8444)), "0.0.0.0/0").await;
    let settings = only(&[OPEN], "ec2: {open-tcp-ports: [443, 8443, 8444]}\n");
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let fine = function
        .invoke(
            ec2.call("AuthorizeSecurityGroupIngress", json!({"groupId": id}))
                .event(),
        )
        .await;
    assert_eq!(fine.outcome(), "compliant", "{:?}", fine.result);
}

#[tokio::test]
async fn a_prefix_list_that_everybody_is_put_on_closes_the_groups_that_refer_to_it_and_no_other() {
    let ec2 = Ec2::new().await;
    let create = ec2.client.create_managed_prefix_list().prefix_list_name("offices");
    let office = AddPrefixListEntry::builder().cidr("198.51.100.0/24").build();
    let create = create.max_entries(5).address_family("IPv4").entries(office);
    let list = create.send().await.unwrap().prefix_list.unwrap();
    let id = list.prefix_list_id.unwrap();
    let (one, other, apart) = (group(&ec2).await, group(&ec2).await, group(&ec2).await);
    for group in [&one, &other] {
        let listed = PrefixListId::builder().prefix_list_id(&id).build();
        let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22);
        let call = ec2.client.authorize_security_group_ingress().group_id(group);
        let call = call.ip_permissions(ssh.prefix_list_ids(listed).build());
        call.send().await.unwrap();
    }
    let_in(&ec2, &apart, "tcp", Some((22, 22)), "0.0.0.0/0").await;
    let params = json!({"ModifyManagedPrefixListRequest": {"PrefixListId": id, "AddEntry": {"Cidr": "0.0.0.0/0"}}});
    let event = ec2.call("ModifyManagedPrefixList", params).event();
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[OPEN], ""))
        .start()
        .await;
    let found = |answer: &serde_json::Value| {
        let resources = answer["resources"].as_array().unwrap().iter();
        let mut found: Vec<_> = resources
            .map(|one| {
                let arn = one["resource"].as_str().unwrap();
                let outcome = one["outcome"].as_str().unwrap();
                (arn.rsplit('/').next().unwrap().to_owned(), outcome.to_owned())
            })
            .collect();
        found.sort();
        found
    };
    let both = |outcome: &str| {
        let mut both = [one.clone(), other.clone()].map(|id| (id, outcome.to_owned()));
        both.sort();
        both
    };
    let before = function.invoke(&event).await;
    assert_eq!(found(before.answer()), both("compliant"));

    let modify = ec2.client.modify_managed_prefix_list().prefix_list_id(&id);
    let everybody = AddPrefixListEntry::builder().cidr("0.0.0.0/0").build();
    let modify = modify.current_version(1).add_entries(everybody);
    modify.send().await.unwrap();
    let closed = function.invoke(&event).await;
    assert_eq!(found(closed.answer()), both("remediated"), "{:?}", closed.result);
    for group in [&one, &other] {
        let left = rules(&ec2, group).await;
        assert!(left.iter().all(|rule| !rule.contains(&id)), "{left:?}");
    }
    assert!(rules(&ec2, &apart).await.iter().any(|rule| rule.contains("0.0.0.0/0")));
    let alerts = ec2.world.alerts().await;
    assert_eq!(alerts.len(), 2);
    assert!(alerts.iter().all(|alert| alert.text.contains(&id)), "{alerts:#?}");
}

#[tokio::test]
async fn a_prefix_list_that_is_no_more_stands_for_no_group() {
    let ec2 = Ec2::new().await;
    let function = ec2.function().start().await;
    let params = json!({"ModifyManagedPrefixListRequest": {"PrefixListId": "pl-0d9f3a5e7c414b8e9"}});
    let gone = function
        .invoke(ec2.call("ModifyManagedPrefixList", params).event())
        .await;
    assert_eq!(gone.outcome(), "gone", "{:?}", gone.result);
}
