//! Which values each caller can bring for a condition key: one of each kind that the policy can tell apart.

use std::collections::HashSet;

use super::callers::{CallerProfile, Network};
use super::candidates::{Candidates, Values};
use super::identity_values::{audience, claim, org_paths, user_id};
use super::mentions::{Key, Mentions, Pool};
use super::source_arns::{account_arns, source_arns};
use crate::evaluate::Caller;
use crate::keys::{Class, Id, Presence, has_own_session_name, is_boolean, own_arn, tells_caller};
use crate::network::{address_classes, private};
use crate::principals::{PrincipalType, host_of, is_account, principal_arn, principal_type};
use crate::scope::Scope;
use crate::service::Service;

/// What `profile` can bring for key number `key`; `pool` is the key's, with its variables filled in.
pub(super) fn values(
    mentions: &Mentions,
    scope: &Scope,
    profile: &CallerProfile,
    key: usize,
    pool: &Pool,
    now: f64,
) -> Values {
    let known = &mentions.keys[key];
    let mut candidates = Candidates::new(pool, mentions);
    let signed = !matches!(profile.caller, Caller::Anonymous | Caller::Federated { .. });
    let is_service = matches!(profile.caller, Caller::Service { .. });
    let partition = &mentions.names.partition;
    match known.class {
        Class::Account => match &profile.caller {
            Caller::Anonymous if known.name == "aws:principalaccount" => candidates.one("anonymous", true),
            Caller::Account { account, .. } => candidates.one(account, true),
            _ => candidates.missing(),
        },
        Class::Arn => match &profile.caller {
            Caller::Account { arn, .. } => candidates.one(principal_arn(arn), true),
            Caller::Canonical { id } if id.starts_with("arn:") => candidates.one(id, true),
            _ => candidates.missing(),
        },
        Class::Organization if !is_service => match &profile.organization {
            Some(organization) => candidates.one(organization, true),
            None => candidates.missing(),
        },
        Class::SourceOrganization if is_service => {
            if let Some(organization) = &profile.organization {
                candidates.one(organization, true);
            }
            candidates.missing();
        }
        Class::OrgPaths if !is_service => org_paths(&mut candidates, scope, profile),
        Class::SourceOrgPaths if is_service => {
            org_paths(&mut candidates, scope, profile);
            candidates.missing();
        }
        Class::UserId => user_id(&mut candidates, mentions, scope, profile),
        Class::UserName => match &profile.caller {
            Caller::Account { arn, .. } if principal_type(arn) == PrincipalType::User => candidates.anything(),
            _ => candidates.missing(),
        },
        Class::CallerType => match &profile.caller {
            Caller::Anonymous => candidates.one("Anonymous", true),
            Caller::Account { arn, .. } => {
                let kind = match principal_type(arn) {
                    PrincipalType::Root => "Account",
                    PrincipalType::User => "User",
                    PrincipalType::FederatedUser => "FederatedUser",
                    PrincipalType::Role => "AssumedRole",
                };
                candidates.one(kind, true);
            }
            _ => candidates.missing(),
        },
        Class::IsService => match &profile.caller {
            Caller::Service { .. } => candidates.one("true", true),
            Caller::Account { .. } | Caller::Canonical { .. } => candidates.one("false", true),
            _ => candidates.missing(),
        },
        Class::ServiceName => match &profile.caller {
            Caller::Service { name } => candidates.one(name, true),
            _ => candidates.missing(),
        },
        Class::SourceIp if profile.network == Network::Internet && !is_service => addresses(&mut candidates, scope),
        Class::PrivateIp if profile.network == Network::Endpoint => candidates.anything(),
        Class::Endpoint(id) if profile.network == Network::Endpoint => {
            endpoint(&mut candidates, mentions, scope, profile, id);
        }
        Class::InstanceVpc => {
            candidates.missing();
            if signed && !is_service {
                endpoint(&mut candidates, mentions, scope, profile, Id::Vpc);
            }
        }
        Class::SourceAccount if is_service || tells_caller(scope.service, &known.name) => {
            if let Some(account) = &profile.account {
                candidates.one(account, true);
            }
            candidates.missing();
        }
        Class::SourceArn | Class::ServiceContext if is_service => {
            candidates.missing();
            source_arns(&mut candidates, partition, profile);
        }
        Class::OwnArn => own_arns(&mut candidates, partition, &known.name, profile),
        Class::DirectoryUser => {
            candidates.missing();
            if let Caller::Account { .. } = &profile.caller {
                candidates.one(&mentions.names.fresh, true);
                let somebodys = |id: &str| (!scope.trust.has_id(id)).then(|| !pool.literals.contains(id));
                candidates.within("*", false, 'x', &somebodys);
            }
        }
        Class::OnBehalf => match &profile.caller {
            Caller::Account { .. } | Caller::Canonical { .. } => candidates.either(),
            _ => candidates.one("false", true),
        },
        Class::AccessPointArn if scope.service == Service::S3AccessPoint => {
            // It is this access point's own ARN.
            if let Some(arn) = scope.resource {
                candidates.one(arn, true);
            } else {
                let domain = format!("arn:{partition}:s3:*:{}:accesspoint/*", scope.owner);
                candidates.one(domain.replace('*', "x"), true);
                candidates.within(&domain, true, 'x', &|_| Some(true));
            }
        }
        Class::AccessPointAccount if scope.service == Service::S3AccessPoint => {
            candidates.one(scope.owner, true);
        }
        Class::AccessPointArn => access_points(&mut candidates, mentions, &known.name, profile),
        Class::AccessPointAccount => {
            candidates.missing();
            for (account, open) in anyones(mentions, profile) {
                candidates.one(account, open);
            }
        }
        Class::UploadKey => {
            candidates.missing();
            if signed {
                for (account, open) in anyones(mentions, profile) {
                    for kind in ["key", "alias"] {
                        let domain = format!("arn:{partition}:kms:*:{account}:{kind}/*");
                        candidates.one(domain.replace('*', "x"), open);
                        candidates.within(&domain, true, 'x', &|_| Some(open));
                    }
                }
                // A bare key id says nothing of whose it is.
                for literal in pool.literals.iter().filter(|literal| !literal.starts_with("arn:")) {
                    candidates.one(literal, false);
                }
            }
        }
        Class::ResourceAccount => candidates.one(scope.owner, true),
        Class::ResourceOrganization => resource_organization(&mut candidates, mentions, scope, known),
        Class::Clock => {
            candidates.one(now.to_string(), true);
            candidates.one((now + 3.2e9).to_string(), true);
            for moment in pool.moments.iter().chain(&pool.numbers) {
                for near in [*moment, moment - 1.0, moment + 1.0] {
                    if near > now {
                        candidates.one(near.to_string(), true);
                    }
                }
            }
        }
        Class::Audience | Class::Subject | Class::Claim => {
            claim(&mut candidates, mentions, &known.name, known.class, profile);
        }
        Class::SessionName => {
            let own = match &profile.caller {
                Caller::Federated { provider } => has_own_session_name(host_of(provider)),
                _ => false,
            };
            if own {
                audience(&mut candidates, mentions);
            } else {
                candidates.missing();
                candidates.anything();
            }
        }
        Class::MountTarget => {
            candidates.missing();
            candidates.one("false", true);
        }
        Class::Secret => {
            candidates.missing();
            candidates.one(&mentions.names.fresh, true);
            let secrets = &pool.literals;
            candidates.within("*", false, 'x', &|text| (!secrets.contains(text)).then_some(true));
        }
        Class::Free(Presence::Signed) if !signed => candidates.missing(),
        Class::Free(Presence::Principal) if !signed || is_service => candidates.missing(),
        Class::Free(presence) => {
            if presence != Presence::All {
                candidates.missing();
            }
            if is_boolean(&known.name) {
                candidates.either();
            } else {
                candidates.anything();
            }
        }
        Class::ServiceContext | Class::Unknown => {
            candidates.missing();
            candidates.anything();
        }
        _ => candidates.missing(),
    }
    candidates.values()
}

/// What a caller's own account has, of the kind that the key is about.
fn own_arns(candidates: &mut Candidates, partition: &str, key: &str, profile: &CallerProfile) {
    candidates.missing();
    if let Caller::Account { account, .. } = &profile.caller {
        let (service, rest) = own_arn(key);
        let domain = account_arns(partition, service, account, rest);
        candidates.one(domain.filled("x"), true);
        candidates.within_domain(&domain, 'x', &|_| true, &|_| Some(true));
    }
}

fn access_points(candidates: &mut Candidates, mentions: &Mentions, key: &str, profile: &CallerProfile) {
    candidates.missing();
    let service = key.split(':').next().unwrap_or("s3");
    let rest = if service == "s3-outposts" {
        "outpost/*/accesspoint/*"
    } else {
        "accesspoint/*"
    };
    for (account, open) in anyones(mentions, profile) {
        let domain = account_arns(&mentions.names.partition, service, &account, rest);
        candidates.one(domain.filled("x"), open);
        candidates.within_domain(&domain, 'x', &|_| true, &|_| Some(open));
    }
}

fn addresses(candidates: &mut Candidates, scope: &Scope) {
    let trusted = scope.trust.cidrs();
    for class in address_classes(&candidates.pool.networks, &trusted) {
        candidates.one(class.example, class.broad);
    }
    let outside = |text: &str| {
        let address: std::net::IpAddr = text.parse().ok()?;
        let ours = trusted.iter().chain(&private()).any(|range| range.contains(address));
        (!ours).then_some(())
    };
    for literal in &candidates.pool.literals {
        if outside(literal).is_some() {
            candidates.one(literal, false);
        }
    }
    // Text patterns on an address: a whole first octet is a network, less than that is the internet.
    for glob in candidates.pool.globs() {
        let prefix = glob.prefix();
        let text = ["", "8", "8.8", "8.8.8", "8.8.8.8", ".8", ".8.8", ".8.8.8"]
            .iter()
            .flat_map(|tail| [format!("{prefix}{tail}"), format!("{prefix}{tail}1")])
            .find(|text| outside(text).is_some() && glob.matches(text));
        if let Some(text) = text {
            let open = !prefix.contains('.') && !prefix.contains(':');
            candidates.one(text, open);
        }
    }
}

fn endpoint(candidates: &mut Candidates, mentions: &Mentions, scope: &Scope, profile: &CallerProfile, id: Id) {
    let literals = candidates.pool.literals.clone();
    let trust = scope.trust;
    let partition = &mentions.names.partition;
    match id {
        Id::Vpc | Id::VpcEndpoint => {
            let (kind, ours) = if id == Id::Vpc {
                ("vpc", &trust.vpcs)
            } else {
                ("vpce", &trust.vpc_endpoints)
            };
            candidates.one(mentions.names.unnamed(&format!("{kind}-attacker00000000")), true);
            candidates.within(&format!("{kind}-*"), false, '0', &|text| {
                (!ours.contains(text)).then(|| !literals.contains(text))
            });
        }
        Id::VpcArn => {
            candidates.missing();
            let id = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
            let ours = |arn: &str| trust.vpcs.contains(arn) || trust.vpcs.contains(&id(arn));
            // The id of a VPC is unique: who names it means one, whatever account it leaves open.
            let ends = candidates.pool.globs().map(|glob| id(&glob.suffix()));
            let fixed: HashSet<String> = literals.iter().map(|arn| id(arn)).chain(ends).collect();
            for (account, open) in anyones(mentions, profile) {
                let domain = account_arns(partition, "ec2", &account, "vpc/*");
                candidates.one(domain.filled("x"), open);
                candidates.within_domain(&domain, 'x', &|_| true, &|arn| {
                    (!ours(arn)).then(|| open && !fixed.contains(&id(arn)))
                });
            }
        }
        Id::Account => {
            candidates.missing();
            for (account, open) in anyones(mentions, profile) {
                candidates.one(account, open);
            }
        }
        Id::Organization | Id::OrgPath => {
            candidates.missing();
            let fixed = mentions
                .organizations
                .values()
                .flatten()
                .map(|one| (one.clone(), false));
            let open = mentions.wild_organizations.iter().map(|one| (one.clone(), true));
            let all: Vec<_> = std::iter::once((mentions.names.strange_organization.clone(), true))
                .chain(open)
                .chain(fixed)
                .collect();
            for (organization, open) in all {
                if id == Id::Organization {
                    candidates.one(organization, open);
                } else {
                    candidates.one(format!("{organization}/r-x/ou-x/"), open);
                    let domain = format!("{organization}/*");
                    candidates.within(&domain, false, 'x', &|path| (!trust.has_path(path)).then_some(open));
                }
            }
        }
    }
}

/// Accounts whose things a caller can bring along: anybody's, and those that somebody in particular has.
fn anyones(mentions: &Mentions, profile: &CallerProfile) -> Vec<(String, bool)> {
    let mut accounts: Vec<(String, bool)> = vec![(mentions.names.stranger.clone(), true)];
    accounts.extend(mentions.wild_accounts.iter().map(|account| (account.clone(), true)));
    let own = profile.account.iter().map(|account| (account.clone(), true));
    accounts.extend(own.filter(|(account, _)| is_account(account)));
    accounts.extend(
        mentions
            .accounts
            .values()
            .flatten()
            .map(|account| (account.clone(), false)),
    );
    let mut seen = HashSet::new();
    accounts.retain(|(account, _)| seen.insert(account.clone()));
    accounts
}

/// The resource's own organisation: one that is trusted if any is, and what the policy itself says of it.
fn resource_organization(candidates: &mut Candidates, mentions: &Mentions, scope: &Scope, key: &Key) {
    let paths = key.name.ends_with("paths");
    let mut of = |organization: &str| {
        let text = if paths {
            format!("{organization}/r-x/ou-x/")
        } else {
            organization.to_owned()
        };
        candidates.one(text, true);
    };
    for organization in &scope.trust.organizations {
        of(organization);
    }
    if scope.trust.organizations.is_empty() {
        of(&mentions.names.owners_organization);
        candidates.missing();
    }
    // Not what others bring that it is compared to: it is one in particular.
    let own = key.pool.globs().map(|glob| glob.filled("x"));
    for text in key.pool.literals.iter().cloned().chain(own) {
        candidates.one(text, true);
    }
}
