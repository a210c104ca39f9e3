//! Whether one request gets in, decided on the JSON value, plainly and without regard to speed.

use std::net::IpAddr;

use portcullis_access::{Caller, Request};
use serde_json::Value;

/// Whether the policy lets the request in.
pub fn allows(policy: &Value, request: &Request) -> bool {
    let modern = policy["Version"] == "2012-10-17";
    let statements = list(&policy["Statement"]);
    let hit = |effect: &str| {
        statements
            .iter()
            .any(|one| one["Effect"] == effect && about(one, request, modern))
    };
    hit("Allow") && !hit("Deny")
}

/// Whether a call of a service is let in by an Allow for everyone that means to tell services by whom they act for: such a one
/// is open to whoever the service acts for.
pub fn by_source(policy: &Value, request: &Request) -> bool {
    let modern = policy["Version"] == "2012-10-17";
    list(&policy["Statement"]).iter().any(|one| {
        let conditions = one["Condition"].as_object();
        let mut keys = conditions
            .iter()
            .flat_map(|all| all.values())
            .filter_map(Value::as_object);
        let everyone = one["Principal"] == "*" || strings(&one["Principal"]["AWS"]).iter().any(|name| name == "*");
        one["Effect"] == "Allow"
            && everyone
            && keys.any(|block| block.contains_key("aws:SourceArn") || block.contains_key("aws:SourceAccount"))
            && about(one, request, modern)
    })
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

fn strings(value: &Value) -> Vec<String> {
    list(value)
        .iter()
        .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
        .collect()
}

fn about(statement: &Value, request: &Request, modern: bool) -> bool {
    who(statement, request)
        && what(statement, request)
        && on(statement, request, modern)
        && when(statement, request, modern)
}

fn who(statement: &Value, request: &Request) -> bool {
    if !statement["NotPrincipal"].is_null() {
        let spared = named(&statement["NotPrincipal"], request);
        if statement["Effect"] == "Allow" {
            return !spared;
        }
        // A Deny spares whom it lists in full: account and principal. The root user is its account.
        let Caller::Account { account, arn } = &request.caller else {
            return !spared;
        };
        let all = strings(&statement["NotPrincipal"]["AWS"]);
        let root = format!("arn:aws:iam::{account}:root");
        return !(all.contains(&root) && all.contains(arn));
    }
    named(&statement["Principal"], request)
}

fn named(principal: &Value, request: &Request) -> bool {
    if principal == "*" {
        return true;
    }
    let aws = strings(&principal["AWS"]);
    if aws.iter().any(|one| one == "*") {
        return true;
    }
    match &request.caller {
        Caller::Account { account, arn } => aws
            .iter()
            .any(|one| one == account || *one == format!("arn:aws:iam::{account}:root") || one == arn),
        Caller::Service { name } => strings(&principal["Service"]).contains(name),
        Caller::Federated { provider } => strings(&principal["Federated"]).contains(provider),
        _ => false,
    }
}

fn what(statement: &Value, request: &Request) -> bool {
    let matches = |patterns: &Value| {
        strings(patterns)
            .iter()
            .any(|one| like(&one.to_uppercase(), &request.action.to_uppercase()))
    };
    if statement["NotAction"].is_null() {
        matches(&statement["Action"])
    } else {
        !matches(&statement["NotAction"])
    }
}

fn on(statement: &Value, request: &Request, modern: bool) -> bool {
    let matches = |patterns: &Value| {
        strings(patterns)
            .iter()
            .filter_map(|one| fill(one, request, modern, true))
            .any(|one| like(&one, &request.resource))
    };
    if statement["NotResource"].is_null() && statement["Resource"].is_null() {
        true
    } else if statement["NotResource"].is_null() {
        matches(&statement["Resource"])
    } else {
        !matches(&statement["NotResource"])
    }
}

fn fact<'a>(request: &'a Request, key: &str) -> Option<&'a Vec<String>> {
    request.context.get(&key.to_lowercase())
}

/// Replaces policy variables.
fn fill(text: &str, request: &Request, modern: bool, glob: bool) -> Option<String> {
    if !modern {
        return Some(text.to_owned());
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let end = start + rest[start..].find('}')?;
        let value = fact(request, &rest[start + 2..end])?.first()?;
        out += &rest[..start];
        // A star that comes from a variable is a star, not a wildcard.
        out += &if glob {
            value.replace('*', "\u{E000}").replace('?', "\u{E001}")
        } else {
            value.clone()
        };
        rest = &rest[end + 1..];
    }
    Some(out + rest)
}

/// Wildcards by the textbook table.
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for step in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match step {
                '*' => row[at] || (at > 0 && next[at - 1]),
                '?' => at > 0 && row[at - 1],
                '\u{E000}' => at > 0 && row[at - 1] && text[at - 1] == '*',
                '\u{E001}' => at > 0 && row[at - 1] && text[at - 1] == '?',
                letter => at > 0 && row[at - 1] && text[at - 1] == letter,
            };
        }
        row = next;
    }
    row[text.len()]
}

fn arn_like(pattern: &str, text: &str) -> bool {
    let (patterns, texts): (Vec<&str>, Vec<&str>) = (pattern.splitn(6, ':').collect(), text.splitn(6, ':').collect());
    patterns.len() == 6 && texts.len() == 6 && patterns.iter().zip(&texts).all(|(one, other)| like(one, other))
}

fn in_network(network: &str, address: &str) -> bool {
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let (base, length) = network
        .split_once('/')
        .unwrap_or((network, if network.contains(':') { "128" } else { "32" }));
    let length: usize = length.parse().unwrap();
    let bits = |address: IpAddr| -> Vec<bool> {
        let bytes = match address {
            IpAddr::V4(four) => four.octets().to_vec(),
            IpAddr::V6(six) => six.octets().to_vec(),
        };
        bytes
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte & (128 >> bit) != 0))
            .collect()
    };
    let (base, address) = (bits(base.parse().unwrap()), bits(address));
    base.len() == address.len() && base[..length] == address[..length]
}

fn when(statement: &Value, request: &Request, modern: bool) -> bool {
    let Some(operators) = statement["Condition"].as_object() else {
        return true;
    };
    operators.iter().all(|(operator, block)| {
        block
            .as_object()
            .unwrap()
            .iter()
            .all(|(key, values)| holds(operator, key, &strings(values), request, modern))
    })
}

fn holds(operator: &str, key: &str, values: &[String], request: &Request, modern: bool) -> bool {
    let actual = fact(request, key);
    if operator == "Null" {
        return values.iter().any(|value| (value == "true") == actual.is_none());
    }
    let (set, rest) = operator
        .split_once(':')
        .map_or(("", operator), |(set, rest)| (set, rest));
    let (rest, optional) = rest.strip_suffix("IfExists").map_or((rest, false), |rest| (rest, true));
    let negated = rest.contains("Not");
    let plain = rest.replace("Not", "");
    let Some(actual) = actual else {
        return match set {
            "ForAllValues" => true,
            "ForAnyValue" => optional,
            _ => optional || negated,
        };
    };
    let one = |actual: &String| {
        let glob = plain.ends_with("Like") || plain.starts_with("Arn");
        let any = values
            .iter()
            .filter_map(|value| fill(value, request, modern, glob))
            .any(|value| match plain.as_str() {
                "StringEquals" => value == *actual,
                "StringEqualsIgnoreCase" => value.eq_ignore_ascii_case(actual),
                "StringLike" => like(&value, actual),
                "ArnLike" | "ArnEquals" => arn_like(&value, actual),
                "IpAddress" => in_network(&value, actual),
                "Bool" => value == *actual,
                "NumericEquals" => number(actual).is_some_and(|one| number(&value) == Some(one)),
                "NumericLessThan" => number(actual)
                    .zip(number(&value))
                    .is_some_and(|(one, other)| one < other),
                "NumericGreaterThanEquals" => number(actual)
                    .zip(number(&value))
                    .is_some_and(|(one, other)| one >= other),
                other => panic!("the samples have no {other}"),
            });
        any != negated
    };
    if set == "ForAnyValue" {
        actual.iter().any(one)
    } else {
        actual.iter().all(one)
    }
}

/// What is no number is compared to none.
fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}
