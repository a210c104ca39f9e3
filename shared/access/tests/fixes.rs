//! What a fix leaves, service by service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use portcullis_access::{Fix, FixError, Goal, Policy, Scope, Service, Trust, Verdict, fix, judge};
use serde_json::{Value, json};

fn fixed(service: Service, statements: &Value) -> Result<Fix, FixError> {
    let trust = Trust::default();
    let scope = Scope {
        service,
        owner: "111122223333",
        trust: &trust,
        resource: None,
    };
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let fixed = fix(&Policy::parse(&text).unwrap(), &scope, Goal::Private);
    if let Ok(Fix::Rewrite { policy, .. }) = &fixed {
        assert_eq!(
            judge(&Policy::parse(policy).unwrap(), &scope).verdict,
            Verdict::Private,
            "{policy}"
        );
    }
    fixed
}

fn rewritten(service: Service, statements: &Value) -> Value {
    let fixed = fixed(service, statements).unwrap();
    let Fix::Rewrite { policy, .. } = fixed else {
        panic!("{fixed:?}")
    };
    serde_json::from_str::<Value>(&policy).unwrap()["Statement"].clone()
}

// EFS User Guide, "Default EFS file system policy": without a policy, every client that reaches a mount target has all.
#[test]
fn a_file_system_keeps_a_policy() {
    let system = "arn:aws:elasticfilesystem:us-east-1:111122223333:file-system/fs-0123456789abcdef0";
    let open = |condition: Value| {
        json!([{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "elasticfilesystem:ClientMount",
            "Resource": system, "Condition": condition}])
    };
    let tls = json!({"aws:SecureTransport": "true"});
    let through = rewritten(Service::Efs, &open(json!({"Bool": tls})));
    let wanted = json!({"aws:SecureTransport": "true", "elasticfilesystem:AccessedViaMountTarget": "true"});
    assert_eq!(through[0]["Condition"]["Bool"], wanted);
    let foreign = json!([{"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "elasticfilesystem:*",
        "Resource": system}]);
    assert_eq!(rewritten(Service::Efs, &foreign)[0]["Effect"], "Deny");
}

// KMS API Reference, `PutKeyPolicy`: the caller has to be able to put another policy afterwards.
#[test]
fn a_key_stays_manageable() {
    let foreign = json!({"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "kms:*", "Resource": "*"});
    let of_account = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"kms:CallerAccount": "444455556666"}}});
    let user = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"},
        "Action": "kms:Decrypt", "Resource": "*"});
    let via = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}});
    for statements in [
        json!([foreign]),
        json!([of_account]),
        json!([foreign, user]),
        json!([foreign, via]),
    ] {
        assert_eq!(
            fixed(Service::Kms, &statements),
            Err(FixError::LockedOut),
            "{statements}"
        );
    }
    let admin = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/admin"},
        "Action": ["kms:Put*", "kms:Describe*"], "Resource": "*"});
    assert_eq!(rewritten(Service::Kms, &json!([foreign, admin])), json!([admin]));
    let open = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"});
    let root = json!({"AWS": "arn:aws:iam::111122223333:root"});
    assert_eq!(rewritten(Service::Kms, &json!([open, user]))[0]["Principal"], root);
}

#[test]
fn what_other_statements_say_does_not_decide_between_narrowing_and_removing() {
    let queue = "arn:aws:sqs:us-east-1:111122223333:queue1";
    let topic = json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue,
        "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:orders"}}});
    let others = (0..10).map(|number| {
        json!({"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::111122223333:role/worker{number}")},
            "Action": "sqs:ReceiveMessage", "Resource": queue})
    });
    let alone = rewritten(Service::Sqs, &json!([topic]));
    let statements: Vec<Value> = std::iter::once(topic).chain(others).collect();
    let among = rewritten(Service::Sqs, &json!(statements));
    assert_eq!(among[0], alone[0]);
    assert_eq!(
        among[0]["Condition"]["StringEquals"]["aws:SourceAccount"],
        "111122223333"
    );
    assert_eq!(among.as_array().unwrap().len(), 11);
}

// Amazon SQS Developer Guide, "Amazon SQS policy quotas".
#[test]
fn a_fix_stays_within_what_the_service_takes() {
    let queue = "arn:aws:sqs:us-east-1:111122223333:queue1";
    let topic = |number: usize| {
        json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue,
            "Condition": {"ArnLike": {"aws:SourceArn": format!("arn:aws:sns:*:*:orders{number}")}}})
    };
    let statements: Vec<Value> = (0..9).map(topic).collect();
    let error = fixed(Service::Sqs, &json!(statements)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the fixed policy has 18 conditions, of 10 that sqs takes"
    );
    for (service, limit) in [
        (Service::Sqs, 8_192),
        (Service::Sns, 30_720),
        (Service::Kms, 32_768),
        (Service::Ecr, 10_240),
        (Service::IamTrust, 2_048),
        (Service::Efs, 20_000),
    ] {
        assert_eq!(service.policy_limit(), limit, "{service}");
    }
}

// Each statement can only be narrowed by trying; how often that is done is counted, not hoped for.
#[test]
fn many_statements_cost_a_bounded_time() {
    let statements: Vec<Value> = (0..120)
        .map(|number| {
            json!({"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
                "Condition": {"StringLike": {"aws:PrincipalArn": [format!("arn:aws:iam::*:role/*-{number}-*"),
                    format!("arn:aws:iam::*:role/team{number}*")]}}})
        })
        .collect();
    let started = std::time::Instant::now();
    let _ = fixed(Service::Kms, &json!(statements));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

// A key that the caller leaves out keeps nobody away, so nobody in particular was meant: the statement goes whole.
#[test]
fn a_statement_whose_conditions_everybody_meets_by_leaving_a_key_out_goes_whole() {
    let own = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"});
    for condition in [
        json!({"Null": {"aws:ViaAWSMCPService": "true"}}),
        json!({"StringNotEquals": {"aws:Referer": "x"}}),
        json!({"StringEqualsIfExists": {"aws:Referer": "x"}}),
    ] {
        let open = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", "Condition": condition});
        assert_eq!(
            rewritten(Service::Kms, &json!([own, open])),
            json!([own]),
            "{condition}"
        );
    }
    // Who has to come by a service is somebody: that statement is narrowed.
    let by_service = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}});
    let left = rewritten(Service::Kms, &json!([own, by_service]));
    assert_eq!(left.as_array().unwrap().len(), 2, "{left}");
}
