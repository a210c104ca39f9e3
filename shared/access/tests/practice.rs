//! Checks of good policy, ACLs and sharing lists against their cases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;

use portcullis_access::{
    Grant, Grantee, Policy, RequiredEncryption, Service, Share, Trust, Upload, Verdict, encrypted_writes, judge_acl,
    judge_sharing, key_practice, refused_uploads, tls_only,
};
use serde_json::Value;

const OWNER: &str = "111122223333";
const BUCKET: &str = "arn:aws:s3:::my-bucket";
const OWN_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn cases(file: &str) -> Vec<Value> {
    serde_json::from_str(file).unwrap()
}

fn policy(case: &Value) -> Policy {
    Policy::parse(&case["policy"].to_string()).unwrap()
}

fn sorted(values: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut values: Vec<String> = values.into_iter().collect();
    values.sort();
    values
}

fn strings(value: &Value) -> Vec<String> {
    sorted(
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned),
    )
}

#[test]
fn tls_is_enforced_only_for_everyone_everything_and_every_object() {
    for case in cases(include_str!("cases/tls-only.json")) {
        let found = tls_only(Some(&policy(&case)), Service::S3Bucket, BUCKET);
        let expected = (case["expect"]["enforced"] == true, case["expect"]["blocks_tls"] == true);
        assert_eq!(
            (found.enforced, found.blocks_tls),
            expected,
            "{} {}",
            case["id"],
            case["why"]
        );
    }
    assert!(!tls_only(None, Service::S3Bucket, BUCKET).enforced);
}

#[test]
fn uploads_that_are_refused() {
    for case in cases(include_str!("cases/encrypted-writes.json")) {
        let refused = refused_uploads(&policy(&case), BUCKET, OWN_KEY);
        let names = sorted(
            refused
                .iter()
                .map(|one| serde_json::to_value(one).unwrap().as_str().unwrap().to_owned()),
        );
        assert_eq!(
            names,
            strings(&case["expect"]["denied_puts"]),
            "{} {}",
            case["id"],
            case["why"]
        );
        let kms = RequiredEncryption {
            algorithms: vec!["aws:kms".to_owned()],
            ..RequiredEncryption::default()
        };
        let found = encrypted_writes(Some(&policy(&case)), BUCKET, &kms);
        assert_eq!(
            found.refuses_unnamed,
            refused.contains(&Upload::NoHeader),
            "{}",
            case["id"]
        );
        assert_eq!(found.refuses_sse_c, refused.contains(&Upload::SseC), "{}", case["id"]);
        let collateral = strings(&case["flags"]).contains(&"collateral".to_owned());
        assert_eq!(found.breaks_other_calls, collateral, "{}", case["id"]);
    }
}

#[test]
fn an_explicit_wrong_name_is_refused_without_breaking_clients_that_name_nothing() {
    const ALGORITHM: &str = "s3:x-amz-server-side-encryption";
    const KEY: &str = "s3:x-amz-server-side-encryption-aws-kms-key-id";
    let deny = |condition: Value| {
        serde_json::json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": format!("{BUCKET}/*"),
            "Condition": condition})
    };
    let required = |key: Option<&str>, own_key: bool| RequiredEncryption {
        algorithms: vec!["aws:kms".to_owned(), "aws:kms:dsse".to_owned()],
        key: key.map(str::to_owned),
        own_key,
    };
    let algorithm = deny(serde_json::json!({
        "StringNotEquals": {ALGORITHM: ["aws:kms", "aws:kms:dsse"]}, "Null": {ALGORITHM: "false"},
    }));
    let key = deny(serde_json::json!({"StringNotEquals": {KEY: OWN_KEY}, "Null": {ALGORITHM: "false"}}));
    let named_key = deny(serde_json::json!({"StringNotEquals": {KEY: OWN_KEY}, "Null": {KEY: "false"}}));
    let any_key = deny(serde_json::json!({"Null": {KEY: "true", ALGORITHM: "false"}}));
    let found = |statements: &[&Value], required: &RequiredEncryption| {
        let policy = Policy::parse(&serde_json::json!({"Statement": statements}).to_string()).unwrap();
        encrypted_writes(Some(&policy), BUCKET, required)
    };
    let enough: [(&[&Value], _); 3] = [
        (&[&algorithm], required(None, false)),
        (&[&algorithm, &key], required(Some(OWN_KEY), true)),
        (&[&algorithm, &any_key], required(None, true)),
    ];
    for (statements, required) in enough {
        let found = found(statements, &required);
        assert!(found.refuses_wrong && !found.refuses_unnamed && !found.refuses_sse_c && !found.refuses_right);
    }
    // To ask for KMS and name no key is to ask for the AWS-managed one.
    let not_enough: [(&[&Value], _); 3] = [
        (&[&algorithm], required(Some(OWN_KEY), true)),
        (&[&algorithm, &named_key], required(Some(OWN_KEY), true)),
        (&[&algorithm], required(None, true)),
    ];
    for (statements, required) in not_enough {
        assert!(!found(statements, &required).refuses_wrong);
    }
    let refuses_all = deny(serde_json::json!({"Null": {ALGORITHM: "false"}}));
    assert!(found(&[&refuses_all], &required(None, true)).refuses_right);
}

#[test]
fn key_policies() {
    let mut wrong = Vec::new();
    for case in cases(include_str!("cases/key-practice.json")) {
        let found = key_practice(&policy(&case), OWNER, &Trust::default());
        let names = sorted(found.kinds().into_iter().map(|kind| kind.name().to_owned()));
        if names != strings(&case["expect"]["findings"]) {
            wrong.push(format!(
                "{} {names:?} but {}: {}",
                case["id"], case["expect"], case["why"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn access_control_lists() {
    for case in cases(include_str!("cases/acl.json")) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let grants: Vec<Grant> = case["acl"]["Grants"]
            .as_array()
            .unwrap()
            .iter()
            .map(|grant| {
                let grantee = &grant["Grantee"];
                let grantee = match grantee["Type"].as_str().unwrap() {
                    "Group" => Grantee::Group(text(&grantee["URI"])),
                    _ => Grantee::CanonicalUser(text(&grantee["ID"])),
                };
                Grant {
                    grantee,
                    permission: text(&grant["Permission"]),
                }
            })
            .collect();
        let ignores = case["block_public_access"]["IgnorePublicAcls"] == true;
        let found = judge_acl(&grants, &text(&case["acl"]["Owner"]["ID"]), &BTreeSet::new(), ignores);
        let expected: Verdict = serde_json::from_value(case["expect"]["verdict"].clone()).unwrap();
        assert_eq!(found.verdict, expected, "{} {}", case["id"], found.reason);
    }
}

#[test]
fn ignored_public_grants_and_addresses() {
    let all = Grantee::Group("http://acs.amazonaws.com/groups/global/AllUsers".to_owned());
    let public = Grant {
        grantee: all,
        permission: "READ".to_owned(),
    };
    let mail = Grant {
        grantee: Grantee::Email("a@example.com".to_owned()),
        permission: "READ".to_owned(),
    };
    let none = BTreeSet::new();
    assert_eq!(
        judge_acl(std::slice::from_ref(&public), "o", &none, true).verdict,
        Verdict::Private
    );
    assert_eq!(judge_acl(&[public, mail], "o", &none, true).verdict, Verdict::External);
}

#[test]
fn sharing_lists() {
    for case in cases(include_str!("cases/sharing.json")) {
        let lists = case["attribute"].as_object().unwrap().values();
        let shares: Vec<Share> = lists
            .flat_map(|list| list.as_array().unwrap())
            .map(|entry| {
                Share::parse(
                    entry
                        .as_str()
                        .or(entry["Group"].as_str())
                        .or(entry["UserId"].as_str())
                        .unwrap(),
                )
            })
            .collect();
        let expected: Verdict = serde_json::from_value(case["expect"]["verdict"].clone()).unwrap();
        assert_eq!(
            judge_sharing(&shares, OWNER, &Trust::default()).verdict,
            expected,
            "{}",
            case["id"]
        );
    }
    let unit = Share::parse("arn:aws:organizations::444455556666:ou/o-owner00001/ou-ab12-11111111");
    let mut trust = Trust::default();
    assert_eq!(
        judge_sharing(std::slice::from_ref(&unit), OWNER, &trust).verdict,
        Verdict::External
    );
    trust.organizations.insert("o-owner00001".to_owned());
    assert_eq!(judge_sharing(&[unit], OWNER, &trust).verdict, Verdict::Private);
}
