//! A replay refuses what it can't show, before it makes or starts anything. What it makes for each sample event is what the
//! tests `sample::…` see.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::process::Command;

use portcullis_testkit::samples;

fn refused(endpoint: &str, event: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_replay"));
    command.env("PORTCULLIS_LOCAL_AWS", endpoint).arg(event);
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{endpoint} {event}");
    assert!(done.stdout.is_empty());
    String::from_utf8(done.stderr).unwrap()
}

#[test]
fn it_refuses_whatever_is_not_loopback() {
    let event = samples::folder().join("s3/CreateBucket.json");
    for endpoint in [
        "https://s3.amazonaws.com",
        "http://10.0.0.1:5000",
        "http://localhost:5000",
    ] {
        let why = refused(endpoint, &event.to_string_lossy());
        assert!(why.starts_with("replay: ") && why.contains("loopback"), "{why}");
    }
}

#[test]
fn it_says_which_events_it_knows() {
    let event = samples::folder().join("config/ItemChange.json");
    let why = refused("http://127.0.0.1:1", &event.to_string_lossy());
    for source in ["s3.amazonaws.com", "kms.amazonaws.com", "ec2.amazonaws.com"] {
        assert!(why.contains(source), "{why}");
    }
    let why = refused("http://127.0.0.1:1", "");
    assert!(why.contains("make replay EVENT="), "{why}");
    let why = refused("http://127.0.0.1:1", "no-such-event.json");
    assert!(why.contains("no-such-event.json"), "{why}");
}
