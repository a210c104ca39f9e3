//! The stack as it is deployed: the template into a local AWS with IAM enforced, an event through its own rule, the real
//! binary under its own role. `deployed/run.py` does it; here is what must come of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::path::PathBuf;
use std::process::Command;

use portcullis_tests::template;
use serde_json::{Value, json};

/// The binary that was built with the tests.
fn bootstrap() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let directory = std::env::var_os("PORTCULLIS_BIN_DIR").map(PathBuf::from);
    let directory = directory.unwrap_or_else(|| this.parent().unwrap().parent().unwrap().to_owned());
    directory.join("portcullis-s3")
}

fn deployed(options: &[&str]) -> Value {
    let done = Command::new(template::python())
        .arg(template::root().join("tests/deployed/run.py"))
        .args(options)
        .env("BOOTSTRAP", bootstrap())
        .output()
        .unwrap();
    let summary = String::from_utf8_lossy(&done.stdout);
    let said = String::from_utf8_lossy(&done.stderr);
    let said: Vec<_> = said.lines().rev().take(40).collect();
    let said = said.into_iter().rev().collect::<Vec<_>>().join("\n");
    assert!(done.status.success(), "{summary}\n{said}");
    serde_json::from_str(summary.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {summary}"))
}

#[test]
fn a_bucket_is_closed_through_the_stacks_own_rule_and_by_redrive_and_restored() {
    let summary = deployed(&["--redrive", "--restore"]);
    assert_eq!(
        (&summary["passed"], &summary["mode"]),
        (&json!(true), &json!("enforce"))
    );
    let checks = summary["checks"].as_object().unwrap();
    assert!(checks.values().all(|held| *held == true), "{summary}");
    for check in [
        "bucket closed",
        "ledger record",
        "alert",
        "no dead letter",
        "redriven",
        "forged letter kept, nothing restored",
        "restored",
    ] {
        assert!(checks.contains_key(check), "{check} in {summary}");
    }
    assert!(
        summary["subject"].as_str().unwrap().starts_with("[portcullis] "),
        "{summary}"
    );
    assert_eq!(
        summary["records"].as_u64().map(|records| records >= 1),
        Some(true),
        "{summary}"
    );
}

/// Notify mode under the role that can only read.
#[test]
fn in_notify_mode_the_role_can_only_read_and_that_is_enough() {
    let summary = deployed(&["--mode", "notify", "--sweep"]);
    assert_eq!((&summary["passed"], &summary["mode"]), (&json!(true), &json!("notify")));
    for check in ["bucket untouched", "swept", "sweep told"] {
        assert_eq!(summary["checks"][check], true, "{check}: {summary}");
    }
    assert!(
        summary["subject"].as_str().unwrap().contains("would-remediate"),
        "{summary}"
    );
}

/// What AWS Config saw comes by the stack's second rule; what it asks is answered under the role that the option gives.
#[test]
fn what_config_saw_leads_through_the_stacks_rule_and_its_question_is_answered() {
    let summary = deployed(&["--config"]);
    assert_eq!(summary["passed"], true);
    for check in ["bucket closed", "alert", "no dead letter", "evaluated"] {
        assert_eq!(summary["checks"][check], true, "{check}: {summary}");
    }
}

/// Where one invocation is not enough, the stack's distributed map carries on, and each resource counts once.
#[test]
fn a_sweep_that_needs_more_than_one_invocation_goes_through_the_stacks_map() {
    let summary = deployed(&["--mode", "notify", "--map", "240"]);
    assert_eq!(summary["passed"], true);
    for check in ["swept", "mapped", "sweep told"] {
        assert_eq!(summary["checks"][check], true, "{check}: {summary}");
    }
}
