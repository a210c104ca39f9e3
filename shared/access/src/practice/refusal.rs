//! Whether a statement refuses requests of a kind to everybody, whatever else is in them.

use std::collections::BTreeMap;

use crate::condition::Truth;
use crate::evaluate::{action_matches, resource_matches};
use crate::parse::{Effect, Policy, Principal, Statement};
use crate::scope::Scope;
use crate::search::resources;
use crate::service::Service;
use crate::trust::Trust;

/// Known keys of a request: a key that maps to `None` is known to be missing; others are unknown.
pub(super) type Known<'a> = BTreeMap<&'a str, Option<&'a str>>;

/// Whether it is a Deny to everyone, as far as its conditions hold.
pub(super) fn denies_everyone(statement: &Statement) -> bool {
    let everyone = statement
        .principals
        .as_ref()
        .is_some_and(|selection| !selection.negated && selection.values.iter().any(Principal::is_everyone));
    statement.effect == Effect::Deny && !statement.doubtful && everyone
}

/// Whether a Deny applies to everyone's request, whatever else is in it.
pub(super) fn refuses(statement: &Statement, known: &Known) -> bool {
    let none = |_: &str| None;
    denies_everyone(statement)
        && statement.conditions.iter().all(|condition| {
            let Some(actual) = known.get(condition.key.as_str()) else {
                return false;
            };
            let actual = actual.map(|value| vec![value.to_owned()]);
            condition.holds(actual.as_deref(), &none, false) == Truth::Yes
        })
}

/// Whether a statement is about an action on a resource.
pub(super) fn covers(statement: &Statement, service: Service, action: &str, resource: &str) -> bool {
    action_matches(statement, service, action, resource)
        && resource_matches(statement, service, resource, &|_| None) == Truth::Yes
}

/// The resources that requests can be about, as far as a policy tells them apart; none where they are too many.
pub(super) fn kinds_of_resource(policy: &Policy, service: Service, arn: &str) -> Option<Vec<String>> {
    let trust = Trust::default();
    let scope = Scope {
        service,
        owner: "",
        trust: &trust,
        resource: Some(arn),
    };
    let (found, complete) = resources(policy, &scope);
    complete.then_some(found)
}
