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

/// One handled event: how late it came.
pub fn event(call: &str, age: Option<i64>) {
    let Some(age) = age else { return };
    emit(&json!({
        "_aws": envelope(&[&[]], &json!([{"Name": "EventAge", "Unit": "Milliseconds"}])),
        "Event": call,
        "EventAge": age,
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
