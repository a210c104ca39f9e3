//! Random policies, the requests that strangers can make of them, and an evaluator of its own.
//!
//! The evaluator works on the JSON value and shares no code with the crate: it is what the crate is held against.

#![allow(dead_code)] // each test uses a part

pub mod oracle;

use std::collections::BTreeMap;

use portcullis_access::{Caller, Request, Scope, Service, Trust};
use serde_json::{Map, Value, json};

pub const OWNER: &str = "111122223333";
pub const STRANGER: &str = "999988887777";
pub const FOREIGN: &str = "444455556666";
pub const BUCKET: &str = "arn:aws:s3:::my-bucket";

/// `SplitMix64`: small, and the same everywhere.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.roll(all.len())]
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }
}

const TEXTS: &[&str] = &["", "Not"];

/// A service with one of its resources, what policies say of it, and what callers ask of it.
pub struct Setting {
    pub service: Service,
    pub resource: &'static str,
    /// Whether it answers requests that nobody signed.
    anonymous: bool,
    actions: &'static [&'static str],
    resources: &'static [&'static str],
    /// What is asked for, and the ends of the ARNs of what it is asked on.
    calls: &'static [(&'static [&'static str], &'static [&'static str])],
}

impl Setting {
    pub fn scope<'a>(&self, trust: &'a Trust) -> Scope<'a> {
        Scope {
            service: self.service,
            owner: OWNER,
            trust,
            resource: Some(self.resource),
        }
    }
}

pub const SETTINGS: [Setting; 5] = [
    Setting {
        service: Service::S3Bucket,
        resource: BUCKET,
        anonymous: true,
        actions: &[
            "s3:GetObject",
            "s3:*",
            "*",
            "s3:GetObject s3:PutObject",
            "s3:List*",
            "S3:get*",
            "s3:PutObject",
            "s3:Get?bject",
        ],
        resources: &[
            "@/*",
            "@ @/*",
            "*",
            "@/public/*",
            "@",
            "@/${aws:PrincipalTag/team}/*",
            "@/${aws:userid}/*",
            "@/${aws:PrincipalOrgID}/*",
            "@/${aws:PrincipalAccount}/* @/public/*",
            "@/${aws:PrincipalType}*",
            "@/${aws:SourceVpce}/x",
            "@/${aws:username}/*",
            "@/a?*",
        ],
        calls: &[
            (&["s3:ListBucket", "s3:GetBucketLocation", "s3:PutBucketPolicy"], &[""]),
            (
                &["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectAcl"],
                &[
                    "/file",
                    "/public/x",
                    "/a",
                    "/ab",
                    "/blue/x",
                    "/attacker/x",
                    "/~/x",
                    "/~/x",
                    "/~/x",
                ],
            ),
        ],
    },
    Setting {
        service: Service::Sqs,
        resource: "arn:aws:sqs:us-east-1:111122223333:queue1",
        anonymous: true,
        actions: &["sqs:SendMessage", "sqs:*", "*", "sqs:Send* sqs:Receive*", "SQS:get*"],
        resources: &[
            "@",
            "*",
            "arn:aws:sqs:*:111122223333:queue?",
            "arn:aws:sqs:us-east-1:${aws:ResourceAccount}:queue1",
            "arn:aws:sqs:us-east-1:111122223333:${aws:PrincipalTag/team}",
        ],
        calls: &[(&["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:GetQueueUrl"], &[""])],
    },
    Setting {
        service: Service::Kms,
        resource: "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        anonymous: false,
        actions: &[
            "kms:Decrypt",
            "kms:*",
            "kms:Describe* kms:List*",
            "kms:Encrypt kms:Decrypt",
        ],
        resources: &["*", "@", "arn:aws:kms:*:*:key/*"],
        calls: &[(
            &["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:PutKeyPolicy"],
            &[""],
        )],
    },
    Setting {
        service: Service::DynamoDb,
        resource: "arn:aws:dynamodb:us-east-1:111122223333:table/orders",
        anonymous: false,
        actions: &["dynamodb:GetItem", "dynamodb:*", "dynamodb:Query dynamodb:Scan", "*"],
        resources: &[
            "@ @/index/*",
            "@",
            "@/*",
            "*",
            "@/index/${aws:PrincipalTag/team}",
            "@/index/${aws:userid}",
        ],
        calls: &[(
            &["dynamodb:GetItem", "dynamodb:Query", "dynamodb:DeleteTable"],
            &["", "/index/blue", "/index/~"],
        )],
    },
    Setting {
        service: Service::IamTrust,
        resource: "arn:aws:iam::111122223333:role/r1",
        anonymous: false,
        actions: &[
            "sts:AssumeRole",
            "sts:*",
            "sts:AssumeRole sts:AssumeRoleWithSAML",
            "sts:AssumeRoleWithWebIdentity",
            "sts:AssumeRole*",
            "sts:TagSession",
        ],
        // A trust policy has no Resource.
        resources: &[""],
        calls: &[(&["sts:AssumeRole"], &[""])],
    },
];

/// ARNs of what an account has, as AWS writes them: `@` is the account. Those without it are anybody's.
const SOURCES: &[&str] = &[
    "arn:aws:sns:us-east-1:@:topic",
    "arn:aws:logs:us-east-1:@:log-group:app:*",
    "arn:aws:rds:us-east-1:@:og:options",
    "arn:aws:lambda:us-east-1:@:function:f:live",
    "arn:aws:autoscaling:us-east-1:@:autoScalingGroup:1:autoScalingGroupName/g",
    "arn:aws:cloudwatch:us-east-1:@:alarm:a:111122223333:b",
    "arn:aws:apigateway:us-east-1::/restapis/zzz/stages/live",
    "arn:aws:s3:::my-own",
];

/// A condition on one of the keys that strangers' requests below know how to fill.
#[allow(clippy::too_many_lines)] // one table
fn condition(dice: &mut Dice) -> (String, &'static str, Value) {
    let (key, values): (&str, &[&str]) = match dice.roll(16) {
        0 => (
            "aws:PrincipalOrgID",
            &[
                "o-owner00001",
                "o-stranger01",
                "o-*",
                "*",
                "o-attacker01",
                "${aws:PrincipalOrgID}",
                "o-x*",
                "*1",
                "${aws:PrincipalTag/team}",
            ],
        ),
        1 => (
            "aws:PrincipalAccount",
            &[
                OWNER,
                FOREIGN,
                "4444*",
                "*",
                "????????????",
                "anonymous",
                "${aws:PrincipalAccount}",
                "9*",
                "*7",
                "2?0*",
                "${aws:PrincipalTag/team}",
                "${aws:ResourceAccount}",
            ],
        ),
        2 => (
            "aws:PrincipalArn",
            &[
                "arn:aws:iam::111122223333:role/*",
                "arn:aws:iam::444455556666:role/app",
                "arn:aws:iam::*:role/app",
                "arn:aws:iam::*:user/*",
                "*",
                "*:111122223333:*",
                "arn:aws:iam::${aws:PrincipalAccount}:role/app",
                "arn:aws:sts::*:federated-user/*",
                "arn:aws:iam::9*:*",
                "arn:aws:*::2*:*/a*",
            ],
        ),
        3 => (
            "aws:SourceIp",
            &[
                "203.0.113.0/24",
                "0.0.0.0/0",
                "10.0.0.0/8",
                "0.0.0.0/1",
                "2001:db8::/32",
            ],
        ),
        4 => (
            "aws:SourceVpce",
            &["vpce-1a2b3c4d", "vpce-*", "*", "vpce-attacker000000001"],
        ),
        5 => (
            "aws:PrincipalTag/team",
            &["blue", "b*", "*", "red", "${aws:PrincipalTag/team}", "a?b"],
        ),
        6 => ("aws:SecureTransport", &["true", "false"]),
        7 => (
            "s3:x-amz-acl",
            &["private", "public-*", "*", "bucket-owner-full-control"],
        ),
        8 => ("s3:max-keys", &["5", "10", "1000"]),
        9 => (
            "aws:userid",
            &[
                "anonymous",
                "444455556666:*",
                "????????????:*",
                "AROA*:*",
                "*:attacker",
                "${aws:PrincipalTag/team}",
                "AIDA*",
            ],
        ),
        10 => (
            "aws:PrincipalType",
            &["FederatedUser", "AssumedRole", "User", "Anonymous", "A*"],
        ),
        11 => ("aws:username", &["alice", "a*", "${aws:PrincipalTag/team}"]),
        12 => ("aws:ViaAWSService", &["true", "false"]),
        13 => ("aws:SourceAccount", &[OWNER, FOREIGN, "*", "9*", "????????????"]),
        _ => (
            "aws:SourceArn",
            &[
                "arn:aws:logs:us-east-1:*:log-group:*:*",
                "arn:aws:logs:us-east-1:111122223333:log-group:*:*",
                "arn:aws:rds:*:444455556666:og:*",
                "arn:aws:rds:*:*:og:opt*",
                "arn:aws:lambda:us-east-1:*:function:f:*",
                "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*",
                "arn:aws:apigateway:us-east-1::/restapis/*",
                "arn:aws:s3:::my-*",
                "arn:aws:s3:::fixed",
                "arn:aws:sns:*:111122223333:*",
                "arn:aws:*:*:9*:*",
                "*:111122223333:*",
            ],
        ),
    };
    let not = dice.one_of(TEXTS);
    let core = match key {
        "aws:SourceIp" => {
            if not.is_empty() {
                "IpAddress".to_owned()
            } else {
                "NotIpAddress".to_owned()
            }
        }
        "aws:SecureTransport" | "aws:ViaAWSService" => "Bool".to_owned(),
        "s3:max-keys" => format!(
            "Numeric{}",
            dice.one_of(&["LessThan", "GreaterThanEquals", "Equals", "NotEquals"])
        ),
        "aws:PrincipalArn" | "aws:SourceArn" if dice.chance(60) => {
            format!("Arn{not}{}", dice.one_of(&["Like", "Equals"]))
        }
        _ => format!(
            "String{not}{}",
            dice.one_of(&["Like", "Equals", "Like", "EqualsIgnoreCase"])
        ),
    };
    if dice.chance(8) {
        return ("Null".to_owned(), key, json!(*dice.one_of(&["true", "false"])));
    }
    let mut operator = core;
    if dice.chance(12) {
        operator = format!("{}:{operator}", dice.one_of(&["ForAllValues", "ForAnyValue"]));
    }
    if dice.chance(15) {
        operator.push_str("IfExists");
    }
    let loose = operator.contains("Arn");
    let pick = |dice: &mut Dice| {
        let value = *dice.one_of(values);
        // What an ARN operator makes of a text that is no ARN is not documented.
        if loose && !value.starts_with("arn:") {
            values[0]
        } else {
            value
        }
    };
    let count = 1 + dice.roll(3) / 2;
    let chosen: Vec<&str> = (0..count).map(|_| pick(dice)).collect();
    (operator, key, if count == 1 { json!(chosen[0]) } else { json!(chosen) })
}

fn principal(dice: &mut Dice, setting: &Setting) -> Value {
    if setting.service == Service::IamTrust && dice.chance(60) {
        let providers = [
            "accounts.google.com",
            "cognito-identity.amazonaws.com",
            "arn:aws:iam::111122223333:saml-provider/own",
            "arn:aws:iam::444455556666:saml-provider/idp",
            "arn:aws:iam::444455556666:oidc-provider/idp.example.com",
        ];
        let provider = dice.one_of(&providers);
        return match dice.roll(3) {
            0 => json!({"Federated": provider}),
            1 => json!({"Federated": [provider, dice.one_of(&providers)]}),
            _ => json!({"Federated": provider, "AWS": FOREIGN, "Service": "lambda.amazonaws.com"}),
        };
    }
    match dice.roll(10) {
        0..=3 => json!("*"),
        4 => json!({"AWS": "*"}),
        5 => json!({"AWS": [FOREIGN, format!("arn:aws:iam::{OWNER}:root")]}),
        6 => json!({"AWS": [format!("arn:aws:iam::{FOREIGN}:role/app"), "*"]}),
        7 => json!({"AWS": format!("arn:aws:iam::{FOREIGN}:role/app"), "Service": "cloudtrail.amazonaws.com"}),
        8 => json!({"AWS": format!("arn:aws:iam::{OWNER}:role/own")}),
        _ => json!({"AWS": "arn:aws:iam::*:root"}),
    }
}

fn one_or_more(text: &str, resource: &str) -> Value {
    let all: Vec<String> = text.split(' ').map(|one| one.replace('@', resource)).collect();
    if all.len() == 1 { json!(all[0]) } else { json!(all) }
}

fn statement(dice: &mut Dice, setting: &Setting) -> Value {
    let mut one = Map::new();
    if dice.chance(50) {
        one.insert("Sid".to_owned(), json!(format!("S{}", dice.roll(3))));
    }
    let deny = dice.chance(40);
    one.insert("Effect".to_owned(), json!(if deny { "Deny" } else { "Allow" }));
    if dice.chance(10) {
        let listed =
            json!({"AWS": [format!("arn:aws:iam::{FOREIGN}:root"), format!("arn:aws:iam::{FOREIGN}:role/app")]});
        one.insert("NotPrincipal".to_owned(), listed);
    } else {
        one.insert("Principal".to_owned(), principal(dice, setting));
    }
    let name = if dice.chance(12) { "NotAction" } else { "Action" };
    one.insert(
        name.to_owned(),
        one_or_more(dice.one_of::<&str>(setting.actions), setting.resource),
    );
    let name = if dice.chance(8) { "NotResource" } else { "Resource" };
    let resource = *dice.one_of::<&str>(setting.resources);
    if !resource.is_empty() {
        one.insert(name.to_owned(), one_or_more(resource, setting.resource));
    }
    if dice.chance(75) {
        let mut block: Map<String, Value> = Map::new();
        for _ in 0..=dice.roll(3) {
            let (operator, key, value) = condition(dice);
            let entry = block.entry(operator).or_insert_with(|| json!({}));
            entry.as_object_mut().unwrap().insert(key.to_owned(), value);
        }
        one.insert("Condition".to_owned(), Value::Object(block));
    }
    Value::Object(one)
}

/// A random setting: half of them buckets, whose policies say the most.
pub fn setting(dice: &mut Dice) -> &'static Setting {
    &SETTINGS[dice.roll(7).saturating_sub(2)]
}

/// A random policy.
pub fn policy(dice: &mut Dice, setting: &Setting) -> Value {
    let statements: Vec<Value> = (0..=dice.roll(4)).map(|_| statement(dice, setting)).collect();
    let version = if dice.chance(90) { "2012-10-17" } else { "2008-10-17" };
    json!({"Version": version, "Statement": statements})
}

/// Random trust.
pub fn trust(dice: &mut Dice) -> Trust {
    let mut trust = Trust::default();
    if dice.chance(40) {
        trust.organizations.insert("o-owner00001".to_owned());
    }
    if dice.chance(20) {
        trust.accounts.insert(FOREIGN.to_owned());
    }
    if dice.chance(20) {
        trust.vpc_endpoints.insert("vpce-1a2b3c4d".to_owned());
    }
    if dice.chance(20) {
        trust.networks.insert("203.0.113.0/24".to_owned());
    }
    trust
}

/// A request, and whether anybody could make it; else it takes somebody in particular who is not trusted.
pub struct Attempt {
    pub request: Request,
    pub anybody: bool,
}

/// A call of a service for a resource of somebody else.
fn by_service(dice: &mut Dice, setting: &Setting, trust: &Trust) -> Option<Attempt> {
    let account = *dice.one_of::<&str>(&[STRANGER, "987654321098", FOREIGN]);
    let foreign = account == FOREIGN;
    let source = dice.one_of::<&str>(SOURCES);
    if foreign && trust.accounts.contains(FOREIGN) || setting.service == Service::IamTrust {
        return None;
    }
    let mut context = BTreeMap::from([
        ("aws:sourcearn".to_owned(), vec![source.replace('@', account)]),
        ("aws:resourceaccount".to_owned(), vec![OWNER.to_owned()]),
        ("aws:securetransport".to_owned(), vec!["true".to_owned()]),
        ("aws:viaawsservice".to_owned(), vec!["false".to_owned()]),
    ]);
    if dice.chance(80) {
        context.insert("aws:sourceaccount".to_owned(), vec![account.to_owned()]);
    }
    let (actions, ends) = dice.one_of(setting.calls);
    let request = Request {
        caller: Caller::Service {
            name: "sns.amazonaws.com".to_owned(),
        },
        action: (*dice.one_of::<&str>(actions)).to_owned(),
        resource: format!("{}{}", setting.resource, dice.one_of::<&str>(ends).replace('~', "x")),
        context,
    };
    Some(Attempt {
        request,
        anybody: !foreign,
    })
}

/// A user of an identity provider assumes the role, by the call that is for such a provider.
fn by_provider(dice: &mut Dice, setting: &Setting, trust: &Trust) -> Option<Attempt> {
    let (provider, action, anybody) = *dice.one_of(&[
        ("accounts.google.com", "sts:AssumeRoleWithWebIdentity", true),
        ("cognito-identity.amazonaws.com", "sts:AssumeRoleWithWebIdentity", true),
        (
            "arn:aws:iam::444455556666:saml-provider/idp",
            "sts:AssumeRoleWithSAML",
            false,
        ),
        (
            "arn:aws:iam::444455556666:oidc-provider/idp.example.com",
            "sts:AssumeRoleWithWebIdentity",
            false,
        ),
    ]);
    if !anybody && trust.accounts.contains(FOREIGN) {
        return None;
    }
    let context = BTreeMap::from([
        ("aws:sourceip".to_owned(), vec!["198.51.100.77".to_owned()]),
        ("aws:resourceaccount".to_owned(), vec![OWNER.to_owned()]),
        ("aws:securetransport".to_owned(), vec!["true".to_owned()]),
        ("aws:viaawsservice".to_owned(), vec!["false".to_owned()]),
    ]);
    let request = Request {
        caller: Caller::Federated {
            provider: provider.to_owned(),
        },
        action: action.to_owned(),
        resource: setting.resource.to_owned(),
        context,
    };
    Some(Attempt { request, anybody })
}

/// What an untrusted caller may try: `None` if the dice fell on something that is trusted.
#[allow(clippy::too_many_lines)] // one table
pub fn attempt(dice: &mut Dice, setting: &Setting, trust: &Trust) -> Option<Attempt> {
    if dice.chance(15) {
        return by_service(dice, setting, trust);
    }
    if setting.service == Service::IamTrust && dice.chance(50) {
        return by_provider(dice, setting, trust);
    }
    let mut anybody = true;
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut put = |key: &str, value: &str| context.insert(key.to_owned(), vec![value.to_owned()]);
    let strangers: &[&str] = &[
        STRANGER,
        STRANGER,
        "212121212127",
        "200000000003",
        "987654321098",
        "121212121212",
    ];
    let account = if dice.chance(35) {
        FOREIGN
    } else {
        *dice.one_of::<&str>(strangers)
    };
    let names: &[&str] = &[
        "role/app",
        "role/attacker",
        "user/alice",
        "root",
        "role/x/:111122223333:y/z",
        "user/attacker",
        "federated-user/attacker",
        "federated-user/carol",
    ];
    let name = *dice.one_of::<&str>(names);
    let service = if name.starts_with("federated") { "sts" } else { "iam" };
    let arn = format!("arn:aws:{service}::{account}:{name}");
    let anonymous = setting.anonymous && dice.chance(30);
    put("aws:resourceaccount", OWNER);
    let (kind, id) = match name.split_once('/') {
        _ if anonymous => ("Anonymous", "anonymous".to_owned()),
        None => ("Account", account.to_owned()),
        Some(("user", _)) => ("User", "AIDAZZZZZZZZZZZZZZZZZ".to_owned()),
        Some(("federated-user", name)) => ("FederatedUser", format!("{account}:{name}")),
        Some(_) => ("AssumedRole", "AROAZZZZZZZZZZZZZZZZZ:attacker".to_owned()),
    };
    put("aws:userid", &id);
    put("aws:principaltype", kind);
    let mut organization = "";
    // Callers tag themselves as they like.
    let team = (*dice.one_of::<&str>(&[
        "blue",
        "red",
        "attacker",
        "axb",
        "b",
        account,
        arn.as_str(),
        id.as_str(),
        "o-xyz1234567",
        "queue1",
    ]))
    .to_owned();
    let caller = if anonymous {
        put("aws:principalaccount", "anonymous");
        Caller::Anonymous
    } else {
        if account == FOREIGN {
            if trust.accounts.contains(FOREIGN) {
                return None;
            }
            anybody = false;
        }
        put("aws:principalaccount", account);
        put("aws:principalarn", &arn);
        match dice.roll(4) {
            0 => {}
            1 => {
                organization = "o-stranger01";
                anybody = false;
            }
            2 => {
                if trust.organizations.contains("o-owner00001") {
                    return None;
                }
                organization = "o-owner00001";
                anybody = false;
            }
            _ => organization = "o-xyz1234567",
        }
        if !organization.is_empty() {
            put("aws:principalorgid", organization);
        }
        if dice.chance(70) {
            put("aws:principaltag/team", &team);
        }
        if name.starts_with("user/") {
            put("aws:username", dice.one_of::<&str>(&["alice", "attacker", "blue"]));
        }
        Caller::Account {
            account: account.to_owned(),
            arn,
        }
    };
    let mut endpoint = "";
    if dice.chance(60) {
        let address = *dice.one_of::<&str>(&["198.51.100.77", "8.8.4.4", "203.0.113.7", "2001:db8::7", "2600::1"]);
        let fixed = matches!(address, "203.0.113.7" | "2001:db8::7");
        if address == "203.0.113.7" && trust.networks.contains("203.0.113.0/24") {
            return None;
        }
        anybody &= !fixed;
        put("aws:sourceip", address);
    } else {
        endpoint = *dice.one_of::<&str>(&["vpce-attacker000000009", "vpce-1a2b3c4d"]);
        if endpoint == "vpce-1a2b3c4d" {
            if trust.vpc_endpoints.contains(endpoint) {
                return None;
            }
            anybody = false;
        }
        put("aws:sourcevpce", endpoint);
    }
    put("aws:securetransport", dice.one_of::<&str>(&["true", "false"]));
    let on_behalf: &[&str] = if anonymous { &["false"] } else { &["true", "false"] };
    put("aws:viaawsservice", dice.one_of::<&str>(on_behalf));
    if setting.service == Service::S3Bucket {
        if dice.chance(60) {
            let acls: &[&str] = &["private", "public-read", "other", "bucket-owner-full-control"];
            put("s3:x-amz-acl", dice.one_of::<&str>(acls));
        }
        if dice.chance(60) {
            put("s3:max-keys", dice.one_of::<&str>(&["4", "5", "10", "999", "1001"]));
        }
    }
    let (actions, ends) = dice.one_of(setting.calls);
    let accounts = if anonymous { "anonymous" } else { account };
    let own = *dice.one_of::<&str>(&[&team, &id, organization, accounts, kind, endpoint]);
    let request = Request {
        caller,
        action: (*dice.one_of::<&str>(actions)).to_owned(),
        resource: format!("{}{}", setting.resource, dice.one_of::<&str>(ends).replace('~', own)),
        context,
    };
    Some(Attempt { request, anybody })
}
