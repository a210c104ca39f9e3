//! Who gets in: the verdict on a policy, with a request that proves it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::evaluate::{Caller, Request};
use crate::explain;
use crate::keys::{Class, class, is_shared_secret};
use crate::parse::{Effect, Policy, Principal};
use crate::s3_public;
use crate::scope::Scope;
use crate::search::{Admitted, Analyzer, Budget, Finding, can_be_confused};
use crate::service::Service;
use crate::verdict::{Judgement, Note, NoteKind, Offence, S3Verdict, Verdict, Witness};
use crate::warnings::warnings;

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
        self.reason = explain::summary(policy, self.verdict, &self.offending, &self.notes, self.s3);
    }
}

/// What an endpoint's policy comes to: it lets nobody in, since whoever comes through the endpoint is in the network behind it,
/// and what they ask for is granted elsewhere. It only limits where they may carry data to.
///
/// Source: VPC User Guide, "Control access to VPC endpoints using endpoint policies".
fn judge_endpoint(policy: &Policy) -> Judgement {
    let limits = |key: &str| {
        matches!(
            class(key),
            Class::Account
                | Class::Arn
                | Class::Organization
                | Class::OrgPaths
                | Class::ResourceAccount
                | Class::ResourceOrganization
        )
    };
    let statements = policy.statements().iter().enumerate();
    let open = statements.filter(|(_, one)| {
        let everything = one
            .resources
            .iter()
            .any(|all| all.negated || all.values.iter().any(|value| value.source() == "*"));
        let everyone = one
            .principals
            .iter()
            .any(|all| all.negated || all.values.iter().any(Principal::is_everyone));
        one.effect == Effect::Allow
            && everything
            && everyone
            && !one.conditions.iter().any(|condition| limits(&condition.key))
    });
    let notes = open.map(|(index, one)| Note {
        kind: NoteKind::OpenEndpoint,
        index: Some(index),
        text: format!(
            "{} lets whoever is in the network carry data to anybody's resources: limit it by aws:ResourceOrgID or \
             aws:ResourceAccount, and by aws:PrincipalOrgID or aws:PrincipalAccount",
            explain::statement_name(one, index)
        ),
    });
    Judgement {
        verdict: Verdict::Private,
        s3: None,
        undecided: false,
        offending: Vec::new(),
        reason: "the policy of a VPC endpoint lets nobody in: it limits what the network behind it may ask for"
            .to_owned(),
        witness: None,
        notes: notes.collect(),
    }
}

fn judge_reading(policy: &Policy, scope: &Scope, now: f64) -> Judgement {
    if scope.service == Service::VpcEndpoint {
        return judge_endpoint(policy);
    }
    let analyzer = Analyzer::new(policy, scope, now);
    let statements = policy.statements().iter().enumerate();
    let allows: Vec<usize> = statements
        .filter(|(_, one)| one.effect == Effect::Allow)
        .map(|(at, _)| at)
        .collect();
    // Each statement has its share, so that their order makes no difference; those that it was not enough for share as
    // much again, so that what is only beside them makes none either.
    let share = Budget::WHOLE.share(allows.len().max(1));
    let mut findings: Vec<(usize, Finding)> = analyzer.examine_all(&allows, share);
    let wanting = findings
        .iter()
        .filter(|(_, one)| one.unfinished > Verdict::Private)
        .count();
    if wanting > 0 && wanting < findings.len() {
        let share = Budget::WHOLE.share(wanting);
        let again = findings.iter().filter(|(_, one)| one.unfinished > Verdict::Private);
        let again: Vec<usize> = again.map(|(at, _)| *at).collect();
        let mut again = analyzer.examine_all(&again, share).into_iter();
        for (_, finding) in findings.iter_mut().filter(|(_, one)| one.unfinished > Verdict::Private) {
            if let Some((_, better)) = again.next() {
                *finding = better;
            }
        }
    }
    let mut offending = Vec::new();
    let mut worst: Option<((Verdict, bool), Admitted)> = None;
    let mut deputies = Vec::new();
    let mut certain = Verdict::Private;
    for (at, finding) in findings {
        if finding.deputy && can_be_confused(scope.service) {
            deputies.push(at);
        }
        certain = certain.max(finding.certain());
        offending.extend(analyzer.offence(at, &finding));
        for (found, is_certain) in [(finding.certain, true), (finding.possible, false)] {
            let Some(found) = found else {
                continue;
            };
            let rank = (found.verdict, is_certain);
            if worst.as_ref().is_none_or(|known| known.0 < rank) {
                worst = Some((rank, found));
            }
        }
    }
    let verdict = offending
        .iter()
        .map(|offence| offence.verdict)
        .max()
        .unwrap_or(Verdict::Private);
    let s3 = scope.service.is_s3().then(|| s3_public::verdict(policy, scope.service));
    let notes = warnings(policy, scope, &deputies, &offending);
    let reason = explain::summary(policy, verdict, &offending, &notes, s3);
    let witness = worst.map(|(_, found)| witness(found.request, found.account));
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

fn witness(request: Request, account: Option<String>) -> Witness {
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
        account,
        action: request.action.clone(),
        resource: request.resource.clone(),
        context,
        request,
    }
}
