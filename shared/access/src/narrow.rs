//! Narrower versions of one statement: fewer principals, fewer values, one more condition. Each is a part of what the
//! statement grants today, so none can let anybody else in.

use serde_json::{Map, Value, json};

use crate::condition::{Comparison, Condition, Operator, Quantifier};
use crate::keys::{Class, Presence, class, is_shared_provider, names_source};
use crate::parse::{Policy, Principal, PrincipalKind, Statement};
use crate::principals::{account_of, arn_account, is_account, is_canonical};
use crate::scope::Scope;
use crate::service::Service;
use crate::verdict::Verdict;

/// How far a fix goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Remove what anybody can use; leave who is external.
    NotPublic,
    /// Remove who is external, too.
    Private,
}

impl Goal {
    pub(crate) fn at_most(self) -> Verdict {
        match self {
            Self::NotPublic => Verdict::External,
            Self::Private => Verdict::Private,
        }
    }
}

/// A narrower statement.
pub(crate) struct Narrowing {
    pub statement: String,
    pub note: String,
}

/// How many values are tried one by one.
const TRIES: usize = 64;

/// The first narrower version that works, the least intrusive first.
pub(crate) fn narrowings(
    policy: &Policy,
    index: usize,
    scope: &Scope,
    goal: Goal,
    works: &dyn Fn(&str) -> bool,
) -> Option<Narrowing> {
    let statement = &policy.statements()[index];
    let strict = |principal: &Principal| is_kept(principal, scope, goal);
    let found = fewer_principals(policy, statement, &strict).filter(|narrowing| works(&narrowing.statement));
    // Else those with whom alone the statement would do.
    let found = found.or_else(|| {
        let named = statement
            .principals
            .as_ref()
            .filter(|all| (2..=TRIES).contains(&all.values.len()))?;
        let alone = |one: &Principal| {
            let only = fewer_principals(policy, statement, &|other| other == one);
            only.is_some_and(|narrowing| works(&narrowing.statement))
        };
        let good: Vec<&Principal> = named.values.iter().filter(|one| strict(one) && alone(one)).collect();
        let kept = fewer_principals(policy, statement, &|one| good.contains(&one))?;
        works(&kept.statement).then_some(kept)
    });
    found.or_else(|| fewer_values(policy, statement, works)).or_else(|| {
        more_conditions(policy, statement, scope)
            .into_iter()
            .find(|narrowing| works(&narrowing.statement))
    })
}

fn is_kept(principal: &Principal, scope: &Scope, goal: Goal) -> bool {
    let value = &principal.value;
    if principal.is_everyone() {
        return false;
    }
    match principal.kind {
        // A provider of our own account that is no shared one; of another's, if only the public has to go.
        PrincipalKind::Federated => arn_account(value).is_some_and(|(account, name)| {
            let shared = name.strip_prefix("oidc-provider/").is_some_and(is_shared_provider);
            !shared && (goal == Goal::NotPublic || scope.is_ours(account))
        }),
        _ if goal == Goal::NotPublic => true,
        PrincipalKind::Aws => {
            let named = account_of(value).or_else(|| arn_account(value).map(|(account, _)| account));
            match named {
                Some(account) if is_account(account) => scope.is_ours(account),
                Some(_) => scope.trust.has_id(value),
                None => !is_canonical(value) || scope.trust.has_id(value),
            }
        }
        PrincipalKind::CanonicalUser => scope.trust.has_id(value),
        PrincipalKind::Service | PrincipalKind::Unknown => true,
    }
}

fn element<'a>(policy: &'a Policy, statement: &Statement, name: &str) -> Option<(&'a str, std::ops::Range<usize>)> {
    let (_, span) = statement.elements.iter().find(|(element, _)| element == name)?;
    Some((policy.text.get(span.clone())?, span.clone()))
}

/// The statement's text with one element's value replaced, all else byte for byte.
fn replaced(policy: &Policy, statement: &Statement, span: &std::ops::Range<usize>, value: &Value) -> String {
    let before = &policy.text[statement.span.start..span.start];
    let after = &policy.text[span.end..statement.span.end];
    format!("{before}{value}{after}")
}

fn fewer_principals(policy: &Policy, statement: &Statement, keep: &dyn Fn(&Principal) -> bool) -> Option<Narrowing> {
    let (text, span) = element(policy, statement, "principal")?;
    let principals: Map<String, Value> = serde_json::from_str(text).ok()?;
    let mut kept = Map::new();
    let mut dropped = Vec::new();
    for (kind, values) in principals {
        let kind_of = match kind.to_ascii_lowercase().as_str() {
            "aws" => PrincipalKind::Aws,
            "service" => PrincipalKind::Service,
            "federated" => PrincipalKind::Federated,
            "canonicaluser" => PrincipalKind::CanonicalUser,
            _ => PrincipalKind::Unknown,
        };
        let is_kept = |value: &Value| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            keep(&Principal { kind: kind_of, value })
        };
        match values {
            Value::Array(values) => {
                let (good, bad): (Vec<Value>, Vec<Value>) = values.into_iter().partition(is_kept);
                dropped.extend(bad);
                if !good.is_empty() {
                    kept.insert(kind, Value::Array(good));
                }
            }
            value if is_kept(&value) => drop(kept.insert(kind, value)),
            value => dropped.push(value),
        }
    }
    if kept.is_empty() || dropped.is_empty() {
        return None;
    }
    let names: Vec<String> = dropped.iter().map(plain).collect();
    let note = format!("principal {} is taken out, the others stay", names.join(", "));
    Some(Narrowing {
        statement: replaced(policy, statement, &span, &Value::Object(kept)),
        note,
    })
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), |text| format!("\"{text}\""))
}

/// Drops the values of one limiting condition that let somebody in, where others keep to whom they should.
fn fewer_values(policy: &Policy, statement: &Statement, works: &dyn Fn(&str) -> bool) -> Option<Narrowing> {
    let (text, span) = element(policy, statement, "condition")?;
    let all: Value = serde_json::from_str(text).ok()?;
    for (operator, block) in all.as_object()? {
        if !Operator::parse(operator).is_limiting() {
            continue;
        }
        for (key, values) in block.as_object()? {
            let Some(values) = values
                .as_array()
                .filter(|values| values.len() > 1 && values.len() <= TRIES)
            else {
                continue;
            };
            let with = |values: Vec<Value>| {
                let mut narrowed = all.clone();
                narrowed[operator][key] = Value::Array(values);
                replaced(policy, statement, &span, &narrowed)
            };
            let (good, bad): (Vec<Value>, Vec<Value>) = values
                .iter()
                .cloned()
                .partition(|value| works(&with(vec![value.clone()])));
            if good.is_empty() || bad.is_empty() {
                continue;
            }
            let statement = with(good);
            if works(&statement) {
                let names: Vec<String> = bad.iter().map(plain).collect();
                return Some(Narrowing {
                    statement,
                    note: format!("{key} no longer takes {}", names.join(", ")),
                });
            }
        }
    }
    None
}

/// Adds the condition that the statement's own conditions were meant to make.
/// Whether who leaves the key out satisfies a condition, so that it keeps nobody away.
fn is_met_by_absence(condition: &Condition) -> bool {
    let Operator {
        comparison,
        negated,
        if_exists,
        quantifier,
        ..
    } = &condition.operator;
    if *comparison == Comparison::Null {
        return condition
            .values
            .iter()
            .any(|value| value.source().eq_ignore_ascii_case("true"));
    }
    *negated || *if_exists || *quantifier == Quantifier::All
}

fn more_conditions(policy: &Policy, statement: &Statement, scope: &Scope) -> Vec<Narrowing> {
    let Some(principals) = &statement.principals else {
        return Vec::new();
    };
    let open = principals.negated || principals.values.iter().any(Principal::is_everyone);
    // A condition that says something of the caller means that not everybody was meant.
    let useful = statement.conditions.iter().any(|condition| {
        let is_vacuous = matches!(class(&condition.key), Class::Free(_)) && is_met_by_absence(condition);
        !is_vacuous
            && !matches!(
                class(&condition.key),
                Class::Free(Presence::All) | Class::ResourceAccount | Class::Clock | Class::Unknown | Class::SourceIp
            )
    });
    // As the default policy has it, which a file system has without one of its own: who reaches a mount target.
    if open && scope.service == Service::Efs {
        let key = "elasticfilesystem:AccessedViaMountTarget";
        let text = with_condition(policy, statement, key, json!("true"), &["Bool"]);
        let note = "it now asks for clients to come through a mount target".to_owned();
        return text
            .map(|statement| Narrowing { statement, note })
            .into_iter()
            .collect();
    }
    if !open || !(useful || principals.negated) {
        return Vec::new();
    }
    let by = |wanted: &dyn Fn(&str) -> bool| statement.conditions.iter().any(|condition| wanted(&condition.key));
    let organizations: Vec<&String> = scope.trust.organizations.iter().collect();
    let by_organization = by(&|key| matches!(class(key), Class::Organization | Class::OrgPaths));
    let mut wanted: Vec<(&str, Value)> = Vec::new();
    if by_organization && !organizations.is_empty() {
        wanted.push(("aws:PrincipalOrgID", json!(organizations)));
    }
    if by(&names_source) {
        wanted.push(("aws:SourceAccount", json!(scope.owner)));
    }
    if scope.service == Service::Kms {
        wanted.push(("kms:CallerAccount", json!(scope.owner)));
    }
    wanted.push(("aws:PrincipalAccount", json!(scope.owner)));
    wanted
        .into_iter()
        .filter_map(|(key, value)| {
            let note = format!("it now asks for {key} {}", plain(&value));
            // Another operator to the same effect where the key is compared already: one block can hold a key once.
            let operators = ["StringEquals", "StringEqualsIgnoreCase", "StringLike"];
            with_condition(policy, statement, key, value, &operators).map(|statement| Narrowing { statement, note })
        })
        .collect()
}

/// The statement with one more condition, by the first of some operators that does not compare the key already.
fn with_condition(
    policy: &Policy,
    statement: &Statement,
    key: &str,
    value: Value,
    operators: &[&str],
) -> Option<String> {
    let Some((text, span)) = element(policy, statement, "condition") else {
        let condition = json!({operators.first()?.to_owned(): {key: value}});
        let whole = &policy.text[statement.span.clone()];
        let body = whole.strip_suffix('}')?.trim_end();
        return Some(format!("{body},\"Condition\":{condition}}}"));
    };
    let mut all: Map<String, Value> = serde_json::from_str(text).ok()?;
    for operator in operators {
        let taken = all
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(operator))
            .any(|(_, block)| {
                block
                    .as_object()
                    .is_none_or(|block| block.keys().any(|known| known.eq_ignore_ascii_case(key)))
            });
        if taken {
            continue;
        }
        let name = all.keys().find(|name| name.eq_ignore_ascii_case(operator)).cloned();
        let name = name.unwrap_or_else(|| (*operator).to_owned());
        all.entry(name)
            .or_insert_with(|| json!({}))
            .as_object_mut()?
            .insert(key.to_owned(), value);
        return Some(replaced(policy, statement, &span, &Value::Object(all)));
    }
    None
}

/// The statement for the owner's account instead of its principals, if everybody was among them.
pub(crate) fn own_root(policy: &Policy, index: usize, scope: &Scope) -> Option<Narrowing> {
    let statement = &policy.statements()[index];
    let everyone = statement.principals.as_ref()?.values.iter().any(Principal::is_everyone);
    let (_, span) = element(policy, statement, "principal").filter(|_| everyone)?;
    let root = format!("arn:{}:iam::{}:root", scope.partition(policy), scope.owner);
    let text = replaced(policy, statement, &span, &json!({"AWS": root}));
    Some(Narrowing {
        statement: text,
        note: format!("its principal is {root} instead of everyone"),
    })
}

/// The statement as a Deny, for a policy that can't be empty.
pub(crate) fn denied(policy: &Policy, index: usize) -> Option<Narrowing> {
    let statement = &policy.statements()[index];
    let (_, span) = element(policy, statement, "effect")?;
    let note = "it denies what it allowed, since the policy can't be empty".to_owned();
    Some(Narrowing {
        statement: replaced(policy, statement, &span, &json!("Deny")),
        note,
    })
}
