//! The demo runs, and refuses to run against anything but a local AWS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::process::{Command, Output};

use portcullis_testkit::LocalAws;

fn demo(endpoint: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.env_remove("PORTCULLIS_LOCAL_AWS");
    if let Some(endpoint) = endpoint {
        command.env("PORTCULLIS_LOCAL_AWS", endpoint);
    }
    command.output().unwrap()
}

#[tokio::test]
async fn every_scene_ends_well_and_on_one_screen() {
    let aws = LocalAws::start().await;
    let endpoint = aws.endpoint().to_string();
    let shown = tokio::task::spawn_blocking(move || demo(Some(&endpoint)))
        .await
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&shown.stderr)
    );
    let table = text.rsplit("\n\n").next().unwrap();
    assert_eq!(table.matches(" yes ").count(), 9, "{text}");
    assert!(text.lines().count() <= 66, "{} lines", text.lines().count());
    assert!(!text.contains('\u{1b}'), "no colours where nobody looks");
}

#[test]
fn it_refuses_whatever_is_not_loopback() {
    let refused = [
        "https://s3.amazonaws.com",
        "http://10.0.0.1:5000",
        "http://localhost:5000",
        "http://127.0.0.1:80@example.com",
    ];
    for endpoint in refused.map(Some).into_iter().chain([None]) {
        let done = demo(endpoint);
        assert_eq!(done.status.code(), Some(2), "{endpoint:?}");
        assert!(done.stdout.is_empty());
        assert!(
            String::from_utf8_lossy(&done.stderr).starts_with("demo: "),
            "{endpoint:?}"
        );
    }
}
