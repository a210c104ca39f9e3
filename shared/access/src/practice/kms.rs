//! What a good key policy says.
//!
//! Sources: KMS Developer Guide, "Default key policy", "Key policies", "Condition keys for AWS KMS"; AWS KMS best
//! practices whitepaper; IAM User Guide, "AWS global condition context keys" (`aws:MultiFactorAuthPresent`).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::condition::{Comparison, Truth, is_true};
use crate::evaluate::{Caller, action_matches, principal_matches};
use crate::judge::judge;
use crate::keys::{Class, class};
use crate::parse::{Effect, Policy, Principal, PrincipalKind, Statement};
use crate::principals::{account_of, arn_account, principal_arn};
use crate::scope::Scope;
use crate::service::Service;
use crate::trust::Trust;
use crate::verdict::Verdict;

/// Something that a key policy should not do, or should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFinding {
    /// Anybody gets in.
    Public,
    /// Somebody in particular who is not trusted gets in.
    External,
    /// Key management does not ask for multi-factor authentication.
    NoMfa,
    /// A Deny without MFA stops the use of the key too, and with it every application and service.
    MfaDenyTooWide,
    /// A principal both administers and uses the key.
    AdminIsUser,
    /// `kms:*` for another principal than the account.
    KmsStarNonroot,
    /// Use of the key is not limited to AWS services (`kms:ViaService`).
    UserNotViaService,
    /// Grants are not limited to AWS resources (`kms:GrantIsForAWSResource`).
    GrantNotAwsOnly,
    /// The account itself can't manage the key: it may become unmanageable.
    NoAccountRoot,
}

impl KeyFinding {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::External => "external",
            Self::NoMfa => "no-mfa",
            Self::MfaDenyTooWide => "mfa-deny-too-wide",
            Self::AdminIsUser => "admin-is-user",
            Self::KmsStarNonroot => "kms-star-nonroot",
            Self::UserNotViaService => "user-not-via-service",
            Self::GrantNotAwsOnly => "grant-not-aws-only",
            Self::NoAccountRoot => "no-account-root",
        }
    }
}

/// What was found in a key policy, each with the statement if it is one's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyPractice {
    /// Finding, statement index.
    pub findings: BTreeSet<(KeyFinding, Option<usize>)>,
}

impl KeyPractice {
    /// The findings without repetition.
    pub fn kinds(&self) -> BTreeSet<KeyFinding> {
        self.findings.iter().map(|(kind, _)| *kind).collect()
    }
}

/// Calls that decide who else may do what, or destroy the key (AWS KMS best practices, multi-factor authentication).
const CRITICAL: [&str; 4] = [
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:DeleteAlias",
    "kms:DeleteImportedKeyMaterial",
];
const MANAGE: [&str; 4] = [
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:DisableKey",
    "kms:DeleteImportedKeyMaterial",
];
const USE: [&str; 7] = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:Sign",
    "kms:GenerateMac",
];

/// Checks a key policy of `account`.
pub fn key_practice(policy: &Policy, account: &str, trust: &Trust) -> KeyPractice {
    let scope = Scope {
        service: Service::Kms,
        owner: account,
        trust,
        resource: None,
    };
    let judgement = judge(policy, &scope);
    let mut findings = BTreeSet::new();
    for offence in &judgement.offending {
        let kind = if offence.verdict == Verdict::Public {
            KeyFinding::Public
        } else {
            KeyFinding::External
        };
        findings.insert((kind, Some(offence.index)));
    }
    let mut managers = BTreeSet::new();
    let mut users = BTreeSet::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        if !has_effect(statement) {
            continue;
        }
        if statement.effect == Effect::Deny {
            if asks_for_mfa(statement) && USE.iter().any(|action| names(statement, action)) {
                findings.insert((KeyFinding::MfaDenyTooWide, Some(index)));
            }
            continue;
        }
        let others: Vec<&Principal> = statement
            .principals
            .iter()
            .flat_map(|selection| &selection.values)
            .filter(|one| one.kind == PrincipalKind::Aws && account_of(&one.value) != Some(account))
            .collect();
        if others.is_empty() {
            continue;
        }
        let star = has_star(statement);
        if star {
            findings.insert((KeyFinding::KmsStarNonroot, Some(index)));
        }
        let in_account = others
            .iter()
            .filter(|one| arn_account(&one.value).is_some_and(|(of, name)| of == account && name != "root"));
        let people: Vec<String> = in_account.map(|one| one.value.clone()).collect();
        if MANAGE.iter().any(|action| names(statement, action)) {
            managers.extend(people.iter().cloned());
        }
        if USE.iter().any(|action| names(statement, action)) {
            users.extend(people);
            if !star && !limits(statement, "kms:viaservice") {
                findings.insert((KeyFinding::UserNotViaService, Some(index)));
            }
        }
        // An administrator's "kms:Create*" is the console's own list, so only a grant by name counts.
        let by_name = |action: &String| action.to_ascii_lowercase().contains("grant");
        let grants = statement
            .actions
            .iter()
            .filter(|selection| !selection.negated)
            .flat_map(|all| &all.values)
            .any(by_name);
        if grants && names(statement, "kms:CreateGrant") && !only_aws_resources(statement) {
            findings.insert((KeyFinding::GrantNotAwsOnly, Some(index)));
        }
    }
    if managers.intersection(&users).next().is_some() {
        findings.insert((KeyFinding::AdminIsUser, None));
    }
    if !account_manages(policy, account) {
        findings.insert((KeyFinding::NoAccountRoot, None));
    }
    if CRITICAL.iter().any(|action| works_without_mfa(policy, action)) {
        findings.insert((KeyFinding::NoMfa, None));
    }
    KeyPractice { findings }
}

/// A statement without Action or Resource has no effect (KMS API Reference, `PutKeyPolicy`).
fn has_effect(statement: &Statement) -> bool {
    statement.effect != Effect::Neither && statement.actions.is_some() && statement.resources.is_some()
}

fn names(statement: &Statement, action: &str) -> bool {
    action_matches(statement, Service::Kms, action, "")
}

fn has_star(statement: &Statement) -> bool {
    let Some(actions) = &statement.actions else {
        return false;
    };
    !actions.negated
        && actions
            .values
            .iter()
            .any(|action| action == "*" || action.eq_ignore_ascii_case("kms:*"))
}

fn limits(statement: &Statement, key: &str) -> bool {
    statement.conditions.iter().any(|condition| {
        let any = condition.values.iter().all(|value| !matches!(value.source(), "*"));
        condition.key == key && condition.operator.is_limiting() && !condition.values.is_empty() && any
    })
}

fn only_aws_resources(statement: &Statement) -> bool {
    statement.conditions.iter().any(|condition| {
        condition.key == "kms:grantisforawsresource"
            && condition.operator.is_limiting()
            && matches!(condition.operator.comparison, Comparison::Bool | Comparison::Equals)
            && !condition.values.is_empty()
            && condition
                .values
                .iter()
                .all(|value| is_true(value.source()) == Some(true))
    })
}

fn is_mfa(key: &str) -> bool {
    matches!(key, "aws:multifactorauthpresent" | "aws:multifactorauthage")
}

fn asks_for_mfa(statement: &Statement) -> bool {
    statement.conditions.iter().any(|condition| is_mfa(&condition.key))
}

/// Whether some principal can make the call without MFA, be it with long-term keys (the key is missing) or with a
/// session (it is false). An account's root statement counts: with it, IAM policies allow the call.
fn works_without_mfa(policy: &Policy, action: &str) -> bool {
    let none = |_: &str| None;
    let session = ["false".to_owned()];
    [None, Some(&session[..])].into_iter().any(|present| {
        let holds = |statement: &Statement, others: Truth| {
            statement.conditions.iter().fold(Truth::Yes, |truth, condition| {
                let actual = if condition.key == "aws:multifactorauthpresent" {
                    present
                } else {
                    None
                };
                let granting = statement.effect == Effect::Allow;
                truth.min(if is_mfa(&condition.key) {
                    condition.holds(actual, &none, granting)
                } else {
                    others
                })
            })
        };
        let own = |statement: &&Statement| has_effect(statement) && names(statement, action);
        let statements = || policy.statements().iter().filter(own);
        let allowed = statements()
            .any(|one| one.effect == Effect::Allow && holds(one, Truth::Yes) == Truth::Yes && has_people(one));
        let denied = statements().any(|one| {
            let everyone = one
                .principals
                .as_ref()
                .is_some_and(|all| !all.negated && all.values.iter().any(Principal::is_everyone));
            one.effect == Effect::Deny && everyone && holds(one, Truth::No) == Truth::Yes
        });
        allowed && !denied
    })
}

/// Whether it names anybody but services.
fn has_people(statement: &Statement) -> bool {
    statement
        .principals
        .as_ref()
        .is_some_and(|all| all.negated || all.values.iter().any(|one| one.kind == PrincipalKind::Aws))
}

/// Whether the account as a whole may manage the key: the statement that KMS puts into every default key policy.
fn account_manages(policy: &Policy, account: &str) -> bool {
    policy.statements().iter().any(|statement| {
        let whole = statement
            .principals
            .as_ref()
            .is_some_and(|all| !all.negated && all.values.iter().any(|one| account_of(&one.value) == Some(account)));
        statement.effect == Effect::Allow
            && has_effect(statement)
            && whole
            && statement.conditions.is_empty()
            && CRITICAL[..2].iter().all(|action| names(statement, action))
    })
}

/// Whether anybody of the account may still change the policy: the account as a whole, or one of its principals that the
/// policy names. Conditions that don't go by who calls are taken to be met.
pub(crate) fn is_manageable(policy: &Policy, statements: &[&Statement], scope: &Scope) -> bool {
    let root = format!("arn:{}:iam::{}:root", scope.partition(policy), scope.owner);
    let about = |one: &&&Statement| has_effect(one) && names(one, "kms:PutKeyPolicy");
    let able: Vec<&Statement> = statements.iter().filter(about).copied().collect();
    let named = statements.iter().filter(|one| one.effect == Effect::Allow);
    let named = named.flat_map(|one| one.principals.iter().flat_map(|selection| &selection.values));
    let named = named.filter(|one| arn_account(&one.value).is_some_and(|(of, _)| of == scope.owner));
    let arns: BTreeSet<&str> = named.map(|one| one.value.as_str()).collect();
    std::iter::once(root.as_str())
        .chain(arns)
        .any(|arn| may_manage(&able, scope, arn))
}

fn may_manage(statements: &[&Statement], scope: &Scope, arn: &str) -> bool {
    let caller = Caller::Account {
        account: scope.owner.to_owned(),
        arn: arn.to_owned(),
    };
    let applies = |statement: &Statement| {
        let granting = statement.effect == Effect::Allow;
        let conditions = statement.conditions.iter().map(|condition| {
            let known = |value: &str| condition.holds(Some(&[value.to_owned()]), &|_| None, granting);
            let organizations = &scope.trust.organizations;
            match class(&condition.key) {
                Class::Account => known(scope.owner),
                Class::Arn => known(&principal_arn(arn)),
                Class::IsService => known("false"),
                Class::Organization if !organizations.is_empty() => {
                    organizations.iter().map(|one| known(one)).max().unwrap_or(Truth::No)
                }
                // Nobody calls it through another service, and what an unknown key holds can't be counted on.
                Class::SourceArn | Class::SourceAccount | Class::ServiceName => {
                    condition.holds(None, &|_| None, granting)
                }
                _ if condition.key == "kms:viaservice" => condition.holds(None, &|_| None, granting),
                Class::Unknown if granting => Truth::No,
                _ => Truth::Maybe,
            }
        });
        conditions.fold(principal_matches(statement, &caller), Truth::and)
    };
    let any = |effect: Effect, least: Truth| {
        let statements = statements.iter().copied();
        statements
            .filter(|one| one.effect == effect)
            .any(|one| applies(one) >= least)
    };
    any(Effect::Allow, Truth::Maybe) && !any(Effect::Deny, Truth::Yes)
}
