//! On what, and with which versions.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::sides::Places;

/// When, where and what.
pub fn machine(places: &Places) -> Value {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned());
        value.unwrap_or_default()
    };
    let cpus = read("/proc/cpuinfo");
    json!({
        "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        "cpu": field(&cpus, "model name"),
        "cores": cpus.lines().filter(|line| line.starts_with("processor")).count(),
        "memory": field(&read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load": load(),
        "python": python(places, "import platform; print(platform.python_version())"),
        "cloud_custodian": python(places, "import c7n.version; print(c7n.version.version)"),
        "boto3": python(places, "import boto3; print(boto3.__version__)"),
        "awslambdaric": python(places, "from importlib.metadata import version; print(version('awslambdaric'))"),
    })
}

/// How many processes wanted the CPU in the last minute.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn python(places: &Places, code: &str) -> String {
    let answer = Command::new(places.python()).args(["-c", code]).output();
    let answer = answer.expect("bench: expected `tools/install bench` to have been run");
    String::from_utf8_lossy(&answer.stdout).trim().to_owned()
}
