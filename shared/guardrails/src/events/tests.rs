use portcullis_core::Event;
use serde_json::json;

use super::*;

fn call(record: &Value) -> Call {
    match Event::parse(record).unwrap() {
        Event::Call(call) => *call,
        other => panic!("expected a call, found {other:?}"),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "each caller makes it")]
fn record(source: &str, name: &str, parameters: Value) -> Value {
    json!({
        "eventSource": format!("{source}.amazonaws.com"), "eventName": name, "awsRegion": "eu-west-1",
        "eventTime": "2026-11-01T10:00:00Z", "recipientAccountId": "111122223333", "sourceIPAddress": "198.51.100.7",
        "userIdentity": {
            "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/Dev/ana", "accountId": "111122223333",
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/teams/Dev"}},
        },
        "requestParameters": parameters, "tlsDetails": {"tlsVersion": "TLSv1.3"},
    })
}

fn asked(record: &Value, keys: &[&str]) -> Vec<OrganizationRequest> {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    let owners = Owners {
        organizations: vec!["o-a1b2c3d4e5".into()],
        ..Owners::default()
    };
    requests(&call(record), record, &keys, &owners)
}

#[test]
fn a_call_has_the_name_that_policies_know_it_by() {
    for (source, name, action) in [
        ("s3", "DeleteBucketEncryption", "s3:PutEncryptionConfiguration"),
        ("s3", "DeleteAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock"),
        ("lambda", "AddPermission20150331v2", "lambda:AddPermission"),
        ("kms", "ScheduleKeyDeletion", "kms:ScheduleKeyDeletion"),
    ] {
        let found = asked(&record(source, name, json!({})), &[]);
        assert_eq!(found[0].request.action, action);
    }
    let versioned = record(
        "s3",
        "PutObjectAcl",
        json!({"bucketName": "b", "key": "k", "versionId": "v"}),
    );
    assert_eq!(asked(&versioned, &[])[0].request.action, "s3:PutObjectVersionAcl");
}

#[test]
fn a_call_is_asked_on_each_resource_that_it_is_authorised_on() {
    let resources = |record: &Value| -> Vec<String> {
        asked(record, &[])
            .into_iter()
            .map(|asked| asked.request.resource)
            .collect()
    };
    for (source, name, parameters, expected) in [
        (
            "ec2",
            "CreateVolume",
            json!({}),
            vec!["arn:aws:ec2:eu-west-1:111122223333:volume/*"],
        ),
        (
            "ec2",
            "ModifySnapshotAttribute",
            json!({"snapshotId": "snap-1"}),
            vec!["arn:aws:ec2:eu-west-1::snapshot/snap-1"],
        ),
        ("s3", "PutBucketAcl", json!({"bucketName": "b"}), vec!["arn:aws:s3:::b"]),
        (
            "s3",
            "PutObject",
            json!({"bucketName": "b", "key": "a/b"}),
            vec!["arn:aws:s3:::b/a/b"],
        ),
        (
            "s3",
            "DeleteObjects",
            json!({"bucketName": "b"}),
            vec!["arn:aws:s3:::b/*"],
        ),
        (
            "iam",
            "CreateRole",
            json!({"roleName": "portcullis-x", "path": "/teams/"}),
            vec!["arn:aws:iam::111122223333:role/teams/portcullis-x"],
        ),
        (
            "lambda",
            "UpdateFunctionCode20150331v2",
            json!({"functionName": "portcullis-s3"}),
            vec!["arn:aws:lambda:eu-west-1:111122223333:function:portcullis-s3"],
        ),
        (
            "events",
            "RemoveTargets",
            json!({"rule": "portcullis-s3-calls"}),
            vec!["arn:aws:events:eu-west-1:111122223333:rule/portcullis-s3-calls"],
        ),
        (
            "ssm",
            "UpdateServiceSetting",
            json!({"settingId": "/ssm/documents/console/public-sharing-permission"}),
            vec!["arn:aws:ssm:eu-west-1:111122223333:servicesetting/ssm/documents/console/public-sharing-permission"],
        ),
        ("kms", "CreateKey", json!({}), vec!["*"]),
    ] {
        assert_eq!(resources(&record(source, name, parameters)), expected, "{name}");
    }
    assert_eq!(resources(&record("ec2", "RunInstances", json!({}))).len(), 3);
}

/// What is known of one key: its values, `-` for absent, `?` for unknown.
fn known(record: &Value, key: &str) -> String {
    let asked = &asked(record, &[key])[0];
    match asked.request.context.get(key) {
        _ if asked.unknown.contains(key) => "?".into(),
        Some(values) => values.join(","),
        None => "-".into(),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn a_key_is_known_absent_or_unknown_as_the_record_tells() {
    let volume = json!({"resourceType": "volume", "tags": [{"key": "DataClassification", "value": "restricted"}]});
    for (source, name, parameters, key, expected) in [
        (
            "ec2",
            "CreateVolume",
            json!({"encrypted": false}),
            "ec2:encrypted",
            "false",
        ),
        ("ec2", "CreateVolume", json!({}), "ec2:encrypted", "?"),
        ("ec2", "CreateVolume", json!({}), "ec2:kmskeyid", "-"),
        (
            "ec2",
            "RunInstances",
            json!({"blockDeviceMapping": {"items": [{"ebs": {"encrypted": true}}, {"ebs": {"encrypted": false}}]}}),
            "ec2:encrypted",
            "true,false",
        ),
        (
            "ec2",
            "ModifySnapshotAttribute",
            json!({"createVolumePermission": {"add": {"items": [{"group": "all"}, {"userId": "999988887777"}]}}}),
            "ec2:add/group",
            "all",
        ),
        (
            "ec2",
            "CreateVolume",
            json!({"tagSpecificationSet": {"items": [volume]}}),
            "aws:requesttag/dataclassification",
            "restricted",
        ),
        (
            "ec2",
            "CreateVolume",
            json!({}),
            "aws:requesttag/dataclassification",
            "-",
        ),
        (
            "ec2",
            "RunInstances",
            json!({"launchTemplate": {}}),
            "ec2:metadatahttptokens",
            "?",
        ),
        ("ec2", "RunInstances", json!({}), "ec2:metadatahttptokens", "-"),
        (
            "s3",
            "PutObject",
            json!({"x-amz-acl": "public-read"}),
            "s3:x-amz-acl",
            "public-read",
        ),
        ("s3", "PutObject", json!({}), "s3:x-amz-server-side-encryption", "-"),
        (
            "s3",
            "CreateAccessPoint",
            json!({}),
            "s3:accesspointnetworkorigin",
            "Internet",
        ),
        (
            "kms",
            "ScheduleKeyDeletion",
            json!({"pendingWindowInDays": 7}),
            "kms:schedulekeydeletionpendingwindowindays",
            "7",
        ),
        (
            "kms",
            "ScheduleKeyDeletion",
            json!({}),
            "kms:trailingdayswithoutkeyusage",
            "?",
        ),
        ("kms", "DisableKey", json!({}), "aws:resourcetag/retire", "?"),
        ("kms", "DeleteCustomKeyStore", json!({}), "aws:resourcetag/retire", "-"),
        ("kms", "CreateGrant", json!({}), "kms:grantisforawsresource", "false"),
        ("rds", "CreateDBInstance", json!({}), "rds:publiclyaccessible", "?"),
        (
            "elasticfilesystem",
            "CreateFileSystem",
            json!({}),
            "elasticfilesystem:encrypted",
            "-",
        ),
        (
            "kafka",
            "UpdateConnectivity",
            json!({"connectivityInfo": {"publicAccess": {"type": "DISABLED"}}}),
            "kafka:publicaccessenabled",
            "false",
        ),
        (
            "secretsmanager",
            "CreateSecret",
            json!({"kmsKeyId": "alias/x"}),
            "secretsmanager:kmskeyarn",
            "?",
        ),
        (
            "s3",
            "GetObject",
            json!({}),
            "aws:principalarn",
            "arn:aws:iam::111122223333:role/teams/Dev",
        ),
        ("s3", "GetObject", json!({}), "aws:principalorgid", "o-a1b2c3d4e5"),
        ("s3", "GetObject", json!({}), "s3:tlsversion", "1.3"),
        ("s3", "GetObject", json!({}), "aws:sourcevpce", "-"),
    ] {
        assert_eq!(known(&record(source, name, parameters), key), expected, "{name} {key}");
    }
}

#[test]
fn what_cloudtrail_left_out_is_unknown() {
    let omitted = record("s3", "PutObjectAcl", json!({"omitted": true}));
    assert_eq!(known(&omitted, "s3:x-amz-acl"), "?");
    let mut plain = record("s3", "GetObject", json!({}));
    plain["tlsDetails"] = Value::Null;
    assert_eq!(known(&plain, "aws:securetransport"), "?");
}

#[test]
fn a_stranger_s_organisation_is_known_only_where_all_members_are() {
    let mut foreign = record("s3", "GetObject", json!({"bucketName": "b", "key": "k"}));
    foreign["userIdentity"] = json!({"type": "AWSAccount", "accountId": "999988887777", "principalId": "AROAX:y"});
    assert_eq!(known(&foreign, "aws:principalorgid"), "?");
    let owners = Owners {
        organizations: vec!["o-a1b2c3d4e5".into()],
        accounts: ["111122223333".to_owned()].into(),
        management: None,
    };
    let keys = ["aws:principalorgid".to_owned(), "aws:principalaccount".to_owned()].into();
    let found = requests(&call(&foreign), &foreign, &keys, &owners);
    assert!(found[0].unknown.is_empty());
    assert_eq!(found[0].request.context["aws:principalaccount"], ["999988887777"]);
    assert_eq!(found[0].request.context.get("aws:principalorgid"), None);
}

#[test]
fn what_nobody_asked_for_is_no_request_and_who_signed_nothing_is_anonymous() {
    let mut event = record("kms", "DeleteKey", json!({}));
    event["eventType"] = "AwsServiceEvent".into();
    assert!(asked(&event, &[]).is_empty());
    event["eventType"] = "AwsApiCall".into();
    event["userIdentity"] = json!({"type": "Unknown"});
    assert!(asked(&event, &[]).is_empty());
    event["userIdentity"] = json!({"type": "AWSAccount", "accountId": "ANONYMOUS_PRINCIPAL", "principalId": ""});
    assert_eq!(asked(&event, &[])[0].request.caller, Caller::Anonymous);
    event["userIdentity"] = json!({"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"});
    let name = "cloudtrail.amazonaws.com".to_owned();
    assert_eq!(asked(&event, &[])[0].request.caller, Caller::Service { name });
}
