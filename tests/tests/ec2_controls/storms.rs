//! An event of many resources: each is put right and recorded by itself, and all are told in one message.

use portcullis_testkit::Fault;
use portcullis_tests::Answered;
use serde_json::{Value, json};

use super::support::{Ec2, only};

const IMDS: &str = "ec2-instance-imdsv2";

/// Instances that hand out metadata without a token, and the launch that made them.
async fn launch(ec2: &Ec2, count: i32) -> Value {
    let run = ec2.client.run_instances().image_id("ami-12c6146b");
    let made = run.min_count(count).max_count(count).send().await.unwrap();
    let ids = made
        .instances()
        .iter()
        .map(|one| json!({"instanceId": one.instance_id}));
    let answer = json!({"instancesSet": {"items": ids.collect::<Vec<_>>()}});
    ec2.call("RunInstances", json!({})).response(answer).event()
}

#[tokio::test]
async fn many_resources_of_one_event_are_told_in_one_message() {
    let ec2 = Ec2::new().await;
    let event = launch(&ec2, 12).await;
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[IMDS], ""))
        .start()
        .await;
    let done = function.invoke(&event).await;
    let resources = done.answer()["resources"].as_array().unwrap().iter();
    // The launch leads to their volumes as well, of which no control is on.
    let resources: Vec<_> = resources.filter(|one| one["outcome"] != "ignored").collect();
    assert!(
        resources.iter().all(|one| one["outcome"] == "remediated"),
        "{resources:?}"
    );
    let (records, open) = ec2.world.records().await;
    assert_eq!((resources.len(), records.len(), open), (12, 12, false));
    let alerts = ec2.world.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    let alert = &alerts[0];
    assert!(
        alert
            .subject
            .contains("12 findings in 12 resources by one RunInstances"),
        "{}",
        alert.subject
    );
    assert_eq!(
        (&alert.json["kind"], &alert.json["resources"]),
        (&json!("storm"), &json!(12))
    );
    for record in &records {
        let id = record["report"]["ledger_id"].as_str().unwrap();
        assert!(alert.text.contains(id), "each can be undone: {}", alert.text);
    }
    let restored = function
        .invoke(json!({"restore": records[3]["report"]["ledger_id"]}))
        .await;
    assert_eq!(restored.outcome(), "restored", "{:?}", restored.result);
    function.invoke(&event).await.answer();
    assert_eq!(ec2.world.alerts().await.len(), 3, "the restore, and that it is held");
}

#[tokio::test]
async fn a_message_about_many_that_did_not_leave_is_sent_by_the_retry() {
    let ec2 = Ec2::new().await;
    let event = launch(&ec2, 11).await;
    let function = ec2
        .function()
        .env("PORTCULLIS_SETTINGS", only(&[IMDS], ""))
        .start()
        .await;
    ec2.world.aws.fault(Fault::on("sns", "Publish").denied().always()).await;
    let untold = function.invoke(&event).await;
    assert_eq!(untold.result.as_ref().unwrap_err().error_type, "NotifyFailed");
    ec2.world.aws.clear_faults().await;
    assert_eq!(ec2.world.alerts().await.len(), 0);
    function.retry(&untold).await.answer();
    let alerts = ec2.world.alerts().await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].subject.contains("11 findings"), "{}", alerts[0].subject);
    function.invoke(json!({"sweep": {}})).await.answer();
    let alerts = ec2.world.alerts().await;
    assert_eq!(
        alerts.last().unwrap().json["new"],
        0,
        "nothing is told twice: {alerts:?}"
    );
}
