//! Instances: their metadata service, and what becomes of one that the internet reaches.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{
    Filter, InstanceNetworkInterfaceSpecification, IpPermission, IpRange, ResourceType, Tag, TagSpecification,
};
use portcullis_testkit::Fault;
use portcullis_tests::{Answered, balance, controls_in};
use serde_json::json;

use super::support::{Ec2, only, writes};

const IMDS: &str = "ec2-instance-imdsv2";
const EXPOSED: &str = "ec2-instance-exposed";
const QUARANTINE: &str = "portcullis-quarantine";

/// A subnet with two groups in its VPC: one that lets in SSH from everywhere, and one that lets nothing in.
struct Net {
    vpc: String,
    subnet: String,
    open: String,
    closed: String,
}

async fn net(ec2: &Ec2) -> Net {
    let vpc = ec2
        .client
        .create_vpc()
        .cidr_block("10.0.0.0/16")
        .send()
        .await
        .unwrap()
        .vpc;
    let vpc = vpc.unwrap().vpc_id.unwrap();
    let create = ec2.client.create_subnet().vpc_id(&vpc).cidr_block("10.0.0.0/24");
    let subnet = create.send().await.unwrap().subnet.unwrap().subnet_id.unwrap();
    let group = async |name: &str| {
        let create = ec2.client.create_security_group().group_name(name).description(name);
        create.vpc_id(&vpc).send().await.unwrap().group_id.unwrap()
    };
    let (open, closed) = (group("open").await, group("closed").await);
    let range = IpRange::builder().cidr_ip("0.0.0.0/0").build();
    let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22);
    let call = ec2.client.authorize_security_group_ingress().group_id(&open);
    call.ip_permissions(ssh.ip_ranges(range).build()).send().await.unwrap();
    Net {
        vpc,
        subnet,
        open,
        closed,
    }
}

/// An instance with two interfaces, the first of them with a public address if so asked.
async fn instance(ec2: &Ec2, net: &Net, public: bool, tags: &[(&str, &str)]) -> String {
    let interface = |index: i32, groups: &[&String]| {
        InstanceNetworkInterfaceSpecification::builder()
            .device_index(index)
            .subnet_id(&net.subnet)
            .associate_public_ip_address(public && index == 0)
            .set_groups(Some(groups.iter().map(|&group| group.clone()).collect()))
            .build()
    };
    // AWS takes no list of tags without any.
    let tags = [("Name", "web")]
        .iter()
        .chain(tags)
        .map(|(key, value)| Tag::builder().key(*key).value(*value).build());
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .set_tags(Some(tags.collect()));
    let run = ec2
        .client
        .run_instances()
        .image_id("ami-12c6146b")
        .min_count(1)
        .max_count(1);
    let run = run
        .network_interfaces(interface(0, &[&net.open, &net.closed]))
        .network_interfaces(interface(1, &[&net.closed]))
        .tag_specifications(tags.build());
    let made = run.send().await.unwrap();
    made.instances()[0].instance_id.clone().unwrap()
}

/// The names of the groups of each interface, and the tag that a quarantine leaves.
async fn interfaces(ec2: &Ec2, instance: &str) -> Vec<(BTreeSet<String>, Option<String>)> {
    let of = Filter::builder()
        .name("attachment.instance-id")
        .values(instance)
        .build();
    let answer = ec2
        .client
        .describe_network_interfaces()
        .filters(of)
        .send()
        .await
        .unwrap();
    let mut found: Vec<_> = answer
        .network_interfaces()
        .iter()
        .map(|interface| {
            let groups = interface.groups().iter().filter_map(|group| group.group_name.clone());
            let mut tags = interface.tag_set().iter();
            let tag = tags.find(|tag| tag.key() == Some("portcullis:groups"));
            (groups.collect(), tag.and_then(|tag| tag.value.clone()))
        })
        .collect();
    found.sort();
    found
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test]
async fn an_exposed_instance_of_restricted_data_is_cut_off_and_a_restore_gives_its_groups_back() {
    let ec2 = Ec2::new().await;
    let net = net(&ec2).await;
    let id = instance(&ec2, &net, true, &[("DataClassification", "restricted")]).await;
    let event = ec2
        .call(
            "AssociateAddress",
            json!({"instanceId": id, "allocationId": "eipalloc-1"}),
        )
        .event();
    let settings = only(&[EXPOSED], "");
    let before = interfaces(&ec2, &id).await;
    assert_eq!(before, [(set(&["closed"]), None), (set(&["closed", "open"]), None)]);

    let notify = ec2
        .function()
        .mode("notify")
        .env("PORTCULLIS_SETTINGS", &settings)
        .start()
        .await;
    let told = notify.invoke(&event).await;
    assert_eq!(controls_in(told.answer())[EXPOSED], "would-remediate");
    assert_eq!(writes(&told.calls), [""; 0]);
    drop(notify);

    let function = ec2.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
    let done = function.invoke(&event).await;
    assert_eq!(controls_in(done.answer())[EXPOSED], "quarantined", "{:?}", done.result);
    let calls = [
        "CreateTags",
        "CreateSecurityGroup",
        "RevokeSecurityGroupEgress",
        "ModifyNetworkInterfaceAttribute",
        "CreateTags",
        "ModifyNetworkInterfaceAttribute",
    ];
    assert_eq!(writes(&done.calls), calls);
    let after = interfaces(&ec2, &id).await;
    assert!(
        after.iter().all(|(groups, _)| *groups == set(&[QUARANTINE])),
        "{after:?}"
    );
    let kept: BTreeSet<_> = after.iter().filter_map(|(_, tag)| tag.clone()).collect();
    let mut both = [net.open.as_str(), net.closed.as_str()];
    both.sort_unstable();
    assert_eq!(kept, set(&[&net.closed, &both.join(" ")]));
    let alert = ec2.world.alerts().await.pop().unwrap();
    assert_eq!(alert.attributes["severity"], "CRITICAL");
    assert!(alert.text.contains("tcp 22 from 0.0.0.0/0"), "{}", alert.text);

    // The group lets nothing in or out, and is made once.
    let named = Filter::builder().name("group-name").values(QUARANTINE).build();
    let groups = ec2
        .client
        .describe_security_groups()
        .filters(named)
        .send()
        .await
        .unwrap();
    let [group] = groups.security_groups() else {
        panic!("{groups:?}")
    };
    assert_eq!(group.vpc_id.as_ref(), Some(&net.vpc));
    assert!(group.ip_permissions().is_empty() && group.ip_permissions_egress().is_empty());
    let other = instance(&ec2, &net, true, &[("DataClassification", "restricted")]).await;
    let again = function
        .invoke(
            ec2.call("ModifyInstanceAttribute", json!({"instanceId": other}))
                .event(),
        )
        .await;
    assert_eq!(controls_in(again.answer())[EXPOSED], "quarantined");
    assert!(!writes(&again.calls).contains(&"CreateSecurityGroup".to_owned()));

    portcullis_tests::put_back(&function, &done).await;
    assert_eq!(interfaces(&ec2, &id).await, before);
    let held = function.invoke(&event).await;
    assert_eq!(controls_in(held.answer())[EXPOSED], "exempt");
}

#[tokio::test]
async fn by_setting_snapshots_are_made_and_it_is_stopped_until_a_restore() {
    let ec2 = Ec2::new().await;
    let net = net(&ec2).await;
    let id = instance(&ec2, &net, true, &[("DataClassification", "restricted")]).await;
    let event = ec2
        .call(
            "StartInstances",
            json!({"instancesSet": {"items": [{"instanceId": id}]}}),
        )
        .event();
    let settings = only(&[EXPOSED], "ec2: {exposed-instances: {snapshot: true, stop: true}}\n");
    let function = ec2.function().env("PORTCULLIS_SETTINGS", &settings).start().await;
    let evidence = async || {
        let filter = Filter::builder().name("tag:portcullis:evidence").values(&id).build();
        let found = ec2.client.describe_snapshots().filters(filter).send().await.unwrap();
        found.snapshots().len()
    };
    let state = async || {
        let found = ec2.client.describe_instances().instance_ids(&id).send().await.unwrap();
        let state = found.reservations()[0].instances()[0]
            .state()
            .unwrap()
            .name()
            .unwrap()
            .clone();
        state.as_str().to_owned()
    };
    // What fails on the way is told as such; the retry makes the rest, and no snapshots twice.
    ec2.world
        .aws
        .fault(Fault::on("ec2", "StopInstances").denied().always())
        .await;
    let half = function.invoke(&event).await;
    assert!(half.result.is_err(), "{:?}", half.result);
    let alert = ec2.world.alerts().await.remove(0);
    assert_eq!(alert.attributes["outcome"], "failed");
    assert!(alert.text.contains("StopInstances"), "{}", alert.text);
    ec2.world.aws.clear_faults().await;
    assert_eq!((evidence().await, state().await.as_str()), (1, "running"));

    let other = instance(&ec2, &net, true, &[("DataClassification", "restricted")]).await;
    let event = ec2
        .call(
            "StartInstances",
            json!({"instancesSet": {"items": [{"instanceId": other}]}}),
        )
        .event();
    let done = function.invoke(event).await;
    assert_eq!(controls_in(done.answer())[EXPOSED], "quarantined", "{:?}", done.result);
    let last: Vec<_> = writes(&done.calls).into_iter().rev().take(2).collect();
    assert_eq!(last, ["StopInstances", "CreateSnapshots"]);
    let undo = json!({"restore": portcullis_tests::record_of(done.answer())});
    let restored = function.invoke(undo).await;
    assert_eq!(restored.outcome(), "restored", "{:?}", restored.result);
    let back = writes(&restored.calls);
    assert!(
        back.contains(&"StartInstances".to_owned()) && !back.contains(&"CreateSnapshots".to_owned()),
        "{back:?}"
    );
}

#[tokio::test]
async fn one_of_other_data_is_told_with_its_auto_scaling_group() {
    let ec2 = Ec2::new().await;
    let net = net(&ec2).await;
    let tags = [("aws:autoscaling:groupName", "web")];
    let id = instance(&ec2, &net, true, &tags).await;
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[EXPOSED], ""))
        .start()
        .await;
    let event = ec2.call("ModifyInstanceAttribute", json!({"instanceId": id})).event();
    let told = function.invoke(event).await;
    assert_eq!(controls_in(told.answer())[EXPOSED], "needs-action", "{:?}", told.result);
    assert_eq!(writes(&told.calls), [""; 0]);
    let alert = &ec2.world.alerts().await[0];
    assert!(alert.text.contains("Auto Scaling group web"), "{}", alert.text);
}

#[tokio::test]
async fn an_interface_leads_to_its_instance_and_one_without_to_none() {
    let ec2 = Ec2::new().await;
    let net = net(&ec2).await;
    let id = instance(&ec2, &net, true, &[]).await;
    let of = Filter::builder().name("attachment.instance-id").values(&id).build();
    let found = ec2
        .client
        .describe_network_interfaces()
        .filters(of)
        .send()
        .await
        .unwrap();
    let eni = found.network_interfaces()[0].network_interface_id.clone().unwrap();
    let create = ec2.client.create_network_interface().subnet_id(&net.subnet);
    let alone = create
        .send()
        .await
        .unwrap()
        .network_interface
        .unwrap()
        .network_interface_id
        .unwrap();
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[EXPOSED], ""))
        .start()
        .await;
    let event = |eni: &str| {
        ec2.call("ModifyNetworkInterfaceAttribute", json!({"networkInterfaceId": eni}))
            .event()
    };
    let told = function.invoke(event(&eni)).await;
    assert_eq!(controls_in(told.answer())[EXPOSED], "needs-action", "{:?}", told.result);
    for none in [alone.as_str(), "eni-0d9f3a5e7c414b8e9"] {
        assert_eq!(function.invoke(event(none)).await.outcome(), "gone", "{none}");
    }
}

#[tokio::test]
async fn an_instance_without_a_public_address_costs_one_read_and_a_terminated_one_is_gone() {
    let ec2 = Ec2::new().await;
    let net = net(&ec2).await;
    let id = instance(&ec2, &net, false, &[]).await;
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[EXPOSED], ""))
        .start()
        .await;
    let event = ec2.call("ModifyInstanceAttribute", json!({"instanceId": id})).event();
    let fine = function.invoke(&event).await;
    assert_eq!(fine.outcome(), "compliant", "{:?}", fine.result);
    let reads: Vec<_> = fine.calls.iter().filter(|call| call.service == "ec2").collect();
    assert_eq!(reads.len(), 1, "{}", portcullis_testkit::table(&fine.calls));
    ec2.client.terminate_instances().instance_ids(&id).send().await.unwrap();
    assert_eq!(function.invoke(&event).await.outcome(), "gone");
}

/// Each is read with the ledger, written ahead, changed, verified, told and closed: all of them at the same time.
#[tokio::test]
async fn a_launch_of_ten_takes_as_many_rounds_as_one() {
    let ec2 = Ec2::new().await;
    let run = ec2.client.run_instances().image_id("ami-12c6146b");
    let made = run.min_count(10).max_count(10).send().await.unwrap();
    let ids = made.instances().iter().map(|one| one.instance_id.clone().unwrap());
    let items: Vec<_> = ids.map(|id| json!({"instanceId": id})).collect();
    let settings = only(&[IMDS], "");
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    ec2.world.aws.slow(std::time::Duration::from_millis(50)).await;
    let answer = json!({"instancesSet": {"items": items}});
    let event = ec2.call("RunInstances", json!({})).response(answer).event();
    let done = function.invoke(&event).await;
    done.answer();
    let rounds = portcullis_testkit::rounds(&done.calls);
    assert!(rounds < 20, "{rounds}\n{}", portcullis_testkit::table(&done.calls));
    assert_eq!(writes(&done.calls).len(), 10);
}

fn elb(calls: &[portcullis_testkit::Call]) -> Vec<&str> {
    let elb = calls.iter().filter(|call| call.service == "elasticloadbalancing");
    elb.map(|call| call.action.as_str()).collect()
}

#[tokio::test]
async fn the_load_balancers_before_an_instance_that_is_cut_off_are_named() {
    let ec2 = Ec2::new().await;
    let net = net(&ec2).await;
    let config = ec2.world.aws.sdk_config();
    let id = instance(&ec2, &net, true, &[("DataClassification", "restricted")]).await;
    let other = instance(&ec2, &net, false, &[]).await;
    let at = (net.vpc.as_str(), net.subnet.as_str());
    balance(&config, at, &id, "web", true).await;
    balance(&config, at, &other, "other", true).await;
    balance(&config, at, &id, "idle", false).await;
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[EXPOSED], ""))
        .start()
        .await;
    let of = |id: &str| ec2.call("ModifyInstanceAttribute", json!({"instanceId": id})).event();

    // What is compliant, and what is told only, costs no call of Elastic Load Balancing.
    let compliant = function.invoke(of(&other)).await;
    assert_eq!(
        (compliant.outcome().as_str(), elb(&compliant.calls)),
        ("compliant", vec![])
    );
    let internal = instance(&ec2, &net, true, &[]).await;
    let told = function.invoke(of(&internal)).await;
    assert_eq!(controls_in(told.answer())[EXPOSED], "needs-action");
    assert_eq!(elb(&told.calls), [""; 0]);

    let done = function.invoke(of(&id)).await;
    assert_eq!(controls_in(done.answer())[EXPOSED], "quarantined", "{:?}", done.result);
    let asked = ["DescribeTargetGroups", "DescribeTargetHealth", "DescribeTargetHealth"];
    assert_eq!(elb(&done.calls), asked, "not the one that no load balancer uses");
    let alert = ec2.world.alerts().await.pop().unwrap();
    let expected = "it is behind a load balancer: in the target group web of web-lb";
    assert!(alert.text.contains(expected), "{}", alert.text);
    let summary = alert.json["controls"][0]["summary"].as_str().unwrap();
    assert!(summary.contains(expected), "{summary}");
    assert!(!alert.text.contains("other-lb"), "{}", alert.text);
}

#[tokio::test]
async fn load_balancers_that_can_not_be_looked_up_keep_no_instance_from_being_cut_off() {
    let ec2 = Ec2::new().await;
    let net = net(&ec2).await;
    let config = ec2.world.aws.sdk_config();
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[EXPOSED], ""))
        .start()
        .await;
    for (call, name) in [("DescribeTargetGroups", "one"), ("DescribeTargetHealth", "two")] {
        let id = instance(&ec2, &net, true, &[("DataClassification", "restricted")]).await;
        balance(&config, (&net.vpc, &net.subnet), &id, name, true).await;
        let fault = Fault::on("elasticloadbalancing", call).denied().always();
        ec2.world.aws.fault(fault).await;
        let event = ec2.call("ModifyInstanceAttribute", json!({"instanceId": id})).event();
        let done = function.invoke(event).await;
        assert_eq!(
            controls_in(done.answer())[EXPOSED],
            "quarantined",
            "{call}: {:?}",
            done.result
        );
        let alert = ec2.world.alerts().await.pop().unwrap();
        let expected = format!("whether it is behind a load balancer could not be learned: {call} failed");
        assert!(alert.text.contains(&expected), "{call}: {}", alert.text);
        ec2.world.aws.clear_faults().await;
    }
}
