//! What callers can bring for the keys that tell who they are within an organisation, an account or a provider.

use std::collections::HashSet;

use super::callers::CallerProfile;
use super::candidates::Candidates;
use super::mentions::Mentions;
use crate::evaluate::Caller;
use crate::glob::Glob;
use crate::keys::{Class, is_shared_provider};
use crate::principals::{PrincipalType, host_of, principal_type};
use crate::scope::Scope;

pub(super) fn org_paths(candidates: &mut Candidates, scope: &Scope, profile: &CallerProfile) {
    let Some(organization) = &profile.organization else {
        candidates.missing();
        return;
    };
    let trusted = |path: &str| scope.trust.has_path(path);
    candidates.one(format!("{organization}/r-x/ou-x/"), true);
    candidates.within(&format!("{organization}/*"), false, 'x', &|path| {
        (!trusted(path)).then_some(true)
    });
}

pub(super) fn user_id(candidates: &mut Candidates, mentions: &Mentions, scope: &Scope, profile: &CallerProfile) {
    let Caller::Account { account, arn } = &profile.caller else {
        match profile.caller {
            Caller::Anonymous => candidates.one("anonymous", true),
            _ => candidates.missing(),
        }
        return;
    };
    let kind = principal_type(arn);
    match kind {
        PrincipalType::Root => return candidates.one(account, true),
        // Source: IAM User Guide, "Variables and tags", principal key values: the account, a colon, the name asked for.
        PrincipalType::FederatedUser => {
            let name = arn.rsplit('/').next().unwrap_or_default();
            candidates.one(format!("{account}:{name}"), true);
            return candidates.within(&format!("{account}:*"), false, 'x', &|_| Some(true));
        }
        PrincipalType::User | PrincipalType::Role => {}
    }
    let named: HashSet<String> = candidates
        .pool
        .literals
        .iter()
        .cloned()
        .chain(candidates.pool.globs().map(Glob::prefix))
        .filter_map(|text| {
            let complete = text.contains(':') || candidates.pool.literals.contains(&text);
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
    if kind == PrincipalType::User {
        candidates.one(mentions.names.unnamed("AIDAATTACKER00000000"), true);
        candidates.within("AIDA*", false, 'X', &|text| {
            (!text.contains(':')).then(|| grade(text)).flatten()
        });
    } else {
        let id = mentions.names.unnamed("AROAATTACKER00000000");
        candidates.one(format!("{id}:attacker"), true);
        candidates.within(&format!("{id}:*"), false, 'x', &|_| Some(true));
        candidates.within("AROA*:*", false, 'X', &grade);
    }
}

/// What an identity provider says of the caller: at sign-in, and in the sessions that follow from it.
///
/// Source: IAM User Guide, "Available keys for SAML-based AWS STS federation" and "Available keys for AWS OIDC
/// federation", which say which of them later requests of a session have.
pub(super) fn claim(
    candidates: &mut Candidates,
    mentions: &Mentions,
    key: &str,
    class: Class,
    profile: &CallerProfile,
) {
    let (of, name) = key.rsplit_once(':').unwrap_or((key, ""));
    match &profile.caller {
        Caller::Federated { provider } => {
            let host = host_of(provider);
            if of != host.to_ascii_lowercase() && !(of == "saml" && provider.contains("saml-provider/")) {
                return candidates.missing();
            }
        }
        // A role's session by a provider that anybody can use, or have.
        Caller::Account { arn, .. }
            if principal_type(arn) == PrincipalType::Role && (of == "saml" || is_shared_provider(of)) =>
        {
            candidates.missing();
        }
        _ => return candidates.missing(),
    }
    let pool = candidates.pool;
    match class {
        // Derived from the provider and its account, so nobody else's is the same.
        _ if key == "saml:namequalifier" => {
            candidates.one(mentions.names.unnamed("attacker-provider-"), true);
            candidates.within("*", false, 'x', &|text| (!pool.literals.contains(text)).then_some(true));
        }
        _ if of == "saml" => {
            candidates.missing();
            candidates.anything();
        }
        // Guests are let in by whoever's pool it is.
        Class::Audience if profile.guest => candidates.anything(),
        Class::Audience => audience(candidates, mentions),
        Class::Subject => {
            let tenant = mentions.names.unnamed("attacker-");
            candidates.one(format!("repo:{tenant}/{tenant}:ref:refs/heads/main"), true);
            candidates.one(tenant, true);
            // What names a tenant whole is no stranger's.
            let open = |glob: &Glob| self::tenant(&glob.prefix()).is_none();
            candidates.within_some("*", 'x', &open, &|text| (!pool.literals.contains(text)).then_some(true));
            if name != "sub" {
                candidates.missing();
            }
        }
        _ if name == "amr" && profile.guest => candidates.one("unauthenticated", true),
        _ => {
            candidates.missing();
            candidates.anything();
        }
    }
}

/// Another than those that are named.
pub(super) fn audience(candidates: &mut Candidates, mentions: &Mentions) {
    let pool = candidates.pool;
    candidates.one(mentions.names.unnamed("attacker-application-"), true);
    candidates.within("*", false, 'x', &|text| (!pool.literals.contains(text)).then_some(true));
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
