//! Who might want in, and which values each can bring for a condition key.

use std::collections::{BTreeSet, HashSet};

use crate::condition::Truth;
use crate::evaluate::{Caller, arn_account, is_account, principal_matches};
use crate::glob::{Glob, classes};
use crate::judge::Scope;
use crate::keys::{Class, Id, is_shared_provider, tells_caller};
use crate::network::address_classes;
use crate::parse::{Effect, Policy, PrincipalKind};
use crate::survey::{MEMBER, Pool, STRANGE_ORGANIZATION, STRANGER, Survey, avoid, is_ours};

/// How the request reaches the service. Without a VPC endpoint there is no `aws:SourceVpc`, with one no `aws:SourceIp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    Internet,
    Endpoint,
}

/// One kind of caller.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub caller: Caller,
    /// Anybody can be this caller; otherwise it is somebody in particular who is not trusted.
    pub anybody: bool,
    /// The caller's account, or the one that a service acts for.
    pub account: Option<String>,
    pub organization: Option<String>,
    pub network: Network,
}

/// A value that a caller can bring.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// `None`: the key is missing.
    pub value: Option<Vec<String>>,
    /// Anybody can bring it; otherwise it takes something that is somebody's in particular.
    pub open: bool,
}

/// The callers worth trying on a statement.
pub(crate) fn worlds(policy: &Policy, survey: &Survey, scope: &Scope, at: usize) -> Vec<World> {
    let statement = &policy.statements()[at];
    let Some(principals) = &statement.principals else {
        return Vec::new();
    };
    let everyone = principals.negated || principals.values.iter().any(crate::parse::Principal::is_everyone);
    let networks = networks(survey);
    let (accounts, organizations) = named(policy, survey, at);
    let mut people = Vec::new();
    let mut add = |caller: &Caller, anybody: bool, account: Option<&str>, organization: Option<&str>| {
        for &network in &networks {
            people.push(World {
                caller: caller.clone(),
                anybody,
                account: account.map(str::to_owned),
                organization: organization.map(str::to_owned),
                network,
            });
        }
    };
    if everyone && scope.service.takes_anonymous() {
        add(&Caller::Anonymous, true, None, None);
    }
    for (account, organization, anybody) in members(survey, &accounts, &organizations) {
        for arn in arns(policy, survey, &account) {
            let caller = Caller::Account { account: account.clone(), arn };
            if principal_matches(statement, &caller) != Truth::No {
                add(&caller, anybody, Some(&account), organization.as_deref());
            }
        }
    }
    for principal in &principals.values {
        let id = &principal.value;
        let fixed = match principal.kind {
            PrincipalKind::CanonicalUser => true,
            PrincipalKind::Aws => is_canonical(id) || arn_account(id).is_some_and(|(account, _)| account == "cloudfront"),
            _ => false,
        };
        if fixed && !principals.negated && !scope.trust.has_id(id) {
            add(&Caller::Canonical { id: id.clone() }, false, None, None);
        }
    }
    for (provider, anybody) in providers(policy, survey, scope, at) {
        add(&Caller::Federated { provider }, anybody, None, None);
    }
    let mut services: BTreeSet<String> = principals
        .values
        .iter()
        .filter(|principal| principal.kind == PrincipalKind::Service)
        .map(|principal| principal.value.clone())
        .collect();
    if everyone {
        services.extend(survey.pool(|class| class == Class::ServiceName).literals);
        services.insert("sns.amazonaws.com".to_owned());
    }
    let mut worlds = people;
    for (account, organization, anybody) in members(survey, &accounts, &organizations) {
        for name in &services {
            let caller = Caller::Service { name: name.clone() };
            if principal_matches(statement, &caller) != Truth::No {
                worlds.push(World {
                    caller,
                    anybody,
                    account: Some(account.clone()),
                    organization: organization.clone(),
                    network: Network::Internet,
                });
            }
        }
    }
    // Those whom anybody can be come first: their answer is the gravest.
    worlds.sort_by_key(|world| !world.anybody);
    worlds
}

fn networks(survey: &Survey) -> Vec<Network> {
    let matters = |class| matches!(class, Class::SourceIp | Class::PrivateIp | Class::Endpoint(_));
    if survey.has(matters) { vec![Network::Internet, Network::Endpoint] } else { vec![Network::Internet] }
}

/// Untrusted accounts and organisations that matter to a statement: it or a Deny names them.
fn named(policy: &Policy, survey: &Survey, at: usize) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut accounts = BTreeSet::new();
    let mut organizations = BTreeSet::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        if index == at || statement.effect == Effect::Deny {
            accounts.extend(survey.accounts[index].iter().cloned());
            organizations.extend(survey.organizations[index].iter().cloned());
        }
    }
    (accounts, organizations)
}

/// Accounts with their organisation, and whether anybody can have such a one.
fn members(
    survey: &Survey,
    accounts: &BTreeSet<String>,
    organizations: &BTreeSet<String>,
) -> Vec<(String, Option<String>, bool)> {
    let by_organization = survey.has(|class| {
        matches!(
            class,
            Class::Organization | Class::OrgPaths | Class::SourceOrganization | Class::SourceOrgPaths
        )
    });
    let mut open: Vec<Option<String>> = vec![None];
    if by_organization {
        open.push(Some(STRANGE_ORGANIZATION.to_owned()));
        open.extend(survey.wild_organizations.iter().cloned().map(Some));
    }
    let mut members = Vec::new();
    for account in std::iter::once(STRANGER).chain(survey.wild_accounts.iter().map(String::as_str)) {
        members.extend(open.iter().map(|organization| (account.to_owned(), organization.clone(), true)));
    }
    if by_organization {
        for organization in organizations {
            members.push((MEMBER.to_owned(), Some(organization.clone()), false));
        }
    }
    for account in accounts {
        for organization in &open {
            members.push((account.clone(), organization.clone(), false));
        }
        if by_organization {
            members.extend(organizations.iter().map(|one| (account.clone(), Some(one.clone()), false)));
        }
    }
    members
}

/// The principals of an account that the policy can tell apart.
fn arns(policy: &Policy, survey: &Survey, account: &str) -> Vec<String> {
    let partition = &survey.partition;
    let mut pool = survey.pool(|class| class == Class::Arn);
    let mut found = Vec::new();
    let linked: Vec<String> = survey
        .keys
        .iter()
        .filter(|key| key.class == Class::Arn && key.linked)
        .flat_map(|key| &key.conditions)
        .flat_map(|(at, nth)| &policy.statements()[*at].conditions[*nth].values)
        .filter_map(|value| {
            value.glob(&|key| match crate::keys::class(key) {
                Class::Account => Some(account.to_owned()),
                _ => Some(FRESH.to_owned()),
            })
        })
        .map(|glob| match glob.as_literal() {
            Some(literal) => literal,
            None => {
                pool.globs.push(glob);
                String::new()
            }
        })
        .collect();
    let avoid = avoid(&pool);
    let globs: Vec<&Glob> = pool.globs.iter().collect();
    found.push(format!("arn:{partition}:iam::{account}:role/attacker"));
    let mine = |arn: &&String| arn_account(arn).is_some_and(|(of, _)| of == account);
    found.extend(pool.literals.iter().chain(&survey.arns).chain(&linked).filter(mine).cloned());
    if !globs.is_empty() {
        for kind in ["role", "user"] {
            let domain = Glob::new(&format!("arn:{partition}:iam::{account}:{kind}/*"));
            let named = classes(&domain, &globs, &avoid, 'x').texts;
            // A name has at least one character.
            found.extend(named.into_iter().map(|arn| if arn.ends_with('/') { arn + "attacker" } else { arn }));
        }
    }
    let by_kind = survey.has(|class| matches!(class, Class::UserName | Class::UserId | Class::CallerType));
    if by_kind || !globs.is_empty() {
        found.push(format!("arn:{partition}:iam::{account}:user/attacker"));
    }
    if by_kind || survey.has(|class| class == Class::Arn) || policy.statements().iter().any(not_principal) {
        found.push(format!("arn:{partition}:iam::{account}:root"));
    }
    // One of each that conditions and principals treat alike, but always one of each kind if kinds matter.
    let mut kept: Vec<(Vec<Truth>, String)> = Vec::new();
    for arn in found {
        let caller = Caller::Account { account: account.to_owned(), arn: arn.clone() };
        let mut signature: Vec<Truth> =
            policy.statements().iter().map(|statement| principal_matches(statement, &caller)).collect();
        let actual = [principal_arn(&arn)];
        for key in survey.keys.iter().filter(|key| key.class == Class::Arn) {
            for (at, nth) in &key.conditions {
                let lookup = |name: &str| match crate::keys::class(name) {
                    Class::Account => Some(account.to_owned()),
                    _ => Some(FRESH.to_owned()),
                };
                signature.push(policy.statements()[*at].conditions[*nth].holds(Some(&actual), &lookup, true));
            }
        }
        if by_kind {
            signature.push(arn.contains(":user/").into());
            signature.push(arn.ends_with(":root").into());
        }
        if !kept.iter().any(|(known, _)| *known == signature) {
            kept.push((signature, arn));
        }
    }
    kept.into_iter().map(|(_, arn)| arn).collect()
}

fn not_principal(statement: &crate::parse::Statement) -> bool {
    statement.principals.as_ref().is_some_and(|selection| selection.negated)
}

/// A canonical user id: 64 hexadecimal digits.
pub(crate) fn is_canonical(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `aws:PrincipalArn`: for a session it is the role's ARN.
pub(crate) fn principal_arn(arn: &str) -> String {
    let Some((account, session)) = arn_account(arn) else {
        return arn.to_owned();
    };
    match session.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next()) {
        Some(role) => {
            let partition = arn.split(':').nth(1).unwrap_or("aws");
            format!("arn:{partition}:iam::{account}:role/{role}")
        }
        None => arn.to_owned(),
    }
}

/// Identity providers that vouch for strangers.
fn providers(policy: &Policy, survey: &Survey, scope: &Scope, at: usize) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let Some(principals) = &policy.statements()[at].principals else {
        return found;
    };
    let is_trust = scope.service == crate::service::Service::IamTrust;
    for principal in &principals.values {
        let value = &principal.value;
        if value == "*" || principals.negated {
            if is_trust || principal.kind == PrincipalKind::Federated {
                found.push(("accounts.google.com".to_owned(), true));
                let hosts = survey.keys.iter().filter_map(|key| key.name.rsplit_once(':').map(|(host, _)| host));
                found.extend(hosts.filter(|host| is_shared_provider(host)).map(|host| (host.to_owned(), true)));
            }
        } else if principal.kind == PrincipalKind::Federated {
            match arn_account(value) {
                Some((account, _)) if !is_ours(account, scope) => found.push((value.clone(), false)),
                Some((_, name)) => {
                    if name.strip_prefix("oidc-provider/").is_some_and(is_shared_provider) {
                        found.push((value.clone(), true));
                    }
                }
                None => found.push((value.clone(), true)),
            }
        }
    }
    found
}

/// A text that no policy names.
pub(crate) const FRESH: &str = "attacker-value";

/// The values that a caller can bring for a key, and whether that is all of them.
pub(crate) struct Values {
    pub candidates: Vec<Candidate>,
    pub complete: bool,
}

struct Builder<'a> {
    pool: &'a Pool,
    candidates: Vec<Candidate>,
    complete: bool,
}

impl Builder<'_> {
    fn missing(&mut self) {
        self.candidates.push(Candidate { value: None, open: true });
    }

    fn one(&mut self, value: impl Into<String>, open: bool) {
        self.candidates.push(Candidate { value: Some(vec![value.into()]), open });
    }

    /// One text for each way the patterns can be met within a domain.
    fn within(&mut self, domain: &str, arn: bool, filler: char, accept: &dyn Fn(&str) -> Option<bool>) {
        let domain = Glob::new(domain);
        let domain = if arn { domain.clone().into_arn().unwrap_or(domain) } else { domain };
        for literal in self.pool.literals.iter().filter(|literal| domain.matches(literal)) {
            if let Some(open) = accept(literal) {
                self.candidates.push(Candidate { value: Some(vec![literal.clone()]), open });
            }
        }
        if self.pool.globs.is_empty() {
            return;
        }
        let globs: Vec<&Glob> = self.pool.globs.iter().collect();
        let classes = classes(&domain, &globs, &avoid(self.pool), filler);
        self.complete &= classes.complete;
        for text in classes.texts {
            if let Some(open) = accept(&text) {
                self.candidates.push(Candidate { value: Some(vec![text]), open });
            }
        }
    }

    fn anything(&mut self) {
        if self.pool.bools {
            self.one("true", true);
            self.one("false", true);
        }
        if self.pool.numbers.is_empty() && self.pool.moments.is_empty() && self.pool.networks.is_empty() {
            self.one(FRESH, true);
        }
        for number in self.pool.numbers.iter().chain(&self.pool.moments) {
            for near in [*number, number - 1.0, number + 1.0] {
                self.one(near.to_string(), true);
            }
        }
        for network in self.pool.networks.iter().flatten() {
            let text = |number: u128| {
                if network.v6 {
                    std::net::IpAddr::from(number.to_be_bytes()).to_string()
                } else {
                    std::net::IpAddr::from(u32::try_from(number).unwrap_or_default().to_be_bytes()).to_string()
                }
            };
            self.one(text(network.first), true);
            self.one(text(network.last), true);
            for outside in [network.first.checked_sub(1), network.last.checked_add(1)].into_iter().flatten() {
                if network.v6 || u32::try_from(outside).is_ok() {
                    self.one(text(outside), true);
                }
            }
        }
        self.within("*", false, 'x', &|_| Some(true));
        // A key with several values, as the set operators read them.
        if self.pool.literals.len() > 1 && self.pool.literals.len() < 12 {
            self.candidates.push(Candidate { value: Some(self.pool.literals.iter().cloned().collect()), open: true });
        }
    }
}

/// What `world` can bring for key number `key`; `pool` is the key's, with its variables filled in.
pub(crate) fn values(survey: &Survey, scope: &Scope, world: &World, key: usize, pool: &Pool, now: f64) -> Values {
    let known = &survey.keys[key];
    let mut builder = Builder { pool, candidates: Vec::new(), complete: true };
    let signed = !matches!(world.caller, Caller::Anonymous | Caller::Federated { .. });
    let is_service = matches!(world.caller, Caller::Service { .. });
    let partition = &survey.partition;
    match known.class {
        Class::Account => match &world.caller {
            Caller::Anonymous if known.name == "aws:principalaccount" => builder.one("anonymous", true),
            Caller::Account { account, .. } => builder.one(account, true),
            _ => builder.missing(),
        },
        Class::Arn => match &world.caller {
            Caller::Account { arn, .. } => builder.one(principal_arn(arn), true),
            Caller::Canonical { id } if id.starts_with("arn:") => builder.one(id, true),
            _ => builder.missing(),
        },
        Class::Organization if !is_service => match &world.organization {
            Some(organization) => builder.one(organization, true),
            None => builder.missing(),
        },
        Class::SourceOrganization if is_service => {
            if let Some(organization) = &world.organization {
                builder.one(organization, true);
            }
            builder.missing();
        }
        Class::OrgPaths if !is_service => org_paths(&mut builder, scope, world),
        Class::SourceOrgPaths if is_service => {
            org_paths(&mut builder, scope, world);
            builder.missing();
        }
        Class::UserId => user_id(&mut builder, scope, world),
        Class::UserName => match &world.caller {
            Caller::Account { arn, .. } if arn.contains(":user/") => builder.anything(),
            _ => builder.missing(),
        },
        Class::CallerType => match &world.caller {
            Caller::Anonymous => builder.one("Anonymous", true),
            Caller::Account { arn, .. } if arn.contains(":user/") => builder.one("User", true),
            Caller::Account { arn, .. } if arn.ends_with(":root") => builder.one("Account", true),
            Caller::Account { .. } => builder.one("AssumedRole", true),
            _ => builder.missing(),
        },
        Class::IsService => match &world.caller {
            Caller::Service { .. } => builder.one("true", true),
            Caller::Account { .. } | Caller::Canonical { .. } => builder.one("false", true),
            _ => builder.missing(),
        },
        Class::ServiceName => match &world.caller {
            Caller::Service { name } => builder.one(name, true),
            _ => builder.missing(),
        },
        Class::SourceIp if world.network == Network::Internet && !is_service => addresses(&mut builder, scope),
        Class::PrivateIp if world.network == Network::Endpoint => builder.anything(),
        Class::Endpoint(id) if world.network == Network::Endpoint => endpoint(&mut builder, survey, scope, world, id),
        Class::SourceAccount if is_service || tells_caller(scope.service, &known.name) => {
            if let Some(account) = &world.account {
                builder.one(account, true);
            }
            builder.missing();
        }
        Class::SourceArn if is_service => {
            let account = world.account.as_deref().unwrap_or(STRANGER);
            source_arns(&mut builder, partition, account, world.anybody);
            builder.missing();
        }
        Class::OwnArn => {
            builder.missing();
            if let Caller::Account { account, .. } = &world.caller {
                builder.within(&format!("arn:{partition}:*:*:{account}:*"), true, 'x', &|_| Some(true));
            }
        }
        Class::AccessPointArn if scope.service == crate::service::Service::S3AccessPoint => {
            // It is this access point's own ARN.
            match scope.resource {
                Some(arn) => builder.one(arn, true),
                None => {
                    let domain = format!("arn:{partition}:s3:*:{}:accesspoint/*", scope.owner);
                    builder.one(domain.replace('*', "x"), true);
                    builder.within(&domain, true, 'x', &|_| Some(true));
                }
            }
        }
        Class::AccessPointAccount if scope.service == crate::service::Service::S3AccessPoint => {
            builder.one(scope.owner, true);
        }
        Class::AccessPointArn => {
            builder.missing();
            for (account, open) in anyones(survey, world) {
                let domain = format!("arn:{partition}:s3:*:{account}:accesspoint/*");
                builder.one(domain.replace('*', "x"), open);
                builder.within(&domain, true, 'x', &|_| Some(open));
            }
        }
        Class::AccessPointAccount => {
            builder.missing();
            anyones(survey, world).into_iter().for_each(|(account, open)| builder.one(account, open));
        }
        Class::UploadKey => {
            builder.missing();
            if signed {
                for (account, open) in anyones(survey, world) {
                    for kind in ["key", "alias"] {
                        let domain = format!("arn:{partition}:kms:*:{account}:{kind}/*");
                        builder.one(domain.replace('*', "x"), open);
                        builder.within(&domain, true, 'x', &|_| Some(open));
                    }
                }
                // A bare key id says nothing of whose it is.
                for literal in pool.literals.iter().filter(|literal| !literal.starts_with("arn:")) {
                    builder.one(literal, false);
                }
            }
        }
        Class::ResourceAccount => builder.one(scope.owner, true),
        Class::ResourceOrganization => resource_organization(&mut builder, scope),
        Class::Clock => {
            builder.one(now.to_string(), true);
            builder.one((now + 3.2e9).to_string(), true);
            for moment in pool.moments.iter().chain(&pool.numbers) {
                for near in [*moment, moment - 1.0, moment + 1.0] {
                    if near > now {
                        builder.one(near.to_string(), true);
                    }
                }
            }
        }
        Class::Audience | Class::Subject | Class::Claim => claim(&mut builder, &known.name, known.class, world),
        Class::MountTarget => {
            builder.missing();
            builder.one("false", true);
        }
        Class::Secret => {
            builder.missing();
            builder.one(FRESH, true);
            let secrets = &pool.literals;
            builder.within("*", false, 'x', &|text| (!secrets.contains(text)).then_some(true));
        }
        Class::Free { signed: true, .. } if !signed => builder.missing(),
        Class::Free { always, .. } => {
            if !always {
                builder.missing();
            }
            builder.anything();
        }
        Class::Unknown => {
            builder.missing();
            builder.anything();
        }
        _ => builder.missing(),
    }
    Values { candidates: builder.candidates, complete: builder.complete }
}

fn org_paths(builder: &mut Builder, scope: &Scope, world: &World) {
    let Some(organization) = &world.organization else {
        builder.missing();
        return;
    };
    let trusted = |path: &str| scope.trust.has_path(path);
    builder.one(format!("{organization}/r-x/ou-x/"), true);
    builder.within(&format!("{organization}/*"), false, 'x', &|path| (!trusted(path)).then_some(true));
}

fn user_id(builder: &mut Builder, scope: &Scope, world: &World) {
    let Caller::Account { account, arn } = &world.caller else {
        match world.caller {
            Caller::Anonymous => builder.one("anonymous", true),
            _ => builder.missing(),
        }
        return;
    };
    if arn.ends_with(":root") {
        builder.one(account, true);
        return;
    }
    let named: HashSet<String> = builder
        .pool
        .literals
        .iter()
        .cloned()
        .chain(builder.pool.globs.iter().map(Glob::prefix))
        .filter_map(|text| {
            let complete = text.contains(':') || builder.pool.literals.contains(&text);
            complete.then(|| text.split(':').next().unwrap_or_default().to_owned())
        })
        .collect();
    let grade = |text: &str| {
        let id = text.split(':').next().unwrap_or(text);
        if named.contains(id) { (!scope.trust.has_id(text)).then_some(false) } else { Some(true) }
    };
    if arn.contains(":user/") {
        builder.one("AIDAATTACKER000000000", true);
        builder.within("AIDA*", false, 'X', &|text| (!text.contains(':')).then(|| grade(text)).flatten());
    } else {
        builder.one("AROAATTACKER000000000:attacker", true);
        builder.within("AROAATTACKER000000000:*", false, 'x', &|_| Some(true));
        builder.within("AROA*:*", false, 'X', &grade);
    }
}

fn addresses(builder: &mut Builder, scope: &Scope) {
    let trusted = scope.trust.cidrs();
    for class in address_classes(&builder.pool.networks, &trusted) {
        builder.one(class.example, class.broad);
    }
    let outside = |text: &str| {
        let address: std::net::IpAddr = text.parse().ok()?;
        let ours = trusted.iter().chain(&crate::network::private()).any(|range| range.contains(address));
        (!ours).then_some(())
    };
    for literal in &builder.pool.literals {
        if outside(literal).is_some() {
            builder.candidates.push(Candidate { value: Some(vec![literal.clone()]), open: false });
        }
    }
    // Text patterns on an address: a whole first octet is a network, less than that is the internet.
    for glob in &builder.pool.globs {
        let prefix = glob.prefix();
        let text = ["", "8", "8.8", "8.8.8", "8.8.8.8", ".8", ".8.8", ".8.8.8"]
            .iter()
            .flat_map(|tail| [format!("{prefix}{tail}"), format!("{prefix}{tail}1")])
            .find(|text| outside(text).is_some() && glob.matches(text));
        if let Some(text) = text {
            let open = !prefix.contains('.') && !prefix.contains(':');
            builder.candidates.push(Candidate { value: Some(vec![text]), open });
        }
    }
}

fn endpoint(builder: &mut Builder, survey: &Survey, scope: &Scope, world: &World, id: Id) {
    let literals = builder.pool.literals.clone();
    let trust = scope.trust;
    let partition = &survey.partition;
    match id {
        Id::Vpc | Id::VpcEndpoint => {
            let (kind, ours) = if id == Id::Vpc { ("vpc", &trust.vpcs) } else { ("vpce", &trust.vpc_endpoints) };
            builder.one(format!("{kind}-attacker000000001"), true);
            builder.within(&format!("{kind}-*"), false, '0', &|text| {
                (!ours.contains(text)).then(|| !literals.contains(text))
            });
        }
        Id::VpcArn => {
            builder.missing();
            let ours = |arn: &str| {
                trust.vpcs.contains(arn) || arn.rsplit('/').next().is_some_and(|id| trust.vpcs.contains(id))
            };
            for (account, open) in anyones(survey, world) {
                let domain = format!("arn:{partition}:ec2:*:{account}:vpc/*");
                builder.one(domain.replace('*', "x"), open);
                builder.within(&domain, true, 'x', &|arn| (!ours(arn)).then_some(open));
            }
        }
        Id::Account => {
            builder.missing();
            anyones(survey, world).into_iter().for_each(|(account, open)| builder.one(account, open));
        }
        Id::Organization | Id::OrgPath => {
            builder.missing();
            let fixed = survey.organizations.iter().flatten().map(|one| (one.clone(), false));
            let open = survey.wild_organizations.iter().map(|one| (one.clone(), true));
            let all: Vec<_> =
                std::iter::once((STRANGE_ORGANIZATION.to_owned(), true)).chain(open).chain(fixed).collect();
            for (organization, open) in all {
                if id == Id::Organization {
                    builder.one(organization, open);
                } else {
                    builder.one(format!("{organization}/r-x/ou-x/"), open);
                    let domain = format!("{organization}/*");
                    builder.within(&domain, false, 'x', &|path| (!trust.has_path(path)).then_some(open));
                }
            }
        }
    }
}

/// Accounts whose things a caller can bring along: anybody's, and those that somebody in particular has.
fn anyones(survey: &Survey, world: &World) -> Vec<(String, bool)> {
    let mut accounts: Vec<(String, bool)> = vec![(STRANGER.to_owned(), true)];
    accounts.extend(survey.wild_accounts.iter().map(|account| (account.clone(), true)));
    let own = world.account.iter().map(|account| (account.clone(), true));
    accounts.extend(own.filter(|(account, _)| is_account(account)));
    accounts.extend(survey.accounts.iter().flatten().map(|account| (account.clone(), false)));
    let mut seen = HashSet::new();
    accounts.retain(|(account, _)| seen.insert(account.clone()));
    accounts
}

/// ARNs of what an account may have. Names in them hold no colon, so none can carry another account's id in it.
fn source_arns(builder: &mut Builder, partition: &str, account: &str, anybody: bool) {
    const KINDS: [&str; 8] =
        ["function", "alarm", "log-group", "stateMachine", "db", "cluster", "secret", "backup-vault"];
    builder.one(format!("arn:{partition}:sns:us-east-1:{account}:attacker"), true);
    let tail = |resource: &str| {
        let mut tokens = Glob::new(&format!("arn:{partition}:*:*:{account}:")).into_arn().map_or(Vec::new(), Glob::into_tokens);
        tokens.extend(resource.chars().map(crate::glob::Token::Char));
        tokens.push(crate::glob::Token::ManyInPart);
        Glob::from_tokens(tokens)
    };
    let mut domains = vec![tail("")];
    domains.extend(KINDS.iter().map(|kind| tail(&format!("{kind}:"))));
    if anybody {
        // A bucket's ARN names no account: anybody's bucket may be called what a wildcard leaves open.
        let mut tokens = Glob::literal(&format!("arn:{partition}:s3:::")).into_tokens();
        tokens.push(crate::glob::Token::ManyInPart);
        domains.push(Glob::from_tokens(tokens));
    }
    let globs: Vec<&Glob> = builder.pool.globs.iter().collect();
    let avoid = avoid(builder.pool);
    let mut texts = Vec::new();
    for domain in &domains {
        let owned = |literal: &&String| domain.matches(literal) && !literal.contains(":::");
        texts.extend(builder.pool.literals.iter().filter(owned).cloned());
        if !globs.is_empty() {
            let found = classes(domain, &globs, &avoid, 'x');
            builder.complete &= found.complete;
            texts.extend(found.texts);
        }
    }
    for text in texts {
        builder.one(text, true);
    }
}

fn resource_organization(builder: &mut Builder, scope: &Scope) {
    for organization in &scope.trust.organizations {
        builder.one(organization, true);
    }
    // It describes the resource: what the policy says of it may well be so.
    builder.within("*", false, 'x', &|_| Some(true));
    builder.one("o-ownersorg1", true);
    builder.missing();
}

fn claim(builder: &mut Builder, key: &str, class: Class, world: &World) {
    let Caller::Federated { provider } = &world.caller else {
        builder.missing();
        return;
    };
    let host = provider.split_once("oidc-provider/").map_or(provider.as_str(), |(_, host)| host);
    let (of, name) = key.rsplit_once(':').unwrap_or((key, ""));
    if of != host.to_ascii_lowercase() && !(of == "saml" && provider.contains("saml-provider/")) {
        builder.missing();
        return;
    }
    let pool = builder.pool;
    match class {
        Class::Audience => {
            builder.one("attacker-application", true);
            builder.within("*", false, 'x', &|text| (!pool.literals.contains(text)).then_some(true));
        }
        Class::Subject => {
            let tenants: Vec<String> = pool.globs.iter().filter_map(|glob| tenant(&glob.prefix())).collect();
            builder.one("repo:attacker-org/attacker-repo:ref:refs/heads/main", true);
            builder.one("attacker", true);
            builder.within("*", false, 'x', &|text| {
                let taken = pool.literals.contains(text) || tenants.iter().any(|tenant| text.starts_with(tenant));
                (!taken).then_some(true)
            });
            if name != "sub" {
                builder.missing();
            }
        }
        _ => {
            builder.missing();
            builder.anything();
        }
    }
}

/// The start of a subject that names one tenant whole: `repo:my-org/`, `organization:my-org:`, `my-org/`.
fn tenant(prefix: &str) -> Option<String> {
    let from = match prefix.find([':', '/']) {
        // "kind:tenant/…"
        Some(at) if prefix.as_bytes()[at] == b':' => at + 1,
        Some(at) => return Some(prefix[..=at].to_owned()),
        None => return None,
    };
    prefix[from..].find([':', '/']).map(|at| prefix[..=from + at].to_owned())
}
