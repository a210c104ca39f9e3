//! The re-encryption of volumes, as the state machine in `template.yaml` defines it, against the local AWS: from the event that
//! leads the function to an unencrypted volume, it ends with an encrypted one of the same kind, and whichever step fails, with the
//! instance having its disk, and all that was written to it. `reencryption/run.py` drives it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use portcullis_testkit::{Actor, CloudTrail};
use portcullis_tests::{Answered, World, controls_in, record_of, template};
use serde_json::{Value, json};

const CONTROL: &str = "ec2-volume-quarantine";

/// What the machine is given: the event of the tag by which the function has a volume swapped, as its call would be recorded.
async fn tagged(world: &World) -> Value {
    let ec2 = aws_sdk_ec2::Client::new(&world.aws.sdk_config());
    let run = ec2.run_instances().image_id("ami-12c6146b").min_count(1).max_count(1);
    let instance = run.send().await.unwrap().instances()[0].instance_id.clone().unwrap();
    let create = ec2.create_volume().availability_zone("us-east-1a").size(1);
    let name = aws_sdk_ec2::types::Tag::builder().key("Name").value("web").build();
    let name = aws_sdk_ec2::types::TagSpecification::builder()
        .resource_type("volume".into())
        .tags(name);
    let create = create.tag_specifications(name.build());
    let volume = create.send().await.unwrap().volume_id.unwrap();
    let attach = ec2.attach_volume().volume_id(&volume).instance_id(&instance);
    attach.device("/dev/sdf").send().await.unwrap();

    let settings = format!("controls: {{{CONTROL}: {{mode: enforce}}}}\nec2: {{unencrypted-volumes: re-encrypt}}\n");
    let function = world
        .function_of("portcullis-ec2")
        .env("PORTCULLIS_SETTINGS", settings)
        .start()
        .await;
    let call = |name: &str, params: Value| {
        let call = CloudTrail::call("ec2.amazonaws.com", name).params(params);
        call.account(world.aws.account()).region(&world.region)
    };
    let done = function
        .invoke(call("AttachVolume", json!({"volumeId": volume})).event())
        .await;
    assert_eq!(controls_in(done.answer())[CONTROL], "remediating", "{:?}", done.result);

    // Its last write is the tag that starts the machine.
    let writes: Vec<_> = done.calls.iter().filter(|call| call.action == "CreateTags").collect();
    let body = writes.last().unwrap().body.clone().unwrap();
    let sent = |name: &str| {
        let value = body
            .split('&')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        value.unwrap().replace("%3A", ":")
    };
    let items = json!({"items": [{"key": sent("Tag.1.Key"), "value": sent("Tag.1.Value")}]});
    let resources = json!({"items": [{"resourceId": sent("ResourceId.1")}]});
    let event = call("CreateTags", json!({"resourcesSet": resources, "tagSet": items}));
    let event = event.actor(Actor::role("ec2", "portcullis-ec2")).event();
    let role = &event["detail"]["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"];
    json!({
        "event": event, "names": {"Ec2Role.Arn": role}, "record": record_of(done.answer()), "instance": instance,
        "account": world.aws.account(), "table": world.stack.table, "topic": world.stack.topic_arn,
    })
}

/// Plays a part of the cases, none of which may end badly.
async fn play(part: &'static str) -> Value {
    let world = World::new().await;
    let given = if part == "others" {
        tagged(&world).await.to_string()
    } else {
        String::new()
    };
    let endpoint = world.aws.endpoint().to_string();
    let run = move || {
        let mut python = Command::new(template::python());
        python.arg(template::root().join("tests/reencryption/run.py"));
        python.args([endpoint.as_str(), part]);
        python
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut running = python.spawn().unwrap();
        running.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
        running.wait_with_output().unwrap()
    };
    let done = tokio::task::spawn_blocking(run).await.unwrap();
    let (out, said) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "{said}");
    let played: Value = serde_json::from_str(&out).unwrap();
    let cases = played["cases"].as_object().unwrap();
    assert!(cases.len() > 25, "{}", cases.len());
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(_, case)| case["wrong"] != json!([]))
        .map(|(name, case)| (name, &case["wrong"], &case["ends"]))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    played
}

#[tokio::test]
async fn any_call_may_fail() {
    play("calls").await;
}

#[tokio::test]
async fn what_goes_back_arrives_whatever_fails_on_the_way() {
    play("back").await;
}

#[tokio::test]
async fn from_the_event_to_the_swapped_volume_whoever_else_is_at_it() {
    let played = play("others").await;
    assert!(played["cases"]["from the event"].is_object());
}

#[tokio::test]
async fn a_step_that_always_fails_leaves_the_instance_its_disk() {
    let played = play("steps").await;
    // Each step that calls AWS was come to, and the role allows exactly what they do.
    let texts = |value: &Value| -> BTreeSet<String> {
        let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        all.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let resources = template::translated()["Resources"].clone();
    let machine = &resources["Reencryption"]["Properties"]["Definition"];
    let tasks = machine["States"].as_object().unwrap().iter();
    let tasks = tasks.filter(|(_, state)| state["Type"] == "Task");
    assert_eq!(texts(&played["steps"]), tasks.map(|(name, _)| name.clone()).collect());
    let policy = &resources["ReencryptionRole"]["Properties"]["Policies"][0]["PolicyDocument"];
    let statements = policy["Statement"].as_array().unwrap();
    let allowed = statements.iter().flat_map(|statement| texts(&statement["Action"]));
    let allowed = allowed.filter(|action| !action.starts_with("kms:"));
    let done = texts(&played["actions"]);
    assert_eq!(
        done.iter().map(|action| action.to_lowercase()).collect::<BTreeSet<_>>(),
        allowed.map(|action| action.to_lowercase()).collect()
    );

    // And the test is awake.
    let careless = played["careless"].as_array().unwrap();
    assert!(careless.contains(&json!("the instance has no disk")), "{careless:?}");
    assert_ne!(
        played["unlocked"],
        json!([]),
        "without the lock two volumes of an instance are in each other's way"
    );
}
