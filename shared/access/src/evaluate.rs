//! One request against one policy, as AWS evaluates it: an explicit Deny wins over any Allow.
//!
//! Source: IAM User Guide, "Policy evaluation logic".

use std::collections::BTreeMap;

use crate::condition::Truth;
use crate::parse::{Effect, Policy, Principal, PrincipalKind, Selection, Statement};
use crate::principals::{account_of, arn_account};
use crate::service::Service;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// Nobody signed the request.
    Anonymous,
    /// A principal of an account.
    Account {
        /// Its account.
        account: String,
        /// Its ARN: a user, role, session or the root user.
        arn: String,
    },
    /// An AWS service under its own name.
    Service {
        /// Such as `sns.amazonaws.com`.
        name: String,
    },
    /// Somebody whom an identity provider vouches for.
    Federated {
        /// The provider's host name or ARN.
        provider: String,
    },
    /// A fixed id that names no account: an S3 canonical user.
    Canonical {
        /// The id.
        id: String,
    },
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub caller: Caller,
    /// For what, such as `s3:GetObject`.
    pub action: String,
    /// On which resource.
    pub resource: String,
    /// Condition keys in lower case; a key that is not there is missing from the request.
    pub context: BTreeMap<String, Vec<String>>,
}

/// Whether the policy lets the request in. `Maybe` where AWS's documentation does not say.
pub fn evaluate(policy: &Policy, service: Service, request: &Request) -> Truth {
    let truth = decide(policy.statements().iter(), service, request);
    let differs = |reading: &Policy| decide(reading.statements().iter(), service, request) != truth;
    if policy.readings.iter().any(differs) {
        Truth::Maybe
    } else {
        truth
    }
}

/// The same by some of the statements: enough where one Allow is asked about, and all Denies that touch it are among them.
pub(crate) fn evaluate_by(policy: &Policy, included: &[usize], service: Service, request: &Request) -> Truth {
    if !policy.readings.is_empty() {
        return evaluate(policy, service, request);
    }
    let statements = included.iter().map(|&at| &policy.statements()[at]);
    decide(statements, service, request)
}

fn decide<'a>(statements: impl Iterator<Item = &'a Statement>, service: Service, request: &Request) -> Truth {
    let mut allowed = Truth::No;
    let mut denied = Truth::No;
    for statement in statements {
        match statement.effect {
            Effect::Allow => allowed = allowed.max(applies(statement, service, request)),
            Effect::Deny => denied = denied.max(applies(statement, service, request)),
            Effect::Neither => {}
        }
    }
    allowed.and(denied.not())
}

/// Whether a statement is about the request.
pub(crate) fn applies(statement: &Statement, service: Service, request: &Request) -> Truth {
    let lookup = |key: &str| request.context.get(key).and_then(|values| values.first()).cloned();
    let mut truth = principal_matches(statement, &request.caller);
    if truth == Truth::No || !action_matches(statement, service, &request.action, &request.resource) {
        return Truth::No;
    }
    truth = truth.and(resource_matches(statement, service, &request.resource, &lookup));
    let granting = statement.effect == Effect::Allow;
    for condition in &statement.conditions {
        if truth == Truth::No {
            return truth;
        }
        let actual = request.context.get(&condition.key).map(Vec::as_slice);
        let holds = condition.holds(actual, &lookup, granting);
        // What an unknown key holds, and whether it is there, nobody can say.
        let known = crate::keys::class(&condition.key) != crate::keys::Class::Unknown;
        truth = truth.and(if known { holds } else { Truth::Maybe });
    }
    if statement.doubtful {
        truth.and(Truth::Maybe)
    } else {
        truth
    }
}

/// Whether the statement names the caller.
pub(crate) fn principal_matches(statement: &Statement, caller: &Caller) -> Truth {
    let Some(selection) = &statement.principals else {
        return Truth::No;
    };
    let Selection { negated, values } = selection;
    let any = values.iter().any(|principal| names(principal, caller));
    if !negated {
        return any.into();
    }
    if !any || statement.effect != Effect::Deny {
        return (!any).into();
    }
    // A Deny with NotPrincipal spares a role only if its account is listed as well; what it does where only one of them
    // is listed, the guide leaves open ("might").
    match caller {
        Caller::Account { account, arn } if !arn.ends_with(":root") => {
            let account_listed = values
                .iter()
                .any(|principal| account_of(&principal.value) == Some(account.as_str()));
            let itself = values
                .iter()
                .any(|principal| principal.is_everyone() || same_principal(&principal.value, arn));
            let everyone = values.iter().any(Principal::is_everyone);
            Truth::from(!(everyone || account_listed && itself)).min(Truth::Maybe)
        }
        _ => Truth::No,
    }
}

fn names(principal: &Principal, caller: &Caller) -> bool {
    let value = principal.value.as_str();
    match (principal.kind, caller) {
        (PrincipalKind::Aws, _) if value == "*" => true,
        (PrincipalKind::Aws, Caller::Account { account, arn }) => {
            account_of(value) == Some(account.as_str()) || same_principal(value, arn)
        }
        (PrincipalKind::Aws | PrincipalKind::CanonicalUser, Caller::Canonical { id }) => value == id,
        (PrincipalKind::Service, Caller::Service { name }) => value == name,
        (PrincipalKind::Federated, Caller::Federated { provider }) => value == provider || value == "*",
        _ => false,
    }
}

/// The same principal, or a session of the role. Wildcards in a principal are plain characters.
fn same_principal(principal: &str, arn: &str) -> bool {
    if principal == arn {
        return !principal.contains('*');
    }
    let (Some((account, role)), Some((of, session))) = (arn_account(principal), arn_account(arn)) else {
        return false;
    };
    let role = role
        .strip_prefix("role/")
        .map(|path| path.rsplit('/').next().unwrap_or(path));
    let session = session
        .strip_prefix("assumed-role/")
        .and_then(|rest| rest.split('/').next());
    account == of && role.is_some() && role == session
}

/// Whether the statement names the action, and the action can be meant for such a resource.
pub(crate) fn action_matches(statement: &Statement, service: Service, action: &str, resource: &str) -> bool {
    let Some(Selection { negated, .. }) = &statement.actions else {
        return false;
    };
    let lower = action.to_ascii_lowercase();
    let any = statement.action_globs.iter().any(|pattern| pattern.matches(&lower));
    any != *negated && fits(service, action, resource)
}

/// Whether an action can be asked for on a resource: object actions on objects, bucket actions on buckets.
pub(crate) fn fits(service: Service, action: &str, resource: &str) -> bool {
    if !service.has_levels() {
        return true;
    }
    let of_part = service.is_of_part(&action.to_ascii_lowercase());
    of_part.is_none_or(|of_part| of_part == service.is_part(resource))
}

/// Whether the statement names the resource.
pub(crate) fn resource_matches(
    statement: &Statement,
    service: Service,
    resource: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Truth {
    let Some(Selection { negated, values }) = &statement.resources else {
        // A key policy's statement without Resource has no effect (KMS API, PutKeyPolicy). Elsewhere the element may be
        // left out and stands for the resource itself.
        return (service != Service::Kms).into();
    };
    if service == Service::IamTrust {
        return Truth::Yes;
    }
    let mut matched = Truth::No;
    for (value, fixed) in values.iter().zip(&statement.resource_globs) {
        let filled;
        let glob = if let Some(glob) = fixed {
            glob
        } else if let Some(glob) = value.glob(lookup) {
            filled = glob;
            &filled
        } else {
            // A variable without a value matches nothing; what is left of everything but nothing, the guide leaves open.
            matched = matched.max(if *negated { Truth::Maybe } else { Truth::No });
            continue;
        };
        if glob.matches(resource) {
            matched = Truth::Yes;
            break;
        }
    }
    if *negated { matched.not() } else { matched }
}
