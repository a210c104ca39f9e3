//! How many verdicts and fixes a second one core gives, and the worst that a hostile policy of 20 KB can cost.
//!
//! `cargo run --release -p portcullis-access --example speed`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::similar_names
)]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use portcullis_access::{Fix, Goal, Policy, Scope, Service, Trust, Verdict, fix, judge};
use serde_json::{Value, json};

const OWNER: &str = "111122223333";

fn main() {
    let trust = Trust {
        organizations: BTreeSet::from(["o-owner00001".to_owned()]),
        ..Trust::default()
    };
    let usual = usual();
    let mut verdicts = 0_u32;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        for (service, text) in &usual {
            let scope = Scope {
                service: *service,
                owner: OWNER,
                trust: &trust,
                resource: None,
            };
            std::hint::black_box(judge(&Policy::parse(text).unwrap(), &scope));
            verdicts += 1;
        }
    }
    println!(
        "ordinary policies: {:.0} verdicts/s, parsing included",
        f64::from(verdicts) / started.elapsed().as_secs_f64()
    );
    let mut fixes = 0_u32;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        for (service, text) in &usual {
            let scope = Scope {
                service: *service,
                owner: OWNER,
                trust: &trust,
                resource: None,
            };
            let _ = std::hint::black_box(fix(&Policy::parse(text).unwrap(), &scope, Goal::Private));
            fixes += 1;
        }
    }
    println!(
        "ordinary policies: {:.0} fixes/s, parsing and judging again included",
        f64::from(fixes) / started.elapsed().as_secs_f64()
    );
    let mut worst = (Duration::ZERO, "");
    for (name, text) in hostile() {
        let scope = Scope {
            service: Service::S3Bucket,
            owner: OWNER,
            trust: &trust,
            resource: Some("arn:aws:s3:::b"),
        };
        let mut times = Vec::new();
        let mut found = (Verdict::Private, false);
        for _ in 0..9 {
            let started = Instant::now();
            let judgement = judge(&Policy::parse(&text).unwrap(), &scope);
            times.push(started.elapsed());
            found = (judgement.verdict, judgement.undecided);
        }
        times.sort_unstable();
        let started = Instant::now();
        let fixed = fix(&Policy::parse(&text).unwrap(), &scope, Goal::Private);
        let fixing = started.elapsed();
        let kind = match fixed {
            Ok(Fix::Nothing) => "nothing",
            Ok(Fix::Delete) => "delete",
            Ok(Fix::Rewrite { .. }) => "rewrite",
            Ok(Fix::Undecided { .. }) => "undecided",
            Err(_) => "none",
        };
        let median = times[times.len() / 2];
        println!(
            "{name:<34} {:>6} bytes {:>7.3} ms  {:?}{}; fix {kind} {:.1} ms",
            text.len(),
            median.as_secs_f64() * 1e3,
            found.0,
            if found.1 { " (undecided)" } else { "" },
            fixing.as_secs_f64() * 1e3,
        );
        if median > worst.0 {
            worst = (median, name);
        }
    }
    println!("worst: {} {:.3} ms", worst.1, worst.0.as_secs_f64() * 1e3);
    flooded(&trust);
}

/// As many open statements as each service takes: what a policy of its largest size costs at half of it and in full.
fn flooded(trust: &Trust) {
    for (name, condition) in [
        ("open", json!({})),
        (
            "by source",
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:topic-NUMBER*"}}),
        ),
        (
            "by role",
            json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*-NUMBER"}}),
        ),
        (
            "by log group",
            json!({"StringLike": {"aws:SourceArn": "arn:aws:logs:*:*:log-group:NUMBER:*"}}),
        ),
    ] {
        let mut slowest = (Duration::ZERO, String::new());
        for service in Service::ALL {
            let mut times = [(Duration::ZERO, Duration::ZERO); 2];
            for (half, time) in [2, 1].into_iter().zip(&mut times) {
                let text = flood(service, &condition, service.policy_limit() / half);
                let scope = Scope {
                    service,
                    owner: OWNER,
                    trust,
                    resource: None,
                };
                let run = |_| {
                    let started = Instant::now();
                    let policy = Policy::parse(&text).unwrap();
                    std::hint::black_box(judge(&policy, &scope));
                    let judged = started.elapsed();
                    let _ = std::hint::black_box(fix(&policy, &scope, Goal::Private));
                    (judged, started.elapsed())
                };
                *time = (0..3).map(run).min().unwrap();
            }
            let ms = |time: Duration| time.as_secs_f64() * 1e3;
            if times[1].0 > slowest.0 {
                let text = format!(
                    "{service}, {} bytes: {:.2} ms (half of it {:.2} ms), with its fix {:.2} ms (half {:.2} ms)",
                    service.policy_limit(),
                    ms(times[1].0),
                    ms(times[0].0),
                    ms(times[1].1),
                    ms(times[0].1)
                );
                slowest = (times[1].0, text);
            }
        }
        println!("flood of statements, {name}: slowest {}", slowest.1);
    }
}

fn flood(service: Service, condition: &Value, size: usize) -> String {
    let action = match service {
        Service::IamTrust => "sts:AssumeRole",
        _ => "*",
    };
    let mut statements = Vec::new();
    let mut length = 60;
    for number in 0.. {
        let condition = condition.to_string().replace("NUMBER", &number.to_string());
        let statement = format!(
            r#"{{"Sid":"s{number}","Effect":"Allow","Principal":"*","Action":"{action}","Resource":"*","Condition":{condition}}}"#
        );
        length += statement.len() + 1;
        if length > size {
            break;
        }
        statements.push(statement);
    }
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

fn document(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// What policies mostly look like.
fn usual() -> Vec<(Service, String)> {
    let tls = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
    let organization = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-owner00001"}}});
    let public = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    let own = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "s3:*",
        "Resource": "arn:aws:s3:::b/*"});
    let queue = json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:111122223333:q",
        "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:*"}}});
    let key = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*", "Condition": {"StringEquals": {"kms:CallerAccount": "111122223333",
        "kms:ViaService": "ec2.us-west-2.amazonaws.com"}}});
    vec![
        (Service::S3Bucket, document(&[tls.clone(), organization.clone()])),
        (Service::S3Bucket, document(&[tls.clone(), own.clone(), public])),
        (Service::S3Bucket, document(&[tls, own, organization])),
        (Service::Sqs, document(&[queue])),
        (Service::Kms, document(&[key])),
    ]
}

/// Policies made to cost time, each about 20 KB with a hundred conditions or more.
fn hostile() -> Vec<(&'static str, String)> {
    const KEYS: [&str; 10] = [
        "aws:PrincipalTag/a",
        "aws:UserAgent",
        "aws:Referer",
        "s3:prefix",
        "s3:x-amz-acl",
        "aws:PrincipalArn",
        "aws:userid",
        "aws:SourceVpce",
        "aws:PrincipalOrgID",
        "s3:delimiter",
    ];
    let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"});
    let deny = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition});
    let mut wild = vec![allow.clone()];
    let mut hundred = vec![allow.clone()];
    let mut tied = vec![allow.clone()];
    let mut branching = vec![allow.clone()];
    for number in 0..80 {
        let long = |parts: usize, salt: usize| {
            let mut text = String::new();
            for part in 0..parts {
                let _ = write!(text, "*{}", (number * 7 + part * salt) % 97);
            }
            text + "*"
        };
        let pattern = |salt: usize| long(6, salt);
        let key = |offset: usize| KEYS[(number + offset) % KEYS.len()];
        wild.push(deny(json!({"StringLike": {key(0): [pattern(3), pattern(5)]}, "StringNotLike": {key(3): pattern(7), key(5): pattern(11)}})));
        if number < 25 {
            hundred.push(deny(json!({"StringLike": {key(0): long(58, 3), key(2): long(58, 5)}, "StringNotLike": {key(3): long(58, 7), key(5): long(58, 11)}})));
        }
        tied.push(deny(json!({"StringLike": {key(0): format!("*${{{}}}*", key(1)), key(2): format!("${{{}}}*", key(3))}, "StringNotEquals": {key(4): "x"}})));
        branching.push(deny(json!({"StringEquals": {key(0): format!("v{number}"), key(1): format!("w{number}")}, "StringNotEquals": {key(2): format!("x{number}"), key(3): "y"}, "StringNotLike": {key(4): "z*"}})));
    }
    let networks: Vec<String> = (0..1000)
        .map(|number| format!("{}.{}.0.0/16", number % 200 + 11, number / 4))
        .collect();
    let network = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
        "Condition": {"IpAddress": {"aws:SourceIp": networks}}});
    let accounts: Vec<String> = (0..400)
        .map(|number| format!("arn:aws:iam::{:012}:root", 100_000_000_000_u64 + number))
        .collect();
    let many = json!({"Effect": "Allow", "Principal": {"AWS": accounts}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    let stop = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"});
    let stars = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*",
        "Condition": {"StringLike": {"aws:PrincipalArn": format!("{}b", "a*".repeat(9900))}}});
    let resources: Vec<String> = (0..300)
        .map(|number| format!("arn:aws:s3:::b/*{number}*/x?{}*", number * 3))
        .collect();
    let places = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources});
    let each: Vec<Value> = (0..100)
        .map(|number| {
            json!({"Effect": "Allow", "Principal": "*", "Action": format!("s3:Get*{number}"), "Resource": format!("arn:aws:s3:::b/{number}*"),
                "Condition": {"StringLike": {"aws:PrincipalArn": format!("arn:aws:iam::111122223333:role/*{number}*"), "aws:PrincipalTag/t": format!("*{number}")}}})
        })
        .collect();
    vec![
        ("100 wildcard conditions in Denies", document(&hundred)),
        ("240 wildcard conditions in Denies", document(&wild)),
        ("240 conditions tied by variables", document(&tied)),
        ("400 conditions, branching Denies", document(&branching)),
        ("1200 networks", document(&[network])),
        ("560 foreign accounts, all denied", document(&[many, stop])),
        ("9900 stars in one pattern", document(&[stars])),
        ("640 resource patterns denied", document(&[allow, places])),
        ("100 Allows with 200 conditions", document(&each)),
    ]
}
