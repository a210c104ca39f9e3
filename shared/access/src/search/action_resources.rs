//! The actions and resources of a policy, one of each kind that its statements can tell apart.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::fresh_names::FreshNames;
use super::mentions::{Mentions, WORK};
use crate::classes::{classes, in_common, meets};
use crate::glob::{Glob, Span, Token};
use crate::parse::{Effect, Policy, Statement};
use crate::principals::is_account;
use crate::scope::Scope;
use crate::service::{COPY_INTO_VAULT, KnownAction, Service};
use crate::template::Template;

/// An action on a resource.
pub(super) struct Target {
    pub action: String,
    /// `None` stands for those that could not all be tried: the statement may be about it, and Denies are only if they
    /// are about everything.
    pub resource: Option<String>,
    /// Of each statement that is looked at, whether it names both.
    pub relevant: Vec<bool>,
}

/// Texts that a policy variable can have for one caller, and whether those are all.
pub(super) type Texts<'a> = &'a dyn Fn(&str) -> (Vec<String>, bool);

/// What all statements have in common: the actions that they can tell apart, and the resource they are on.
pub(super) struct ActionResources {
    /// The statements, sorted by what they say, so that their order in the policy makes no difference to a search.
    order: Vec<usize>,
    /// For each statement, the first that says the same but for its id.
    same: Vec<usize>,
    actions: Vec<Action>,
    roots: BTreeSet<String>,
}

impl ActionResources {
    pub(super) fn new(policy: &Policy, scope: &Scope, names: &FreshNames) -> Self {
        let (order, same) = order(policy);
        Self {
            same,
            actions: actions(policy, &order, scope.service),
            roots: roots(policy, &order, scope, names),
            order,
        }
    }

    /// All statements, in the order in which they are looked at.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// The first statement that says the same as this one but for its id.
    pub(super) fn same_as(&self, at: usize) -> usize {
        self.same[at]
    }

    /// The resources that the policy can be on, as far as no variable decides on it.
    pub(super) fn roots(&self) -> &BTreeSet<String> {
        &self.roots
    }

    /// Whether two statements name an action in common.
    pub(super) fn meet(&self, one: usize, other: usize) -> bool {
        self.actions
            .iter()
            .any(|action| action.names[one] && action.names[other])
    }

    /// Every kind of action and resource that the included statements can tell apart, as far as statement `at` names it.
    pub(super) fn targets(
        &self,
        policy: &Policy,
        scope: &Scope,
        mentions: &Mentions,
        at: usize,
        texts: Texts,
    ) -> Vec<Target> {
        let found = Patterns::of(policy, &mentions.included, texts);
        let mut all_roots = Cow::Borrowed(&self.roots);
        if scope.resource.is_none() && scope.service != Service::IamTrust {
            for text in &found.filled {
                all_roots.to_mut().extend(root(scope, text));
            }
        }
        if all_roots.is_empty() {
            let example = scope.service.example(&mentions.names.partition, scope.owner);
            all_roots.to_mut().insert(example);
        }
        let (resources, mut complete) = parts(scope, &found, &all_roots, &mentions.names, &mentions.work);
        complete &= found.complete;
        let variables = mentions
            .included
            .iter()
            .any(|&index| has_variables(&policy.statements()[index]));
        // Actions that the included statements treat alike are one.
        let mut kinds: HashSet<(Vec<bool>, u8)> = HashSet::new();
        let mut actions: Vec<(&Action, Vec<bool>)> = Vec::new();
        for action in self.actions.iter().filter(|action| action.names[at]) {
            let names: Vec<bool> = mentions.included.iter().map(|&index| action.names[index]).collect();
            if kinds.insert((names.clone(), action.kind)) {
                actions.push((action, names));
            }
        }
        let mut targets: Vec<Target> = Vec::new();
        let mut seen: HashSet<(Option<String>, Vec<bool>, u8)> = HashSet::new();
        for resource in resources {
            if !touches(&policy.statements()[at], scope.service, &resource) {
                continue;
            }
            let included = mentions.included.iter();
            let on: Vec<bool> = included
                .map(|&index| touches(&policy.statements()[index], scope.service, &resource))
                .collect();
            let level = u8::from(!scope.service.is_part(&resource));
            for (action, names) in &actions {
                // An object action is asked for on objects, a bucket action on the bucket; an unknown one on either.
                if scope.service.has_levels() && action.kind != 2 && action.kind != level {
                    continue;
                }
                let relevant: Vec<bool> = names.iter().zip(&on).map(|(a, b)| *a && *b).collect();
                // One of those that the same statements decide on, unless a variable tells resources apart.
                let which = variables.then(|| resource.clone());
                if seen.insert((which, relevant.clone(), call(scope.service, action))) {
                    targets.push(Target {
                        action: action.name.clone(),
                        resource: Some(resource.clone()),
                        relevant,
                    });
                }
            }
        }
        if !complete {
            let included = mentions.included.iter();
            let everywhere: Vec<bool> = included
                .map(|&index| {
                    let statement = &policy.statements()[index];
                    index == at || all_roots.iter().all(|root| covers(statement, scope.service, root))
                })
                .collect();
            targets.extend(actions.iter().map(|(action, names)| Target {
                action: action.name.clone(),
                resource: None,
                relevant: names.iter().zip(&everywhere).map(|(a, b)| *a && *b).collect(),
            }));
        }
        targets
    }
}

/// The statements sorted by all that they say but their ids; and for each the first that says the same.
fn order(policy: &Policy) -> (Vec<usize>, Vec<usize>) {
    let statements = policy.statements();
    let said = |at: &usize| {
        let Statement {
            effect,
            principals,
            actions,
            resources,
            conditions,
            ..
        } = &statements[*at];
        let principals = principals.as_ref().map(|all| {
            let values: Vec<_> = all.values.iter().map(|one| (one.kind as u8, &one.value)).collect();
            (all.negated, values)
        });
        let actions = actions.as_ref().map(|all| (all.negated, &all.values));
        let resources = resources.as_ref().map(|all| {
            let values: Vec<_> = all.values.iter().map(Template::source).collect();
            (all.negated, values)
        });
        let conditions: Vec<_> = conditions
            .iter()
            .map(|one| {
                let values: Vec<_> = one.values.iter().map(Template::source).collect();
                (&one.key, &one.operator.name, values)
            })
            .collect();
        (*effect as u8, principals, actions, resources, conditions)
    };
    let mut all: Vec<_> = (0..statements.len()).map(|at| (said(&at), at)).collect();
    all.sort();
    let mut same: Vec<usize> = (0..statements.len()).collect();
    for pair in all.windows(2) {
        if let [(one, first), (other, next)] = pair
            && one == other
            && !statements[*next].doubtful
            && !statements[*first].doubtful
        {
            same[*next] = same[*first];
        }
    }
    (all.into_iter().map(|(_, at)| at).collect(), same)
}

/// Whether what the statement is about depends on the request.
pub(super) fn has_variables(statement: &Statement) -> bool {
    let resources = statement.resources.iter();
    resources
        .flat_map(|selection| &selection.values)
        .any(Template::has_variables)
}

/// Whether the statement is about all of a resource and its parts.
fn covers(statement: &Statement, service: Service, root: &str) -> bool {
    let Some(selection) = &statement.resources else {
        return service != Service::Kms;
    };
    let prefix = |value: &Template| {
        let source = value.source().strip_suffix('*')?;
        (!source.contains(['*', '?', '$'])).then(|| source.to_owned())
    };
    service == Service::IamTrust
        || !selection.negated
            && selection.values.iter().filter_map(prefix).any(|start| {
                let parts = service.parts_of(root);
                root.starts_with(&start) || parts.is_some_and(|parts| parts.starts_with(&start))
            })
}

/// The resource that a policy is most likely on: the one the scope names, else the first that the policy names whole.
pub fn likely_resource(policy: &Policy, scope: &Scope) -> Option<String> {
    let names = FreshNames::new(policy, scope);
    let example = || scope.service.example(&names.partition, scope.owner);
    let roots = roots(policy, &order(policy).0, scope, &names);
    Some(roots.into_iter().next().unwrap_or_else(example))
}

/// Whether the statement may be about the resource, whatever its variables turn out to be.
fn touches(statement: &Statement, service: Service, resource: &str) -> bool {
    let Some(selection) = &statement.resources else {
        return service != Service::Kms;
    };
    if service == Service::IamTrust || has_variables(statement) {
        return true;
    }
    let any = statement
        .resource_globs
        .iter()
        .flatten()
        .any(|glob| glob.matches(resource));
    any != selection.negated
}

/// An action with the statements that name it.
struct Action {
    name: String,
    names: Vec<bool>,
    kind: u8,
}

/// The actions that the statements can tell apart, each with the statements that name it; of those that all statements treat
/// alike, the one that people look for first.
///
/// The list of actions is split by each statement into those that it names and the others; what is left together is alike.
fn actions(policy: &Policy, order: &[usize], service: Service) -> Vec<Action> {
    let list = service.actions();
    let statements = policy.statements();
    let words = list.len().div_ceil(64);
    let mut matched: HashMap<&Glob, Bits> = HashMap::new();
    let mut marked: Vec<Bits> = Vec::with_capacity(statements.len());
    let mut others: Vec<(String, String)> = Vec::new();
    for statement in statements {
        let mut bits = vec![0; words];
        for glob in &statement.action_globs {
            let of_glob = matched.entry(glob).or_insert_with(|| listed(list, glob));
            bits.iter_mut().zip(of_glob.iter()).for_each(|(all, one)| *all |= one);
        }
        marked.push(bits);
    }
    let prefix = format!("{}:", service.prefix());
    if !service.is_closed() {
        // What the policy names is counted even if the list does not have it: AWS adds actions.
        for statement in order.iter().map(|&at| &statements[at]) {
            let values = statement.actions.iter().flat_map(|selection| &selection.values);
            for (value, glob) in values.zip(&statement.action_globs) {
                let known = || matched.get(glob).is_some_and(|bits| bits.iter().any(|word| *word != 0));
                if statement.effect == Effect::Neither || known() {
                    continue;
                }
                let name = value.replace(['*', '?'], "X");
                let lower = name.to_ascii_lowercase();
                if lower.starts_with(&prefix) && others.iter().all(|(_, known)| *known != lower) {
                    others.push((name, lower));
                }
            }
        }
        others.push((format!("{prefix}FutureAction"), format!("{prefix}futureaction")));
    }
    let classes = alike(service, list, &marked);
    let places = |bits: &Bits| {
        let bits = bits.clone();
        (0..list.len()).filter(move |at| bits[at / 64] & (1 << (at % 64)) != 0)
    };
    let negated = |statement: &Statement| statement.actions.as_ref().map(|selection| selection.negated);
    let mut found: Vec<(usize, Action)> = Vec::new();
    for (kind, bits) in &classes {
        let Some(first) = places(bits).min_by_key(|at| list[*at].rank) else {
            continue;
        };
        let names = statements.iter().zip(&marked).map(|(statement, bits)| {
            let any = bits[first / 64] & (1 << (first % 64)) != 0;
            negated(statement).is_some_and(|negated| any != negated)
        });
        let action = Action {
            name: list[first].name.clone(),
            names: names.collect(),
            kind: *kind,
        };
        found.push((list[first].rank, action));
    }
    found.sort_by_key(|(rank, action)| (*rank, action.kind));
    for (name, lower) in others {
        let names = statements.iter().map(|statement| {
            let any = || statement.action_globs.iter().any(|glob| glob.matches(&lower));
            negated(statement).is_some_and(|negated| any() != negated)
        });
        let action = Action {
            names: names.collect(),
            kind: kind_of_other(service),
            name,
        };
        let known = |(_, one): &(usize, Action)| one.kind == action.kind && one.names == action.names;
        if !found.iter().any(known) {
            found.push((usize::MAX, action));
        }
    }
    let actions = found.into_iter().map(|(_, action)| action);
    actions.filter(|action| action.names.contains(&true)).collect()
}

/// The listed actions by kind, and of each kind those that are named by the same.
fn alike(service: Service, list: &[KnownAction], named: &[Bits]) -> Vec<(u8, Bits)> {
    let words = list.len().div_ceil(64);
    let mut classes: Vec<(u8, Bits)> = Vec::new();
    for (at, action) in list.iter().enumerate() {
        let kind = kind(service, action);
        let class = classes.iter().position(|(known, _)| *known == kind).unwrap_or_else(|| {
            classes.push((kind, vec![0; words]));
            classes.len() - 1
        });
        classes[class].1[at / 64] |= 1 << (at % 64);
    }
    let mut seen: HashSet<&Bits> = HashSet::new();
    for bits in named.iter().filter(|bits| seen.insert(bits)) {
        for class in 0..classes.len() {
            let (kind, all) = &mut classes[class];
            let within: Bits = all.iter().zip(bits).map(|(one, other)| one & other).collect();
            if within.iter().any(|word| *word != 0) && within != *all {
                all.iter_mut().zip(&within).for_each(|(all, one)| *all &= !one);
                let kind = *kind;
                classes.push((kind, within));
            }
        }
    }
    classes
}

/// A set of places in the list of actions.
type Bits = Vec<u64>;

/// The actions of a list that a pattern matches. Most patterns are a name, or the start of one.
fn listed(list: &[KnownAction], glob: &Glob) -> Bits {
    let mut bits = vec![0; list.len().div_ceil(64)];
    let start = glob.prefix();
    let from = list.partition_point(|one| one.lower.as_str() < start.as_str());
    let near = list[from..].iter().take_while(|one| one.lower.starts_with(&start));
    for (at, _) in near.enumerate().filter(|(_, one)| glob.matches(&one.lower)) {
        bits[(from + at) / 64] |= 1 << ((from + at) % 64);
    }
    bits
}

/// Whether calls for two actions are of different callers: a number for each sort.
fn call(service: Service, action: &Action) -> u8 {
    match service {
        Service::IamTrust | Service::BackupVault => action.kind,
        _ => 0,
    }
}

/// What tells actions apart beside their names: where they are asked for, and by whom.
fn kind(service: Service, action: &KnownAction) -> u8 {
    match service {
        Service::IamTrust => match action.lower.as_str() {
            "sts:assumerole" => 0,
            "sts:assumerolewithwebidentity" => 1,
            _ => 2,
        },
        Service::BackupVault => u8::from(action.lower != COPY_INTO_VAULT),
        _ if service.has_levels() => u8::from(!action.of_part),
        _ => 0,
    }
}

/// The same of one that is not in the list: on the resource or a part of it, nobody knows.
fn kind_of_other(service: Service) -> u8 {
    match service {
        Service::BackupVault => 1,
        _ if service.has_levels() => 2,
        _ => 0,
    }
}

/// The resource with its parts (objects, versions, indexes), one of each kind that the policy can tell apart; and whether
/// that is all.
pub(crate) fn resources(policy: &Policy, scope: &Scope) -> (Vec<String>, bool) {
    let names = FreshNames::new(policy, scope);
    let (all, _) = order(policy);
    let any = |_: &str| (vec![names.fresh.clone()], true);
    let found = Patterns::of(policy, &all, &any);
    let roots = roots(policy, &all, scope, &names);
    let (resources, complete) = parts(scope, &found, &roots, &names, &Cell::new(WORK));
    (resources, complete && found.complete)
}

/// The resources that the policy can be on, as far as no variable decides on it.
fn roots(policy: &Policy, order: &[usize], scope: &Scope, names: &FreshNames) -> BTreeSet<String> {
    if let Some(arn) = scope.resource {
        return BTreeSet::from([arn.to_owned()]);
    }
    if scope.service == Service::IamTrust {
        return BTreeSet::from([scope.service.example(&names.partition, scope.owner)]);
    }
    // What a variable stands for is not known here: a text that no resource has.
    let unknown = |_: &str| Some("\u{0}".to_owned());
    let mut roots = BTreeSet::new();
    let mut wild: Vec<Glob> = Vec::new();
    for statement in order.iter().map(|&at| &policy.statements()[at]) {
        let values = statement.resources.iter().flat_map(|selection| &selection.values);
        for (value, fixed) in values.zip(&statement.resource_globs) {
            match value.literal(&unknown).and_then(|text| root(scope, &text)) {
                Some(root) if !root.contains('\u{0}') => drop(roots.insert(root)),
                Some(_) => {}
                None => wild.extend(fixed.clone()),
            }
        }
    }
    // A pattern that is about none of those is about another.
    let budget = Cell::new(WORK);
    let mut others = BTreeSet::new();
    for glob in wild {
        let known = roots.iter().chain(&others).any(|root| {
            let parts = scope.service.parts_of(root);
            glob.matches(root) || parts.is_some_and(|parts| meets(&Glob::literal(&parts).then(SOME), &glob, &budget))
        });
        if !known {
            others.extend(wild_root(scope, &names.partition, &glob, &budget));
        }
    }
    roots.extend(others);
    if roots.is_empty() && !policy.statements().iter().any(has_variables) {
        roots.insert(scope.service.example(&names.partition, scope.owner));
    }
    roots
}

/// At least one character.
const SOME: [Token; 2] = [Token::One(Span::Any), Token::Many(Span::Any)];

/// What statements say of resources.
struct Patterns {
    literals: HashSet<String>,
    /// Those with wildcards, by statement.
    groups: Vec<Vec<Glob>>,
    /// Texts that come from variables, wildcards left in them.
    filled: Vec<String>,
    complete: bool,
}

/// How many ways to fill in the variables of one resource are tried.
const FILLINGS: usize = 64;

impl Patterns {
    fn of(policy: &Policy, included: &[usize], texts: Texts) -> Self {
        let mut found = Self {
            literals: HashSet::new(),
            groups: Vec::new(),
            filled: Vec::new(),
            complete: true,
        };
        for statement in included.iter().map(|&at| &policy.statements()[at]) {
            let mut group = Vec::new();
            let values = statement.resources.iter().flat_map(|selection| &selection.values);
            for (value, fixed) in values.zip(&statement.resource_globs) {
                match fixed {
                    Some(glob) => match glob.as_literal() {
                        Some(literal) => drop(found.literals.insert(literal)),
                        None => group.push(glob.clone()),
                    },
                    None => found.fill(value, texts),
                }
            }
            if !group.is_empty() && !found.groups.contains(&group) {
                found.groups.push(group);
            }
        }
        found
    }

    fn fill(&mut self, template: &Template, texts: Texts) {
        let mut names: Vec<&str> = template.variables().collect();
        names.sort_unstable();
        names.dedup();
        let mut choices: Vec<Vec<String>> = Vec::new();
        for name in &names {
            let (all, complete) = texts(name);
            self.complete &= complete;
            choices.push(all);
        }
        let counts = choices.iter().map(|all| all.len().max(1));
        let total = counts.fold(1_usize, usize::saturating_mul);
        self.complete &= total <= FILLINGS;
        for number in 0..total.min(FILLINGS) {
            let mut rest = number;
            let mut filling: BTreeMap<&str, &String> = BTreeMap::new();
            for (name, all) in names.iter().zip(&choices) {
                if let Some(text) = all.get(rest % all.len().max(1)) {
                    filling.insert(name, text);
                }
                rest /= all.len().max(1);
            }
            let lookup = |name: &str| filling.get(name).map(|text| (*text).clone());
            let (Some(glob), Some(text)) = (template.glob(&lookup), template.literal(&lookup)) else {
                continue;
            };
            self.filled.push(text);
            if let Some(literal) = glob.as_literal() {
                self.literals.insert(literal);
                continue;
            }
            let group = vec![glob];
            if !self.groups.contains(&group) {
                self.groups.push(group);
            }
        }
    }
}

fn parts(
    scope: &Scope,
    patterns: &Patterns,
    roots: &BTreeSet<String>,
    names: &FreshNames,
    work: &Cell<usize>,
) -> (Vec<String>, bool) {
    let mut complete = true;
    let groups: Vec<&[Glob]> = patterns.groups.iter().map(Vec::as_slice).collect();
    let mut found = Vec::new();
    for root in roots {
        found.push(root.clone());
        let Some(start) = scope.service.parts_of(root) else {
            continue;
        };
        let own = patterns.literals.iter().filter(|literal| literal.starts_with(&start));
        let mut parts: Vec<String> = own.cloned().collect();
        parts.sort();
        let domain = Glob::literal(&start).then(SOME);
        found.push(format!("{start}{}", names.unnamed("file-")));
        if !groups.is_empty() {
            let classes = classes(&domain, &groups, &patterns.literals, 'x', work);
            complete &= classes.complete;
            found.extend(classes.texts);
        }
        found.extend(parts);
    }
    (found, complete)
}

/// The resource that a pattern names without a wildcard, if it can be the owner's.
fn root(scope: &Scope, text: &str) -> Option<String> {
    let mut parts = text.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, name) = (parts.next()?, parts.next()?, parts.next()?);
    if arn != "arn" || service != scope.service.arn_service() || (is_account(account) && account != scope.owner) {
        return None;
    }
    let own = scope.service.root_of(name);
    let root = format!("arn:{partition}:{service}:{region}:{account}:{own}");
    (!root.contains(['*', '?'])).then_some(root)
}

/// A resource that a pattern with wildcards can mean.
fn wild_root(scope: &Scope, partition: &str, glob: &Glob, budget: &Cell<usize>) -> Option<String> {
    let example = scope.service.example(partition, scope.owner);
    let parts = scope.service.parts_of(&example);
    if glob.matches(&example) || parts.is_some_and(|parts| meets(&Glob::literal(&parts).then(SOME), glob, budget)) {
        return Some(example);
    }
    let start = match scope.service {
        Service::S3Bucket => format!("arn:{partition}:s3:::"),
        service => format!("arn:{partition}:{}:*:{}:", service.arn_service(), scope.owner),
    };
    let domain = Glob::new(&start)
        .into_arn()
        .unwrap_or_else(|| Glob::new(&start))
        .then(SOME);
    let text = in_common(&domain, glob, budget)?;
    root(scope, &text).or(Some(text))
}
