//! Which values each caller can bring for a condition key: one of each kind that the policy can tell apart.

use std::collections::HashSet;

use crate::adversary::{Kind, Network, World, host_of, kind_of, principal_arn};
use crate::classes::classes;
use crate::evaluate::{Caller, is_account};
use crate::glob::{Glob, Span, Token};
use crate::identity::{audience, claim, org_paths, user_id};
use crate::judge::Scope;
use crate::keys::{Class, Id, has_own_session_name, tells_caller};
use crate::network::address_classes;
use crate::survey::{Key, Pool, Survey, avoid};

/// A value that a caller can bring.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// `None`: the key is missing.
    pub value: Option<Vec<String>>,
    /// Anybody can bring it; otherwise it takes something that is somebody's in particular.
    pub open: bool,
}

/// The values that a caller can bring for a key, and whether that is all of them.
pub(crate) struct Values {
    pub candidates: Vec<Candidate>,
    pub complete: bool,
}

pub(crate) struct Builder<'a> {
    pub pool: &'a Pool,
    survey: &'a Survey,
    candidates: Vec<Candidate>,
    complete: bool,
}

impl Builder<'_> {
    pub(crate) fn missing(&mut self) {
        self.candidates.push(Candidate {
            value: None,
            open: true,
        });
    }

    pub(crate) fn one(&mut self, value: impl Into<String>, open: bool) {
        self.candidates.push(Candidate {
            value: Some(vec![value.into()]),
            open,
        });
    }

    /// One text for each way the patterns can be met within a domain.
    pub(crate) fn within(&mut self, domain: &str, arn: bool, filler: char, accept: &dyn Fn(&str) -> Option<bool>) {
        let domain = Glob::new(domain);
        let domain = if arn {
            domain.clone().into_arn().unwrap_or(domain)
        } else {
            domain
        };
        self.within_domain(&domain, filler, &|_| true, accept);
    }

    /// The same, of some patterns only: the others match nothing that is accepted.
    pub(crate) fn within_some(
        &mut self,
        domain: &str,
        filler: char,
        patterns: &dyn Fn(&Glob) -> bool,
        accept: &dyn Fn(&str) -> Option<bool>,
    ) {
        self.within_domain(&Glob::new(domain), filler, patterns, accept);
    }

    fn within_domain(
        &mut self,
        domain: &Glob,
        filler: char,
        patterns: &dyn Fn(&Glob) -> bool,
        accept: &dyn Fn(&str) -> Option<bool>,
    ) {
        let pool = self.pool;
        let mut texts: Vec<String> = pool
            .literals
            .iter()
            .filter(|literal| domain.matches(literal))
            .cloned()
            .collect();
        let some: Vec<Vec<Glob>> = pool
            .groups
            .iter()
            .map(|group| group.iter().filter(|glob| patterns(glob)).cloned().collect())
            .collect();
        let groups: Vec<&[Glob]> = some
            .iter()
            .map(Vec::as_slice)
            .filter(|group| !group.is_empty())
            .collect();
        if !groups.is_empty() {
            let found = classes(domain, &groups, &avoid(pool), filler, &self.survey.work);
            self.complete &= found.complete;
            texts.extend(found.texts);
        }
        for text in texts {
            if let Some(open) = accept(&text) {
                self.one(text, open);
            }
        }
    }

    pub(crate) fn anything(&mut self) {
        if self.pool.bools {
            self.one("true", true);
            self.one("false", true);
        }
        if self.pool.numbers.is_empty() && self.pool.moments.is_empty() && self.pool.networks.is_empty() {
            self.one(&self.survey.names.fresh, true);
            self.one(&self.survey.names.other, true);
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
            for outside in [network.first.checked_sub(1), network.last.checked_add(1)]
                .into_iter()
                .flatten()
            {
                if network.v6 || u32::try_from(outside).is_ok() {
                    self.one(text(outside), true);
                }
            }
        }
        self.within("*", false, 'x', &|_| Some(true));
        // A key with several values, as the set operators read them.
        if !self.pool.single && (2..12).contains(&self.pool.literals.len()) {
            self.candidates.push(Candidate {
                value: Some(self.pool.literals.iter().cloned().collect()),
                open: true,
            });
        }
    }
}

/// What `world` can bring for key number `key`; `pool` is the key's, with its variables filled in.
pub(crate) fn values(survey: &Survey, scope: &Scope, world: &World, key: usize, pool: &Pool, now: f64) -> Values {
    let known = &survey.keys[key];
    let mut builder = Builder {
        pool,
        survey,
        candidates: Vec::new(),
        complete: true,
    };
    let signed = !matches!(world.caller, Caller::Anonymous | Caller::Federated { .. });
    let is_service = matches!(world.caller, Caller::Service { .. });
    let partition = &survey.names.partition;
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
        Class::UserId => user_id(&mut builder, survey, scope, world),
        Class::UserName => match &world.caller {
            Caller::Account { arn, .. } if kind_of(arn) == Kind::User => builder.anything(),
            _ => builder.missing(),
        },
        Class::CallerType => match &world.caller {
            Caller::Anonymous => builder.one("Anonymous", true),
            Caller::Account { arn, .. } => {
                let kind = match kind_of(arn) {
                    Kind::Root => "Account",
                    Kind::User => "User",
                    Kind::FederatedUser => "FederatedUser",
                    Kind::Role => "AssumedRole",
                };
                builder.one(kind, true);
            }
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
        Class::InstanceVpc => {
            builder.missing();
            if signed && !is_service {
                endpoint(&mut builder, survey, scope, world, Id::Vpc);
            }
        }
        Class::SourceAccount if is_service || tells_caller(scope.service, &known.name) => {
            if let Some(account) = &world.account {
                builder.one(account, true);
            }
            builder.missing();
        }
        Class::SourceArn if is_service => {
            let account = world.account.as_deref().unwrap_or(&survey.names.stranger);
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
            if let Some(arn) = scope.resource {
                builder.one(arn, true);
            } else {
                let domain = format!("arn:{partition}:s3:*:{}:accesspoint/*", scope.owner);
                builder.one(domain.replace('*', "x"), true);
                builder.within(&domain, true, 'x', &|_| Some(true));
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
            for (account, open) in anyones(survey, world) {
                builder.one(account, open);
            }
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
        Class::ResourceOrganization => resource_organization(&mut builder, survey, scope, known),
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
        Class::Audience | Class::Subject | Class::Claim => claim(&mut builder, survey, &known.name, known.class, world),
        Class::SessionName => {
            let own = match &world.caller {
                Caller::Federated { provider } => has_own_session_name(host_of(provider)),
                _ => false,
            };
            if own {
                audience(&mut builder, survey);
            } else {
                builder.missing();
                builder.anything();
            }
        }
        Class::MountTarget => {
            builder.missing();
            builder.one("false", true);
        }
        Class::Secret => {
            builder.missing();
            builder.one(&survey.names.fresh, true);
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
    Values {
        candidates: builder.candidates,
        complete: builder.complete,
    }
}

fn addresses(builder: &mut Builder, scope: &Scope) {
    let trusted = scope.trust.cidrs();
    for class in address_classes(&builder.pool.networks, &trusted) {
        builder.one(class.example, class.broad);
    }
    let outside = |text: &str| {
        let address: std::net::IpAddr = text.parse().ok()?;
        let ours = trusted
            .iter()
            .chain(&crate::network::private())
            .any(|range| range.contains(address));
        (!ours).then_some(())
    };
    for literal in &builder.pool.literals {
        if outside(literal).is_some() {
            builder.candidates.push(Candidate {
                value: Some(vec![literal.clone()]),
                open: false,
            });
        }
    }
    // Text patterns on an address: a whole first octet is a network, less than that is the internet.
    for glob in builder.pool.globs() {
        let prefix = glob.prefix();
        let text = ["", "8", "8.8", "8.8.8", "8.8.8.8", ".8", ".8.8", ".8.8.8"]
            .iter()
            .flat_map(|tail| [format!("{prefix}{tail}"), format!("{prefix}{tail}1")])
            .find(|text| outside(text).is_some() && glob.matches(text));
        if let Some(text) = text {
            let open = !prefix.contains('.') && !prefix.contains(':');
            builder.candidates.push(Candidate {
                value: Some(vec![text]),
                open,
            });
        }
    }
}

fn endpoint(builder: &mut Builder, survey: &Survey, scope: &Scope, world: &World, id: Id) {
    let literals = builder.pool.literals.clone();
    let trust = scope.trust;
    let partition = &survey.names.partition;
    match id {
        Id::Vpc | Id::VpcEndpoint => {
            let (kind, ours) = if id == Id::Vpc {
                ("vpc", &trust.vpcs)
            } else {
                ("vpce", &trust.vpc_endpoints)
            };
            builder.one(survey.names.unnamed(&format!("{kind}-attacker00000000")), true);
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
            for (account, open) in anyones(survey, world) {
                builder.one(account, open);
            }
        }
        Id::Organization | Id::OrgPath => {
            builder.missing();
            let fixed = survey.organizations.iter().flatten().map(|one| (one.clone(), false));
            let open = survey.wild_organizations.iter().map(|one| (one.clone(), true));
            let all: Vec<_> = std::iter::once((survey.names.strange_organization.clone(), true))
                .chain(open)
                .chain(fixed)
                .collect();
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
    let mut accounts: Vec<(String, bool)> = vec![(survey.names.stranger.clone(), true)];
    accounts.extend(survey.wild_accounts.iter().map(|account| (account.clone(), true)));
    let own = world.account.iter().map(|account| (account.clone(), true));
    accounts.extend(own.filter(|(account, _)| is_account(account)));
    accounts.extend(survey.accounts.iter().flatten().map(|account| (account.clone(), false)));
    let mut seen = HashSet::new();
    accounts.retain(|(account, _)| seen.insert(account.clone()));
    accounts
}

/// ARNs of what an account may have. Names in them hold no colon, so none can carry another account's id in it; but
/// those of alarms may hold anything (CloudWatch API Reference, `PutMetricAlarm`).
fn source_arns(builder: &mut Builder, partition: &str, account: &str, anybody: bool) {
    const KINDS: [&str; 7] = [
        "function",
        "log-group",
        "stateMachine",
        "db",
        "cluster",
        "secret",
        "backup-vault",
    ];
    builder.one(
        format!(
            "arn:{partition}:sns:us-east-1:{account}:{}",
            builder.survey.names.unnamed("attacker-")
        ),
        true,
    );
    let own = |service: &str, resource: &str, name: Span| {
        let start = Glob::new(&format!("arn:{partition}:{service}:*:{account}:"));
        let start = start.clone().into_arn().unwrap_or(start);
        start.then(resource.chars().map(Token::Char).chain([Token::Many(name)]))
    };
    let mut domains = vec![own("*", "", Span::Part), own("cloudwatch", "alarm:", Span::Any)];
    // Of what is named by its kind, one will do unless the policy speaks of them.
    let kinds = KINDS
        .iter()
        .enumerate()
        .filter(|(at, kind)| *at == 0 || builder.survey.names.has(kind));
    domains.extend(kinds.map(|(_, kind)| own("*", &format!("{kind}:"), Span::Part)));
    if anybody {
        // A bucket's ARN names no account: anybody's bucket may be called what a wildcard leaves open.
        domains.push(Glob::literal(&format!("arn:{partition}:s3:::")).then([Token::Many(Span::Part)]));
    }
    let pool = builder.pool;
    for domain in &domains {
        // A bucket that is named is somebody's.
        builder.within_domain(domain, 'x', &|_| true, &|text| {
            let somebodys = text.contains(":::") && pool.literals.contains(text);
            (!somebodys).then_some(true)
        });
    }
}

/// The resource's own organisation: one that is trusted if any is, and what the policy itself says of it.
fn resource_organization(builder: &mut Builder, survey: &Survey, scope: &Scope, key: &Key) {
    let paths = key.name.ends_with("paths");
    let mut of = |organization: &str| {
        let text = if paths {
            format!("{organization}/r-x/ou-x/")
        } else {
            organization.to_owned()
        };
        builder.one(text, true);
    };
    for organization in &scope.trust.organizations {
        of(organization);
    }
    if scope.trust.organizations.is_empty() {
        of(&survey.names.owners_organization);
        builder.missing();
    }
    // Not what others bring that it is compared to: it is one in particular.
    let own = key.pool.globs().map(|glob| glob.filled("x"));
    for text in key.pool.literals.iter().cloned().chain(own) {
        builder.one(text, true);
    }
}
