//! Every sample event names its resource, and is handled even where that is not there.

use portcullis_core::Event;
use portcullis_tests::samples::in_folder;

use super::support::Ec2;

#[test]
fn every_sample_names_its_resource() {
    let listings = portcullis_ec2::listings();
    for (name, text) in &in_folder("ec2") {
        let Event::Call(call) = Event::from_slice(text.as_bytes(), &[]).unwrap() else {
            panic!("{name}")
        };
        assert_eq!(&call.name, name);
        let found: Vec<_> = listings.iter().filter_map(|listing| listing.resources(&call)).collect();
        // A launch is about instances and about their volumes; tags are about whatever has them.
        let guards = match name.as_str() {
            "RunInstances" => 2,
            "CreateTags" | "DeleteTags" => 6,
            _ => 1,
        };
        assert_eq!(found.len(), guards, "{name}");
        for resource in found.into_iter().flat_map(Result::unwrap) {
            assert_eq!(
                (resource.account.as_str(), resource.region.as_str()),
                ("111122223333", "eu-west-1"),
                "{name}"
            );
        }
    }
}

/// What the rule in the template takes of EBS's own events is a volume that was made.
#[test]
fn the_native_sample_names_its_volume() {
    let text = &in_folder("ec2/native")["createVolume"];
    let listings = portcullis_ec2::listings();
    let native: Vec<_> = listings
        .iter()
        .flat_map(|listing| listing.native_events())
        .copied()
        .collect();
    let Event::Call(call) = Event::from_slice(text.as_bytes(), &native).unwrap() else {
        panic!("{text}")
    };
    let found: Vec<_> = listings.iter().filter_map(|listing| listing.resources(&call)).collect();
    let found: Vec<_> = found.into_iter().flat_map(Result::unwrap).collect();
    let arns: Vec<_> = found.iter().map(|resource| resource.arn.as_str()).collect();
    assert_eq!(
        arns,
        ["arn:aws:ec2:eu-west-1:111122223333:volume/vol-0a6b8c4d1e700d9f3"]
    );
    let template = portcullis_tests::template::translated();
    let pattern = &template["Resources"]["Ec2Volumes"]["Properties"]["EventPattern"];
    let sample: serde_json::Value = serde_json::from_str(text).unwrap();
    for (pattern, value) in [
        (&pattern["source"], &sample["source"]),
        (&pattern["detail-type"], &sample["detail-type"]),
        (&pattern["detail"]["event"], &sample["detail"]["event"]),
        (&pattern["detail"]["result"], &sample["detail"]["result"]),
    ] {
        assert_eq!(pattern, &serde_json::json!([value]));
    }
}

#[tokio::test]
async fn every_sample_is_handled_or_refused_by_name() {
    let ec2 = Ec2::new().await;
    let function = ec2.function().mode("notify").start().await;
    let samples = in_folder("ec2").into_iter().chain(in_folder("ec2/native"));
    for (name, text) in samples.chain(in_folder("ec2/odd")) {
        let text = text
            .replace("111122223333", ec2.world.aws.account())
            .replace("eu-west-1", "us-east-1");
        let answer = function
            .invoke(serde_json::from_str::<serde_json::Value>(&text).unwrap())
            .await;
        match (name.as_str(), answer.result) {
            ("no-group", Err(error)) => assert!(error.message.contains("groupId"), "{error}"),
            ("not-an-id", Err(error)) => assert!(error.message.contains("snapshotId"), "{error}"),
            (name, Err(error)) => panic!("{name}: {error}"),
            (name, Ok(_)) => assert!(!["no-group", "not-an-id"].contains(&name), "{name}"),
        }
    }
}
