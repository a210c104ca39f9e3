//! The callers worth trying: one of each kind that a policy can tell apart.

use std::collections::{BTreeMap, BTreeSet};

use super::mentions::{Mentions, avoid};
use crate::classes::classes;
use crate::condition::Truth;
use crate::evaluate::{Caller, principal_matches};
use crate::glob::{Glob, Span, Token};
use crate::keys::{Class, class, is_shared_provider, shared_providers};
use crate::parse::{Policy, Principal, PrincipalKind, Selection, Statement};
use crate::principals::{
    ANONYMOUS_ID, PrincipalType, arn_account, host_of, is_canonical, principal_arn, principal_type,
};
use crate::scope::Scope;
use crate::service::Service;

/// How the request reaches the service. Without a VPC endpoint there is no `aws:SourceVpc`, with one no `aws:SourceIp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    Internet,
    Endpoint,
}

/// One kind of caller.
#[derive(Debug, Clone)]
pub(super) struct CallerProfile {
    pub caller: Caller,
    /// Anybody can be this caller; otherwise it is somebody in particular who is not trusted.
    pub anybody: bool,
    /// The caller's account, or the one that a service acts for.
    pub account: Option<String>,
    pub organization: Option<String>,
    pub network: Network,
    /// Whom an identity pool lets in without a login.
    pub guest: bool,
    pub unexplored: Unexplored,
}

/// What there may be that the policy can tell apart and that was not found: the caller stands for those as well.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Unexplored {
    pub arn: bool,
    /// Accounts and organisations.
    pub account: bool,
}

impl CallerProfile {
    fn of(caller: Caller, anybody: bool) -> Self {
        Self {
            caller,
            anybody,
            account: None,
            organization: None,
            network: Network::Internet,
            guest: false,
            unexplored: Unexplored::default(),
        }
    }
}

const COGNITO: &str = "cognito-identity.amazonaws.com";

/// Whether the statement tells who logged in to an identity pool from who did not.
fn speaks_of_logins(statement: &Statement) -> bool {
    let key = |name: &str| name.strip_suffix(":amr") == Some(COGNITO);
    statement.conditions.iter().any(|condition| key(&condition.key))
}

/// The callers worth trying on a statement.
pub(super) fn profiles(policy: &Policy, mentions: &Mentions, scope: &Scope, at: usize) -> Vec<CallerProfile> {
    let statement = &policy.statements()[at];
    let Some(principals) = &statement.principals else {
        return Vec::new();
    };
    let everyone = principals.negated || principals.values.iter().any(Principal::is_everyone);
    let networks = networks(mentions);
    let (accounts, organizations) = named(mentions);
    let mut people = Vec::new();
    let mut add = |one: CallerProfile| {
        for &network in &networks {
            people.push(CallerProfile { network, ..one.clone() });
        }
    };
    if everyone && scope.service.takes_anonymous() {
        add(CallerProfile::of(Caller::Anonymous, true));
    }
    let mut known: BTreeMap<String, (Vec<String>, bool)> = BTreeMap::new();
    for (account, organization, anybody) in members(mentions, &accounts, &organizations) {
        let (arns, complete) = known
            .entry(account.clone())
            .or_insert_with(|| arns(policy, mentions, &account));
        for arn in arns.iter() {
            let caller = Caller::Account {
                account: account.clone(),
                arn: arn.clone(),
            };
            if principal_matches(statement, &caller) != Truth::No {
                add(CallerProfile {
                    account: Some(account.clone()),
                    organization: organization.clone(),
                    unexplored: Unexplored {
                        arn: !*complete,
                        account: anybody && !mentions.complete,
                    },
                    ..CallerProfile::of(caller, anybody)
                });
            }
        }
    }
    let unsigned = |principal: &Principal| principal.value == ANONYMOUS_ID;
    if !principals.negated && principals.values.iter().any(unsigned) {
        add(CallerProfile::of(
            Caller::Canonical {
                id: ANONYMOUS_ID.to_owned(),
            },
            true,
        ));
    }
    for principal in principals.values.iter().filter(|principal| !unsigned(principal)) {
        let id = &principal.value;
        let fixed = match principal.kind {
            PrincipalKind::CanonicalUser => true,
            PrincipalKind::Aws => {
                is_canonical(id) || arn_account(id).is_some_and(|(account, _)| account == "cloudfront")
            }
            _ => false,
        };
        if fixed && !principals.negated && !scope.trust.has_id(id) {
            add(CallerProfile::of(Caller::Canonical { id: id.clone() }, false));
        }
    }
    for (provider, anybody) in providers(policy, mentions, scope, at) {
        // Guests come in only where a pool has them, so count them where the statement speaks of them.
        let guests = host_of(&provider) == COGNITO && speaks_of_logins(statement);
        let profile = CallerProfile::of(Caller::Federated { provider }, anybody);
        if guests {
            add(CallerProfile {
                guest: true,
                ..profile.clone()
            });
        }
        add(profile);
    }
    let services = services(principals, mentions, everyone);
    let mut profiles = people;
    for (account, organization, anybody) in members(mentions, &accounts, &organizations) {
        for name in &services {
            let caller = Caller::Service { name: name.clone() };
            if principal_matches(statement, &caller) != Truth::No {
                profiles.push(CallerProfile {
                    account: Some(account.clone()),
                    organization: organization.clone(),
                    unexplored: Unexplored {
                        arn: false,
                        account: anybody && !mentions.complete,
                    },
                    ..CallerProfile::of(caller, anybody)
                });
            }
        }
    }
    // Those whom anybody can be come first: their answer is the gravest.
    profiles.sort_by_key(|profile| !profile.anybody);
    profiles
}

/// The services that a statement is for.
fn services(principals: &Selection<Principal>, mentions: &Mentions, everyone: bool) -> BTreeSet<String> {
    let named = principals
        .values
        .iter()
        .filter(|one| one.kind == PrincipalKind::Service);
    let mut services: BTreeSet<String> = named.map(|one| one.value.clone()).collect();
    if everyone {
        services.extend(mentions.pool(|class| class == Class::ServiceName).literals);
        services.insert("sns.amazonaws.com".to_owned());
    }
    services
}

fn networks(mentions: &Mentions) -> Vec<Network> {
    let matters = |class| matches!(class, Class::SourceIp | Class::PrivateIp | Class::Endpoint(_));
    if mentions.has(matters) {
        vec![Network::Internet, Network::Endpoint]
    } else {
        vec![Network::Internet]
    }
}

/// Untrusted accounts and organisations that matter, one of those that are alike.
fn named(mentions: &Mentions) -> (BTreeSet<String>, BTreeSet<String>) {
    let accounts = mentions
        .accounts
        .values()
        .flatten()
        .filter(|account| !mentions.alike.contains(*account));
    (
        accounts.cloned().collect(),
        mentions.organizations.values().flatten().cloned().collect(),
    )
}

/// Accounts with their organisation, and whether anybody can have such a one.
fn members(
    mentions: &Mentions,
    accounts: &BTreeSet<String>,
    organizations: &BTreeSet<String>,
) -> Vec<(String, Option<String>, bool)> {
    let by_organization = mentions.has(|class| {
        matches!(
            class,
            Class::Organization | Class::OrgPaths | Class::SourceOrganization | Class::SourceOrgPaths
        )
    });
    let mut open: Vec<Option<String>> = vec![None];
    if by_organization {
        open.push(Some(mentions.names.strange_organization.clone()));
        open.extend(mentions.wild_organizations.iter().cloned().map(Some));
    }
    let mut members = Vec::new();
    for account in
        std::iter::once(mentions.names.stranger.as_str()).chain(mentions.wild_accounts.iter().map(String::as_str))
    {
        members.extend(
            open.iter()
                .map(|organization| (account.to_owned(), organization.clone(), true)),
        );
    }
    if by_organization {
        for organization in organizations {
            let kinds = mentions.members.iter();
            members.extend(kinds.map(|account| (account.clone(), Some(organization.clone()), false)));
        }
    }
    for account in accounts {
        for organization in &open {
            members.push((account.clone(), organization.clone(), false));
        }
        if by_organization {
            members.extend(
                organizations
                    .iter()
                    .map(|one| (account.clone(), Some(one.clone()), false)),
            );
        }
    }
    members
}

/// The principals of an account that the policy can tell apart, and whether that is all of them.
fn arns(policy: &Policy, mentions: &Mentions, account: &str) -> (Vec<String>, bool) {
    let partition = &mentions.names.partition;
    let mut pool = mentions.pool(|class| class == Class::Arn);
    let mut found = Vec::new();
    let linked: Vec<String> = mentions
        .keys
        .iter()
        .filter(|key| key.class == Class::Arn && key.linked)
        .flat_map(|key| &key.conditions)
        .flat_map(|(at, nth)| &policy.statements()[*at].conditions[*nth].values)
        .filter_map(|value| {
            value.glob(&|key| match class(key) {
                Class::Account => Some(account.to_owned()),
                _ => Some(mentions.names.fresh.clone()),
            })
        })
        .map(|glob| {
            if let Some(literal) = glob.as_literal() {
                literal
            } else {
                pool.group(vec![glob]);
                String::new()
            }
        })
        .collect();
    let avoid = avoid(&pool);
    let groups: Vec<&[Glob]> = pool.groups.iter().map(Vec::as_slice).collect();
    let mut complete = true;
    let anyone = mentions.names.unnamed("attacker-");
    found.push(format!("arn:{partition}:iam::{account}:role/{anyone}"));
    let mine = |arn: &&String| arn_account(arn).is_some_and(|(of, _)| of == account);
    found.extend(
        pool.literals
            .iter()
            .chain(&mentions.arns)
            .chain(&linked)
            .filter(mine)
            .cloned(),
    );
    let kinds = ["iam::{}:role/", "iam::{}:user/", "sts::{}:federated-user/"];
    let start = |kind: &str| format!("arn:{partition}:{}", kind.replace("{}", account));
    if !groups.is_empty() {
        for kind in kinds {
            // Names and paths of roles and users may hold colons, those of federated users not.
            let span = if kind.starts_with("sts") { Span::Part } else { Span::Any };
            let domain = Glob::literal(&start(kind)).then([Token::Many(span)]);
            let named = classes(&domain, &groups, &avoid, 'x', &mentions.work);
            complete &= named.complete;
            // A name has at least one character.
            let texts = named.texts.into_iter();
            found.extend(texts.map(|arn| if arn.ends_with('/') { arn + &anyone } else { arn }));
        }
    }
    let by_kind = mentions.has(|class| matches!(class, Class::UserName | Class::UserId | Class::CallerType));
    if by_kind || !groups.is_empty() {
        found.extend(kinds[1..].iter().map(|kind| format!("{}{anyone}", start(kind))));
    }
    if by_kind
        || mentions.has(|class| class == Class::Arn)
        || mentions
            .included
            .iter()
            .any(|&at| not_principal(&policy.statements()[at]))
    {
        found.push(format!("arn:{partition}:iam::{account}:root"));
    }
    // One of each that conditions and principals treat alike, but always one of each kind if kinds matter.
    let mut kept: Vec<(Vec<Truth>, Option<PrincipalType>, String)> = Vec::new();
    for arn in found {
        let caller = Caller::Account {
            account: account.to_owned(),
            arn: arn.clone(),
        };
        let mut signature: Vec<Truth> = mentions
            .included
            .iter()
            .map(|&at| principal_matches(&policy.statements()[at], &caller))
            .collect();
        let actual = [principal_arn(&arn)];
        for key in mentions.keys.iter().filter(|key| key.class == Class::Arn) {
            for (at, nth) in &key.conditions {
                let lookup = |name: &str| match class(name) {
                    Class::Account => Some(account.to_owned()),
                    _ => Some(mentions.names.fresh.clone()),
                };
                signature.push(policy.statements()[*at].conditions[*nth].holds(Some(&actual), &lookup, true));
            }
        }
        let kind = by_kind.then(|| principal_type(&arn));
        if !kept.iter().any(|known| known.0 == signature && known.1 == kind) {
            kept.push((signature, kind, arn));
        }
    }
    (kept.into_iter().map(|(.., arn)| arn).collect(), complete)
}

fn not_principal(statement: &Statement) -> bool {
    statement.principals.as_ref().is_some_and(|selection| selection.negated)
}

/// Identity providers that vouch for strangers.
fn providers(policy: &Policy, mentions: &Mentions, scope: &Scope, at: usize) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let Some(principals) = &policy.statements()[at].principals else {
        return found;
    };
    let is_trust = scope.service == Service::IamTrust;
    for principal in &principals.values {
        let value = &principal.value;
        if value == "*" || principals.negated {
            if is_trust || principal.kind == PrincipalKind::Federated {
                found.push(("accounts.google.com".to_owned(), true));
                // One that no statement names, and those that others name: a Deny may be about them.
                let unnamed = shared_providers().find(|host| !policy.text().contains(host));
                found.extend(unnamed.map(|host| (host.to_owned(), true)));
                let statements = mentions.included.iter().map(|&index| &policy.statements()[index]);
                let others = statements.flat_map(|one| one.principals.iter().flat_map(|all| &all.values));
                let shared =
                    others.filter(|one| one.kind == PrincipalKind::Federated && is_shared_provider(&one.value));
                found.extend(shared.map(|one| (one.value.clone(), true)));
                let (partition, stranger) = (&mentions.names.partition, &mentions.names.stranger);
                found.push((format!("arn:{partition}:iam::{stranger}:saml-provider/idp"), true));
                let hosts = mentions
                    .keys
                    .iter()
                    .filter_map(|key| key.name.rsplit_once(':').map(|(host, _)| host));
                found.extend(
                    hosts
                        .filter(|host| is_shared_provider(host))
                        .map(|host| (host.to_owned(), true)),
                );
            }
        } else if principal.kind == PrincipalKind::Federated {
            match arn_account(value) {
                Some((account, _)) if !scope.is_ours(account) => found.push((value.clone(), false)),
                Some((_, name)) => {
                    if name.strip_prefix("oidc-provider/").is_some_and(is_shared_provider) {
                        found.push((value.clone(), true));
                    }
                }
                None => found.push((value.clone(), true)),
            }
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|one| seen.insert(one.clone()));
    found
}
