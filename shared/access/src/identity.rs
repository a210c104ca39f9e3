//! What callers can bring for the keys that tell who they are within an organisation, an account or a provider.

use std::collections::HashSet;

use crate::adversary::World;
use crate::bring::Builder;
use crate::evaluate::Caller;
use crate::glob::Glob;
use crate::judge::Scope;
use crate::keys::Class;
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
        if named.contains(id) {
            (!scope.trust.has_id(text)).then_some(false)
        } else {
            Some(true)
        }
    };
    if arn.contains(":user/") {
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

pub(crate) fn claim(builder: &mut Builder, survey: &Survey, key: &str, class: Class, world: &World) {
    let Caller::Federated { provider } = &world.caller else {
        builder.missing();
        return;
    };
    let host = provider
        .split_once("oidc-provider/")
        .map_or(provider.as_str(), |(_, host)| host);
    let (of, name) = key.rsplit_once(':').unwrap_or((key, ""));
    if of != host.to_ascii_lowercase() && !(of == "saml" && provider.contains("saml-provider/")) {
        builder.missing();
        return;
    }
    let pool = builder.pool;
    match class {
        Class::Audience => {
            builder.one(survey.names.unnamed("attacker-application-"), true);
            builder.within("*", false, 'x', &|text| (!pool.literals.contains(text)).then_some(true));
        }
        Class::Subject => {
            let tenants: Vec<String> = pool.globs.iter().filter_map(|glob| tenant(&glob.prefix())).collect();
            let tenant = survey.names.unnamed("attacker-");
            builder.one(format!("repo:{tenant}/{tenant}:ref:refs/heads/main"), true);
            builder.one(tenant, true);
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
    prefix[from..]
        .find([':', '/'])
        .map(|at| prefix[..=from + at].to_owned())
}
