//! What a policy mentions: keys with the values it compares them to, accounts, organisations, principals.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use super::account_classes::AccountPatterns;
use super::fresh_names::FreshNames;
use crate::classes::in_common;
use crate::condition::{Comparison, Condition, Pattern, Quantifier};
use crate::glob::{Glob, Span, Token};
use crate::keys::{self, Class};
use crate::network::Cidr;
use crate::parse::{Effect, Policy, PrincipalKind};
use crate::principals::{account_of, arn_account, is_account};
use crate::scope::Scope;

/// The values that conditions compare a key to.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    pub literals: BTreeSet<String>,
    /// Those with wildcards, by condition.
    pub groups: Vec<Vec<Glob>>,
    pub numbers: Vec<f64>,
    pub moments: Vec<f64>,
    pub networks: Vec<Vec<Cidr>>,
    pub bools: bool,
    /// Some condition takes the key to have one value.
    pub single: bool,
}

impl Pool {
    /// All patterns with wildcards.
    pub(super) fn globs(&self) -> impl Iterator<Item = &Glob> {
        self.groups.iter().flatten()
    }

    pub(super) fn group(&mut self, group: Vec<Glob>) {
        if !group.is_empty() && !self.groups.contains(&group) {
            self.groups.push(group);
        }
    }

    pub(super) fn literal_or_group(&mut self, glob: Glob) {
        match glob.as_literal() {
            Some(literal) => drop(self.literals.insert(literal)),
            None => self.group(vec![glob]),
        }
    }

    fn add(&mut self, class: Class, condition: &Condition) {
        let mut group = Vec::new();
        let mut networks = Vec::new();
        for pattern in condition.patterns.iter().flatten() {
            match pattern {
                // No request has it, so nobody need be looked for who would bring it.
                Pattern::Text(text) if class.never_is(text) => {}
                Pattern::Text(text) => {
                    self.literals.insert(text.clone());
                    if condition.operator.comparison == Comparison::EqualsIgnoreCase {
                        self.literals.insert(text.to_lowercase());
                    }
                }
                Pattern::Glob(glob) | Pattern::LooseArn(glob) => match glob.as_literal() {
                    Some(literal) => drop(self.literals.insert(literal)),
                    None => group.push(glob.clone()),
                },
                Pattern::Number(number) => self.numbers.push(*number),
                Pattern::Moment(moment) => self.moments.push(*moment),
                Pattern::Bool(_) => self.bools = true,
                Pattern::Cidr(cidr) => networks.push(*cidr),
                Pattern::Invalid => {}
            }
        }
        self.group(group);
        if !networks.is_empty() {
            self.networks.push(networks);
        }
    }
}

/// One condition key of the policy.
pub(super) struct Key {
    pub name: String,
    pub class: Class,
    pub pool: Pool,
    /// Statement and condition indices where it is compared.
    pub conditions: Vec<(usize, usize)>,
    /// Compared to, or used as, a policy variable.
    pub linked: bool,
    /// As a variable, what it would have to be to match what its counterpart is compared to.
    pub mirrored: BTreeSet<String>,
    /// The keys that are compared to it as a variable, with the text around it.
    pub partners: Vec<(usize, String, String)>,
}

/// How many ways to read a variable out of one text are tried.
const PLACES: usize = 4;
/// What searching for texts may cost for one statement: pattern positions visited.
pub(super) const WORK: usize = 30_000;

/// What the included statements of a policy mention.
pub(super) struct Mentions {
    pub keys: Vec<Key>,
    pub key_index: BTreeMap<String, usize>,
    /// Untrusted accounts that each statement names.
    pub accounts: BTreeMap<usize, BTreeSet<String>>,
    /// Accounts that only a wildcard lets in.
    pub wild_accounts: BTreeSet<String>,
    /// Accounts of an organisation that is named: one of each kind that patterns can tell apart.
    pub members: BTreeSet<String>,
    /// Untrusted organisations that each statement names.
    pub organizations: BTreeMap<usize, BTreeSet<String>>,
    pub wild_organizations: BTreeSet<String>,
    /// ARNs that statements name as principals.
    pub arns: BTreeSet<String>,
    /// Statements looked at; the others say nothing here.
    pub included: Vec<usize>,
    /// Accounts that a policy can't tell from another that it names.
    pub alike: BTreeSet<String>,
    /// Every kind of account and organisation that patterns can tell apart is among them.
    pub complete: bool,
    pub names: Rc<FreshNames>,
    /// What the searches for texts may still cost, and what they came to.
    pub work: Cell<usize>,
}

impl Mentions {
    /// Some statements of a policy: an Allow and the Denies that touch it need none of the others.
    pub(super) fn of(
        policy: &Policy,
        scope: &Scope,
        names: &Rc<FreshNames>,
        roots: &BTreeSet<String>,
        included: Vec<usize>,
        work: usize,
    ) -> Self {
        let mut mentions = Self {
            keys: Vec::new(),
            key_index: BTreeMap::new(),
            accounts: BTreeMap::new(),
            wild_accounts: BTreeSet::new(),
            members: BTreeSet::new(),
            organizations: BTreeMap::new(),
            wild_organizations: BTreeSet::new(),
            arns: BTreeSet::new(),
            included,
            alike: BTreeSet::new(),
            complete: true,
            names: Rc::clone(names),
            work: Cell::new(work),
        };
        let mut patterns = AccountPatterns::default();
        for at in mentions.included.clone() {
            let statement = &policy.statements()[at];
            if statement.effect == Effect::Neither {
                continue;
            }
            for principal in statement.principals.iter().flat_map(|selection| &selection.values) {
                mentions.principal(at, principal.kind, &principal.value, scope);
            }
            for (nth, condition) in statement.conditions.iter().enumerate() {
                mentions.condition(at, nth, condition, scope);
                patterns.add(mentions.keys[mentions.key_index[&condition.key]].class, condition);
            }
            let in_resources: Vec<String> = statement
                .resources
                .iter()
                .flat_map(|selection| &selection.values)
                .flat_map(|template| template.variables().map(str::to_owned))
                .collect();
            mentions.link(&in_resources);
        }
        mentions.mirror_resources(policy, roots);
        mentions.alike = mentions.alike(policy);
        mentions.mirror(policy);
        let found = patterns.classes(
            scope,
            names,
            &mentions.accounts,
            &mentions.organizations,
            &mentions.work,
        );
        mentions.wild_accounts = found.accounts;
        mentions.members = found.members;
        mentions.wild_organizations = found.organizations;
        mentions.complete = found.complete;
        mentions
    }

    fn condition(&mut self, at: usize, nth: usize, condition: &Condition, scope: &Scope) {
        let key = self.key(&condition.key);
        let class = self.keys[key].class;
        self.keys[key].conditions.push((at, nth));
        let pool = &mut self.keys[key].pool;
        pool.single |= condition.operator.quantifier == Quantifier::Single;
        pool.add(class, condition);
        let exact = matches!(
            condition.operator.comparison,
            Comparison::Equals | Comparison::EqualsIgnoreCase
        );
        for template in &condition.values {
            if template.has_variables() {
                // A default stands in where the variable has no value.
                if let Some(text) = template.literal(&|_| None) {
                    self.value(at, class, &text, scope);
                    self.keys[key].pool.literals.insert(text);
                }
            } else if !exact || !class.never_is(template.source()) {
                self.value(at, class, template.source(), scope);
            }
        }
        let linked: Vec<String> = condition.linked().map(str::to_owned).collect();
        self.keys[key].linked |= !linked.is_empty();
        // Whoever is of the resource's own organisation is not known to be trusted if that organisation is not.
        let own = class == Class::ResourceOrganization && !linked.is_empty()
            || linked
                .iter()
                .any(|name| keys::class(name) == Class::ResourceOrganization);
        if own && scope.trust.organizations.is_empty() {
            let organization = self.names.owners_organization.clone();
            self.organizations.entry(at).or_default().insert(organization);
        }
        self.link(&linked);
    }

    /// What a variable has to be for a statement to be about the resource, or about what another one is about: a text that
    /// both leave room for, and, where both have a variable in the same place, what the other's is.
    fn mirror_resources(&mut self, policy: &Policy, roots: &BTreeSet<String>) {
        let statements = || self.included.iter().map(|&at| &policy.statements()[at]);
        let values = || {
            statements()
                .flat_map(|statement| &statement.resources)
                .flat_map(|selection| &selection.values)
        };
        let fixed: Vec<&Glob> = statements()
            .flat_map(|statement| statement.resource_globs.iter().flatten())
            .collect();
        let mut placed: Vec<(usize, &str, &str)> = Vec::new();
        for value in values() {
            let names: Vec<&str> = value.variables().collect();
            if let ([name], Some((before, after))) = (&names[..], value.around()) {
                placed.push((self.key_index[*name], before, after));
            }
        }
        placed.sort_unstable();
        placed.dedup();
        let mut found: Vec<(usize, String)> = Vec::new();
        let mut partners: Vec<(usize, usize)> = Vec::new();
        for &(key, before, after) in &placed {
            for text in roots.iter().filter_map(|root| root.strip_prefix(before)) {
                // What follows may be about the resource's parts.
                let text = text
                    .strip_suffix(after)
                    .or(after.starts_with(['/', ':']).then_some(text));
                found.extend(text.map(|text| (key, text.to_owned())));
            }
            let rest = Glob::new(after);
            let any = Glob::new(before)
                .then([Token::Many(Span::Any)])
                .then(rest.tokens().iter().copied());
            for glob in &fixed {
                let Some(text) = in_common(&any, glob, &self.work) else {
                    continue;
                };
                let Some(text) = text.strip_prefix(before) else {
                    continue;
                };
                let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                let inner = ends.filter(|&end| rest.matches(&text[end..])).map(|end| &text[..end]);
                found.extend(inner.take(PLACES).map(|inner| (key, inner.to_owned())));
            }
            let same = |other: &&(usize, &str, &str)| other.0 != key && other.1 == before;
            partners.extend(placed.iter().filter(same).map(|other| (key, other.0)));
        }
        for (key, text) in found {
            self.keys[key].mirrored.insert(text);
        }
        for (key, partner) in partners {
            self.keys[key].partners.push((partner, String::new(), String::new()));
        }
    }

    /// A key compared to a variable has to match its own other conditions as well: what those want, the variable may have
    /// to be.
    fn mirror(&mut self, policy: &Policy) {
        let mut found: Vec<(usize, String)> = Vec::new();
        let mut partners: Vec<(usize, usize, String, String)> = Vec::new();
        for key in self.keys.iter().filter(|key| key.linked) {
            let wanted = key.pool.globs().flat_map(|glob| [glob.filled(""), glob.filled("x")]);
            let wanted: Vec<String> = key.pool.literals.iter().cloned().chain(wanted).collect();
            for (at, nth) in &key.conditions {
                for value in &policy.statements()[*at].conditions[*nth].values {
                    let names: Vec<&str> = value.variables().collect();
                    let ([name], Some((before, after))) = (&names[..], value.around()) else {
                        continue;
                    };
                    let Some(&index) = self.key_index.get(*name) else {
                        continue;
                    };
                    partners.push((index, self.key_index[&key.name], before.to_owned(), after.to_owned()));
                    let inner = |text: &String| text.strip_prefix(before)?.strip_suffix(after).map(str::to_owned);
                    found.extend(wanted.iter().filter_map(inner).map(|text| (index, text)));
                }
            }
        }
        for (index, text) in found {
            self.keys[index].mirrored.insert(text);
        }
        for (index, partner, before, after) in partners {
            self.keys[index].partners.push((partner, before, after));
        }
    }

    /// Of accounts that are only named as principals, and by the same statements, one stands for all.
    fn alike(&self, policy: &Policy) -> BTreeSet<String> {
        let by_arn = self.has(|class| matches!(class, Class::Arn | Class::UserId | Class::UserName));
        let mut places: BTreeMap<&String, Vec<(usize, bool)>> = BTreeMap::new();
        let mut elsewhere: BTreeSet<&str> = BTreeSet::new();
        for &at in &self.included {
            let statement = &policy.statements()[at];
            for principal in statement.principals.iter().flat_map(|selection| &selection.values) {
                let account = account_of(&principal.value).or_else(|| arn_account(&principal.value).map(|(of, _)| of));
                let Some(account) = account.and_then(|account| self.accounts.get(&at)?.get(account)) else {
                    continue;
                };
                let whole = account_of(&principal.value).is_some();
                if (whole || !by_arn) && principal.kind == PrincipalKind::Aws {
                    places.entry(account).or_default().push((at, whole));
                } else {
                    elsewhere.insert(account);
                }
            }
            for value in statement.conditions.iter().flat_map(|condition| &condition.values) {
                let digits = value.source().split(|character: char| !character.is_ascii_digit());
                elsewhere.extend(digits.filter(|digits| is_account(digits)));
            }
        }
        let mut seen = BTreeSet::new();
        let mut alike = BTreeSet::new();
        for (account, mut places) in places {
            places.sort_unstable();
            places.dedup();
            if !elsewhere.contains(account.as_str()) && !seen.insert(places) {
                alike.insert(account.clone());
            }
        }
        alike
    }

    fn link(&mut self, names: &[String]) {
        for name in names {
            let key = self.key(name);
            self.keys[key].linked = true;
        }
    }

    fn key(&mut self, name: &str) -> usize {
        if let Some(index) = self.key_index.get(name) {
            return *index;
        }
        let key = Key {
            name: name.to_owned(),
            class: keys::class(name),
            pool: Pool::default(),
            conditions: Vec::new(),
            linked: false,
            mirrored: BTreeSet::new(),
            partners: Vec::new(),
        };
        self.keys.push(key);
        self.key_index.insert(name.to_owned(), self.keys.len() - 1);
        self.keys.len() - 1
    }

    /// Texts that a key can well have where it is a policy variable: for resources and values built from it.
    pub(super) fn instances(&self, name: &str) -> Vec<String> {
        let mut found = vec![self.names.fresh.clone(), self.names.other.clone()];
        let Some(key) = self.key_index.get(name).map(|index| &self.keys[*index]) else {
            return found;
        };
        found.extend(key.pool.literals.iter().cloned());
        for glob in key.pool.globs() {
            for filler in ["", "x"] {
                found.push(glob.filled(filler));
            }
        }
        found.extend(key.mirrored.iter().cloned());
        let mut seen = BTreeSet::new();
        found.retain(|text| seen.insert(text.clone()));
        found
    }

    pub(super) fn has(&self, wanted: impl Fn(Class) -> bool) -> bool {
        self.keys.iter().any(|key| wanted(key.class))
    }

    pub(super) fn pool(&self, wanted: impl Fn(Class) -> bool) -> Pool {
        let mut pool = Pool::default();
        for key in self.keys.iter().filter(|key| wanted(key.class)) {
            pool.literals.extend(key.pool.literals.iter().cloned());
            pool.groups.extend(key.pool.groups.iter().cloned());
        }
        pool
    }

    fn principal(&mut self, at: usize, kind: PrincipalKind, value: &str, scope: &Scope) {
        match kind {
            PrincipalKind::Aws => {
                let named = arn_account(value).map(|(account, _)| account);
                if let Some(account) = named.or(Some(value)).filter(|text| is_account(text)) {
                    self.account(at, account, scope);
                    if named.is_some() && !value.contains('*') {
                        self.arns.insert(value.to_owned());
                    }
                }
            }
            PrincipalKind::Federated => {
                if let Some((account, _)) = arn_account(value) {
                    self.account(at, account, scope);
                }
            }
            PrincipalKind::Service | PrincipalKind::CanonicalUser | PrincipalKind::Unknown => {}
        }
    }

    fn account(&mut self, at: usize, account: &str, scope: &Scope) {
        if is_account(account) && !scope.is_ours(account) {
            self.accounts.entry(at).or_default().insert(account.to_owned());
        }
    }

    fn organization(&mut self, at: usize, text: &str, scope: &Scope) {
        let organization = text.split('/').next().unwrap_or(text);
        let whole = organization.starts_with("o-") && !organization.contains(['*', '?']);
        if whole && !scope.trust.organizations.contains(organization) {
            self.organizations
                .entry(at)
                .or_default()
                .insert(organization.to_owned());
        }
    }

    fn value(&mut self, at: usize, class: Class, text: &str, scope: &Scope) {
        use crate::keys::Id;
        match class {
            Class::Account | Class::SourceAccount | Class::AccessPointAccount | Class::Endpoint(Id::Account) => {
                self.account(at, text, scope);
            }
            Class::Arn
            | Class::SourceArn
            | Class::ServiceContext
            | Class::AccessPointArn
            | Class::UploadKey
            | Class::OwnArn
            | Class::Endpoint(Id::VpcArn) => {
                for run in text.split(|character: char| !character.is_ascii_digit()) {
                    self.account(at, run, scope);
                }
            }
            Class::Organization
            | Class::OrgPaths
            | Class::SourceOrganization
            | Class::SourceOrgPaths
            | Class::Endpoint(Id::Organization | Id::OrgPath) => {
                self.organization(at, text, scope);
                if text.chars().any(|character| character.is_ascii_uppercase()) {
                    self.organization(at, &text.to_ascii_lowercase(), scope);
                }
            }
            // A federated user's is its account and its name.
            Class::UserId => self.account(at, text.split(':').next().unwrap_or(text), scope),
            _ => {}
        }
    }
}

/// The literals as a set to keep away from.
pub(super) fn avoid(pool: &Pool) -> HashSet<String> {
    pool.literals.iter().cloned().collect()
}
