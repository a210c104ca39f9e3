//! Metrics as log lines. Source: CloudWatch User Guide, "Embedded metric format specification".

use std::io::Write as _;
use std::sync::LazyLock;

use jiff::Timestamp;
use portcullis_core::event::Counts;
use portcullis_core::{Outcome, Reason, Severity};
use serde_json::{Value, json};

/// The stack, a dimension of all metrics: those of two stacks in one region must not mix. The function is none: each metric would cost
/// its price once a function. It is in the same line, for Logs Insights.
static STACK: LazyLock<String> =
    LazyLock::new(|| std::env::var("PORTCULLIS_STACK").unwrap_or_else(|_| "portcullis".into()));

/// One finding and what came of it.
pub fn finding(control: &str, outcome: Outcome, severity: Severity) {
    emit(json!({
        "_aws": envelope(&[&["Stack", "Control", "Outcome"], &["Stack", "Outcome"]], &json!([{"Name": "Findings", "Unit": "Count"}])),
        "Control": control,
        "Outcome": outcome,
        "Severity": severity,
        "Findings": 1,
    }));
}

/// One finding that waits.
pub fn deferred(reason: Reason) {
    emit(json!({
        "_aws": envelope(&[&["Stack", "Reason"]], &json!([{"Name": "Deferred", "Unit": "Count"}])),
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
    emit(json!({
        "_aws": envelope(&[&["Stack"]], &json!(metrics)),
        "Function": handled.function,
        "Event": handled.event,
        "EventAge": handled.age,
        "Duration": handled.duration,
        "AwsCalls": handled.calls,
    }));
}

/// An invocation that failed, other than by what the next try is for. Its reason is no dimension, as an event's name is none.
pub fn failure(function: &str, failure: &str) {
    emit(json!({
        "_aws": envelope(&[&["Stack"]], &json!([{"Name": "Failures", "Unit": "Count"}])),
        "Function": function,
        "Failure": failure,
        "Failures": 1,
    }));
}

/// How many resources have something that waits, at the end of a sweep.
pub fn open_deferred(resources: u64) {
    emit(json!({
        "_aws": envelope(&[&["Stack"]], &json!([{"Name": "OpenDeferred", "Unit": "Count"}])),
        "OpenDeferred": resources,
    }));
}

/// What leads to the function is alive, and so is what it needs; whether that is so of the stack's other functions, too; and for how
/// many hours the function has not told a sweep.
pub fn heartbeat(function: &str, others: bool, unswept: i64) {
    let metrics = json!([{"Name": "Heartbeat", "Unit": "None"}, {"Name": "HoursUnswept", "Unit": "None"}]);
    emit(json!({
        "_aws": envelope(&[&["Stack"]], &metrics),
        "Function": function,
        "Heartbeat": i64::from(others),
        "HoursUnswept": unswept,
    }));
}

/// A sweep, once its summary was published: that the metric is there proves that alerts can be.
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
    emit(json!({
        "_aws": envelope(&[&["Stack"]], &json!(metrics)),
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
    emit(json!({
        "_aws": envelope(&[&[], &["Stack"]], &json!([{"Name": "SettingsUnusable", "Unit": "Count"}])),
        "SettingsUnusable": 1,
    }));
}

fn envelope(dimensions: &[&[&str]], metrics: &Value) -> Value {
    json!({
        "Timestamp": Timestamp::now().as_millisecond(),
        "CloudWatchMetrics": [{"Namespace": "Portcullis", "Dimensions": dimensions, "Metrics": metrics}],
    })
}

fn emit(mut line: Value) {
    line["Stack"] = json!(*STACK);
    // Nobody could be told that the log can't be written.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
