//! Notes on a policy that do not change the verdict: what AWS would refuse, what is fragile, whose something is.

use crate::condition::{Comparison, Pattern, Quantifier};
use crate::explain::statement_name;
use crate::keys::{Class, class};
use crate::network::{Cidr, private};
use crate::parse::{Effect, Policy, PrincipalKind, Statement};
use crate::principals::arn_account;
use crate::scope::Scope;
use crate::service::Service;
use crate::verdict::{Note, NoteKind, Offence, Verdict};

pub(crate) fn warnings(policy: &Policy, scope: &Scope, deputies: &[usize], offending: &[Offence]) -> Vec<Note> {
    let mut found = Vec::new();
    let mut add = |kind, index, text: String| found.push(Note { kind, index, text });
    for key in policy.duplicate_keys() {
        let text = format!("{key} occurs twice; readers differ on which counts, so nothing edits this policy");
        add(NoteKind::DuplicateKey, None, text);
    }
    for (index, statement) in policy.statements().iter().enumerate() {
        let name = statement_name(statement, index);
        let mut note = |kind, text: &str| add(kind, Some(index), format!("{name} {text}"));
        if deputies.contains(&index) {
            note(
                NoteKind::ConfusedDeputy,
                "lets an AWS service act for any account: limit it by aws:SourceAccount, aws:SourceArn or aws:SourceOrgID",
            );
        }
        if statement.effect == Effect::Neither {
            note(
                NoteKind::RejectedByAws,
                "has an Effect that is neither Allow nor Deny, so it does nothing",
            );
        }
        if statement.principals.is_none() {
            note(
                NoteKind::RejectedByAws,
                "has no Principal, which AWS asks for in a policy on a resource; it is about nobody",
            );
        }
        if statement.actions.is_none() || (statement.resources.is_none() && scope.service == Service::Kms) {
            note(NoteKind::NoEffect, "has no Action or no Resource, so it does nothing");
        }
        principals(statement, &mut note);
        conditions(statement, policy, scope, &mut note);
        if let Some(offence) = offending.iter().find(|offence| offence.index == index)
            && offence.verdict == Verdict::External
            && goes_by_network(policy, statement)
        {
            note(
                NoteKind::NetworkBound,
                "is bound to a network that is not known to be ours: verify whose it is",
            );
        }
    }
    found
}

/// Whether an ARN has no account, and names its resource before any wildcard: a bucket, a REST API with its stages.
fn names_one_without_account(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, _, "", rest] = parts[..] else {
        return false;
    };
    let id = rest.find(['*', '?']).map_or(rest, |at| &rest[..at]);
    let whole = id.len() == rest.len() || id.ends_with(['/', ':']);
    // The kind of resource is no name.
    let pieces = id.split(['/', ':']).filter(|piece| !piece.is_empty()).count();
    whole && pieces > usize::from(service != "s3")
}

/// Whether the statement, or a Deny that cuts it down, tells callers apart by where they come from.
fn goes_by_network(policy: &Policy, statement: &Statement) -> bool {
    let denies = policy.statements().iter().filter(|other| other.effect == Effect::Deny);
    let mut conditions = std::iter::once(statement).chain(denies).flat_map(|one| &one.conditions);
    conditions.any(|one| matches!(class(&one.key), Class::SourceIp | Class::Endpoint(_)))
}

fn principals(statement: &Statement, note: &mut dyn FnMut(NoteKind, &str)) {
    for principal in statement.principals.iter().flat_map(|selection| &selection.values) {
        let value = &principal.value;
        if principal.kind == PrincipalKind::Unknown {
            note(
                NoteKind::RejectedByAws,
                &format!("names \"{value}\", which is no principal"),
            );
        }
        if principal.kind != PrincipalKind::Aws || value == "*" {
            continue;
        }
        if value.contains(['*', '?']) {
            note(
                NoteKind::RejectedByAws,
                &format!("names {value}: wildcards don't match within a principal, so it is nobody"),
            );
        } else if value.starts_with('A') && value.len() > 15 && !value.contains(':') {
            note(
                NoteKind::DeletedPrincipal,
                &format!("names {value}, the id of a deleted principal, which is nobody"),
            );
        } else if arn_account(value).is_some_and(|(account, _)| account == "cloudfront") {
            note(
                NoteKind::VerifyOwnership,
                &format!("names {value}: verify that it is ours"),
            );
        }
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one list of things worth a note, in the order in which they are said"
)]
fn conditions(statement: &Statement, policy: &Policy, scope: &Scope, note: &mut dyn FnMut(NoteKind, &str)) {
    for condition in &statement.conditions {
        let (key, operator) = (&condition.key, &condition.operator);
        let class = class(key);
        if operator.comparison == Comparison::Unknown {
            note(
                NoteKind::UnknownOperator,
                &format!("uses the unknown operator {}", operator.name),
            );
            continue;
        }
        if class == Class::Unknown {
            note(
                NoteKind::UnknownKey,
                &format!("goes by {key}, which is not a known condition key"),
            );
        }
        if class == Class::Clock {
            note(
                NoteKind::TimeDependent,
                "goes by the time: its effect changes without anybody changing it",
            );
        }
        if statement.effect != Effect::Allow {
            continue;
        }
        if !operator.negated && condition.values.is_empty() && operator.comparison != Comparison::Null {
            note(
                NoteKind::NeverMatches,
                &format!("compares {key} to nothing: it never matches"),
            );
        }
        let text = matches!(operator.comparison, Comparison::Equals | Comparison::EqualsIgnoreCase);
        for value in &condition.values {
            let source = value.source();
            if !policy.has_variables() && source.contains("${") {
                note(
                    NoteKind::NeverMatches,
                    &format!("has {source}, which is plain text without \"Version\": \"2012-10-17\""),
                );
            } else if text && !operator.negated && class.never_is(source) {
                note(
                    NoteKind::NeverMatches,
                    &format!(
                        "compares {key} to {source} with {}, which takes wildcards literally",
                        operator.name
                    ),
                );
            }
            let arn = matches!(class, Class::Arn | Class::SourceArn | Class::AccessPointArn);
            if arn && policy.has_variables() && (source.contains("${*}") || source.contains("${?}")) {
                note(
                    NoteKind::NeverMatches,
                    &format!("compares {key} to {source}, in which the wildcard stands for itself"),
                );
            }
            if class == Class::SourceArn && names_one_without_account(source) {
                let alone = !statement
                    .conditions
                    .iter()
                    .any(|one| self::class(&one.key) == Class::SourceAccount);
                if alone {
                    note(
                        NoteKind::VerifyOwnership,
                        &format!(
                            "trusts {source}, an ARN without an account: add aws:SourceAccount, for the name may change hands"
                        ),
                    );
                }
            }
        }
        if class == Class::SourceIp && operator.comparison == Comparison::Ip && !operator.negated {
            let ranges = condition.patterns.iter().flatten().filter_map(|pattern| match pattern {
                Pattern::Cidr(cidr) => Some(*cidr),
                _ => None,
            });
            let inside = |cidr: Cidr| {
                private()
                    .iter()
                    .any(|range| range.v6 == cidr.v6 && range.first <= cidr.first && cidr.last <= range.last)
            };
            if ranges.clone().next().is_some() && ranges.clone().all(inside) {
                note(
                    NoteKind::NeverMatches,
                    "goes by private addresses, which aws:SourceIp never holds; VPCs have aws:VpcSourceIp",
                );
            }
        }
        let identity = matches!(
            class,
            Class::Account | Class::Arn | Class::Organization | Class::OrgPaths
        );
        if identity && (operator.if_exists || operator.quantifier == Quantifier::All) {
            note(
                NoteKind::Fragile,
                &format!(
                    "limits callers by {}, which is true when {key} is missing",
                    operator.name
                ),
            );
        }
        if class == Class::UploadKey && scope.service.is_s3() {
            note(NoteKind::VerifyOwnership, "is limited only by who may use a KMS key");
        }
        if class == Class::Audience && key.starts_with("cognito-identity") {
            let guests = statement.conditions.iter().any(|one| {
                one.key == "cognito-identity.amazonaws.com:amr"
                    && one.values.iter().all(|v| v.source() == "authenticated")
            });
            if !guests {
                note(
                    NoteKind::Guests,
                    "lets guests of the identity pool in, if it has any: ask for amr authenticated",
                );
            }
        }
    }
}
