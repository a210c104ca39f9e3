//! One request against the policies of an organisation: whom they bind, and which of their statements denies it.
//!
//! Sources: Organizations User Guide, "Service control policies (SCPs)", "SCP evaluation", "Resource control policies
//! (RCPs)" and "RCP evaluation".

use std::collections::BTreeSet;

use crate::condition::Truth;
use crate::evaluate::{Caller, Request, principal_matches, resource_matches};
use crate::parse::{Effect, Policy, Statement};
use crate::service::Service;

/// The policies of an organisation that grant nothing and bound what others grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrganizationPolicy {
    /// Binds the principals of member accounts, wherever the resource is.
    ServiceControl,
    /// Binds whoever asks for a resource of a member account.
    ResourceControl,
}

/// A request with what decides whether an organisation's policies are asked at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationRequest {
    /// Who asks for what, on what.
    pub request: Request,
    /// The account that owns the resource.
    pub owner: String,
    /// The condition keys, in lower case, of which nobody can say what the request has: what depends on them is undecided.
    pub unknown: BTreeSet<String>,
}

/// The accounts of an organisation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationAccounts {
    /// Its management account, which no policy of it binds.
    pub management: Option<String>,
    /// Its member accounts; `None` where they are not known, and every other account counts as one.
    pub members: Option<BTreeSet<String>>,
}

impl OrganizationAccounts {
    /// Whether an account is a member.
    pub fn is_member(&self, account: &str) -> bool {
        self.management.as_deref() != Some(account)
            && self.members.as_ref().is_none_or(|members| members.contains(account))
    }
}

impl OrganizationPolicy {
    /// Whether policies of this type are asked for such a request.
    pub fn binds(self, asked: &OrganizationRequest, accounts: &OrganizationAccounts) -> bool {
        if is_service_linked(&asked.request) {
            return false;
        }
        match self {
            Self::ServiceControl => match &asked.request.caller {
                Caller::Account { account, .. } => accounts.is_member(account),
                Caller::Anonymous | Caller::Service { .. } | Caller::Federated { .. } | Caller::Canonical { .. } => {
                    false
                }
            },
            // KMS Developer Guide, "Retiring and revoking grants": no resource control policy reaches RetireGrant.
            Self::ResourceControl => {
                accounts.is_member(&asked.owner) && !asked.request.action.eq_ignore_ascii_case("kms:RetireGrant")
            }
        }
    }
}

/// Whether a service-linked role asks: neither type of policy binds one.
fn is_service_linked(request: &Request) -> bool {
    let named = request.context.get("aws:principalarn").into_iter().flatten();
    named
        .chain(match &request.caller {
            Caller::Account { arn, .. } => Some(arn),
            _ => None,
        })
        .any(|arn| arn.contains(":role/aws-service-role/"))
}

/// The statements that are about the request, each with how surely. `Maybe` where a key decides that is unknown.
pub fn applying<'p>(
    policy: &'p Policy,
    effect: Effect,
    asked: &OrganizationRequest,
) -> impl Iterator<Item = (&'p Statement, Truth)> {
    let statements = policy.statements().iter();
    statements
        .filter(move |statement| statement.effect == effect)
        .map(|statement| (statement, applies(statement, asked)))
        .filter(|(_, truth)| *truth != Truth::No)
}

/// Whether some statement of the policy names the action: most requests are about none, and need not be asked.
pub fn names_action(policy: &Policy, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let named = |statement: &Statement| {
        let actions = statement.actions.as_ref();
        actions
            .is_some_and(|actions| statement.action_globs.iter().any(|glob| glob.matches(&action)) != actions.negated)
    };
    policy.statements().iter().any(named)
}

/// Whether the policies let a request through that they bind: at each level from the root to the account one of them
/// allows it, and none denies it. They grant nothing: an identity's or a resource's policy must allow it as well.
pub fn lets_through<'p>(levels: impl IntoIterator<Item = &'p [Policy]>, asked: &OrganizationRequest) -> Truth {
    levels.into_iter().fold(Truth::Yes, |so_far, level| {
        let any = |effect| {
            let all = level.iter().flat_map(|policy| applying(policy, effect, asked));
            all.map(|(_, truth)| truth).max().unwrap_or(Truth::No)
        };
        so_far.and(any(Effect::Allow)).and(any(Effect::Deny).not())
    })
}

fn applies(statement: &Statement, asked: &OrganizationRequest) -> Truth {
    let request = &asked.request;
    let lookup = |key: &str| request.context.get(key).and_then(|values| values.first()).cloned();
    // A service control policy names no principal: its own are implied.
    let named = statement.principals.is_none() || principal_matches(statement, &request.caller) == Truth::Yes;
    let Some(actions) = statement.actions.as_ref().filter(|_| named) else {
        return Truth::No;
    };
    let action = request.action.to_ascii_lowercase();
    if statement.action_globs.iter().any(|glob| glob.matches(&action)) == actions.negated {
        return Truth::No;
    }
    // Any service but the two of which a resource says nothing.
    let mut truth = resource_matches(statement, Service::S3Bucket, &request.resource, &lookup);
    for condition in &statement.conditions {
        if truth == Truth::No {
            break;
        }
        let holds = if asked.unknown.contains(&condition.key) {
            Truth::Maybe
        } else {
            let actual = request.context.get(&condition.key).map(Vec::as_slice);
            condition.holds(actual, &lookup, statement.effect == Effect::Allow)
        };
        truth = truth.and(holds);
    }
    if statement.doubtful {
        truth.and(Truth::Maybe)
    } else {
        truth
    }
}
