//! Random policies, the requests that strangers can make of them, and an evaluator of its own.
//!
//! The evaluator works on the JSON value and shares no code with the crate: it is what the crate is held against.

#![allow(dead_code)] // each test uses a part

pub mod oracle;

use std::collections::BTreeMap;

use portcullis_access::{Caller, Request, Trust};
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

/// A condition on one of the keys that strangers' requests below know how to fill.
fn condition(dice: &mut Dice) -> (String, &'static str, Value) {
    let (key, values): (&str, &[&str]) = match dice.roll(10) {
        0 => (
            "aws:PrincipalOrgID",
            &[
                "o-owner00001",
                "o-stranger01",
                "o-*",
                "*",
                "o-attacker01",
                "${aws:PrincipalOrgID}",
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
        _ => ("aws:username", &["alice", "a*", "${aws:PrincipalTag/team}"]),
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
        "aws:SecureTransport" => "Bool".to_owned(),
        "s3:max-keys" => format!(
            "Numeric{}",
            dice.one_of(&["LessThan", "GreaterThanEquals", "Equals", "NotEquals"])
        ),
        "aws:PrincipalArn" if dice.chance(60) => format!("Arn{not}{}", dice.one_of(&["Like", "Equals"])),
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

fn principal(dice: &mut Dice) -> Value {
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

fn statement(dice: &mut Dice) -> Value {
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
        one.insert("Principal".to_owned(), principal(dice));
    }
    let name = if dice.chance(12) { "NotAction" } else { "Action" };
    let actions: &[Value] = &[
        json!("s3:GetObject"),
        json!("s3:*"),
        json!("*"),
        json!(["s3:GetObject", "s3:PutObject"]),
        json!("s3:List*"),
        json!("S3:get*"),
        json!("s3:PutObject"),
        json!("s3:Get?bject"),
    ];
    one.insert(name.to_owned(), dice.one_of(actions).clone());
    let name = if dice.chance(8) { "NotResource" } else { "Resource" };
    let resources: &[Value] = &[
        json!(format!("{BUCKET}/*")),
        json!([BUCKET, format!("{BUCKET}/*")]),
        json!("*"),
        json!(format!("{BUCKET}/public/*")),
        json!(BUCKET),
        json!(format!("{BUCKET}/${{aws:PrincipalTag/team}}/*")),
        json!(format!("{BUCKET}/a?*")),
    ];
    one.insert(name.to_owned(), dice.one_of(resources).clone());
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

/// A random bucket policy.
pub fn policy(dice: &mut Dice) -> Value {
    let statements: Vec<Value> = (0..=dice.roll(4)).map(|_| statement(dice)).collect();
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

/// What an untrusted caller may try: `None` if the dice fell on something that is trusted.
#[allow(clippy::too_many_lines)] // one table
pub fn attempt(dice: &mut Dice, trust: &Trust) -> Option<Attempt> {
    let mut anybody = true;
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut put = |key: &str, value: &str| context.insert(key.to_owned(), vec![value.to_owned()]);
    let account = if dice.chance(35) { FOREIGN } else { STRANGER };
    let names: &[&str] = &[
        "role/app",
        "role/attacker",
        "user/alice",
        "root",
        "role/x/:111122223333:y/z",
        "user/attacker",
    ];
    let name = *dice.one_of(names);
    let arn = format!("arn:aws:iam::{account}:{name}");
    let anonymous = dice.chance(30);
    let teams: &[&str] = &["blue", "red", "attacker", "axb", "b"];
    let team = *dice.one_of(teams);
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
                put("aws:principalorgid", "o-stranger01");
                anybody = false;
            }
            2 => {
                if trust.organizations.contains("o-owner00001") {
                    return None;
                }
                put("aws:principalorgid", "o-owner00001");
                anybody = false;
            }
            _ => {
                put("aws:principalorgid", "o-xyz1234567");
            }
        }
        if dice.chance(70) {
            put("aws:principaltag/team", team);
        }
        if name.starts_with("user/") {
            put("aws:username", dice.one_of::<&str>(&["alice", "attacker", "blue"]));
        }
        Caller::Account {
            account: account.to_owned(),
            arn,
        }
    };
    if dice.chance(60) {
        let address = *dice.one_of::<&str>(&["198.51.100.77", "8.8.4.4", "203.0.113.7", "2001:db8::7", "2600::1"]);
        let fixed = matches!(address, "203.0.113.7" | "2001:db8::7");
        if address == "203.0.113.7" && trust.networks.contains("203.0.113.0/24") {
            return None;
        }
        anybody &= !fixed;
        put("aws:sourceip", address);
    } else {
        let endpoint = *dice.one_of::<&str>(&["vpce-attacker000000009", "vpce-1a2b3c4d"]);
        if endpoint == "vpce-1a2b3c4d" {
            if trust.vpc_endpoints.contains(endpoint) {
                return None;
            }
            anybody = false;
        }
        put("aws:sourcevpce", endpoint);
    }
    put("aws:securetransport", dice.one_of::<&str>(&["true", "false"]));
    if dice.chance(60) {
        put(
            "s3:x-amz-acl",
            dice.one_of::<&str>(&["private", "public-read", "other", "bucket-owner-full-control"]),
        );
    }
    if dice.chance(60) {
        put("s3:max-keys", dice.one_of::<&str>(&["4", "5", "10", "999", "1001"]));
    }
    let resources: Vec<String> = ["", "/file", "/public/x", "/a", "/ab", "/blue/x", "/attacker/x"]
        .iter()
        .map(|path| format!("{BUCKET}{path}"))
        .collect();
    let resource = dice.one_of(&resources).clone();
    let action = if resource == BUCKET {
        *dice.one_of::<&str>(&["s3:ListBucket", "s3:GetBucketLocation", "s3:PutBucketPolicy"])
    } else {
        *dice.one_of::<&str>(&["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:GetObjectAcl"])
    };
    let request = Request {
        caller,
        action: action.to_owned(),
        resource,
        context,
    };
    Some(Attempt { request, anybody })
}
