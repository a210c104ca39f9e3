//! Who gets in: the verdict on a policy, with a request that proves it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::adversary::{World, worlds};
use crate::condition::Truth;
use crate::evaluate::{Caller, Request, evaluate};
use crate::keys::{names_service, names_source};
use crate::notes::notes;
use crate::parse::{Effect, Policy, Principal, Statement};
use crate::s3_public;
use crate::search::{Outcome, Question, STEPS, Search};
use crate::service::Service;
use crate::survey::Survey;
use crate::targets::{Ground, Target};
use crate::trust::Trust;
use crate::words;

/// Who a policy lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nobody but the owner and whom it trusts.
    Private,
    /// Somebody in particular who is not trusted.
    External,
    /// Anybody.
    Public,
}

/// What S3 itself calls a policy, and what its block acts on.
///
/// Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", The meaning of "public".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum S3Verdict {
    /// Not public by S3's definition.
    Private,
    /// Public by S3's definition, even if nobody gets in.
    Public,
}

/// What a policy is judged against.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The kind of resource it is on.
    pub service: Service,
    /// The account that owns the resource.
    pub owner: &'a str,
    /// What is trusted beside the owner.
    pub trust: &'a Trust,
    /// The resource's ARN, if known; else it is taken from the policy.
    pub resource: Option<&'a str>,
}

/// A statement that lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offence {
    /// Its place in the policy, from 0.
    pub index: usize,
    /// Its id, if it has one.
    pub sid: Option<String>,
    /// Whom it lets in, taken to the safe side.
    pub verdict: Verdict,
    /// Whom it lets in for certain.
    pub certain: Verdict,
    /// The graver verdict can't be decided: nothing is removed for it.
    pub undecided: bool,
    /// Why, in words.
    pub reason: String,
}

/// One request that gets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// `anonymous`, `account`, `service`, `federated` or `canonical`.
    pub kind: &'static str,
    /// Who asks: an ARN, a service, a provider, an id, or `anonymous`.
    pub principal: String,
    /// The caller's account, or the one that a service acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What for.
    pub action: String,
    /// On what.
    pub resource: String,
    /// The condition keys that matter, in lower case.
    pub context: BTreeMap<String, Vec<String>>,
    /// The same, to be evaluated.
    #[serde(skip)]
    pub request: Request,
}

/// Kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// An AWS service can be made to act for anybody.
    ConfusedDeputy,
    /// Safe only if something named is, and stays, ours.
    VerifyOwnership,
    /// Bound to a network whose owner is unknown.
    NetworkBound,
    /// A condition that no request meets.
    NeverMatches,
    /// Right today, by a form that breaks easily.
    Fragile,
    /// A statement that does nothing.
    NoEffect,
    /// A principal that no longer exists.
    DeletedPrincipal,
    /// AWS would not take this.
    RejectedByAws,
    /// The verdict changes with time.
    TimeDependent,
    /// A condition key that is not known.
    UnknownKey,
    /// A condition operator that is not known.
    UnknownOperator,
    /// A key that occurs twice.
    DuplicateKey,
    /// Guests of an identity pool get in.
    Guests,
}

/// Something worth knowing that does not change the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What kind.
    pub kind: NoteKind,
    /// Which statement, if one.
    pub index: Option<usize>,
    /// In words.
    pub text: String,
}

/// The verdict on a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Whom it lets in, taken to the safe side where that can't be decided.
    pub verdict: Verdict,
    /// What S3 calls it; only for buckets and access points.
    pub s3: Option<S3Verdict>,
    /// The verdict could be milder: see the offences and notes.
    pub undecided: bool,
    /// The statements that let somebody in.
    pub offending: Vec<Offence>,
    /// Why, in words for an alert.
    pub reason: String,
    /// A request that gets in.
    pub witness: Option<Witness>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
}

/// Judges a policy now.
pub fn judge(policy: &Policy, scope: &Scope) -> Judgement {
    judge_at(policy, scope, now())
}

pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64().floor())
}

/// What the search for one statement came to.
#[derive(Default)]
struct Finding {
    certain: Option<(Verdict, Request, World)>,
    possible: Option<(Verdict, Request, World)>,
    unfinished: bool,
    deputy: bool,
}

impl Finding {
    fn certain(&self) -> Verdict {
        self.certain.as_ref().map_or(Verdict::Private, |found| found.0)
    }

    fn possible(&self) -> Verdict {
        if self.unfinished {
            return Verdict::Public;
        }
        self.possible
            .as_ref()
            .map_or(Verdict::Private, |found| found.0)
            .max(self.certain())
    }
}

/// Judges a policy at a time, in seconds since 1970.
pub fn judge_at(policy: &Policy, scope: &Scope, now: f64) -> Judgement {
    let survey = Survey::new(policy, scope);
    let ground = Ground::new(policy, scope, &survey);
    let allows = policy
        .statements()
        .iter()
        .filter(|one| one.effect == Effect::Allow)
        .count()
        .max(1);
    let mut offending = Vec::new();
    let mut worst: Option<((Verdict, bool), Request, World)> = None;
    let mut deputies = Vec::new();
    let mut certain = Verdict::Private;
    for (at, statement) in policy.statements().iter().enumerate() {
        if statement.effect != Effect::Allow {
            continue;
        }
        // Only Denies that touch the same can stop it; nothing else of the policy matters to it.
        let is_deny = |index: &usize| policy.statements()[*index].effect == Effect::Deny;
        let count = policy.statements().len();
        let included = (0..count)
            .filter(|index| *index == at || (is_deny(index) && ground.meet(at, *index)))
            .collect();
        let own = Survey::of(policy, scope, survey.names.clone(), included);
        // Each statement has its share, so that their order makes no difference.
        own.work.set((own.work.get() / allows).max(2_000));
        let mut search = Search {
            policy,
            scope,
            survey: &own,
            now,
            steps: 0,
            most: (STEPS / allows).max(100),
        };
        let (targets, complete) = ground.targets(policy, scope, &own);
        let mut finding = examine(&mut search, at, &targets);
        finding.unfinished |= !complete && finding.certain() != Verdict::Public;
        if finding.deputy {
            deputies.push(at);
        }
        let verdict = finding.possible();
        certain = certain.max(finding.certain());
        if verdict == Verdict::Private {
            continue;
        }
        let undecided = finding.certain() < verdict;
        let reason = words::offence(
            policy,
            at,
            finding_request(&finding).as_ref(),
            undecided,
            finding.unfinished,
        );
        offending.push(Offence {
            index: at,
            sid: statement.sid.clone(),
            verdict,
            certain: finding.certain(),
            undecided,
            reason,
        });
        for (found, is_certain) in [(finding.certain, true), (finding.possible, false)] {
            let Some((verdict, request, world)) = found else {
                continue;
            };
            let rank = (verdict, is_certain);
            if worst.as_ref().is_none_or(|known| known.0 < rank) {
                worst = Some((rank, request, world));
            }
        }
    }
    let verdict = offending
        .iter()
        .map(|offence| offence.verdict)
        .max()
        .unwrap_or(Verdict::Private);
    let s3 = scope.service.is_s3().then(|| s3_public::verdict(policy, scope.service));
    let notes = notes(policy, scope, &deputies, &offending);
    let reason = words::summary(policy, verdict, &offending, &notes, s3);
    let witness = worst.map(|(_, request, world)| witness(request, &world));
    Judgement {
        verdict,
        s3,
        undecided: certain < verdict,
        offending,
        reason,
        witness,
        notes,
    }
}

fn finding_request(finding: &Finding) -> Option<(Verdict, Request)> {
    let graver = |found: &&(Verdict, Request, World)| found.0 == finding.possible();
    let found = finding
        .certain
        .as_ref()
        .filter(graver)
        .or(finding.possible.as_ref())
        .or(finding.certain.as_ref());
    found.map(|(verdict, request, _)| (*verdict, request.clone()))
}

fn witness(request: Request, world: &World) -> Witness {
    let (kind, principal) = match &request.caller {
        Caller::Anonymous => ("anonymous", "anonymous".to_owned()),
        Caller::Account { arn, .. } => ("account", arn.clone()),
        Caller::Service { name } => ("service", name.clone()),
        Caller::Federated { provider } => ("federated", provider.clone()),
        Caller::Canonical { id } => ("canonical", id.clone()),
    };
    Witness {
        kind,
        principal,
        account: world.account.clone(),
        action: request.action.clone(),
        resource: request.resource.clone(),
        context: request.context.clone(),
        request,
    }
}

fn examine(search: &mut Search, at: usize, targets: &[Target]) -> Finding {
    let (policy, scope) = (search.policy, search.scope);
    let statement = &policy.statements()[at];
    let mut finding = Finding::default();
    let own: Vec<&Target> = targets.iter().filter(|target| target.relevant[at]).collect();
    if own.is_empty() {
        return finding;
    }
    for world in worlds(policy, search.survey, scope, at) {
        if finding.certain() == Verdict::Public || (!world.anybody && finding.certain() == Verdict::External) {
            break;
        }
        let deputy = matches!(world.caller, Caller::Service { .. }) && is_deputy(policy, statement, &world);
        if deputy && finding.deputy {
            continue;
        }
        let named_only = deputy && !lists_service(statement, &world) && !world.anybody;
        if named_only {
            continue;
        }
        let field = &search.field(&world);
        for target in &own {
            if !may_call(scope.service, &world.caller, &target.action) {
                continue;
            }
            let mut ask = |certain: bool, open: bool| {
                let question = Question {
                    at,
                    world: &world,
                    field,
                    action: &target.action,
                    resource: &target.resource,
                    relevant: &target.relevant,
                    certain,
                    open,
                };
                search.run(&question)
            };
            for (open, verdict) in [(true, Verdict::Public), (false, Verdict::External)] {
                if (open && !world.anybody) || finding.certain() >= verdict {
                    continue;
                }
                let possible = match ask(false, open) {
                    Outcome::Nothing => continue,
                    Outcome::Unfinished => None,
                    Outcome::Found(request) => Some(request),
                };
                if deputy && world.anybody {
                    finding.deputy |= possible.is_some();
                    continue;
                }
                let certain = ask(true, open);
                match (certain, possible) {
                    (Outcome::Found(request), _) if evaluate(policy, scope.service, &request) == Truth::Yes => {
                        finding.certain = Some((verdict, request, world.clone()));
                    }
                    (_, Some(request)) => {
                        if finding.possible.as_ref().is_none_or(|known| known.0 < verdict) {
                            finding.possible = Some((verdict, request, world.clone()));
                        }
                    }
                    (_, None) => finding.unfinished = true,
                }
            }
        }
        if search.steps > search.most && finding.certain() != Verdict::Public {
            finding.unfinished = true;
            break;
        }
    }
    finding
}

/// Whether such a caller makes such a call: a role is assumed by different calls.
fn may_call(service: Service, caller: &Caller, action: &str) -> bool {
    if service != Service::IamTrust {
        return true;
    }
    let action = action.to_ascii_lowercase();
    let federated = matches!(
        action.as_str(),
        "sts:assumerolewithwebidentity" | "sts:assumerolewithsaml"
    );
    match caller {
        Caller::Federated { .. } => federated,
        // Tags and a source identity come with a call, and let nobody in by themselves.
        _ => {
            !federated
                && !matches!(
                    action.as_str(),
                    "sts:tagsession" | "sts:setsourceidentity" | "sts:setcontext"
                )
        }
    }
}

fn lists_service(statement: &Statement, world: &World) -> bool {
    let Caller::Service { name } = &world.caller else {
        return false;
    };
    let principals = statement.principals.iter().filter(|selection| !selection.negated);
    principals
        .flat_map(|selection| &selection.values)
        .any(|principal| principal.value == *name)
}

/// A service that acts for a stranger is a deputy that may be confused, not a stranger let in, unless the statement is
/// open to everyone and means to limit it by the source of the call.
fn is_deputy(policy: &Policy, statement: &Statement, world: &World) -> bool {
    let everyone = statement
        .principals
        .as_ref()
        .is_some_and(|selection| selection.negated || selection.values.iter().any(Principal::is_everyone));
    if lists_service(statement, world) || !everyone {
        return true;
    }
    let own = || statement.conditions.iter();
    let denies = policy.statements().iter().filter(|other| other.effect == Effect::Deny);
    let by_source = own()
        .chain(denies.flat_map(|deny| &deny.conditions))
        .any(|one| names_source(&one.key));
    !by_source || own().any(|one| names_service(&one.key))
}
