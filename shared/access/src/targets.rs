//! The actions and resources of a policy, one of each kind that its statements can tell apart.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use crate::evaluate::is_account;
use crate::glob::{Glob, classes};
use crate::judge::Scope;
use crate::parse::{Effect, Policy};
use crate::service::{S3_BUCKET_ACTIONS, S3_OBJECT_ACTIONS, Service};
use crate::survey::Survey;
use crate::template::Template;

/// An action on a resource, with the statements that name both.
pub(crate) struct Target {
    pub action: String,
    pub resource: String,
    pub relevant: Vec<bool>,
}

/// What all statements have in common: the actions that they can tell apart, and the resource they are on.
pub(crate) struct Ground {
    actions: Vec<Action>,
    roots: BTreeSet<String>,
}

impl Ground {
    pub(crate) fn new(policy: &Policy, scope: &Scope, survey: &Survey) -> Self {
        Self {
            actions: actions(policy, scope.service),
            roots: roots(policy, scope, survey),
        }
    }

    /// Whether two statements name an action in common.
    pub(crate) fn meet(&self, one: usize, other: usize) -> bool {
        self.actions
            .iter()
            .any(|action| action.names[one] && action.names[other])
    }

    /// Every kind of action and resource that the survey's statements can tell apart, and whether that is all of them.
    pub(crate) fn targets(&self, policy: &Policy, scope: &Scope, survey: &Survey) -> (Vec<Target>, bool) {
        let (resources, complete) = parts(policy, scope, survey, &self.roots);
        let variables = survey.included.iter().any(|&at| {
            let resources = policy.statements()[at].resources.iter();
            resources
                .flat_map(|selection| &selection.values)
                .any(Template::has_variables)
        });
        // Actions that the included statements treat alike are one.
        let mut kinds: HashSet<(Vec<bool>, u8)> = HashSet::new();
        let mut actions: Vec<&Action> = Vec::new();
        for action in &self.actions {
            let names: Vec<bool> = survey.included.iter().map(|&at| action.names[at]).collect();
            if names.contains(&true) && kinds.insert((names, action.kind)) {
                actions.push(action);
            }
        }
        let mut found: Vec<Target> = Vec::new();
        let mut seen: HashSet<(Option<String>, Vec<bool>, u8)> = HashSet::new();
        for resource in resources {
            let mut on = vec![false; policy.statements().len()];
            for &at in &survey.included {
                on[at] = touches(&policy.statements()[at], scope.service, &resource);
            }
            let level = level(scope.service, &resource);
            for Action { name, names, kind } in &actions {
                // An object action is asked for on objects, a bucket action on the bucket; an unknown one on either.
                if scope.service.is_s3() && *kind != 2 && *kind != level {
                    continue;
                }
                let relevant: Vec<bool> = names.iter().zip(&on).map(|(a, b)| *a && *b).collect();
                if !relevant.contains(&true) {
                    continue;
                }
                // One of those that the same statements decide on, unless a variable tells resources apart.
                let which = variables.then(|| resource.clone());
                if seen.insert((which, relevant.clone(), call(scope.service, name))) {
                    found.push(Target {
                        action: name.clone(),
                        resource: resource.clone(),
                        relevant,
                    });
                }
            }
        }
        (found, complete)
    }
}

/// The resource that a policy is most likely on: the one the scope names, else the first that the policy names whole.
pub fn likely_resource(policy: &Policy, scope: &Scope) -> Option<String> {
    roots(policy, scope, &Survey::new(policy, scope)).into_iter().next()
}

/// Whether the statement may be about the resource, whatever its variables turn out to be.
fn touches(statement: &crate::parse::Statement, service: Service, resource: &str) -> bool {
    let Some(selection) = &statement.resources else {
        return service != Service::Kms;
    };
    if service == Service::IamTrust || selection.values.iter().any(Template::has_variables) {
        return true;
    }
    let none = |_: &str| None;
    let any = selection
        .values
        .iter()
        .any(|value| value.glob(&none).is_some_and(|glob| glob.matches(resource)));
    any != selection.negated
}

/// An action with the statements that name it.
struct Action {
    name: String,
    names: Vec<bool>,
    kind: u8,
}

/// 0 for an object, 1 for a bucket or access point.
fn level(service: Service, resource: &str) -> u8 {
    u8::from(match service {
        Service::S3AccessPoint => !resource.contains("/object/"),
        _ => !resource.contains('/'),
    })
}

/// S3's actions: name, name in lower case, kind.
static S3: LazyLock<Vec<(&str, String, u8)>> = LazyLock::new(|| {
    let objects = S3_OBJECT_ACTIONS
        .iter()
        .map(|name| (*name, name.to_ascii_lowercase(), 0));
    let buckets = S3_BUCKET_ACTIONS
        .iter()
        .map(|name| (*name, name.to_ascii_lowercase(), 1));
    objects.chain(buckets).collect()
});

/// Actions with the statements that name them. Of those that all statements treat alike, the first.
fn actions(policy: &Policy, service: Service) -> Vec<Action> {
    let mut known: Vec<(Cow<str>, Cow<str>, u8)> = if service.is_s3() {
        let lists = S3
            .iter()
            .map(|(name, lower, kind)| (Cow::Borrowed(*name), Cow::Borrowed(lower.as_str()), *kind));
        lists.collect()
    } else {
        let list = service.actions().iter();
        list.map(|name| {
            (
                Cow::Borrowed(*name),
                Cow::Owned(name.to_ascii_lowercase()),
                kind(service, name),
            )
        })
        .collect()
    };
    let prefix = format!("{}:", service.prefix());
    let mut patterns: Vec<(bool, Vec<Glob>)> = Vec::new();
    for statement in policy.statements() {
        let selection = statement.actions.as_ref();
        let values = selection.map_or(&[][..], |selection| selection.values.as_slice());
        let negated = selection.is_none_or(|selection| selection.negated);
        let globs: Vec<Glob> = values
            .iter()
            .map(|value| Glob::new(&value.to_ascii_lowercase()))
            .collect();
        if statement.effect != Effect::Neither {
            for (value, glob) in values.iter().zip(&globs) {
                // What the policy names is counted even if this list does not know it: AWS adds actions.
                let listed = known.iter().any(|(_, lower, _)| glob.matches(lower));
                if !listed {
                    let named = value.replace(['*', '?'], "X");
                    let lower = named.to_ascii_lowercase();
                    if lower.starts_with(&prefix) {
                        let kind = kind(service, &named);
                        known.push((named.into(), lower.into(), kind));
                    }
                }
            }
        }
        patterns.push((negated, globs));
    }
    let kind_of_future = if service.is_s3() { 2 } else { kind(service, "") };
    known.push((
        format!("{prefix}FutureAction").into(),
        format!("{prefix}futureaction").into(),
        kind_of_future,
    ));
    let mut seen: HashSet<(Vec<bool>, u8)> = HashSet::new();
    let mut found = Vec::new();
    for (name, lower, kind) in known {
        let names: Vec<bool> = policy
            .statements()
            .iter()
            .zip(&patterns)
            .map(|(statement, (negated, globs))| {
                statement.actions.is_some() && globs.iter().any(|glob| glob.matches(&lower)) != *negated
            })
            .collect();
        if names.contains(&true) && seen.insert((names.clone(), kind)) {
            found.push(Action {
                name: name.into_owned(),
                names,
                kind,
            });
        }
    }
    found
}

/// Which kind of caller a call is for, where that differs.
fn call(service: Service, action: &str) -> u8 {
    if service == Service::IamTrust {
        kind(service, action)
    } else {
        0
    }
}

fn kind(service: Service, action: &str) -> u8 {
    match service {
        Service::S3Bucket | Service::S3AccessPoint => {
            if S3_OBJECT_ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(action)) {
                0
            } else {
                1 + u8::from(!S3_BUCKET_ACTIONS.iter().any(|known| known.eq_ignore_ascii_case(action)))
            }
        }
        // Who asks with which call differs.
        Service::IamTrust => match action.to_ascii_lowercase().as_str() {
            "sts:assumerole" => 0,
            "sts:assumerolewithwebidentity" => 1,
            "sts:assumerolewithsaml" => 2,
            _ => 3,
        },
        _ => 0,
    }
}

/// The resource with its parts (objects, versions, indexes), one of each kind that the policy can tell apart.
pub(crate) fn resources(policy: &Policy, scope: &Scope) -> (Vec<String>, bool) {
    let survey = Survey::new(policy, scope);
    parts(policy, scope, &survey, &roots(policy, scope, &survey))
}

/// The resources that the policy can be on.
fn roots(policy: &Policy, scope: &Scope, survey: &Survey) -> BTreeSet<String> {
    let partition = &survey.names.partition;
    let example = || scope.service.example(partition, scope.owner);
    if let Some(arn) = scope.resource {
        return BTreeSet::from([arn.to_owned()]);
    }
    if scope.service == Service::IamTrust {
        return BTreeSet::from([example()]);
    }
    let (patterns, _) = patterns(policy, survey);
    let mut roots: BTreeSet<String> = patterns.iter().filter_map(|(text, _)| root(scope, text)).collect();
    if roots.is_empty() {
        roots.extend(
            patterns
                .iter()
                .filter_map(|(_, glob)| wild_root(scope, partition, glob)),
        );
    }
    if roots.is_empty() {
        roots.insert(example());
    }
    roots
}

fn parts(policy: &Policy, scope: &Scope, survey: &Survey, roots: &BTreeSet<String>) -> (Vec<String>, bool) {
    let Some(separator) = scope.service.parts_of() else {
        return (roots.iter().cloned().collect(), true);
    };
    let (patterns, mut complete) = patterns(policy, survey);
    let globs = patterns
        .iter()
        .map(|(_, glob)| glob)
        .filter(|glob| glob.as_literal().is_none());
    let globs: Vec<&Glob> = globs.collect();
    let literals: HashSet<String> = patterns.iter().filter_map(|(_, glob)| glob.as_literal()).collect();
    let mut found = Vec::new();
    for root in roots {
        found.push(root.clone());
        let start = format!("{root}{separator}");
        let mut parts: Vec<String> = literals
            .iter()
            .filter(|literal| literal.starts_with(&start))
            .cloned()
            .collect();
        parts.sort();
        let mut domain = Glob::literal(&start).into_tokens();
        domain.extend([crate::glob::Token::One, crate::glob::Token::Many]);
        let classes = classes(&Glob::from_tokens(domain), &globs, &literals, 'x', &survey.work);
        complete &= classes.complete;
        found.push(format!("{start}{}", survey.names.unnamed("file-")));
        found.extend(classes.texts);
        found.extend(parts);
    }
    (found, complete)
}

/// How many ways to fill in the variables of one resource are tried.
const FILLINGS: usize = 64;

/// Resource patterns, with what a caller can bring for their variables; and whether that is all.
fn patterns(policy: &Policy, survey: &Survey) -> (Vec<(String, Glob)>, bool) {
    let included = survey.included.iter().map(|&at| &policy.statements()[at]);
    let values = included.filter_map(|statement| statement.resources.as_ref());
    let mut found: Vec<(String, Glob)> = Vec::new();
    let mut complete = true;
    for template in values.flat_map(|selection| &selection.values) {
        let mut names: Vec<&str> = template.variables().collect();
        names.sort_unstable();
        names.dedup();
        let choices: Vec<Vec<String>> = names.iter().map(|name| survey.instances(name)).collect();
        let total = choices
            .iter()
            .fold(1_usize, |product, all| product.saturating_mul(all.len()));
        complete &= total <= FILLINGS;
        for number in 0..total.min(FILLINGS) {
            let mut rest = number;
            let mut filling = BTreeMap::new();
            for (name, all) in names.iter().zip(&choices) {
                filling.insert(*name, all[rest % all.len()].clone());
                rest /= all.len();
            }
            let lookup = |name: &str| filling.get(name).cloned();
            if let (Some(glob), Some(text)) = (template.glob(&lookup), template.literal(&lookup))
                && !found.iter().any(|(_, known)| *known == glob)
            {
                found.push((text, glob));
            }
        }
    }
    (found, complete)
}

/// The resource that a pattern names without a wildcard, if it can be the owner's.
fn root(scope: &Scope, text: &str) -> Option<String> {
    let mut parts = text.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    if arn != "arn" || service != scope.service.prefix() || (is_account(account) && account != scope.owner) {
        return None;
    }
    let own = match scope.service {
        Service::S3Bucket => name.split('/').next()?,
        Service::S3AccessPoint => name.split("/object/").next()?,
        Service::DynamoDb | Service::OpenSearch => {
            let mut pieces = name.splitn(3, '/');
            let (kind, own) = (pieces.next()?, pieces.next()?);
            name.get(..kind.len() + 1 + own.len())?
        }
        Service::Lambda => {
            let mut pieces = name.splitn(3, ':');
            let (kind, own) = (pieces.next()?, pieces.next()?);
            name.get(..kind.len() + 1 + own.len())?
        }
        _ => name,
    };
    let root = format!("arn:{partition}:{service}:{region}:{account}:{own}");
    (!root.contains(['*', '?'])).then_some(root)
}

/// A resource that a pattern with wildcards can mean.
fn wild_root(scope: &Scope, partition: &str, glob: &Glob) -> Option<String> {
    let example = scope.service.example(partition, scope.owner);
    if glob.matches(&example) {
        return Some(example);
    }
    let start = match scope.service {
        Service::S3Bucket => format!("arn:{partition}:s3:::"),
        service => format!("arn:{partition}:{}:*:{}:", service.prefix(), scope.owner),
    };
    let mut domain = Glob::new(&start).into_arn().map_or_else(Vec::new, Glob::into_tokens);
    domain.push(crate::glob::Token::One);
    domain.push(crate::glob::Token::Many);
    let found = classes(
        &Glob::from_tokens(domain),
        &[glob],
        &HashSet::new(),
        'x',
        &Cell::new(10_000),
    );
    found
        .texts
        .into_iter()
        .find(|text| glob.matches(text))
        .map(|text| root(scope, &text).unwrap_or(text))
}
