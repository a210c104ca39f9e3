//! What EC2 does and the local one does not by itself: it takes its time, and CloudTrail leaves answers out.

use aws_sdk_ec2::types::ImageBlockPublicAccessEnabledState;
use portcullis_testkit::Fault;
use portcullis_tests::{Answered, controls_in};
use serde_json::json;

use super::support::{Ec2, only, writes};

/// Source: EC2 API Reference, `DisableImageBlockPublicAccess`: for up to ten minutes AWS answers what was so before, both ways.
#[tokio::test]
async fn the_block_of_images_goes_by_the_call_and_its_proof_is_scheduled() {
    let ec2 = Ec2::new().await;
    let settings = only(&["ec2-image-block-public-access"], "");
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let block = ec2.client.enable_image_block_public_access();
    let state = ImageBlockPublicAccessEnabledState::BlockNewSharing;
    block.image_block_public_access_state(state).send().await.unwrap();
    ec2.world
        .aws
        .fault(Fault::on("ec2", "GetImageBlockPublicAccessState").lagging(1_000))
        .await;
    let now = jiff::Timestamp::now().to_string();
    let event = ec2.call("DisableImageBlockPublicAccess", json!({})).time(&now).event();
    // It was turned off, and AWS shows it on.
    let done = function.invoke(&event).await;
    let control = "ec2-image-block-public-access";
    assert_eq!(controls_in(done.answer())[control], "remediating", "{:?}", done.result);
    assert_eq!(writes(&done.calls), ["EnableImageBlockPublicAccess"]);
    let scheduled = done.calls.iter().filter(|call| call.service == "scheduler");
    assert_eq!(scheduled.count(), 1, "a second look");
    let alert = ec2.world.alerts().await.pop().unwrap();
    assert!(alert.subject.contains("HIGH remediating"), "{}", alert.subject);
    assert!(alert.text.contains("accepted by AWS"), "{}", alert.text);
    // Meanwhile nothing is made a second time, and nobody is woken again.
    let again = function.invoke(&event).await;
    assert_eq!(writes(&again.calls), [""; 0]);
    assert_eq!(ec2.world.alerts().await.len(), 1);
}

/// Source: CloudTrail User Guide, "CloudTrail record contents": an answer of more than 100 KB is left out.
#[tokio::test]
async fn instances_whose_launch_is_recorded_without_its_answer_are_found_by_the_client_token() {
    let ec2 = Ec2::new().await;
    let launch = ec2
        .client
        .run_instances()
        .image_id("ami-12c6146b")
        .min_count(2)
        .max_count(2);
    launch.client_token("launch-7").send().await.unwrap();
    let settings = only(&["ec2-instance-imdsv2"], "");
    let function = ec2.function().env("PORTCULLIS_SETTINGS", settings).start().await;
    let omitted = json!({"omitted": true, "originalSize": 131_072, "reason": "responseElements too large"});
    let call = ec2
        .call("RunInstances", json!({"clientToken": "launch-7"}))
        .response(omitted);
    let done = function.invoke(call.event()).await;
    // Its disks are found by the same token, and are another type's.
    let resources = done.answer()["resources"].as_array().unwrap().iter();
    let remediated = resources.filter(|one| one["outcome"] == "remediated");
    assert_eq!(remediated.count(), 2, "{:?}", done.result);
    assert_eq!(ec2.world.alerts().await.len(), 2);
    for alert in ec2.world.alerts().await {
        assert!(
            alert.subject.contains("CRITICAL remediated"),
            "raised: {}",
            alert.subject
        );
        assert!(alert.text.contains("or its answer"), "{}", alert.text);
    }
}
