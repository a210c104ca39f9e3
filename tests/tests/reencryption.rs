//! The re-encryption of volumes, as the state machine in `template.yaml` defines it, against the local AWS: it ends with an
//! encrypted volume of the same kind, and whichever step fails, with the instance having its disk. `reencryption/run.py` drives it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::process::Command;

use portcullis_testkit::LocalAws;
use portcullis_tests::template;
use serde_json::{Value, json};

#[tokio::test]
async fn whatever_fails_the_instance_has_its_disk() {
    let aws = LocalAws::start().await;
    let endpoint = aws.endpoint().to_string();
    let run = move || {
        let mut python = Command::new(template::python());
        python.arg(template::root().join("tests/reencryption/run.py"));
        python.arg(endpoint).output().unwrap()
    };
    let done = tokio::task::spawn_blocking(run).await.unwrap();
    let (out, said) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "{said}");
    let played: Value = serde_json::from_str(&out).unwrap();
    let cases = played["cases"].as_object().unwrap();
    let wrong: Vec<_> = cases.iter().filter(|(_, case)| case["wrong"] != json!([])).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Each step that calls AWS for an attached volume, and the tagging of the new one, twice; each kind of volume once.
    let steps = played["steps"].as_array().unwrap().len();
    assert!(steps >= 14, "{}", played["steps"]);
    assert_eq!(cases.len(), 5 + 2 * (steps + 1));
    let careless = played["careless"]["wrong"].as_array().unwrap();
    assert!(careless.contains(&json!("the instance has no disk")), "{careless:?}");
}
