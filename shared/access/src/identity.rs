//! What callers can bring for the keys that tell who they are within an organisation, an account or a provider.

use std::collections::HashSet;

use crate::adversary::{Kind, World, host_of, kind_of};
use crate::bring::Builder;
use crate::evaluate::Caller;
use crate::glob::Glob;
use crate::judge::Scope;
use crate::keys::{Class, is_shared_provider};
use crate::survey::Survey;

pub(crate) fn org_paths(builder: &mut Builder, scope: &Scope, world: &World) {
    let Some(organization) = &world.organization else {
        builder.missing();
        return;
    };
    let trusted = |path: &str| scope.trust.has_path(path);
    builder.one(format!("{organization}/r-x/ou-x/"), true);
    builder.within(&format!("{organization}/*"), false, 'x', &|path| {
        (!trusted(path)).then_some(true)
    });
}

pub(crate) fn user_id(builder: &mut Builder, survey: &Survey, scope: &Scope, world: &World) {
    let Caller::Account { account, arn } = &world.caller else {
        match world.caller {
            Caller::Anonymous => builder.one("anonymous", true),
            _ => builder.missing(),
        }
        return;
    };
    let kind = kind_of(arn);
    match kind {
        Kind::Root => return builder.one(account, true),
        // Source: IAM User Guide, "Variables and tags", principal key values: the account, a colon, the name asked for.
        Kind::FederatedUser => {
            let name = arn.rsplit('/').next().unwrap_or_default();
            builder.one(format!("{account}:{name}"), true);
            return builder.within(&format!("{account}:*"), false, 'x', &|_| Some(true));
        }
        Kind::User | Kind::Role => {}
    }
    let named: HashSet<String> = builder
        .pool
        .literals
        .iter()
        .cloned()
        .chain(builder.pool.globs().map(Glob::prefix))
        .filter_map(|text| {
            let complete = text.contains(':') || builder.pool.literals.contains(&text);
            complete.then(|| text.split(':').next().unwrap_or_default().to_owned())
        })
        .collect();
    let grade = |text: &str| {
        let id = text.split(':').next().unwrap_or(text);
        if named.contains(id) {
            (!scope.trust.has_id(text)).then_some(false)
        } else {
            Some(true)
        }
    };
    if kind == Kind::User {
        builder.one(survey.names.unnamed("AIDAATTACKER00000000"), true);
        builder.within("AIDA*", false, 'X', &|text| {
            (!text.contains(':')).then(|| grade(text)).flatten()
        });
    } else {
        let id = survey.names.unnamed("AROAATTACKER00000000");
        builder.one(format!("{id}:attacker"), true);
        builder.within(&format!("{id}:*"), false, 'x', &|_| Some(true));
        builder.within("AROA*:*", false, 'X', &grade);
    }
}

/// What an identity provider says of the caller: at sign-in, and in the sessions that follow from it.
///
/// Source: IAM User Guide, "Available keys for SAML-based AWS STS federation" and "Available keys for AWS OIDC
/// federation", which say which of them later requests of a session have.
pub(crate) fn claim(builder: &mut Builder, survey: &Survey, key: &str, class: Class, world: &World) {
    let (of, name) = key.rsplit_once(':').unwrap_or((key, ""));
    match &world.caller {
        Caller::Federated { provider } => {
            let host = host_of(provider);
            if of != host.to_ascii_lowercase() && !(of == "saml" && provider.contains("saml-provider/")) {
                return builder.missing();
            }
        }
        // A role's session by a provider that anybody can use, or have.
        Caller::Account { arn, .. } if kind_of(arn) == Kind::Role && (of == "saml" || is_shared_provider(of)) => {
            builder.missing();
        }
        _ => return builder.missing(),
    }
    let pool = builder.pool;
    match class {
        // Derived from the provider and its account, so nobody else's is the same.
        _ if key == "saml:namequalifier" => {
            builder.one(survey.names.unnamed("attacker-provider-"), true);
            builder.within("*", false, 'x', &|text| (!pool.literals.contains(text)).then_some(true));
        }
        _ if of == "saml" => {
            builder.missing();
            builder.anything();
        }
        // Guests are let in by whoever's pool it is.
        Class::Audience if world.guest => builder.anything(),
        Class::Audience => audience(builder, survey),
        Class::Subject => {
            let tenant = survey.names.unnamed("attacker-");
            builder.one(format!("repo:{tenant}/{tenant}:ref:refs/heads/main"), true);
            builder.one(tenant, true);
            // What names a tenant whole is no stranger's.
            let open = |glob: &Glob| self::tenant(&glob.prefix()).is_none();
            builder.within_some("*", 'x', &open, &|text| (!pool.literals.contains(text)).then_some(true));
            if name != "sub" {
                builder.missing();
            }
        }
        _ if name == "amr" && world.guest => builder.one("unauthenticated", true),
        _ => {
            builder.missing();
            builder.anything();
        }
    }
}

/// Another than those that are named.
pub(crate) fn audience(builder: &mut Builder, survey: &Survey) {
    let pool = builder.pool;
    builder.one(survey.names.unnamed("attacker-application-"), true);
    builder.within("*", false, 'x', &|text| (!pool.literals.contains(text)).then_some(true));
}

/// The start of a subject that names one tenant whole: `repo:my-org/`, `organization:my-org:`, `my-org/`.
fn tenant(prefix: &str) -> Option<String> {
    let from = match prefix.find([':', '/']) {
        // "kind:tenant/…"
        Some(at) if prefix.as_bytes()[at] == b':' => at + 1,
        Some(at) => return Some(prefix[..=at].to_owned()),
        None => return None,
    };
    prefix[from..]
        .find([':', '/'])
        .map(|at| prefix[..=from + at].to_owned())
}
