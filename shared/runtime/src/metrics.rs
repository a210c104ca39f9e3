//! Metrics as log lines. Source: CloudWatch User Guide, "Embedded metric format specification".

use std::io::Write as _;

use jiff::Timestamp;
use portcullis_core::event::Counts;
use portcullis_core::{Outcome, Reason, Severity};
use serde_json::json;

/// One finding and what came of it.
pub fn finding(control: &str, outcome: Outcome, severity: Severity) {
    emit(&json!({
        "_aws": envelope(&[&["Control", "Outcome"], &["Outcome"]], &json!([{"Name": "Findings", "Unit": "Count"}])),
        "Control": control,
        "Outcome": outcome,
        "Severity": severity,
        "Findings": 1,
    }));
}

/// One finding that waits.
pub fn deferred(reason: Reason) {
    emit(&json!({
        "_aws": envelope(&[&["Reason"]], &json!([{"Name": "Deferred", "Unit": "Count"}])),
        "Reason": reason,
        "Deferred": 1,
    }));
}

/// One event that was handled, or failed.
#[derive(Debug, Clone, Copy)]
pub struct Handled<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The call's name.
    pub event: &'a str,
    /// From the call to its arrival here, in milliseconds; none where the event has no time.
    pub age: Option<i64>,
    /// From its arrival to its end, in milliseconds.
    pub duration: i64,
    /// The requests to AWS that it took.
    pub calls: u64,
}

/// Tells what an event took. Its name is no dimension, which would cost a metric for each: Logs Insights groups by it.
pub fn event(handled: Handled<'_>) {
    let mut metrics = vec![
        json!({"Name": "Duration", "Unit": "Milliseconds"}),
        json!({"Name": "AwsCalls", "Unit": "Count"}),
    ];
    if handled.age.is_some() {
        metrics.push(json!({"Name": "EventAge", "Unit": "Milliseconds"}));
    }
    emit(&json!({
        "_aws": envelope(&[&[], &["Function"]], &json!(metrics)),
        "Function": handled.function,
        "Event": handled.event,
        "EventAge": handled.age,
        "Duration": handled.duration,
        "AwsCalls": handled.calls,
    }));
}

/// What leads to the function is alive, and so is what it needs.
pub fn heartbeat(function: &str) {
    emit(&json!({
        "_aws": envelope(&[&["Function"]], &json!([{"Name": "Heartbeat", "Unit": "Count"}])),
        "Function": function,
        "Heartbeat": 1,
    }));
}

/// A sweep, at its end.
pub fn sweep(function: &str, counts: &Counts, new: usize) {
    let names = [
        "SweptResources",
        "SweptCompliant",
        "SweptUnseen",
        "SweptLost",
        "SweptNew",
    ];
    let metrics: Vec<_> = names
        .iter()
        .map(|name| json!({"Name": name, "Unit": "Count"}))
        .collect();
    emit(&json!({
        "_aws": envelope(&[&["Function"]], &json!(metrics)),
        "Function": function,
        "SweptResources": counts.resources,
        "SweptCompliant": counts.compliant,
        "SweptUnseen": counts.unseen,
        "SweptLost": counts.lost,
        "SweptNew": new,
    }));
}

/// The parameter with the settings could not be used.
pub fn settings_unusable() {
    emit(&json!({
        "_aws": envelope(&[&[]], &json!([{"Name": "SettingsUnusable", "Unit": "Count"}])),
        "SettingsUnusable": 1,
    }));
}

fn envelope(dimensions: &[&[&str]], metrics: &serde_json::Value) -> serde_json::Value {
    json!({
        "Timestamp": Timestamp::now().as_millisecond(),
        "CloudWatchMetrics": [{"Namespace": "Portcullis", "Dimensions": dimensions, "Metrics": metrics}],
    })
}

fn emit(line: &serde_json::Value) {
    // Nobody could be told that the log can't be written.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
