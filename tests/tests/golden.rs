//! The ledger's records of every released version are read, and written again to the same bytes.
//!
//! `tests/golden/<version>/` holds the documents of ledger items as that version's functions wrote them, for every resource
//! type and every change. A new version adds a folder; a file that is there is never changed. That a record and a status as
//! such are read is tested beside their types, in the runtime's ledger.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a test fails"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use portcullis_core::State;
use portcullis_ec2::account_defaults::AccountDefaults;
use portcullis_ec2::image::Image;
use portcullis_ec2::instance::Instance;
use portcullis_ec2::launch_template::LaunchTemplate;
use portcullis_ec2::security_group::SecurityGroup;
use portcullis_ec2::snapshot::Snapshot;
use portcullis_ec2::volume::Volume;
use portcullis_kms::alias::Alias;
use portcullis_kms::key::Key;
use portcullis_s3::access_point::AccessPoint;
use portcullis_s3::account::Account;
use portcullis_s3::bucket::Bucket;
use serde_json::Value;

/// A state and changes through the types of today's resource type of that name.
fn reread(kind: &str, prior: Value, remedies: Vec<Value>) -> (Value, Vec<Value>) {
    let typed = match kind {
        "AWS::EC2::AccountDefaults" => typed::<AccountDefaults>,
        "AWS::EC2::Image" => typed::<Image>,
        "AWS::EC2::Instance" => typed::<Instance>,
        "AWS::EC2::LaunchTemplate" => typed::<LaunchTemplate>,
        "AWS::EC2::SecurityGroup" => typed::<SecurityGroup>,
        "AWS::EC2::Snapshot" => typed::<Snapshot>,
        "AWS::EC2::Volume" => typed::<Volume>,
        "AWS::KMS::Alias" => typed::<Alias>,
        "AWS::KMS::Key" => typed::<Key>,
        "AWS::S3::AccessPoint" => typed::<AccessPoint>,
        "AWS::S3::AccountPublicAccessBlock" => typed::<Account>,
        "AWS::S3::Bucket" => typed::<Bucket>,
        other => panic!("no resource type {other} any more"),
    };
    typed(prior, remedies)
}

fn typed<S: State>(prior: Value, remedies: Vec<Value>) -> (Value, Vec<Value>) {
    let prior = match prior {
        // It failed, or was only told, before any state was read.
        Value::Null => Value::Null,
        prior => serde_json::to_value(serde_json::from_value::<S>(prior).expect("a state")).unwrap(),
    };
    let remedies = remedies.into_iter().map(|remedy| {
        let remedy: S::Change = serde_json::from_value(remedy).expect("a change");
        serde_json::to_value(remedy).unwrap()
    });
    (prior, remedies.collect())
}

/// By `version/service/name.json`.
fn documents() -> Vec<(String, String)> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let entries = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries(&golden)
        .flat_map(|version| entries(&version).collect::<Vec<_>>())
        .flat_map(|service| entries(&service).collect::<Vec<_>>());
    let named = files.map(|file| {
        let name = file.strip_prefix(&golden).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(&file).unwrap())
    });
    named.collect()
}

fn is_record(name: &str) -> bool {
    !name.contains("/status/")
}

/// What the ledger calls a change.
fn change(remedy: &Value) -> String {
    let rules = remedy["part"].as_str().map(|part| format!("rules of {part}"));
    let tag = || remedy.as_object().and_then(|tagged| tagged.keys().next().cloned());
    let word = || remedy.as_str().map(str::to_owned);
    rules
        .or_else(word)
        .or_else(tag)
        .unwrap_or_else(|| panic!("no change: {remedy}"))
}

#[test]
fn what_was_read_and_changed_is_written_again_byte_for_byte() {
    let mut records = 0;
    for (name, document) in documents() {
        if !is_record(&name) {
            continue;
        }
        let mut record: Value = serde_json::from_str(&document).expect(&name);
        let kind = record["report"]["resource"]["type"].as_str().expect(&name).to_owned();
        let remedies = record["remedies"].as_array().expect(&name).clone();
        let (prior, remedies) = reread(&kind, record["prior"].take(), remedies);
        record["prior"] = prior;
        record["remedies"] = Value::Array(remedies);
        assert_eq!(record.to_string(), document, "{name}");
        records += 1;
    }
    assert!(records > 90, "{records} records");
}

#[test]
fn every_type_every_change_and_every_outcome_of_version_0_1_0_is_there() {
    let mut changes = BTreeSet::new();
    let mut outcomes = BTreeSet::new();
    let mut restored = BTreeSet::new();
    for (name, document) in documents() {
        if !name.starts_with("0.1.0/") || !is_record(&name) {
            continue;
        }
        let record: Value = serde_json::from_str(&document).expect(&name);
        let kind = record["report"]["resource"]["type"].as_str().expect(&name);
        for remedy in record["remedies"].as_array().expect(&name) {
            changes.insert(format!("{kind} {}", change(remedy)));
        }
        for told in record["report"]["told"].as_array().expect(&name) {
            outcomes.insert(told["outcome"].as_str().expect(&name).to_owned());
        }
        if record.get("restores").is_some() {
            restored.insert(kind.to_owned());
        }
    }
    let expected = [
        "AWS::EC2::AccountDefaults default-key",
        "AWS::EC2::AccountDefaults encryption-by-default",
        "AWS::EC2::AccountDefaults image-block",
        "AWS::EC2::AccountDefaults snapshot-block",
        "AWS::EC2::Image everybody",
        "AWS::EC2::Image share",
        "AWS::EC2::Image unshare",
        "AWS::EC2::Instance groups",
        "AWS::EC2::Instance running",
        "AWS::EC2::Instance snapshots",
        "AWS::EC2::Instance tokens",
        "AWS::EC2::SecurityGroup rules of default",
        "AWS::EC2::SecurityGroup rules of open",
        "AWS::EC2::Snapshot everybody",
        "AWS::EC2::Snapshot share",
        "AWS::EC2::Snapshot unshare",
        "AWS::EC2::Volume attach",
        "AWS::EC2::Volume detach",
        "AWS::EC2::Volume plan",
        "AWS::EC2::Volume start",
        "AWS::EC2::Volume stop",
        "AWS::EC2::Volume tag",
        "AWS::KMS::Alias set-alias",
        "AWS::KMS::Key cancel-deletion",
        "AWS::KMS::Key revoke-grant",
        "AWS::KMS::Key schedule-deletion",
        "AWS::KMS::Key set-enabled",
        "AWS::KMS::Key set-policy",
        "AWS::KMS::Key set-rotation",
        "AWS::S3::AccessPoint policy",
        "AWS::S3::AccountPublicAccessBlock public-access-block",
        "AWS::S3::Bucket acl",
        "AWS::S3::Bucket encryption",
        "AWS::S3::Bucket ownership",
        "AWS::S3::Bucket policy",
        "AWS::S3::Bucket public-access-block",
        "AWS::S3::Bucket versioning",
        "AWS::S3::Bucket website",
    ];
    assert_eq!(changes.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let expected = [
        "compliant",
        "deferred",
        "exempt",
        "failed",
        "quarantined",
        "released",
        "remediated",
        "restored",
        "would-remediate",
    ];
    assert_eq!(outcomes.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    // A launch template's findings have no change, so there is nothing of it to restore.
    assert_eq!(restored.len(), 11, "{restored:?}");
}
