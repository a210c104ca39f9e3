//! Tags: what classifies the data, or exempts, leads to what has them.

use aws_sdk_ec2::types::Tag;
use portcullis_testkit::{Actor, assert_called};
use portcullis_tests::{Answered, controls_in};
use serde_json::{Value, json};

use super::support::{Ec2, keys, writes};

fn tagged(ec2: &Ec2, name: &str, ids: &[&str], tag: (&str, &str)) -> Value {
    let items: Vec<_> = ids.iter().map(|id| json!({"resourceId": id})).collect();
    let tags = json!({"items": [{"key": tag.0, "value": tag.1}]});
    ec2.call(name, json!({"resourcesSet": {"items": items}, "tagSet": tags}))
        .response(json!({"_return": true}))
        .event()
}

async fn volume(ec2: &Ec2, key: &str) -> String {
    let create = ec2.client.create_volume().availability_zone("us-east-1a").size(1);
    let made = create.encrypted(true).kms_key_id(key).send().await.unwrap();
    made.volume_id.unwrap()
}

async fn tag(ec2: &Ec2, id: &str, key: &str, value: &str) {
    let tag = Tag::builder().key(key).value(value).build();
    ec2.client.create_tags().resources(id).tags(tag).send().await.unwrap();
}

/// Of an answer: the outcome of each resource that was looked at, by its id.
fn outcomes(answer: &Value) -> Vec<(&str, &str)> {
    let resources = answer["resources"].as_array().unwrap().iter();
    let named = resources.map(|one| {
        let arn = one["resource"].as_str().unwrap();
        (arn.rsplit('/').next().unwrap(), one["outcome"].as_str().unwrap())
    });
    named.collect()
}

#[tokio::test]
async fn a_tag_that_raises_the_level_is_acted_on_for_all_that_it_names_and_no_other() {
    let ec2 = Ec2::new().await;
    let (_, aws) = keys(&ec2).await;
    let volume = volume(&ec2, &aws).await;
    let made = ec2.client.create_snapshot().volume_id(&volume).send().await.unwrap();
    let snapshot = made.snapshot_id.unwrap();
    let function = ec2.function().start().await;
    let both = [volume.as_str(), &snapshot, "igw-0d9f3a5e7c414b8e9"];
    for (level, expected) in [("confidential", "compliant"), ("restricted", "needs-action")] {
        for id in &both[..2] {
            tag(&ec2, id, "DataClassification", level).await;
        }
        let done = function
            .invoke(tagged(&ec2, "CreateTags", &both, ("DataClassification", level)))
            .await;
        let mut found = outcomes(done.answer());
        found.sort_unstable();
        assert_eq!(
            found,
            [(snapshot.as_str(), expected), (volume.as_str(), expected)],
            "{level}"
        );
        assert_eq!(writes(&done.calls), [""; 0]);
    }
    let alerts = ec2.world.alerts().await;
    assert_eq!(alerts.len(), 2);
    assert!(
        alerts.iter().all(|alert| alert.text.contains("CreateTags")),
        "{alerts:#?}"
    );
}

#[tokio::test]
async fn a_tag_that_settings_know_nothing_of_costs_no_call() {
    let ec2 = Ec2::new().await;
    let function = ec2.function().start().await;
    let id = "vol-0d9f3a5e7c414b8e9";
    for key in ["Name", "portcullis:quarantine", "dataclassification"] {
        let done = function.invoke(tagged(&ec2, "CreateTags", &[id], (key, "x"))).await;
        let why = done.answer()["ignored"].as_str().unwrap();
        assert!(why.contains("classifies or exempts"), "{why}");
        assert_called(&done.calls, &[]);
    }
    let gateway = tagged(
        &ec2,
        "CreateTags",
        &["igw-0d9f3a5e7c414b8e9"],
        ("DataClassification", "public"),
    );
    let done = function.invoke(gateway).await;
    assert!(done.answer()["ignored"].is_string(), "{:?}", done.result);
    assert_called(&done.calls, &[]);
}

#[tokio::test]
async fn a_tag_that_exempted_and_is_taken_off_brings_the_finding_back() {
    let ec2 = Ec2::new().await;
    let (_, aws) = keys(&ec2).await;
    let id = volume(&ec2, &aws).await;
    tag(&ec2, &id, "DataClassification", "restricted").await;
    tag(&ec2, &id, "Exempt", "drill").await;
    let settings = "exemptions: [{control: '*', tag: {key: Exempt, value: drill}, reason: drills, owner: ana, until: 2099-01-01T00:00:00Z}]\n";
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let set = function
        .invoke(tagged(&ec2, "CreateTags", &[&id], ("Exempt", "drill")))
        .await;
    assert_eq!(controls_in(set.answer())["ec2-volume-encrypted"], "exempt");
    let alert = &ec2.world.alerts().await[0];
    assert!(alert.text.contains("set with CreateTags by"), "{}", alert.text);
    let off = Tag::builder().key("Exempt").build();
    ec2.client.delete_tags().resources(&id).tags(off).send().await.unwrap();
    let taken = function
        .invoke(tagged(&ec2, "DeleteTags", &[&id], ("Exempt", "drill")))
        .await;
    assert_eq!(controls_in(taken.answer())["ec2-volume-encrypted"], "needs-action");
}

#[tokio::test]
async fn what_the_function_tags_itself_leads_nowhere() {
    let ec2 = Ec2::new().await;
    let function = ec2.function().start().await;
    let items = json!({"items": [{"resourceId": "vol-0d9f3a5e7c414b8e9"}]});
    let tags = json!({"items": [{"key": "DataClassification", "value": "restricted"}]});
    let call = ec2.call("CreateTags", json!({"resourcesSet": items, "tagSet": tags}));
    let done = function
        .invoke(call.actor(Actor::role("portcullis", "ec2")).event())
        .await;
    let why = done.answer()["ignored"].as_str().unwrap();
    assert!(why.contains("own"), "{why}");
    assert_called(&done.calls, &[]);
}
