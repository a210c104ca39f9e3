//! What public samples get wrong, one test each: see `docs/prevention.md` and the comments in the tables.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use portcullis_access::OrganizationAccounts;
use portcullis_guardrails::{Evaluator, Tier, guardrails};
use serde_json::{Value, json};
use support::{everything, guardrail, request};

const DEVELOPER: &str = "arn:aws:sts::111122223333:assumed-role/Dev/ana";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0d9f3a5e-7c41-4b8e-9f16-2a6b8c4d1e70";

/// The statements of the default tier that deny a request, whichever document they are in.
fn denied_as(principal: &str, action: &str, resource: &str, context: &Value) -> BTreeSet<&'static str> {
    let context: BTreeMap<String, Value> = serde_json::from_value(context.clone()).unwrap();
    let evaluator = Evaluator::new(&everything().documents).unwrap();
    let asked = request(principal, action, resource, &context);
    let denials = evaluator.denials(&asked, &OrganizationAccounts::default(), |_| true);
    let all = denials.into_iter().map(|denial| denial.guardrail);
    all.filter(|sid| guardrail(sid).tier == Tier::Default).collect()
}

fn denied(action: &str, resource: &str, context: &Value) -> Vec<&'static str> {
    denied_as(DEVELOPER, action, resource, context).into_iter().collect()
}

const NOBODY: [&str; 0] = [];

// IAM User Guide, "Condition operators": a negated operator matches a missing key, with IfExists as without it.
#[test]
fn a_header_that_is_not_there_denies_no_bucket_and_no_upload() {
    assert_eq!(denied("s3:CreateBucket", "arn:aws:s3:::reports", &json!({})), NOBODY);
    assert_eq!(
        denied("s3:PutObject", "arn:aws:s3:::reports/q3.pdf", &json!({})),
        NOBODY
    );
    assert_eq!(
        denied("s3:PutObject", "arn:aws:s3:::restricted-a/x", &json!({})),
        NOBODY
    );
}

// KMS API Reference, "ScheduleKeyDeletion": 30 days by default.
#[test]
fn a_number_that_is_not_said_is_the_default_and_passes() {
    let retired = json!({"aws:ResourceTag/Retirement": "2027"});
    assert_eq!(denied("kms:ScheduleKeyDeletion", KEY, &retired), NOBODY);
    assert_eq!(denied("kms:EnableKeyRotation", KEY, &json!({})), NOBODY);
}

// EFS API Reference, "CreateFileSystem": unencrypted unless it says otherwise. Lambda: an update of CORS says nothing of the type.
#[test]
fn silence_is_denied_only_where_it_means_insecure() {
    assert_eq!(
        denied("elasticfilesystem:CreateFileSystem", "*", &json!({})),
        ["EfsUnencrypted"]
    );
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:api";
    assert_eq!(denied("lambda:UpdateFunctionUrlConfig", function, &json!({})), NOBODY);
    assert_eq!(
        denied(
            "ec2:RunInstances",
            "arn:aws:ec2:eu-west-1:111122223333:volume/*",
            &json!({})
        ),
        NOBODY
    );
}

// Service Authorization Reference, "Amazon EC2": ec2:Encrypted on a snapshot is the source's.
#[test]
fn an_encrypted_volume_can_be_made_of_an_old_unencrypted_snapshot() {
    let volume = "arn:aws:ec2:eu-west-1:111122223333:volume/*";
    let snapshot = "arn:aws:ec2:eu-west-1::snapshot/snap-0d9f3a5e7c414b8e9";
    assert_eq!(
        denied("ec2:CreateVolume", volume, &json!({"ec2:Encrypted": "true"})),
        NOBODY
    );
    assert_eq!(
        denied("ec2:CreateVolume", snapshot, &json!({"ec2:Encrypted": "false"})),
        NOBODY
    );
    assert_eq!(
        denied("ec2:CreateSnapshot", volume, &json!({"ec2:Encrypted": "false"})),
        NOBODY
    );
}

#[test]
fn a_database_can_be_restored_from_a_snapshot_which_says_nothing_of_encryption() {
    let (instance, cluster) = (
        "arn:aws:rds:eu-west-1:111122223333:db:o",
        "arn:aws:rds:eu-west-1:111122223333:cluster:o",
    );
    assert_eq!(
        denied(
            "rds:RestoreDBInstanceFromDBSnapshot",
            instance,
            &json!({"rds:DatabaseEngine": "mysql"})
        ),
        NOBODY
    );
    assert_eq!(denied("rds:RestoreDBClusterFromSnapshot", cluster, &json!({})), NOBODY);
    let member = json!({"rds:StorageEncrypted": "false", "rds:DatabaseEngine": "aurora-mysql"});
    assert_eq!(denied("rds:CreateDBInstance", instance, &member), NOBODY);
}

// Organizations User Guide, "Tasks and entities not restricted by SCPs": the same launch by Auto Scaling's role is not stopped.
#[test]
fn service_linked_roles_are_bound_by_nothing_and_can_be_granted_keys() {
    let auto_scaling =
        "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
    let volume = "arn:aws:ec2:eu-west-1:111122223333:volume/*";
    let unencrypted = json!({"ec2:Encrypted": "false"});
    assert_eq!(denied("ec2:RunInstances", volume, &unencrypted), ["EbsUnencrypted"]);
    assert_eq!(
        denied_as(auto_scaling, "ec2:RunInstances", volume, &unencrypted),
        BTreeSet::new()
    );
    assert_eq!(
        denied_as(
            auto_scaling,
            "s3:GetObject",
            "arn:aws:s3:::r/x",
            &json!({"aws:SecureTransport": "false"})
        ),
        BTreeSet::new()
    );
    let grant = json!({"kms:GrantIsForAWSResource": "false", "kms:GranteePrincipal": auto_scaling});
    assert_eq!(denied("kms:CreateGrant", KEY, &grant), NOBODY);
}

// IAM User Guide, "Creating a condition with multiple keys": those of one operator are ANDed.
#[test]
fn to_be_trusted_one_way_is_enough_and_nobody_is_trusted_in_none() {
    let object = "arn:aws:s3:::reports/q3.pdf";
    let partner = "arn:aws:sts::444455556666:assumed-role/Partner/p";
    assert_eq!(denied_as(partner, "s3:GetObject", object, &json!({})), BTreeSet::new());
    assert_eq!(
        denied_as("anonymous", "s3:GetObject", object, &json!({})),
        ["Perimeter"].into()
    );
    // Log delivery and the like send no source.
    assert_eq!(
        denied_as("delivery.logs.amazonaws.com", "s3:PutObject", object, &json!({})),
        BTreeSet::new()
    );
}

// Service Authorization Reference, "Amazon EC2": ec2:MetadataHttpTokens is what was before the call.
#[test]
fn what_was_before_the_call_does_not_stop_a_stricter_setting() {
    let instance = "arn:aws:ec2:eu-west-1:111122223333:instance/i-0b8c4d1e700d9f3a6";
    let stricter = json!({"ec2:Attribute/HttpTokens": "required", "ec2:MetadataHttpTokens": "optional"});
    assert_eq!(denied("ec2:ModifyInstanceMetadataOptions", instance, &stricter), NOBODY);
    assert_eq!(
        denied(
            "rds:ModifyDBInstance",
            "arn:aws:rds:eu-west-1:111122223333:db:o",
            &json!({"rds:StorageEncrypted": "false"})
        ),
        NOBODY
    );
}

#[test]
fn what_takes_exposure_back_and_what_stacks_remove_is_never_denied() {
    let snapshot = "arn:aws:ec2:eu-west-1::snapshot/snap-0d9f3a5e7c414b8e9";
    assert_eq!(
        denied(
            "ec2:ModifySnapshotAttribute",
            snapshot,
            &json!({"ec2:Remove/group": "all"})
        ),
        NOBODY
    );
    for (action, resource) in [
        ("kms:DeleteAlias", "arn:aws:kms:eu-west-1:111122223333:alias/other"),
        ("kms:CancelKeyDeletion", KEY),
        ("ec2:EnableEbsEncryptionByDefault", "*"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::reports"),
        ("s3:PutBucketPublicAccessBlock", "arn:aws:s3:::reports"),
        ("sns:SetTopicAttributes", "arn:aws:sns:eu-west-1:111122223333:t"),
    ] {
        assert_eq!(denied(action, resource, &json!({})), NOBODY, "{action}");
    }
}

// A name is worth as an exemption what protects it.
#[test]
fn whoever_could_take_an_exempt_name_is_stopped() {
    for name in ["BreakGlass", "portcullis-mine", "LandingZone", "stacksets-exec-mine"] {
        let role = format!("arn:aws:iam::111122223333:role/{name}");
        assert_eq!(denied("iam:CreateRole", &role, &json!({})), ["ProtectRoles"], "{name}");
    }
    assert_eq!(
        denied("iam:CreateAccessKey", "arn:aws:iam::111122223333:user/eve", &json!({})),
        ["ProtectUsers"]
    );
}

#[test]
fn each_statement_says_what_it_is_about_and_no_name_is_there_twice() {
    let sids: BTreeSet<_> = guardrails().map(|guardrail| guardrail.sid).collect();
    assert_eq!(sids.len(), guardrails().count());
    for guardrail in guardrails() {
        assert!(
            guardrail.sid.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{}",
            guardrail.sid
        );
        let strict = guardrail.tier == Tier::Strict;
        assert!(
            !strict || !guardrail.breaks.is_empty(),
            "{}: a strict statement breaks something",
            guardrail.sid
        );
    }
}
