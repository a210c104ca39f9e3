//! Who gets in: the verdict on a policy, with a request that proves it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::adversary::{World, worlds};
use crate::condition::Truth;
use crate::evaluate::{Caller, Request, evaluate};
use crate::keys::{is_shared_secret, names_service, names_source};
use crate::notes::notes;
use crate::parse::{Effect, Policy, Principal, Statement};
use crate::s3_public;
use crate::search::{Outcome, Question, STEPS, Search};
use crate::service::Service;
use crate::survey::{Names, Survey, WORK};
use crate::targets::{Ground, Target, has_variables};
use crate::trust::Trust;
use crate::words;

/// Who a policy lets in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nobody but the owner and whom it trusts.
    #[default]
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
pub(crate) struct Finding {
    certain: Option<(Verdict, Request, World)>,
    possible: Option<(Verdict, Request, World)>,
    /// What could be let in that the search did not come to.
    unfinished: Verdict,
    deputy: bool,
    /// What the search has left of its budget.
    left: Budget,
}

impl Finding {
    fn certain(&self) -> Verdict {
        self.certain.as_ref().map_or(Verdict::Private, |found| found.0)
    }

    fn possible(&self) -> Verdict {
        let possible = self.possible.as_ref().map_or(Verdict::Private, |found| found.0);
        possible.max(self.certain()).max(self.unfinished)
    }
}

impl Finding {
    /// What it cost of a whole budget, roughly in equal steps.
    pub(crate) fn cost(&self) -> usize {
        let spent = Budget::WHOLE.work.saturating_sub(self.left.work);
        500 + spent + 5 * Budget::WHOLE.steps.saturating_sub(self.left.steps)
    }
}

/// What a search may cost, in counted steps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Budget {
    work: usize,
    steps: usize,
}

impl Budget {
    /// Of a whole policy, or of a single statement that is judged alone.
    pub(crate) const WHOLE: Self = Self {
        work: WORK,
        steps: STEPS,
    };

    fn share(self, among: usize) -> Self {
        Self {
            work: (self.work / among).max(2_000),
            steps: (self.steps / among).max(100),
        }
    }
}

/// A policy, with what the judgements of its statements have in common.
pub(crate) struct Bench<'a> {
    policy: &'a Policy,
    scope: &'a Scope<'a>,
    now: f64,
    names: Rc<Names>,
    ground: Rc<Ground>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(policy: &'a Policy, scope: &'a Scope<'a>, now: f64) -> Self {
        let names = Names::new(policy, scope);
        let ground = Rc::new(Ground::new(policy, scope, &names));
        Self {
            policy,
            scope,
            now,
            names: Rc::new(names),
            ground,
        }
    }

    /// The same for a policy that differs only in principals and conditions.
    pub(crate) fn of<'b>(&self, policy: &'b Policy) -> Bench<'b>
    where
        'a: 'b,
    {
        Bench {
            policy,
            scope: self.scope,
            now: self.now,
            names: Rc::clone(&self.names),
            ground: Rc::clone(&self.ground),
        }
    }

    /// What one Allow comes to.
    pub(crate) fn examine(&self, at: usize, budget: Budget) -> Finding {
        // Only Denies that touch the same can stop it; nothing else of the policy matters to it.
        let statements = self.policy.statements();
        let denies = |index: &usize| statements[*index].effect == Effect::Deny && self.ground.meet(at, *index);
        let included = (0..statements.len())
            .filter(|index| *index == at || denies(index))
            .collect();
        let survey = Survey::of(
            self.policy,
            self.scope,
            &self.names,
            self.ground.roots(),
            included,
            budget.work,
        );
        let mut search = Search {
            policy: self.policy,
            scope: self.scope,
            survey: &survey,
            now: self.now,
            steps: 0,
            most: budget.steps,
        };
        let mut finding = Finding::default();
        if self.ground.meet(at, at) {
            self.try_worlds(&mut search, at, &mut finding);
        }
        finding.left = Budget {
            work: survey.work.get(),
            steps: budget.steps.saturating_sub(search.steps),
        };
        finding
    }

    /// The statement's offence, if it lets anybody in.
    pub(crate) fn offence(&self, at: usize, finding: &Finding) -> Option<Offence> {
        let (verdict, certain) = (finding.possible(), finding.certain());
        let undecided = certain < verdict;
        let request = finding_request(finding).filter(|found| found.0 >= finding.unfinished);
        (verdict > Verdict::Private).then(|| Offence {
            index: at,
            sid: self.policy.statements()[at].sid.clone(),
            verdict,
            certain,
            undecided,
            reason: words::offence(self.policy, at, request, undecided),
        })
    }

    fn try_worlds(&self, search: &mut Search, at: usize, finding: &mut Finding) {
        let (policy, scope) = (self.policy, self.scope);
        let statement = &policy.statements()[at];
        let everywhere = |_: &str| (Vec::new(), true);
        let by_world = search
            .survey
            .included
            .iter()
            .any(|&index| has_variables(&policy.statements()[index]));
        let mut shared: Option<Vec<Target>> = None;
        for world in worlds(policy, search.survey, scope, at) {
            if finding.certain() == Verdict::Public || (!world.anybody && finding.certain() == Verdict::External) {
                break;
            }
            let graver = if world.anybody {
                Verdict::Public
            } else {
                Verdict::External
            };
            let deputy = matches!(world.caller, Caller::Service { .. }) && is_deputy(policy, statement, &world);
            if deputy && (finding.deputy || !lists_service(statement, &world) && !world.anybody) {
                continue;
            }
            let field = &search.field(&world);
            if !search.may_meet(at, &world, field) {
                continue;
            }
            let own;
            let targets = if by_world {
                let texts = |name: &str| match search.survey.index.get(name) {
                    Some(&key) => (field.texts(key).cloned().collect(), !field.is_vague(key)),
                    None => (Vec::new(), true),
                };
                own = self.ground.targets(policy, scope, search.survey, at, &texts);
                &own
            } else {
                shared.get_or_insert_with(|| self.ground.targets(policy, scope, search.survey, at, &everywhere))
            };
            for target in targets
                .iter()
                .filter(|target| may_call(scope.service, &world.caller, &target.action))
            {
                let mut ask = |certain: bool, open: bool| {
                    search.run(&Question {
                        at,
                        world: &world,
                        field,
                        target,
                        certain,
                        open,
                    })
                };
                for (open, verdict) in [(true, Verdict::Public), (false, Verdict::External)] {
                    if (open && !world.anybody) || finding.certain() >= verdict {
                        continue;
                    }
                    let possible = match ask(false, open) {
                        Outcome::Nothing => continue,
                        Outcome::Found(request) if target.resource.is_some() => Some(request),
                        Outcome::Found(_) | Outcome::Unfinished => None,
                    };
                    if deputy && world.anybody {
                        finding.deputy |= possible.is_some();
                        continue;
                    }
                    let certain = if target.resource.is_some() {
                        ask(true, open)
                    } else {
                        Outcome::Unfinished
                    };
                    match (certain, possible) {
                        (Outcome::Found(request), _) if evaluate(policy, scope.service, &request) == Truth::Yes => {
                            finding.certain = Some((verdict, request, world.clone()));
                        }
                        (_, Some(request)) => {
                            if finding.possible.as_ref().is_none_or(|known| known.0 < verdict) {
                                finding.possible = Some((verdict, request, world.clone()));
                            }
                        }
                        (_, None) => finding.unfinished = finding.unfinished.max(verdict),
                    }
                }
            }
            if search.steps > search.most && finding.certain() < graver {
                finding.unfinished = finding.unfinished.max(graver);
                break;
            }
        }
        if finding.certain() >= finding.unfinished {
            finding.unfinished = Verdict::Private;
        }
    }
}

/// Judges a policy at a time, in seconds since 1970.
pub fn judge_at(policy: &Policy, scope: &Scope, now: f64) -> Judgement {
    let mut judgement = judge_reading(policy, scope, now);
    for reading in &policy.readings {
        judgement.widen(policy, judge_reading(reading, scope, now));
    }
    judgement
}

impl Judgement {
    /// Takes in what another reading of the policy comes to: the graver counts, and only what both say is certain.
    fn widen(&mut self, policy: &Policy, other: Self) {
        let certain = |of: &[Offence], index: usize| {
            let known = of.iter().find(|offence| offence.index == index);
            known.map_or(Verdict::Private, |offence| offence.certain)
        };
        let mut all = self.offending.clone();
        for offence in &other.offending {
            match all.iter_mut().find(|known| known.index == offence.index) {
                Some(known) if known.verdict < offence.verdict => *known = offence.clone(),
                Some(_) => {}
                None => all.push(offence.clone()),
            }
        }
        for offence in &mut all {
            let both = [&self.offending, &other.offending].map(|of| certain(of, offence.index));
            offence.certain = both[0].min(both[1]);
            offence.undecided = offence.certain < offence.verdict;
        }
        all.sort_by_key(|offence| offence.index);
        if self.verdict < other.verdict {
            self.verdict = other.verdict;
            self.witness = other.witness;
        }
        self.undecided = all.iter().map(|one| one.certain).max().unwrap_or(Verdict::Private) < self.verdict;
        self.offending = all;
        if other.s3 == Some(S3Verdict::Public) {
            self.s3 = other.s3;
        }
        self.reason = words::summary(policy, self.verdict, &self.offending, &self.notes, self.s3);
    }
}

fn judge_reading(policy: &Policy, scope: &Scope, now: f64) -> Judgement {
    let bench = Bench::new(policy, scope, now);
    let statements = policy.statements().iter().enumerate();
    let allows: Vec<usize> = statements
        .filter(|(_, one)| one.effect == Effect::Allow)
        .map(|(at, _)| at)
        .collect();
    // Each statement has its share, so that their order makes no difference; what the others leave is for those that
    // it was not enough for.
    let share = Budget::WHOLE.share(allows.len().max(1));
    let mut findings: Vec<(usize, Finding)> = allows.iter().map(|&at| (at, bench.examine(at, share))).collect();
    let wanting = findings
        .iter()
        .filter(|(_, one)| one.unfinished > Verdict::Private)
        .count();
    if wanting > 0 && findings.len() > 1 {
        let left = findings.iter().fold(Budget::default(), |sum, (_, one)| Budget {
            work: sum.work + one.left.work,
            steps: sum.steps + one.left.steps,
        });
        let share = left.share(wanting);
        for (at, finding) in &mut findings {
            if finding.unfinished > Verdict::Private {
                *finding = bench.examine(*at, share);
            }
        }
    }
    let mut offending = Vec::new();
    let mut worst: Option<((Verdict, bool), Request, World)> = None;
    let mut deputies = Vec::new();
    let mut certain = Verdict::Private;
    for (at, finding) in findings {
        if finding.deputy {
            deputies.push(at);
        }
        certain = certain.max(finding.certain());
        offending.extend(bench.offence(at, &finding));
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

fn finding_request(finding: &Finding) -> Option<(Verdict, &Request)> {
    let graver = |found: &&(Verdict, Request, World)| found.0 == finding.possible();
    let found = finding
        .certain
        .as_ref()
        .filter(graver)
        .or(finding.possible.as_ref())
        .or(finding.certain.as_ref());
    found.map(|(verdict, request, _)| (*verdict, request))
}

fn witness(request: Request, world: &World) -> Witness {
    let (kind, principal) = match &request.caller {
        Caller::Anonymous => ("anonymous", "anonymous".to_owned()),
        Caller::Account { arn, .. } => ("account", arn.clone()),
        Caller::Service { name } => ("service", name.clone()),
        Caller::Federated { provider } => ("federated", provider.clone()),
        Caller::Canonical { id } => ("canonical", id.clone()),
    };
    let mut context = request.context.clone();
    for (_, values) in context.iter_mut().filter(|(key, _)| is_shared_secret(key)) {
        *values = vec!["(what the policy asks for)".to_owned()];
    }
    Witness {
        kind,
        principal,
        account: world.account.clone(),
        action: request.action.clone(),
        resource: request.resource.clone(),
        context,
        request,
    }
}

/// Whether such a caller makes such a call: a role is assumed by different calls.
fn may_call(service: Service, caller: &Caller, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    if service == Service::BackupVault {
        // Whatever its policy says, a vault refuses other accounts all else (AWS Backup Developer Guide, "Vault access
        // policies").
        return !matches!(caller, Caller::Account { .. }) || action == "backup:copyintobackupvault";
    }
    if service != Service::IamTrust {
        return true;
    }
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
