//! What a policy speaks of: keys with the values it compares them to, accounts, organisations, principals.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use crate::condition::{Comparison, Pattern, Quantifier};
use crate::evaluate::{account_of, arn_account, is_account};
use crate::glob::Glob;
use crate::judge::Scope;
use crate::keys::{self, Class};
use crate::network::Cidr;
use crate::parse::{Effect, Policy, PrincipalKind};

/// The values that conditions compare a key to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    pub literals: BTreeSet<String>,
    pub globs: Vec<Glob>,
    pub numbers: Vec<f64>,
    pub moments: Vec<f64>,
    pub networks: Vec<Vec<Cidr>>,
    pub bools: bool,
    /// Some condition takes the key to have one value.
    pub single: bool,
}

impl Pool {
    fn add(&mut self, comparison: Comparison, pattern: &Pattern) {
        match pattern {
            Pattern::Text(text) => {
                self.literals.insert(text.clone());
                if comparison == Comparison::EqualsIgnoreCase {
                    self.literals.insert(text.to_lowercase());
                }
            }
            Pattern::Glob(glob) | Pattern::LooseArn(glob) => match glob.as_literal() {
                Some(literal) => drop(self.literals.insert(literal)),
                None if !self.globs.contains(glob) => self.globs.push(glob.clone()),
                None => {}
            },
            Pattern::Number(number) => self.numbers.push(*number),
            Pattern::Moment(moment) => self.moments.push(*moment),
            Pattern::Bool(_) => self.bools = true,
            Pattern::Cidr(_) | Pattern::Invalid => {}
        }
    }
}

/// One condition key of the policy.
pub(crate) struct Key {
    pub name: String,
    pub class: Class,
    pub pool: Pool,
    /// Statement and condition indices where it is compared.
    pub conditions: Vec<(usize, usize)>,
    /// Compared to, or used as, a policy variable.
    pub linked: bool,
    /// As a variable, what it would have to be to match what its counterpart is compared to.
    pub mirrored: BTreeSet<String>,
}

/// What searching for texts may cost for one statement: pattern positions visited.
const WORK: usize = 30_000;

/// What a policy speaks of.
pub(crate) struct Survey {
    pub keys: Vec<Key>,
    pub index: BTreeMap<String, usize>,
    /// Untrusted accounts that each statement names.
    pub accounts: Vec<BTreeSet<String>>,
    /// Accounts that only a wildcard lets in.
    pub wild_accounts: BTreeSet<String>,
    /// Untrusted organisations that each statement names.
    pub organizations: Vec<BTreeSet<String>>,
    pub wild_organizations: BTreeSet<String>,
    /// ARNs that statements name as principals.
    pub arns: BTreeSet<String>,
    /// Statements looked at; the others say nothing here.
    pub included: Vec<usize>,
    /// Accounts that a policy can't tell from another that it names.
    pub alike: BTreeSet<String>,
    pub names: Names,
    /// What the searches for texts may still cost, and what they came to.
    pub work: Cell<usize>,
}

/// Ids and texts that a policy does not name.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub partition: String,
    /// An account that nobody named.
    pub stranger: String,
    /// A member account of an organisation that somebody named.
    pub member: String,
    /// A stranger's organisation.
    pub strange_organization: String,
    /// A text that the policy does not hold.
    pub fresh: String,
    /// Another one, for values that have to differ.
    pub other: String,
    text: Rc<str>,
}

impl Names {
    pub(crate) fn new(policy: &Policy, scope: &Scope) -> Self {
        let text: Rc<str> = policy.text().to_ascii_lowercase().into();
        let account = |first: u64| {
            let mut accounts = (first..).map(|account| account.to_string());
            let new = accounts.find(|account| !text.contains(account.as_str()) && !is_ours(account, scope));
            new.unwrap_or_default()
        };
        Self {
            partition: partition(policy, scope),
            stranger: account(999_988_887_777),
            member: account(555_566_667_777),
            strange_organization: unnamed(&text, "o-attacker0"),
            fresh: unnamed(&text, "attacker-value-"),
            other: unnamed(&text, "other-value-"),
            text,
        }
    }

    /// An id with that beginning which the policy does not name.
    pub(crate) fn unnamed(&self, start: &str) -> String {
        unnamed(&self.text, start)
    }
}

impl Survey {
    /// All of a policy.
    pub(crate) fn new(policy: &Policy, scope: &Scope) -> Self {
        let all: Vec<usize> = (0..policy.statements().len()).collect();
        Self::of(policy, scope, Names::new(policy, scope), all)
    }

    /// Some statements of a policy: an Allow and the Denies that touch it need none of the others.
    pub(crate) fn of(policy: &Policy, scope: &Scope, names: Names, included: Vec<usize>) -> Self {
        let count = policy.statements().len();
        let mut survey = Self {
            keys: Vec::new(),
            index: BTreeMap::new(),
            accounts: vec![BTreeSet::new(); count],
            wild_accounts: BTreeSet::new(),
            organizations: vec![BTreeSet::new(); count],
            wild_organizations: BTreeSet::new(),
            arns: BTreeSet::new(),
            included,
            alike: BTreeSet::new(),
            names,
            work: Cell::new(WORK),
        };
        for at in survey.included.clone() {
            let statement = &policy.statements()[at];
            if statement.effect == Effect::Neither {
                continue;
            }
            for principal in statement.principals.iter().flat_map(|selection| &selection.values) {
                survey.principal(at, principal.kind, &principal.value, scope);
            }
            for (nth, condition) in statement.conditions.iter().enumerate() {
                let key = survey.key(&condition.key);
                survey.keys[key].conditions.push((at, nth));
                survey.keys[key].pool.single |= condition.operator.quantifier == Quantifier::Single;
                let mut networks = Vec::new();
                for (template, pattern) in condition.values.iter().zip(&condition.patterns) {
                    if let Some(pattern) = pattern {
                        survey.keys[key].pool.add(condition.operator.comparison, pattern);
                        if let Pattern::Cidr(cidr) = pattern {
                            networks.push(*cidr);
                        }
                    }
                    survey.value(at, survey.keys[key].class, template.source(), scope);
                }
                if !networks.is_empty() {
                    survey.keys[key].pool.networks.push(networks);
                }
                let linked: Vec<String> = condition.linked().map(str::to_owned).collect();
                survey.keys[key].linked |= !linked.is_empty();
                survey.link(&linked);
            }
            let in_resources: Vec<String> = statement
                .resources
                .iter()
                .flat_map(|selection| &selection.values)
                .flat_map(|template| template.variables().map(str::to_owned))
                .collect();
            survey.link(&in_resources);
        }
        survey.alike = survey.alike(policy);
        survey.mirror(policy);
        // Whoever a statement names is somebody in particular, even if a wildcard covers them as well.
        let in_particular: BTreeSet<&String> = survey.accounts.iter().chain(&survey.organizations).flatten().collect();
        survey.wild_accounts.retain(|account| !in_particular.contains(account));
        survey
            .wild_organizations
            .retain(|organization| !in_particular.contains(organization));
        survey
    }

    /// A key compared to a variable has to match its own other conditions as well: what those want, the variable may have
    /// to be.
    fn mirror(&mut self, policy: &Policy) {
        let mut found: Vec<(usize, String)> = Vec::new();
        for key in &self.keys {
            let wanted = key
                .pool
                .globs
                .iter()
                .flat_map(|glob| [glob.filled(""), glob.filled("x")]);
            let wanted: Vec<String> = key.pool.literals.iter().cloned().chain(wanted).collect();
            for (at, nth) in &key.conditions {
                for value in &policy.statements()[*at].conditions[*nth].values {
                    let names: Vec<&str> = value.variables().collect();
                    let ([name], Some((before, after))) = (&names[..], value.around()) else {
                        continue;
                    };
                    let Some(&index) = self.index.get(*name) else { continue };
                    let inner = |text: &String| text.strip_prefix(before)?.strip_suffix(after).map(str::to_owned);
                    found.extend(wanted.iter().filter_map(inner).map(|text| (index, text)));
                }
            }
        }
        for (index, text) in found {
            self.keys[index].mirrored.insert(text);
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
                let Some(account) = account.and_then(|account| self.accounts[at].get(account)) else {
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
        if let Some(index) = self.index.get(name) {
            return *index;
        }
        let key = Key {
            name: name.to_owned(),
            class: keys::class(name),
            pool: Pool::default(),
            conditions: Vec::new(),
            linked: false,
            mirrored: BTreeSet::new(),
        };
        self.keys.push(key);
        self.index.insert(name.to_owned(), self.keys.len() - 1);
        self.keys.len() - 1
    }

    /// Texts that a key can well have where it is a policy variable: for resources and values built from it.
    pub(crate) fn instances(&self, name: &str) -> Vec<String> {
        let mut found = vec![self.names.fresh.clone(), self.names.other.clone()];
        let Some(key) = self.index.get(name).map(|index| &self.keys[*index]) else {
            return found;
        };
        if key.class == Class::Account {
            found = vec![self.names.stranger.clone(), "anonymous".to_owned()];
            found.extend(self.accounts.iter().flatten().cloned());
        }
        found.extend(key.pool.literals.iter().cloned());
        for glob in &key.pool.globs {
            for filler in ["", "x"] {
                found.push(glob.filled(filler));
            }
        }
        found.extend(key.mirrored.iter().cloned());
        let mut seen = BTreeSet::new();
        found.retain(|text| seen.insert(text.clone()));
        found
    }

    pub(crate) fn has(&self, wanted: impl Fn(Class) -> bool) -> bool {
        self.keys.iter().any(|key| wanted(key.class))
    }

    pub(crate) fn pool(&self, wanted: impl Fn(Class) -> bool) -> Pool {
        let mut pool = Pool::default();
        for key in self.keys.iter().filter(|key| wanted(key.class)) {
            pool.literals.extend(key.pool.literals.iter().cloned());
            pool.globs.extend(key.pool.globs.iter().cloned());
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
        if is_account(account) && !is_ours(account, scope) {
            self.accounts[at].insert(account.to_owned());
        }
    }

    fn organization(&mut self, at: usize, text: &str, scope: &Scope) {
        let organization = text.split('/').next().unwrap_or(text);
        if organization.contains(['*', '?']) {
            let filled = organization.replace('*', "").replace('?', "0");
            // An id has ten characters after "o-" at least.
            let filled = if filled.starts_with("o-") {
                filled
            } else {
                format!("o-{filled}")
            };
            if Glob::new(organization).matches(&filled) && !scope.trust.organizations.contains(&filled) {
                self.wild_organizations.insert(filled.clone());
            }
            let longer = organization
                .replacen('*', &self.names.unnamed("attacker0"), 1)
                .replace('*', "")
                .replace('?', "0");
            if longer.starts_with("o-") && !scope.trust.organizations.contains(&longer) {
                self.wild_organizations.insert(longer);
            }
        } else if organization.starts_with("o-") && !scope.trust.organizations.contains(organization) {
            self.organizations[at].insert(organization.to_owned());
        }
    }

    fn value(&mut self, at: usize, class: Class, text: &str, scope: &Scope) {
        use crate::keys::Id;
        match class {
            Class::Account | Class::SourceAccount | Class::AccessPointAccount | Class::Endpoint(Id::Account) => {
                if is_account(text) {
                    self.account(at, text, scope);
                } else {
                    self.wild_account(text, scope);
                }
            }
            Class::Arn
            | Class::SourceArn
            | Class::AccessPointArn
            | Class::UploadKey
            | Class::OwnArn
            | Class::Endpoint(Id::VpcArn) => {
                let component = text.split(':').nth(4).unwrap_or_default();
                for run in text.split(|character: char| !character.is_ascii_digit()) {
                    self.account(at, run, scope);
                }
                self.wild_account(component, scope);
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
            Class::UserId => self.account(at, text, scope),
            _ => {}
        }
    }

    /// An account that a wildcard lets in although the usual stranger is not it.
    fn wild_account(&mut self, pattern: &str, scope: &Scope) {
        let fixed = pattern.chars().filter(|character| *character != '*').count();
        if !pattern.contains(['*', '?']) || fixed > 12 || Glob::new(pattern).matches(&self.names.stranger) {
            return;
        }
        let filled = pattern
            .replacen('*', &"0".repeat(12 - fixed), 1)
            .replace('*', "")
            .replace('?', "0");
        if is_account(&filled) && Glob::new(pattern).matches(&filled) && !is_ours(&filled, scope) {
            self.wild_accounts.insert(filled);
        }
    }
}

/// A text with that beginning which the policy (in lower case) does not hold: whatever an id is compared to, the
/// stranger's is another.
fn unnamed(text: &str, start: &str) -> String {
    let mut names = (1_u32..).map(|number| format!("{start}{number}"));
    names
        .find(|name| !text.contains(&name.to_ascii_lowercase()))
        .unwrap_or_default()
}

pub(crate) fn is_ours(account: &str, scope: &Scope) -> bool {
    account == scope.owner || scope.trust.accounts.contains(account)
}

fn partition(policy: &Policy, scope: &Scope) -> String {
    let from = |arn: &str| {
        let name = arn.strip_prefix("arn:")?.split(':').next()?;
        (name.starts_with("aws") && !name.contains(['*', '?'])).then(|| name.to_owned())
    };
    let resources = policy
        .statements()
        .iter()
        .filter_map(|statement| statement.resources.as_ref());
    let principals = policy
        .statements()
        .iter()
        .filter_map(|statement| statement.principals.as_ref());
    scope
        .resource
        .and_then(from)
        .or_else(|| {
            resources
                .flat_map(|list| &list.values)
                .find_map(|template| from(template.source()))
        })
        .or_else(|| {
            principals
                .flat_map(|list| &list.values)
                .find_map(|principal| from(&principal.value))
        })
        .unwrap_or_else(|| "aws".to_owned())
}

/// The literals as a set to keep away from.
pub(crate) fn avoid(pool: &Pool) -> HashSet<String> {
    pool.literals.iter().cloned().collect()
}
