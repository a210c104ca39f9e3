//! Who gets in: the verdict on a policy, with a request that proves it.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::adversary::World;
use crate::bench::{Bench, Budget, Finding};
use crate::evaluate::{Caller, Request};
use crate::keys::is_shared_secret;
use crate::notes::notes;
use crate::parse::{Effect, Policy};
use crate::s3_public;
use crate::service::Service;
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
    // Each statement has its share, so that their order makes no difference; those that it was not enough for share as
    // much again, so that what is only beside them makes none either.
    let share = Budget::WHOLE.share(allows.len().max(1));
    let mut findings: Vec<(usize, Finding)> = allows.iter().map(|&at| (at, bench.examine(at, share))).collect();
    let wanting = findings
        .iter()
        .filter(|(_, one)| one.unfinished > Verdict::Private)
        .count();
    if wanting > 0 && wanting < findings.len() {
        let share = Budget::WHOLE.share(wanting);
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
