//! One table for each kind of thing that a policy can say: what it comes to is what AWS's documentation decides.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeSet;
use std::time::Instant;

use portcullis_access::{
    Fix, Goal, Grant, Grantee, Judgement, NoteKind, Policy, PolicyError, S3Verdict, Scope, Service, Trust, Verdict,
    fix, judge, judge_acl,
};
use serde_json::{Value, json};

const OWNER: &str = "111122223333";
const FOREIGN: &str = "444455556666";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:queue1";
const BUCKET: &str = "arn:aws:s3:::my-bucket";
const ROLE: &str = "arn:aws:iam::111122223333:role/r1";

fn document(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn judged_with(service: Service, resource: Option<&str>, statements: &Value, trust: &Trust) -> Judgement {
    let scope = Scope {
        service,
        owner: OWNER,
        trust,
        resource,
    };
    judge(&Policy::parse(&document(statements)).unwrap(), &scope)
}

fn judged(service: Service, resource: &str, statements: &Value) -> Judgement {
    judged_with(service, Some(resource), statements, &Trust::default())
}

fn verdict(service: Service, resource: &str, statements: &Value) -> Verdict {
    let judgement = judged(service, resource, statements);
    assert!(!judgement.undecided, "{statements}: {}", judgement.reason);
    judgement.verdict
}

/// Everybody may send, under a condition.
fn send(condition: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": QUEUE, "Condition": condition})
}

/// Everybody may read, under a condition.
fn read(condition: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{BUCKET}/*"),
        "Condition": condition})
}

fn by_source(operator: &str, arn: &str) -> Verdict {
    verdict(
        Service::Sqs,
        QUEUE,
        &json!([send(&json!({operator: {"aws:SourceArn": arn}}))]),
    )
}

// Service Authorization Reference, resource types of every service: a pattern that leaves the account open is met by anybody's
// resource of that type, one with an account by that account's.
#[test]
fn sources_of_every_shape_are_whose_their_account_says() {
    let listed = include_str!("../src/reference/arns.txt").lines().skip(1);
    let mut count = 0;
    for line in listed {
        let (service, rest) = line.split_once(' ').unwrap();
        let (account, rest) = rest.split_once(' ').unwrap();
        if account == "+" {
            count += 1;
            for operator in ["ArnLike", "ArnEquals", "StringLike"] {
                let arn = |account: &str| format!("arn:aws:{service}:*:{account}:{rest}");
                assert_eq!(by_source(operator, &arn("*")), Verdict::Public, "{operator} {line}");
                // Where a wildcard takes colons, a name that AWS lets hold them may look like another account's.
                let least = if operator == "StringLike" {
                    Verdict::Public
                } else {
                    Verdict::External
                };
                let found = by_source(operator, &arn(FOREIGN));
                assert!(
                    (Verdict::External..=least).contains(&found),
                    "{operator} {line}: {found:?}"
                );
            }
            let own = format!("arn:aws:{service}:us-east-1:{OWNER}:{rest}");
            assert_eq!(by_source("ArnLike", &own), Verdict::Private, "{line}");
        } else if rest.contains('*') {
            count += 1;
            let arn = format!("arn:aws:{service}:*::{rest}");
            assert_eq!(by_source("ArnLike", &arn), Verdict::Public, "{line}");
        }
    }
    assert!(count > 300, "{count}");
}

#[test]
fn sources_by_hand() {
    for (operator, arn, expected) in [
        // CloudWatch Logs User Guide, "Resources": the ARN of a log group ends in a star of its own.
        ("ArnLike", "arn:aws:logs:us-east-1:*:log-group:*:*", Verdict::Public),
        ("StringLike", "arn:aws:logs:*:*:log-group:/aws/*:*", Verdict::Public),
        (
            "StringEquals",
            "arn:aws:logs:us-east-1:444455556666:log-group:x:*",
            Verdict::External,
        ),
        (
            "StringEquals",
            "arn:aws:logs:us-east-1:111122223333:log-group:x:*",
            Verdict::Private,
        ),
        (
            "ArnLike",
            "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/web",
            Verdict::Public,
        ),
        (
            "ArnLike",
            "arn:aws:ses:us-east-1:*:receipt-rule-set/*:receipt-rule/*",
            Verdict::Public,
        ),
        (
            "ArnEquals",
            "arn:aws:rds:us-west-2:444455556666:og:reports",
            Verdict::External,
        ),
        ("ArnLike", "arn:aws:lambda:us-east-1:*:function:f:live", Verdict::Public),
        // What no list has is still somebody's.
        ("ArnLike", "arn:aws:newservice:*:*:thing:a:b:c/*", Verdict::Public),
        (
            "ArnLike",
            "arn:aws:newservice:*:444455556666:thing:a:b:c/*",
            Verdict::External,
        ),
        (
            "ArnLike",
            "arn:aws:newservice:*:111122223333:thing:a:b:c/*",
            Verdict::Private,
        ),
        ("ArnLike", "arn:aws:newservice:us-east-1::thing/*", Verdict::Public),
        // API Gateway names no account: any REST API, or one.
        ("ArnLike", "arn:aws:apigateway:us-east-1::/restapis/*", Verdict::Public),
        (
            "ArnLike",
            "arn:aws:apigateway:us-east-1::/restapis/abc123/*",
            Verdict::Private,
        ),
        (
            "ArnEquals",
            "arn:aws:apigateway:us-east-1::/restapis/abc123",
            Verdict::Private,
        ),
        ("ArnLike", "arn:aws:route53:::healthcheck/*", Verdict::Public),
        ("ArnLike", "arn:aws:s3:::my-logs*", Verdict::Public),
        ("ArnLike", "arn:aws:s3:::my-logs", Verdict::Private),
        // A name in between holds no colon, but for an alarm's.
        ("StringLike", "arn:aws:sns:*:111122223333:*", Verdict::Private),
        ("StringLike", "*:111122223333:*", Verdict::Public),
    ] {
        assert_eq!(by_source(operator, arn), expected, "{operator} {arn}");
    }
    // What has no account is of the account that is asked for beside it.
    for (arn, account, expected) in [
        ("arn:aws:s3:::*", OWNER, Verdict::Private),
        ("arn:aws:s3:::*", FOREIGN, Verdict::External),
        ("arn:aws:s3:::theirs", FOREIGN, Verdict::External),
        ("arn:aws:s3:::ours", OWNER, Verdict::Private),
        ("arn:aws:apigateway:us-east-1::/restapis/*", FOREIGN, Verdict::External),
    ] {
        let both = json!({"ArnLike": {"aws:SourceArn": arn}, "StringEquals": {"aws:SourceAccount": account}});
        assert_eq!(
            verdict(Service::Sqs, QUEUE, &json!([send(&both)])),
            expected,
            "{arn} {account}"
        );
    }
    let fixed = send(&json!({"ArnLike": {"aws:SourceArn": "arn:aws:apigateway:us-east-1::/restapis/abc123/*"}}));
    let judgement = judged(Service::Sqs, QUEUE, &json!([fixed]));
    assert!(
        judgement
            .notes
            .iter()
            .any(|note| note.kind == NoteKind::VerifyOwnership)
    );
}

// IAM User Guide, "AWS global condition context keys", `aws:SourceVpcArn`; VPC ids are unique.
#[test]
fn a_vpc_that_is_named_is_one() {
    for (arn, expected) in [
        ("arn:aws:ec2:us-east-1:*:vpc/vpc-1a2b3c4d", Verdict::External),
        ("arn:aws:ec2:*:*:vpc/*", Verdict::Public),
        ("arn:aws:ec2:us-east-1:444455556666:vpc/*", Verdict::External),
        ("arn:aws:ec2:us-east-1:111122223333:vpc/*", Verdict::Private),
    ] {
        let found = verdict(
            Service::S3Bucket,
            BUCKET,
            &json!([read(&json!({"ArnLike": {"aws:SourceVpcArn": arn}}))]),
        );
        assert_eq!(found, expected, "{arn}");
    }
    let trust = Trust {
        vpcs: BTreeSet::from(["vpc-1a2b3c4d".to_owned()]),
        ..Trust::default()
    };
    let ours = read(&json!({"ArnLike": {"aws:SourceVpcArn": "arn:aws:ec2:us-east-1:*:vpc/vpc-1a2b3c4d"}}));
    let found = judged_with(Service::S3Bucket, Some(BUCKET), &json!([ours]), &trust);
    assert_eq!(found.verdict, Verdict::Private);
}

// IAM User Guide, "Condition operators": StringEquals is exact, and no id, ARN or path has a star in it.
#[test]
fn a_star_that_is_taken_literally_is_nobodys() {
    for (key, value) in [
        ("aws:SourceVpc", "vpc-*"),
        ("aws:SourceVpce", "vpce-*"),
        ("aws:PrincipalArn", "arn:aws:iam::444455556666:role/*"),
        ("aws:PrincipalAccount", "4444*"),
        ("aws:PrincipalOrgID", "o-*"),
        ("aws:PrincipalOrgPaths", "o-a1b2c3d4e5/*"),
        ("aws:userid", "AROAEXAMPLEROLEID1234:*"),
        ("aws:username", "a*"),
        ("aws:SourceAccount", "*"),
        ("aws:SourceArn", "arn:aws:sns:us-east-1:444455556666:*"),
        (
            "s3:DataAccessPointArn",
            "arn:aws:s3:us-east-1:444455556666:accesspoint/*",
        ),
        ("aws:VpceAccount", "4444*"),
    ] {
        for operator in ["StringEquals", "StringEqualsIgnoreCase", "ForAnyValue:StringEquals"] {
            let judgement = judged(
                Service::S3Bucket,
                BUCKET,
                &json!([read(&json!({operator: {key: value}}))]),
            );
            assert_eq!(
                judgement.verdict,
                Verdict::Private,
                "{operator} {key}: {}",
                judgement.reason
            );
            assert!(
                judgement.notes.iter().any(|note| note.kind == NoteKind::NeverMatches),
                "{operator} {key}: {:?}",
                judgement.notes
            );
        }
    }
    // What a caller chooses may be a star.
    for key in ["aws:Referer", "aws:PrincipalTag/team"] {
        let judgement = judged(
            Service::S3Bucket,
            BUCKET,
            &json!([read(&json!({"StringEquals": {key: "*"}}))]),
        );
        assert_eq!(judgement.verdict, Verdict::Public, "{key}");
        assert!(judgement.notes.iter().all(|note| note.kind != NoteKind::NeverMatches));
    }
}

// STS API Reference, `AssumeRoleWithWebIdentity`, `AssumeRoleWithSAML`: each takes its own kind of provider.
#[test]
fn a_provider_makes_the_call_of_its_kind() {
    let web = "cognito-identity.amazonaws.com";
    let foreign_oidc = "arn:aws:iam::444455556666:oidc-provider/idp.example.com";
    let foreign_saml = "arn:aws:iam::444455556666:saml-provider/idp";
    for (principal, action, expected) in [
        (
            json!({"Federated": web}),
            "sts:AssumeRoleWithWebIdentity",
            Verdict::Public,
        ),
        (json!({"Federated": web}), "sts:AssumeRoleWithSAML", Verdict::Private),
        (json!({"Federated": web}), "sts:AssumeRole", Verdict::Private),
        (
            json!({"Federated": foreign_oidc}),
            "sts:AssumeRoleWithWebIdentity",
            Verdict::External,
        ),
        (
            json!({"Federated": foreign_oidc}),
            "sts:AssumeRoleWithSAML",
            Verdict::Private,
        ),
        (
            json!({"Federated": foreign_saml}),
            "sts:AssumeRoleWithSAML",
            Verdict::External,
        ),
        (
            json!({"Federated": foreign_saml}),
            "sts:AssumeRoleWithWebIdentity",
            Verdict::Private,
        ),
        (json!("*"), "sts:AssumeRoleWithSAML", Verdict::Public),
        (json!("*"), "sts:AssumeRoleWithWebIdentity", Verdict::Public),
    ] {
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": action});
        assert_eq!(
            verdict(Service::IamTrust, ROLE, &json!([statement])),
            expected,
            "{statement}"
        );
    }
    // A Deny that names one shared provider leaves the others.
    let open = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity"});
    let deny = json!({"Effect": "Deny", "Principal": {"Federated": "accounts.google.com"}, "Action": "sts:*"});
    assert_eq!(verdict(Service::IamTrust, ROLE, &json!([open, deny])), Verdict::Public);
}

// Where AWS adds no action, none is made up; elsewhere a wildcard takes those to come.
#[test]
fn actions_to_come_are_counted_only_where_there_can_be_any() {
    let all = |action: &str| json!({"Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"});
    let deny = |actions: Value| json!({"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": "*"});
    let role = |mut one: Value| {
        one.as_object_mut().unwrap().remove("Resource");
        one
    };
    let found = verdict(
        Service::IamTrust,
        ROLE,
        &json!([role(all("sts:*")), role(deny(json!("sts:AssumeRole*")))]),
    );
    assert_eq!(found, Verdict::Private);
    let api = "arn:aws:execute-api:us-east-1:111122223333:abcdef0123";
    let calls = json!([
        "execute-api:Invoke",
        "execute-api:InvalidateCache",
        "execute-api:ManageConnections"
    ]);
    assert_eq!(
        verdict(Service::ApiGateway, api, &json!([all("execute-api:*"), deny(calls)])),
        Verdict::Private
    );
    assert_eq!(
        verdict(
            Service::Sqs,
            QUEUE,
            &json!([all("sqs:*"), deny(json!("sqs:SendMessage"))])
        ),
        Verdict::Public
    );
}

// IAM User Guide, "AWS global condition context keys": both are in every request, and either true or false.
#[test]
fn a_boolean_is_true_or_false() {
    let deny = |condition: Value| {
        json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [BUCKET, format!("{BUCKET}/*")],
            "Condition": condition})
    };
    let signed = deny(json!({"StringLike": {"aws:PrincipalArn": "*"}}));
    for (statements, expected) in [
        (
            json!([
                read(&json!({})),
                deny(json!({"Bool": {"aws:SecureTransport": ["true", "false"]}}))
            ]),
            Verdict::Private,
        ),
        (
            json!([
                read(&json!({})),
                deny(json!({"Bool": {"aws:SecureTransport": "false"}}))
            ]),
            Verdict::Public,
        ),
        (
            json!([
                read(&json!({})),
                deny(json!({"Bool": {"aws:ViaAWSService": ["true", "false"]}}))
            ]),
            Verdict::Private,
        ),
        (
            json!([read(&json!({"Bool": {"aws:ViaAWSService": "false"}})), signed]),
            Verdict::Public,
        ),
        (
            json!([read(&json!({"Bool": {"aws:ViaAWSService": "true"}})), signed]),
            Verdict::Private,
        ),
        (
            json!([read(&json!({"Bool": {"aws:ViaAWSService": "true"}}))]),
            Verdict::Public,
        ),
        (
            json!([read(&json!({"Bool": {"aws:MultiFactorAuthPresent": "maybe"}}))]),
            Verdict::Private,
        ),
    ] {
        assert_eq!(
            verdict(Service::S3Bucket, BUCKET, &statements),
            expected,
            "{statements}"
        );
    }
}

// IAM User Guide, "AWS global condition context keys": tags, sessions and MFA are of principals, which services are not.
#[test]
fn a_service_brings_nothing_of_a_principal() {
    let source = json!({"aws:SourceArn": "arn:aws:sns:*:*:*"});
    for (operator, key, value) in [
        ("StringEquals", "aws:PrincipalTag/team", "a"),
        ("Bool", "aws:MultiFactorAuthPresent", "true"),
        ("StringEquals", "aws:SourceIdentity", "alice"),
        ("StringLike", "aws:CalledVia", "*"),
        ("StringEquals", "aws:CalledViaAWSMCP", "aws-mcp.amazonaws.com"),
    ] {
        let mut condition = json!({"ArnLike": source});
        condition[operator] = json!({key: value});
        assert_eq!(
            verdict(Service::Sqs, QUEUE, &json!([send(&condition)])),
            Verdict::Private,
            "{key}"
        );
    }
    assert_eq!(
        verdict(Service::Sqs, QUEUE, &json!([send(&json!({"ArnLike": source}))])),
        Verdict::Public
    );
}

// KMS Developer Guide, "Encryption context"; CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs".
#[test]
fn what_a_service_says_of_its_resource_is_not_the_callers_choice() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let deputy = |principal: Value, context: &str, arn: &str| {
        let name = format!("kms:EncryptionContext:{context}");
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": ["kms:Encrypt*", "kms:Decrypt*"],
            "Resource": "*", "Condition": {"ArnLike": {name: arn}}});
        let judgement = judged(Service::Kms, key, &json!([statement]));
        let noted = judgement.notes.iter().any(|note| note.kind == NoteKind::ConfusedDeputy);
        (judgement.verdict, noted)
    };
    let logs = json!({"Service": "logs.us-east-1.amazonaws.com"});
    let group = |account: &str| format!("arn:aws:logs:us-east-1:{account}:log-group:*");
    for (account, expected) in [
        (OWNER, (Verdict::Private, false)),
        (FOREIGN, (Verdict::External, false)),
        ("*", (Verdict::Private, true)),
    ] {
        assert_eq!(
            deputy(logs.clone(), "aws:logs:arn", &group(account)),
            expected,
            "{account}"
        );
    }
    let trail = "arn:aws:cloudtrail:*:111122223333:trail/*";
    let cloudtrail = json!({"Service": "cloudtrail.amazonaws.com"});
    assert_eq!(
        deputy(cloudtrail, "aws:cloudtrail:arn", trail),
        (Verdict::Private, false)
    );
    // Who calls KMS himself says what he likes.
    assert_eq!(deputy(json!("*"), "aws:logs:arn", &group(OWNER)).0, Verdict::Public);
}

// IAM User Guide, "Grant a user permissions to pass a role to an AWS service".
#[test]
fn a_confused_deputy_is_told_only_where_there_can_be_one() {
    let has = |judgement: &Judgement| judgement.notes.iter().any(|note| note.kind == NoteKind::ConfusedDeputy);
    for service in ["lambda.amazonaws.com", "ec2.amazonaws.com", "glue.amazonaws.com"] {
        let trust = json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
        assert!(!has(&judged(Service::IamTrust, ROLE, &json!([trust]))), "{service}");
    }
    let of_service = |condition: Value| {
        let mut one = send(&condition);
        one["Principal"] = json!({"Service": "sns.amazonaws.com"});
        judged(Service::Sqs, QUEUE, &json!([one]))
    };
    assert!(has(&of_service(json!({}))));
    assert!(has(&of_service(
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}})
    )));
    assert!(!has(&of_service(json!({"StringEquals": {"aws:SourceAccount": OWNER}}))));
}

// IAM User Guide, "Variables and tags", unique ids of roles; keys of sessions and directories.
#[test]
fn ids_that_are_ours_or_somebodys() {
    let trust = |id: &str| Trust {
        ids: BTreeSet::from([id.to_owned()]),
        ..Trust::default()
    };
    let by = |operator: &str, key: &str, value: &str| json!([read(&json!({operator: {key: value}}))]);
    let role = by("StringLike", "aws:userid", "AROAEXAMPLEROLEID1234:*");
    for (known, expected) in [
        ("AROAEXAMPLEROLEID1234:*", Verdict::Private),
        ("AROAEXAMPLEROLEID1234", Verdict::Private),
        ("AROAEXAMPLEROLEID9999:*", Verdict::External),
    ] {
        let found = judged_with(Service::S3Bucket, Some(BUCKET), &role, &trust(known));
        assert_eq!(found.verdict, expected, "{known}");
    }
    let project = |account: &str| format!("arn:aws:codebuild:us-east-1:{account}:project/p");
    let session = |account: &str| format!("arn:aws:signin:*:{account}:session/*");
    let grants = |account: &str| format!("arn:aws:s3:us-east-1:{account}:access-grants/default");
    let function = |account: &str| format!("arn:aws:lambda:us-east-1:{account}:function:f");
    for (operator, key, value, expected) in [
        ("ArnEquals", "codebuild:ProjectArn", project(FOREIGN), Verdict::External),
        ("ArnEquals", "codebuild:ProjectArn", project(OWNER), Verdict::Private),
        ("ArnLike", "codebuild:ProjectArn", project("*"), Verdict::Public),
        ("ArnLike", "aws:SignInSessionArn", session(OWNER), Verdict::Private),
        ("ArnLike", "aws:SignInSessionArn", session(FOREIGN), Verdict::External),
        ("ArnLike", "aws:SignInSessionArn", session("*"), Verdict::Public),
        (
            "StringEquals",
            "s3:AccessGrantsInstanceArn",
            grants(OWNER),
            Verdict::Private,
        ),
        (
            "StringEquals",
            "s3:AccessGrantsInstanceArn",
            grants(FOREIGN),
            Verdict::External,
        ),
        ("StringLike", "s3:AccessGrantsInstanceArn", grants("*"), Verdict::Public),
        (
            "StringLike",
            "lambda:SourceFunctionArn",
            function(OWNER),
            Verdict::Private,
        ),
        ("ArnLike", "lambda:SourceFunctionArn", function("*"), Verdict::Public),
        (
            "StringEquals",
            "identitystore:UserId",
            "94482488-3041-7026-18f3-be45837cd0e4".to_owned(),
            Verdict::External,
        ),
        ("StringLike", "identitystore:UserId", "9*".to_owned(), Verdict::Public),
        // Told of the request, or chosen: no limit.
        (
            "StringEquals",
            "signin:OAuthClientId",
            "app".to_owned(),
            Verdict::Public,
        ),
        (
            "StringEquals",
            "aws:CalledViaAWSMCP",
            "aws-mcp.amazonaws.com".to_owned(),
            Verdict::Public,
        ),
        ("Bool", "aws:ViaAWSMCPService", "true".to_owned(), Verdict::Public),
        (
            "StringEquals",
            "glue:RoleAssumedBy",
            "glue.amazonaws.com".to_owned(),
            Verdict::Public,
        ),
    ] {
        let judgement = judged(Service::S3Bucket, BUCKET, &by(operator, key, &value));
        assert_eq!(
            (judgement.verdict, judgement.undecided),
            (expected, false),
            "{key} {value}: {}",
            judgement.reason
        );
        assert!(
            judgement.notes.iter().all(|note| note.kind != NoteKind::UnknownKey),
            "{key}"
        );
    }
    // A key that AWS does not have can't be decided.
    assert!(judged(Service::S3Bucket, BUCKET, &by("StringEquals", "s3:NoSuchKey", "x")).undecided);
}

// S3 User Guide, "Blocking public access to your Amazon S3 storage", The meaning of "public": what that list has, and nothing else.
#[test]
fn what_s3_calls_public() {
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    for (operator, name, value, public) in [
        ("StringEquals", "aws:PrincipalOrgID", "o-owner00001", false),
        ("StringEquals", "aws:SourceVpc", "vpc-91237329", false),
        ("StringEquals", "aws:SourceVpce", "vpce-1a2b3c4d", false),
        ("StringEquals", "aws:SourceAccount", OWNER, false),
        ("StringEquals", "aws:SourceOwner", OWNER, false),
        (
            "ArnEquals",
            "aws:SourceArn",
            "arn:aws:sns:us-east-1:111122223333:t",
            false,
        ),
        ("StringEquals", "s3:DataAccessPointAccount", OWNER, false),
        ("StringEquals", "aws:userid", "AIDAEXAMPLEUSERID1234", false),
        ("StringLike", "aws:userid", "AROAEXAMPLEROLEID1234:*", true),
        (
            "StringEquals",
            "s3:x-amz-server-side-encryption-aws-kms-key-id",
            key,
            true,
        ),
        ("StringEquals", "aws:SourceOrgID", "o-owner00001", true),
        ("StringEquals", "aws:VpceAccount", OWNER, true),
        (
            "ArnEquals",
            "aws:SourceVpcArn",
            "arn:aws:ec2:us-east-1:111122223333:vpc/vpc-91237329",
            true,
        ),
        ("StringLike", "aws:SourceVpc", "vpc-*", true),
    ] {
        let found = judged(
            Service::S3Bucket,
            BUCKET,
            &json!([read(&json!({operator: {name: value}}))]),
        )
        .s3;
        let expected = if public { S3Verdict::Public } else { S3Verdict::Private };
        assert_eq!(found, Some(expected), "{name} {value}");
    }
}

// S3 User Guide, "Access control list (ACL) overview": what nobody signed for is of this user.
#[test]
fn the_anonymous_user_is_everybody() {
    let anonymous = "65a011a29cdf8ec533ec3d1ccaae921c";
    let grant = |id: &str| Grant {
        grantee: Grantee::CanonicalUser(id.to_owned()),
        permission: "READ".to_owned(),
    };
    let found = |id: &str| judge_acl(&[grant(id)], "owner", &BTreeSet::new(), false).verdict;
    assert_eq!(found(anonymous), Verdict::Public);
    assert_eq!(found("another"), Verdict::External);
    let mut open = read(&json!({}));
    open["Principal"] = json!({"CanonicalUser": anonymous});
    assert_eq!(verdict(Service::S3Bucket, BUCKET, &json!([open])), Verdict::Public);
}

#[test]
fn a_fix_takes_whom_it_has_to_and_leaves_the_others() {
    let own = "arn:aws:iam::111122223333:role/app";
    let foreign = "arn:aws:iam::444455556666:oidc-provider/idp.example.com";
    let own_provider = "arn:aws:iam::111122223333:oidc-provider/idp.example.com";
    for (principal, kept) in [
        (
            json!({"Service": "lambda.amazonaws.com", "AWS": [own, FOREIGN], "Federated": [foreign, "accounts.google.com"]}),
            json!({"Service": "lambda.amazonaws.com", "AWS": [own]}),
        ),
        (
            json!({"Service": "lambda.amazonaws.com", "Federated": foreign}),
            json!({"Service": "lambda.amazonaws.com"}),
        ),
        (
            json!({"Federated": [own_provider, foreign], "AWS": own}),
            json!({"Federated": [own_provider], "AWS": own}),
        ),
    ] {
        let actions = json!(["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"]);
        let text = document(&json!([{"Effect": "Allow", "Principal": principal, "Action": actions}]));
        let trust = Trust::default();
        let scope = Scope {
            service: Service::IamTrust,
            owner: OWNER,
            trust: &trust,
            resource: Some(ROLE),
        };
        let Fix::Rewrite { policy, .. } = fix(&Policy::parse(&text).unwrap(), &scope, Goal::Private).unwrap() else {
            panic!("{text}")
        };
        let fixed: Value = serde_json::from_str(&policy).unwrap();
        assert_eq!(fixed["Statement"][0]["Principal"], kept);
        assert_eq!(
            judge(&Policy::parse(&policy).unwrap(), &scope).verdict,
            Verdict::Private
        );
    }
}

// The services' own guides on their resource-based policies.
#[test]
fn services_that_are_alike_are_judged_alike() {
    for (service, resource, action) in [
        (
            Service::ApiGateway,
            "arn:aws:execute-api:us-east-1:111122223333:abc/prod/GET/pets",
            "execute-api:Invoke",
        ),
        (
            Service::Glacier,
            "arn:aws:glacier:us-east-1:111122223333:vaults/v",
            "glacier:InitiateJob",
        ),
        (
            Service::S3Express,
            "arn:aws:s3express:us-east-1:111122223333:bucket/b--use1-az4--x-s3",
            "s3express:CreateSession",
        ),
        (
            Service::S3Tables,
            "arn:aws:s3tables:us-east-1:111122223333:bucket/b/table/1",
            "s3tables:GetTableData",
        ),
        (
            Service::S3Vectors,
            "arn:aws:s3vectors:us-east-1:111122223333:bucket/b/index/i",
            "s3vectors:QueryVectors",
        ),
        (
            Service::S3Outposts,
            "arn:aws:s3-outposts:us-east-1:111122223333:outpost/op-1/bucket/b/object/k",
            "s3-outposts:GetObject",
        ),
        (
            Service::S3ObjectLambda,
            "arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/a",
            "s3-object-lambda:GetObject",
        ),
        (
            Service::S3MultiRegionAccessPoint,
            "arn:aws:s3::111122223333:accesspoint/m.mrap/object/k",
            "s3:GetObject",
        ),
        (
            Service::Kinesis,
            "arn:aws:kinesis:us-east-1:111122223333:stream/s",
            "kinesis:GetRecords",
        ),
        (
            Service::CodeArtifact,
            "arn:aws:codeartifact:us-east-1:111122223333:domain/d",
            "codeartifact:ReadFromRepository",
        ),
        (
            Service::Logs,
            "arn:aws:logs:us-east-1:111122223333:log-group:g:log-stream:s",
            "logs:PutLogEvents",
        ),
        (
            Service::Glue,
            "arn:aws:glue:us-east-1:111122223333:table/db/t",
            "glue:GetTable",
        ),
        (
            Service::Ses,
            "arn:aws:ses:us-east-1:111122223333:identity/example.com",
            "ses:SendEmail",
        ),
        (
            Service::LambdaLayer,
            "arn:aws:lambda:us-east-1:111122223333:layer:l:1",
            "lambda:GetLayerVersion",
        ),
        (
            Service::EcrRegistry,
            "arn:aws:ecr:us-east-1:111122223333:repository/*",
            "ecr:ReplicateImage",
        ),
        (
            Service::VpcLattice,
            "arn:aws:vpc-lattice-svcs:us-east-1:111122223333:service/svc-1/*",
            "vpc-lattice-svcs:Invoke",
        ),
        (
            Service::MediaStore,
            "arn:aws:mediastore:us-east-1:111122223333:container/c/*",
            "mediastore:GetObject",
        ),
        (
            Service::PrivateCa,
            "arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/1",
            "acm-pca:IssueCertificate",
        ),
        (
            Service::Kafka,
            "arn:aws:kafka:us-east-1:111122223333:cluster/c/1",
            "kafka:CreateVpcConnection",
        ),
    ] {
        let with = |principal: Value| {
            let statement =
                json!([{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}]);
            let judgement = judged_with(service, None, &statement, &Trust::default());
            assert!(!judgement.undecided, "{service}: {}", judgement.reason);
            judgement.verdict
        };
        assert_eq!(with(json!("*")), Verdict::Public, "{service}");
        assert_eq!(with(json!({"AWS": FOREIGN})), Verdict::External, "{service}");
        assert_eq!(with(json!({"AWS": OWNER})), Verdict::Private, "{service}");
        let organization = json!([{"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource,
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-other00001"}}}]);
        let found = judged_with(service, None, &organization, &Trust::default());
        assert_eq!(found.verdict, Verdict::External, "{service}");
    }
}

// API Gateway Developer Guide, "API Gateway resource policy examples": as they are written before they are saved.
#[test]
fn a_rest_api_need_not_be_named_by_its_own_policy() {
    let api = "arn:aws:execute-api:us-east-1:111122223333:abcdef0123";
    let open = |resource: &str| json!({"Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": resource});
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*",
        "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1a2b3c4d"}}});
    for (statements, expected) in [
        (json!([open("execute-api:/*")]), Verdict::Public),
        (json!([open("execute-api:/prod/GET/pets")]), Verdict::Public),
        (json!([open("execute-api:/*"), deny]), Verdict::External),
    ] {
        for resource in [None, Some(api)] {
            let found = judged_with(Service::ApiGateway, resource, &statements, &Trust::default());
            assert_eq!(found.verdict, expected, "{statements}");
        }
    }
}

// VPC User Guide, "Control access to VPC endpoints using endpoint policies": the default policy is open.
#[test]
fn an_endpoint_lets_nobody_in_and_is_told_where_it_leads() {
    let endpoint = "arn:aws:ec2:us-east-1:111122223333:vpc-endpoint/vpce-1a2b3c4d";
    let open = json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]);
    let limited = json!([{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceOrgID": "o-owner00001"}}}]);
    for (statements, told) in [(open, true), (limited, false)] {
        let found = judged(Service::VpcEndpoint, endpoint, &statements);
        assert_eq!(found.verdict, Verdict::Private);
        assert_eq!(
            found.notes.iter().any(|note| note.kind == NoteKind::OpenEndpoint),
            told,
            "{statements}"
        );
    }
}

#[test]
fn what_a_service_would_not_take_is_refused_by_its_name() {
    let large = |size: usize| {
        let text = document(&json!([{"Sid": "", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]));
        text.replace(r#""Sid":"""#, &format!(r#""Sid":"{}""#, "x".repeat(size - text.len())))
    };
    for (service, most) in [
        (Service::Sqs, 8_192),
        (Service::Kms, 32_768),
        (Service::IamTrust, 4_096),
        (Service::S3Bucket, 20_480),
        (Service::OpenSearch, 102_400),
    ] {
        assert!(Policy::parse_for(service, &large(most)).is_ok(), "{service}");
        let error = Policy::parse_for(service, &large(most + 1)).unwrap_err();
        let expected = PolicyError::TooLargeFor {
            service,
            size: most + 1,
            limit: most,
        };
        assert_eq!(error, expected);
        assert!(error.to_string().contains(service.name()));
    }
    assert!(matches!(
        Policy::parse(&large(102_401)),
        Err(PolicyError::TooLarge { .. })
    ));
}

// Twice the statements cost about twice as much: ten times is what squares of these sizes would come to.
#[test]
fn a_flood_costs_what_its_length_does() {
    let flood = |count: usize| {
        let one = |number: usize| {
            let condition = json!({"StringLike": {"aws:PrincipalArn": format!("arn:aws:iam::*:role/*-{number}")}});
            json!({"Sid": format!("s{number}"), "Effect": "Allow", "Principal": "*", "Action": "es:ESHttpGet",
                "Resource": "arn:aws:es:us-east-1:111122223333:domain/d/*", "Condition": condition})
        };
        document(&json!((0..count).map(one).collect::<Vec<_>>()))
    };
    let trust = Trust::default();
    let scope = Scope {
        service: Service::OpenSearch,
        owner: OWNER,
        trust: &trust,
        resource: None,
    };
    let time = |count: usize| {
        let policy = Policy::parse(&flood(count)).unwrap();
        let run = |_| {
            let started = Instant::now();
            assert_eq!(judge(&policy, &scope).offending.len(), count);
            let fixed = fix(&policy, &scope, Goal::Private);
            assert!(matches!(fixed, Ok(Fix::Rewrite { .. } | Fix::Delete)), "{fixed:?}");
            started.elapsed()
        };
        (0..3).map(run).min().unwrap()
    };
    let (some, many) = (time(30), time(300));
    assert!(many < some * 40, "{some:?} for 30 statements, {many:?} for 300");
}
