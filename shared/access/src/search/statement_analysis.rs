//! Whom one statement of a policy lets in.

use std::collections::HashMap;
use std::rc::Rc;

use super::action_resources::{ActionResources, Target, has_variables};
use super::callers::{CallerProfile, profiles};
use super::fresh_names::FreshNames;
use super::mentions::{Mentions, WORK};
use super::request_search::{Outcome, Question, STEPS, Search};
use super::value_table::Context;
use crate::condition::Truth;
use crate::evaluate::{Caller, Request, evaluate_by};
use crate::explain;
use crate::keys::{names_service, names_source};
use crate::parse::{Effect, Policy, Principal, Statement};
use crate::scope::Scope;
use crate::service::{COPY_INTO_VAULT, Service};
use crate::verdict::{Offence, Verdict};

/// A request that gets in.
#[derive(Clone)]
pub(crate) struct Admitted {
    pub verdict: Verdict,
    pub request: Request,
    /// The caller's account, or the one that a service acts for.
    pub account: Option<String>,
}

impl Admitted {
    fn new(verdict: Verdict, request: Request, profile: &CallerProfile) -> Self {
        Self {
            verdict,
            request,
            account: profile.account.clone(),
        }
    }
}

/// What the search for one statement found.
#[derive(Clone, Default)]
pub(crate) struct Finding {
    pub certain: Option<Admitted>,
    pub possible: Option<Admitted>,
    /// What could be let in that the search did not come to.
    pub unfinished: Verdict,
    pub deputy: bool,
    /// What the search has left of its budget.
    pub left: Budget,
}

impl Finding {
    pub(crate) fn certain(&self) -> Verdict {
        self.certain.as_ref().map_or(Verdict::Private, |found| found.verdict)
    }

    fn possible(&self) -> Verdict {
        let possible = self.possible.as_ref().map_or(Verdict::Private, |found| found.verdict);
        possible.max(self.certain()).max(self.unfinished)
    }

    /// What it cost of a whole budget, roughly in equal steps.
    pub(crate) fn cost(&self) -> usize {
        let spent = Budget::WHOLE.work.saturating_sub(self.left.work);
        500 + spent + 5 * Budget::WHOLE.steps.saturating_sub(self.left.steps)
    }
}

/// What a search may cost, in counted steps.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Budget {
    pub work: usize,
    pub steps: usize,
}

impl Budget {
    /// Of a whole policy, or of a single statement that is judged alone.
    pub(crate) const WHOLE: Self = Self {
        work: WORK,
        steps: STEPS,
    };

    pub(crate) fn share(self, among: usize) -> Self {
        Self {
            work: (self.work / among).max(2_000),
            steps: (self.steps / among).max(100),
        }
    }
}

/// A policy, with what the judgements of its statements have in common.
pub(crate) struct Analyzer<'a> {
    policy: &'a Policy,
    scope: &'a Scope<'a>,
    now: f64,
    names: Rc<FreshNames>,
    action_resources: Rc<ActionResources>,
    /// Some Deny keeps out calls for other sources than those that it names.
    limited_by_source: bool,
}

impl<'a> Analyzer<'a> {
    pub(crate) fn new(policy: &'a Policy, scope: &'a Scope<'a>, now: f64) -> Self {
        let names = FreshNames::new(policy, scope);
        let action_resources = Rc::new(ActionResources::new(policy, scope, &names));
        let denies = policy.statements().iter().filter(|one| one.effect == Effect::Deny);
        let mut conditions = denies.flat_map(|deny| &deny.conditions);
        let limited_by_source = conditions.any(|one| one.operator.negated && names_source(&one.key));
        Self {
            policy,
            scope,
            now,
            names: Rc::new(names),
            action_resources,
            limited_by_source,
        }
    }

    /// The analyzer of a policy that differs only in principals and conditions.
    pub(crate) fn for_variant<'b>(&self, policy: &'b Policy) -> Analyzer<'b>
    where
        'a: 'b,
    {
        Analyzer {
            policy,
            scope: self.scope,
            now: self.now,
            names: Rc::clone(&self.names),
            action_resources: Rc::clone(&self.action_resources),
            limited_by_source: self.limited_by_source,
        }
    }

    /// What each of some Allows comes to; those that say the same come to the same.
    pub(crate) fn examine_all(&self, allows: &[usize], budget: Budget) -> Vec<(usize, Finding)> {
        let mut found: HashMap<usize, Finding> = HashMap::new();
        let mut one = |at: &usize| {
            let first = self.action_resources.same_as(*at);
            let finding = found.entry(first).or_insert_with(|| self.examine(*at, budget));
            (*at, finding.clone())
        };
        allows.iter().map(&mut one).collect()
    }

    /// What one Allow comes to.
    pub(crate) fn examine(&self, at: usize, budget: Budget) -> Finding {
        // Only Denies that touch the same can stop it; nothing else of the policy matters to it.
        let statements = self.policy.statements();
        let denies =
            |index: &usize| statements[*index].effect == Effect::Deny && self.action_resources.meet(at, *index);
        let all = self.action_resources.order().iter();
        let included = all.filter(|index| **index == at || denies(index)).copied().collect();
        let mentions = Mentions::of(
            self.policy,
            self.scope,
            &self.names,
            self.action_resources.roots(),
            included,
            budget.work,
        );
        let mut search = Search {
            context: Context {
                policy: self.policy,
                scope: self.scope,
                mentions: &mentions,
                now: self.now,
            },
            steps: 0,
            most: budget.steps,
        };
        let mut finding = Finding::default();
        if self.action_resources.meet(at, at) {
            self.try_profiles(&mut search, at, &mut finding);
        }
        finding.left = Budget {
            work: mentions.work.get(),
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
            reason: explain::offence(self.policy, at, request, undecided),
        })
    }

    fn try_profiles(&self, search: &mut Search, at: usize, finding: &mut Finding) {
        let (policy, scope) = (self.policy, self.scope);
        let statement = &policy.statements()[at];
        let everywhere = |_: &str| (Vec::new(), true);
        let by_profile = search
            .context
            .mentions
            .included
            .iter()
            .any(|&index| has_variables(&policy.statements()[index]));
        let included = &search.context.mentions.included;
        let lets_in = |request: &Request| evaluate_by(policy, included, scope.service, request) == Truth::Yes;
        let mut shared: Option<Vec<Target>> = None;
        for profile in profiles(policy, search.context.mentions, scope, at) {
            if finding.certain() == Verdict::Public || (!profile.anybody && finding.certain() == Verdict::External) {
                break;
            }
            let graver = if profile.anybody {
                Verdict::Public
            } else {
                Verdict::External
            };
            let deputy = matches!(profile.caller, Caller::Service { .. })
                && is_deputy(self.limited_by_source, statement, &profile);
            if deputy && (finding.deputy || !lists_service(statement, &profile) && !profile.anybody) {
                continue;
            }
            let table = &search.context.table(&profile);
            if !search.may_meet(at, &profile, table) {
                continue;
            }
            let own;
            let targets = if by_profile {
                let texts = |name: &str| match search.context.mentions.key_index.get(name) {
                    Some(&key) => (table.texts(key).cloned().collect(), !table.has_unknown(key)),
                    None => (Vec::new(), true),
                };
                own = self
                    .action_resources
                    .targets(policy, scope, search.context.mentions, at, &texts);
                &own
            } else {
                shared.get_or_insert_with(|| {
                    self.action_resources
                        .targets(policy, scope, search.context.mentions, at, &everywhere)
                })
            };
            for target in targets
                .iter()
                .filter(|target| may_call(scope.service, &profile.caller, &target.action))
            {
                let mut ask = |certain: bool, open: bool| {
                    search.run(&Question {
                        at,
                        profile: &profile,
                        table,
                        target,
                        certain,
                        open,
                    })
                };
                for (open, verdict) in [(true, Verdict::Public), (false, Verdict::External)] {
                    if (open && !profile.anybody) || finding.certain() >= verdict {
                        continue;
                    }
                    let possible = match ask(false, open) {
                        Outcome::Nothing => continue,
                        Outcome::Found(request) if target.resource.is_some() => Some(request),
                        Outcome::Found(_) | Outcome::Unfinished => None,
                    };
                    if deputy && profile.anybody {
                        finding.deputy |= possible.is_some();
                        continue;
                    }
                    let certain = if target.resource.is_some() {
                        ask(true, open)
                    } else {
                        Outcome::Unfinished
                    };
                    match (certain, possible) {
                        (Outcome::Found(request), _) if lets_in(&request) => {
                            finding.certain = Some(Admitted::new(verdict, request, &profile));
                        }
                        (_, Some(request)) => {
                            if finding.possible.as_ref().is_none_or(|known| known.verdict < verdict) {
                                finding.possible = Some(Admitted::new(verdict, request, &profile));
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

fn finding_request(finding: &Finding) -> Option<(Verdict, &Request)> {
    let graver = |found: &&Admitted| found.verdict == finding.possible();
    let found = finding
        .certain
        .as_ref()
        .filter(graver)
        .or(finding.possible.as_ref())
        .or(finding.certain.as_ref());
    found.map(|found| (found.verdict, &found.request))
}

/// Whether such a caller makes such a call: a role is assumed by different calls.
fn may_call(service: Service, caller: &Caller, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    if service == Service::BackupVault {
        // Whatever its policy says, a vault refuses other accounts all else (AWS Backup Developer Guide, "Vault access
        // policies").
        return !matches!(caller, Caller::Account { .. }) || action == COPY_INTO_VAULT;
    }
    if service != Service::IamTrust {
        return true;
    }
    // Tags and a source identity come with a call, and let nobody in by themselves.
    let own = match caller {
        Caller::Federated { provider } if provider.contains(":saml-provider/") => "sts:assumerolewithsaml",
        Caller::Federated { .. } => "sts:assumerolewithwebidentity",
        _ => "sts:assumerole",
    };
    action == own
}

/// Whether a stranger can have a service use what the policy grants it. A role is used by a service only if somebody with
/// `iam:PassRole` on it gave it to the service, and that is somebody of the role's own account (IAM User Guide, "Grant a user
/// permissions to pass a role to an AWS service").
pub(crate) fn can_be_confused(service: Service) -> bool {
    service != Service::IamTrust
}

fn lists_service(statement: &Statement, profile: &CallerProfile) -> bool {
    let Caller::Service { name } = &profile.caller else {
        return false;
    };
    let principals = statement.principals.iter().filter(|selection| !selection.negated);
    principals
        .flat_map(|selection| &selection.values)
        .any(|principal| principal.value == *name)
}

/// A service that acts for a stranger is a deputy that may be confused, not a stranger let in, unless the statement is
/// open to everyone and it, or a Deny, means to limit it by the source of the call.
fn is_deputy(limited_by_source: bool, statement: &Statement, profile: &CallerProfile) -> bool {
    let everyone = statement
        .principals
        .as_ref()
        .is_some_and(|selection| selection.negated || selection.values.iter().any(Principal::is_everyone));
    if lists_service(statement, profile) || !everyone {
        return true;
    }
    let own = || statement.conditions.iter();
    let by_source = limited_by_source || own().any(|one| names_source(&one.key));
    !by_source || own().any(|one| names_service(&one.key))
}
