//! Settings, requests, and a second evaluator that shares no code with the first.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;

use portcullis_access::{OrganizationAccounts, OrganizationRequest};
use portcullis_guardrails::{
    Document, DocumentKind, Evaluator, Exempt, Expected, Generated, Guardrail, Kind, LevelValues, SampleRequest,
    Selection, Tier, Values, generate, guardrails,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const ORGANIZATION: &str = "o-exampleorgid";

/// Settings that use everything.
pub fn values() -> Values {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    Values {
        organizations: texts(&[ORGANIZATION]),
        organization_paths: texts(&["o-partnerorgid/r-ab12/ou-ab12-11111111/*"]),
        accounts: texts(&["444455556666"]),
        networks: texts(&["203.0.113.0/24"]),
        vpcs: texts(&["vpc-0a1b2c3d"]),
        vpc_endpoints: texts(&["vpce-00000000000000001"]),
        break_glass: texts(&["arn:*:iam::*:role/BreakGlass", "arn:aws:iam::111122223333:user/eve"]),
        named: texts(&["arn:*:iam::*:role/LandingZone"]),
        stack: "portcullis".into(),
        own_accounts: texts(&[ACCOUNT, "222233334444"]),
        rotation_days: "365".into(),
        retirement_tag: Some("Retirement".into()),
        regions: texts(&["eu-west-1", "eu-central-1"]),
        aliases: texts(&["alias/app"]),
        tag: "DataClassification".into(),
        levels: vec![
            LevelValues {
                name: "public".into(),
                values: texts(&["public"]),
                public: true,
                buckets: texts(&["www-site"]),
                ..LevelValues::default()
            },
            LevelValues {
                name: "restricted".into(),
                values: texts(&["restricted", "secret"]),
                key: Some("arn:aws:kms:eu-west-1:111122223333:key/0d9f3a5e-7c41-4b8e-9f16-2a6b8c4d1e70".into()),
                weaker: vec!["AES256"],
                endpoints: texts(&["vpce-0a1b2c3d4e5f60718"]),
                buckets: texts(&["restricted-*"]),
                ..LevelValues::default()
            },
        ],
        ..Values::default()
    }
}

/// All statements.
pub fn everything() -> Generated {
    let selection = Selection {
        kinds: [DocumentKind::Scp, DocumentKind::Rcp].into(),
        tiers: Tier::ALL.into(),
        ..Selection::default()
    };
    generate(&values(), &selection).unwrap()
}

/// A line of requests.jsonl.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    guardrail: String,
    expect: Expected,
    actions: Vec<String>,
    resource: String,
    #[serde(default)]
    context: BTreeMap<String, Value>,
    #[serde(default)]
    principal: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    /// For whoever reads the file.
    #[serde(default)]
    #[allow(dead_code)]
    why: String,
}

/// One request with its verdict.
#[derive(Clone, Debug)]
pub struct Case {
    pub guardrail: &'static Guardrail,
    pub denied: bool,
    /// Whether it is one that is denied, asked again by somebody whom the statement spares.
    pub spared: bool,
    pub asked: OrganizationRequest,
}

pub fn guardrail(sid: &str) -> &'static Guardrail {
    guardrails()
        .find(|guardrail| guardrail.sid == sid)
        .unwrap_or_else(|| panic!("{sid}"))
}

pub fn request(
    principal: &str,
    action: &str,
    resource: &str,
    context: &BTreeMap<String, Value>,
) -> OrganizationRequest {
    let mut context = context.clone();
    for account in [ACCOUNT, "222233334444"] {
        if principal.contains(account) {
            context
                .entry("aws:PrincipalOrgID".into())
                .or_insert_with(|| ORGANIZATION.into());
        }
    }
    let asked = SampleRequest {
        principal: principal.to_owned(),
        action: action.to_owned(),
        resource: resource.to_owned(),
        resource_account: Some(ACCOUNT.to_owned()),
        context,
    };
    asked.asked()
}

const DEVELOPER: &str = "arn:aws:sts::111122223333:assumed-role/Dev/ana";

/// The requests of the file, and each that an SCP denies again as each of those whom it spares.
pub fn cases() -> Vec<Case> {
    let text = include_str!("../requests.jsonl");
    let mut cases = Vec::new();
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(line.owner, None);
        let guardrail = guardrail(&line.guardrail);
        let principal = line.principal.as_deref().unwrap_or(DEVELOPER);
        let denied = line.expect == Expected::Deny;
        for action in &line.actions {
            let asked = |principal: &str| request(principal, action, &line.resource, &line.context);
            cases.push(Case {
                guardrail,
                denied,
                spared: false,
                asked: asked(principal),
            });
            if denied && guardrail.kind == Kind::ServiceControl {
                for spared in spared(guardrail) {
                    cases.push(Case {
                        guardrail,
                        denied: false,
                        spared: true,
                        asked: asked(&spared),
                    });
                }
            }
        }
    }
    cases
}

/// Whom an SCP spares, one for each ARN that is exempt.
fn spared(guardrail: &Guardrail) -> Vec<String> {
    let own: &[&str] = match guardrail.exempt {
        Exempt::Exempt => &[
            "role/BreakGlass",
            "role/portcullis-s3-role-1A2B",
            "role/LandingZone",
            "user/eve",
        ],
        Exempt::Deployers => &[
            "role/BreakGlass",
            "role/stacksets-exec-0a1b",
            "role/LandingZone",
            "user/eve",
        ],
        Exempt::Nobody => &[],
    };
    own.iter()
        .map(|name| format!("arn:aws:iam::111122223333:{name}"))
        .collect()
}

/// A statement by itself.
pub fn alone(kind: DocumentKind, statement: &Value) -> Document {
    Document {
        kind,
        name: "alone".into(),
        content: json!({"Version": "2012-10-17", "Statement": [statement]}),
        statements: Vec::new(),
    }
}

/// The project's evaluator of one statement.
pub fn evaluator(kind: DocumentKind, statement: &Value) -> Evaluator {
    Evaluator::new(&[alone(kind, statement)]).unwrap()
}

/// Whether its statement denies the request.
pub fn denies(evaluator: &Evaluator, asked: &OrganizationRequest) -> bool {
    let denials = evaluator.denials(asked, &OrganizationAccounts::default(), |_| true);
    assert!(denials.iter().all(|denial| denial.sure), "{asked:?}");
    !denials.is_empty()
}

pub mod independent {
    //! The statements' language read a second time, by the text of the IAM User Guide alone: "IAM JSON policy elements: Condition
    //! operators", "Creating a condition with multiple keys or values", "Condition operators with the `IfExists` suffix". It knows what
    //! guardrails use, and panics at anything else.

    use std::collections::BTreeMap;

    use serde_json::Value;

    pub fn denies(statement: &Value, action: &str, resource: &str, context: &BTreeMap<String, Vec<String>>) -> bool {
        let in_list = |element: &str, text: &str, fold: bool| {
            list(&statement[element]).iter().any(|pattern| {
                if fold {
                    like(&pattern.to_lowercase(), &text.to_lowercase())
                } else {
                    like(pattern, text)
                }
            })
        };
        let right_action = in_list("Action", action, true);
        let right_resource = if statement["NotResource"].is_null() {
            in_list("Resource", resource, false)
        } else {
            !in_list("NotResource", resource, false)
        };
        let none = serde_json::Map::new();
        let conditions = statement["Condition"].as_object().unwrap_or(&none);
        right_action
            && right_resource
            && conditions.iter().all(|(operator, keys)| {
                let mut keys = keys.as_object().unwrap().iter();
                keys.all(|(key, values)| holds(operator, context.get(&key.to_lowercase()), &list(values)))
            })
    }

    fn list(value: &Value) -> Vec<String> {
        match value {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => many.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
            _ => Vec::new(),
        }
    }

    fn holds(operator: &str, actual: Option<&Vec<String>>, wanted: &[String]) -> bool {
        if operator == "Null" {
            return (wanted[0] == "true") == actual.is_none();
        }
        if let Some(rest) = operator.strip_prefix("ForAnyValue:") {
            return actual.is_some_and(|actual| actual.iter().any(|one| single(rest, one, wanted)));
        }
        if let Some(rest) = operator.strip_prefix("ForAllValues:") {
            return actual.is_none_or(|actual| actual.iter().all(|one| single(rest, one, wanted)));
        }
        let (base, if_exists) = operator
            .strip_suffix("IfExists")
            .map_or((operator, false), |base| (base, true));
        match actual {
            None => if_exists || base.contains("Not"),
            Some(actual) => single(base, &actual[0], wanted),
        }
    }

    fn single(operator: &str, actual: &str, wanted: &[String]) -> bool {
        let any = |test: &dyn Fn(&str) -> bool| wanted.iter().any(|one| test(one));
        let number = |text: &str| text.parse::<f64>().unwrap();
        match operator {
            "StringEquals" => any(&|one| one == actual),
            "StringNotEquals" => !any(&|one| one == actual),
            "StringEqualsIgnoreCase" => any(&|one| one.to_lowercase() == actual.to_lowercase()),
            "StringNotLike" => !any(&|one| like(one, actual)),
            "Bool" => any(&|one| one == actual),
            "NumericLessThan" => any(&|one| number(actual) < number(one)),
            "NumericGreaterThan" => any(&|one| number(actual) > number(one)),
            "ArnLike" => any(&|one| arn_like(one, actual)),
            "ArnNotLike" => !any(&|one| arn_like(one, actual)),
            "DateGreaterThanEquals" => any(&|one| actual >= one),
            "NotIpAddress" => !any(&|one| in_network(one, actual)),
            other => panic!("{other} is no operator of the guardrails"),
        }
    }

    fn arn_like(pattern: &str, arn: &str) -> bool {
        let (pattern, arn): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
        pattern.len() == arn.len() && pattern.iter().zip(arn).all(|(pattern, part)| like(pattern, part))
    }

    fn in_network(network: &str, address: &str) -> bool {
        let (base, bits) = network.split_once('/').unwrap();
        let number = |text: &str| u32::from(text.parse::<std::net::Ipv4Addr>().unwrap());
        let shift = 32 - bits.parse::<u32>().unwrap();
        number(base) >> shift == number(address) >> shift
    }

    /// `*` is any text.
    fn like(pattern: &str, text: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == text,
            Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
                rest.char_indices()
                    .map(|(at, _)| at)
                    .chain([rest.len()])
                    .any(|at| like(after, &rest[at..]))
            }),
        }
    }
}
