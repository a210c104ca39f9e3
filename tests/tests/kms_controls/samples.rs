//! Every sample event names its resource, and is handled even where that is not there.

use portcullis_core::Event;
use portcullis_tests::samples::in_folder;

use super::support::Kms;

#[test]
fn every_sample_names_its_resource() {
    let listings = portcullis_kms::listings();
    for (name, text) in &in_folder("kms") {
        let Event::Call(call) = Event::from_slice(text.as_bytes(), &[]).unwrap() else {
            panic!("{name}")
        };
        assert_eq!(&call.name, name);
        let found: Vec<_> = listings.iter().filter_map(|listing| listing.resources(&call)).collect();
        assert!(!found.is_empty(), "{name}");
        for resources in found {
            let resources = resources.unwrap();
            assert_eq!(
                (resources.len(), resources[0].region.as_str()),
                (1, "eu-west-1"),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn every_sample_is_handled_or_refused_by_name() {
    let kms = Kms::in_region("eu-west-1").await;
    let function = kms.function().mode("notify").start().await;
    let account = kms.world.aws.account();
    for (name, text) in in_folder("kms").into_iter().chain(in_folder("kms/odd")) {
        let text = text.replace("111122223333", account);
        let answer = function
            .invoke(serde_json::from_str::<serde_json::Value>(&text).unwrap())
            .await;
        match answer.result {
            Ok(_) => assert_ne!(name, "no-key"),
            Err(error) => {
                assert_eq!(name, "no-key", "{error}");
                assert!(error.to_string().contains("keyId"), "{error}");
            }
        }
    }
    // The sample of a key's end is the only one that has something to say of keys that are not there.
    assert_eq!(kms.world.alerts().await.len(), 1);
}
