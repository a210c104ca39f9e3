use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Actor, Origin, Resource, Severity, Undo};

fn report() -> Report {
    Report {
        ledger_id: "019ab000-0000-7000-8000-000000000001".into(),
        resource: Resource {
            kind: "AWS::S3::Bucket".into(),
            arn: "arn:aws:s3:::invoices".into(),
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            id: "invoices".into(),
        },
        origin: Origin {
            event: "PutBucketAcl".into(),
            id: "8c2f0a4e-0000-4000-8000-000000000001".into(),
            time: "2026-11-23T10:00:00Z".into(),
            omitted: false,
            recorded: true,
            actor: Actor {
                kind: "AssumedRole".into(),
                arn: "arn:aws:sts::111122223333:assumed-role/Dev/ana".into(),
                human: "ana".into(),
                address: "198.51.100.7".into(),
                ..Actor::default()
            },
        },
        results: vec![
            ControlResult {
                was: "was public by its ACL: everybody may READ".into(),
                change: "remove the grant of READ to AllUsers".into(),
                ..ControlResult::new(
                    "s3-bucket-public-acl",
                    Severity::Critical,
                    Outcome::Remediated,
                    "is public by its ACL: everybody may READ",
                )
            },
            ControlResult {
                change: "enable versioning".into(),
                why: "this control is set to notify".into(),
                ..ControlResult::new(
                    "s3-bucket-versioning",
                    Severity::Low,
                    Outcome::WouldRemediate,
                    "does not keep versions",
                )
            },
        ],
        before: json!({"acl": [{"grantee": "AllUsers", "permission": "READ"}]}),
        after: json!({"acl": []}),
        managed_by: Some("CloudFormation stack invoices".into()),
    }
}

#[test]
fn a_remediation_in_words_and_for_machines() {
    let alert = compose(&report(), "portcullis-s3", "req-1");
    insta::assert_snapshot!("remediated_subject", alert.subject);
    insta::assert_snapshot!("remediated_text", alert.text);
    insta::assert_json_snapshot!("remediated_document", alert.document);
    insta::assert_json_snapshot!("remediated_attributes", alert.attributes);
}

#[test]
fn a_failure_says_that_the_resource_is_still_open() {
    let mut failed = report();
    failed.results.truncate(1);
    failed.results[0].turn(Outcome::Failed, "PutBucketAcl was denied (AccessDenied)");
    failed.origin.omitted = true;
    failed.managed_by = None;
    failed.before = json!({});
    let alert = compose(&failed, "portcullis-s3", "req-1");
    insta::assert_snapshot!("failed_subject", alert.subject);
    insta::assert_snapshot!("failed_text", alert.text);
}

#[test]
fn a_record_of_version_0_1_0_is_told_in_the_present() {
    let mut old = serde_json::to_value(report()).unwrap();
    old["told"][0].as_object_mut().unwrap().remove("was");
    let alert = compose(&serde_json::from_value(old).unwrap(), "portcullis-s3", "req-1");
    assert!(alert.text.contains("The bucket is public by its ACL"), "{}", alert.text);
    assert!(alert.subject.ends_with("invoices is public by its ACL (2 controls)"));
}

#[test]
fn a_restore_that_would_be_refused_is_not_offered() {
    let told = |changed: &dyn Fn(&mut Report)| {
        let mut report = report();
        changed(&mut report);
        compose(&report, "portcullis-kms", "req-1").text
    };
    let revoked = |report: &mut Report| report.results[0].undo = Undo::Nothing(vec!["grant g-1".into()]);
    let alone = told(&revoked);
    assert!(alone.contains("    Can't be undone: AWS offers no way back for its grant g-1.\n"));
    assert!(!alone.contains("UNDO"), "{alone}");

    let beside = told(&|report| {
        revoked(report);
        report.results[1].turn(Outcome::Remediated, "");
    });
    assert!(
        beside.contains("Can't be undone") && beside.contains("\nUNDO\n"),
        "{beside}"
    );

    let in_part = told(&|report| report.results[0].undo = Undo::AllBut(vec!["grant g-1".into()]));
    assert!(
        in_part.contains("Can't be undone") && in_part.contains("\nUNDO\n"),
        "{in_part}"
    );

    let half_done = told(&|report| {
        revoked(report);
        report.results[0].turn(Outcome::Failed, "RevokeGrant was denied");
    });
    assert!(
        half_done.contains("Can't be undone") && !half_done.contains("UNDO"),
        "{half_done}"
    );

    let restore_failed = told(&|report| {
        report.results[0].undo = Undo::Nothing(Vec::new());
        report.results[0].turn(Outcome::Failed, "PutBucketAcl was denied");
    });
    assert!(!restore_failed.contains("ndo"), "{restore_failed}");
}

#[test]
fn text_from_outside_forges_nothing() {
    let mut hostile = report();
    hostile.resource.id = "a\r\nSubject: all is well\u{1b}[2J".into();
    hostile.origin.actor.arn = "x\nUNDO\n  rm -rf".into();
    hostile.origin.actor.human = "\u{202e}evil".repeat(1_000);
    hostile.results[0].was = "was \u{1b}[31mred".into();
    let alert = compose(&hostile, "portcullis-s3", "req-1");
    assert!(!alert.subject.contains('\n') && !alert.text.contains('\u{1b}') && !alert.text.contains('\u{202e}'));
    assert_eq!(alert.text.matches("\nUNDO\n").count(), 1);
}

/// SNS refuses a message of more than 256 KB, and an alert that is refused is lost.
#[test]
fn what_is_too_large_for_sns_is_left_to_the_ledger() {
    let mut large = report();
    let parts = |alert: &Alert| -> Value {
        let message: Value = serde_json::from_str(&alert.message()).unwrap();
        serde_json::from_str(message["default"].as_str().unwrap()).unwrap()
    };
    let policy = r#"{"Sid":"x"}"#.repeat(20_480 / 11);
    large.before = json!({"policy": policy});
    large.after = large.before.clone();
    assert_eq!(
        parts(&compose(&large, "f", "req-1"))["before"]["policy"],
        policy,
        "S3's largest fits, twice"
    );

    large.before = json!({"policy": policy.repeat(4)});
    large.after = large.before.clone();
    let alert = compose(&large, "f", "req-1");
    assert!(alert.message().len() < LARGEST_MESSAGE);
    assert!(parts(&alert)["before"]["omitted"].as_str().unwrap().contains("ledger"));
    assert_eq!(alert.document["before"], large.before, "only what is sent is shortened");
}

proptest! {
    #[test]
    fn every_subject_is_one_that_sns_takes(id in ".{0,300}", summary in ".{0,300}") {
        let mut any = report();
        any.resource.id = id;
        any.results[0].was = summary;
        let subject = compose(&any, "f", "req-1").subject;
        prop_assert!(subject.len() <= 100 && subject.bytes().all(|byte| (32..127).contains(&byte)));
        prop_assert!(subject.starts_with("[portcullis] CRITICAL remediated: bucket"));
    }
}
