//! The smallest change that makes a policy let nobody in who should not be.

use std::collections::BTreeMap;

use crate::judge::{Offence, Scope, Verdict, judge_at, now};
use crate::narrow::{Narrowing, narrowings, own_root};
use crate::parse::{Effect, Policy, PolicyError};
use crate::service::Service;
use crate::words;

/// How far a fix goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Remove what anybody can use; leave who is external.
    NotPublic,
    /// Remove who is external, too.
    Private,
}

impl Goal {
    pub(crate) fn at_most(self) -> Verdict {
        match self {
            Self::NotPublic => Verdict::External,
            Self::Private => Verdict::Private,
        }
    }
}

/// What is done to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// It goes.
    Removed,
    /// It stays, for fewer callers.
    Narrowed,
}

/// One changed statement.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// Its place in the old policy, from 0.
    pub index: usize,
    /// Its id, if it has one.
    pub sid: Option<String>,
    /// Removed or narrowed.
    pub kind: ChangeKind,
    /// What exactly, in words.
    pub note: String,
}

/// What to do with a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// It needs none.
    Nothing,
    /// Delete it: no statement is left.
    Delete,
    /// Write this instead. Statements that are not in `changes` stay byte for byte.
    Rewrite {
        /// The new text.
        policy: String,
        /// What was changed.
        changes: Vec<Change>,
    },
    /// What is wrong can't be decided for certain, so nothing is changed: a person has to look.
    Undecided {
        /// What can't be decided.
        reason: String,
    },
}

/// Why there is no fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FixError {
    /// The result would not fit.
    #[error("the fixed policy has {size} bytes, of {limit} that {service} takes")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The service's limit.
        limit: usize,
        /// The service.
        service: Service,
    },
    /// The result is not a policy.
    #[error("the fixed policy can't be read: {0}")]
    Invalid(#[from] PolicyError),
    /// No change of single statements reaches the goal.
    #[error("after every change the policy is still {verdict:?}: {reason}")]
    NotReached {
        /// What it is still.
        verdict: Verdict,
        /// Why.
        reason: String,
    },
}

/// The smallest fix, as of now.
pub fn fix(policy: &Policy, scope: &Scope, goal: Goal) -> Result<Fix, FixError> {
    fix_at(policy, scope, goal, now())
}

/// The smallest fix, at a time in seconds since 1970.
pub fn fix_at(policy: &Policy, scope: &Scope, goal: Goal, now: f64) -> Result<Fix, FixError> {
    let judgement = judge_at(policy, scope, now);
    if judgement.verdict <= goal.at_most() {
        return Ok(Fix::Nothing);
    }
    if let Some(key) = policy.duplicate_keys().first() {
        return Ok(Fix::Undecided {
            reason: format!("{key} occurs twice, so it is not certain what the policy says"),
        });
    }
    let certain: Vec<_> = judgement
        .offending
        .iter()
        .filter(|offence| offence.certain > goal.at_most())
        .collect();
    if certain.is_empty() {
        return Ok(Fix::Undecided {
            reason: judgement.reason,
        });
    }
    let mut plan = Plan {
        policy,
        current: policy.clone(),
        removed: Vec::new(),
        changes: BTreeMap::new(),
    };
    let mut offences: Vec<Offence> = certain.into_iter().cloned().collect();
    // What could not be decided in the large may be certain once the rest is gone.
    for _ in 0..ROUNDS {
        for offence in offences {
            plan.put_right(&offence, scope, goal, now)?;
        }
        let Some(text) = plan.current.without(&plan.removed) else {
            return Ok(Fix::Delete);
        };
        let left: Vec<usize> = (0..policy.statements().len())
            .filter(|index| !plan.removed.contains(index))
            .collect();
        let after = judge_at(&Policy::parse(&text)?, scope, now);
        offences = after
            .offending
            .into_iter()
            .filter(|offence| offence.certain > goal.at_most())
            .collect();
        for offence in &mut offences {
            offence.index = left.get(offence.index).copied().unwrap_or(offence.index);
        }
        if offences.is_empty() {
            check(policy, &text, scope, goal, now)?;
            return Ok(Fix::Rewrite {
                policy: text,
                changes: plan.changes.into_values().collect(),
            });
        }
    }
    let reason = offences
        .first()
        .map(|offence| offence.reason.clone())
        .unwrap_or_default();
    Err(FixError::NotReached {
        verdict: judgement.verdict,
        reason,
    })
}

/// How often the result is judged and put right again.
const ROUNDS: usize = 4;

struct Plan<'a> {
    policy: &'a Policy,
    /// With the statements that were narrowed; those to be removed are still in it, so that indices stay.
    current: Policy,
    removed: Vec<usize>,
    changes: BTreeMap<usize, Change>,
}

impl Plan<'_> {
    fn put_right(&mut self, offence: &Offence, scope: &Scope, goal: Goal, now: f64) -> Result<(), FixError> {
        let index = offence.index;
        let statement = &self.policy.statements()[index];
        let works = |text: &str| -> bool {
            Policy::parse(text).is_ok_and(|policy| {
                let after = judge_at(&policy, scope, now);
                let still = after.offending.iter().find(|other| other.index == index);
                still.is_none_or(|other| {
                    // What can't be decided any more after a change is no improvement.
                    other.certain <= goal.at_most() && (offence.undecided || other.verdict <= goal.at_most())
                })
            })
        };
        // A statement that was narrowed already and still lets somebody in has to go.
        let narrowed = (!self.changes.contains_key(&index)).then(|| {
            let current = &self.current;
            narrowings(current, index, scope, goal, &|text| {
                works(&current.with_replaced(index, text))
            })
        });
        let narrowed = narrowed
            .flatten()
            .or_else(|| last_resort(&self.current, &self.removed, index, scope, &works));
        let (kind, note) = if let Some(Narrowing { statement, note }) = narrowed {
            self.current = Policy::parse(&self.current.with_replaced(index, &statement))?;
            (ChangeKind::Narrowed, note)
        } else {
            self.removed.push(index);
            (
                ChangeKind::Removed,
                format!("{} is removed", words::name(statement, index)),
            )
        };
        self.changes.insert(
            index,
            Change {
                index,
                sid: statement.sid.clone(),
                kind,
                note,
            },
        );
        Ok(())
    }
}

/// A key and a role always have a policy, and a key must stay manageable: there the last statement is narrowed to the
/// owner's account, and if even that lets somebody in, turned into a Deny.
fn last_resort(
    policy: &Policy,
    removed: &[usize],
    index: usize,
    scope: &Scope,
    works: &dyn Fn(&str) -> bool,
) -> Option<Narrowing> {
    if !scope.service.needs_policy() {
        return None;
    }
    let gone: Vec<usize> = removed.iter().copied().chain(std::iter::once(index)).collect();
    let left = policy.without(&gone).and_then(|text| Policy::parse(&text).ok());
    let lost = match (scope.service, &left) {
        (_, None) => true,
        (Service::Kms, Some(left)) => {
            crate::practice::kms::is_manageable(policy, scope.owner)
                && !crate::practice::kms::is_manageable(left, scope.owner)
        }
        _ => false,
    };
    if !lost {
        return None;
    }
    let candidates = [own_root(policy, index, scope), crate::narrow::denied(policy, index)];
    candidates
        .into_iter()
        .flatten()
        .find(|narrowing| works(&policy.with_replaced(index, &narrowing.statement)))
}

/// Judges the result again: within the goal for certain, and no worse than before in any respect.
fn check(before: &Policy, text: &str, scope: &Scope, goal: Goal, now: f64) -> Result<(), FixError> {
    let limit = scope.service.policy_limit();
    if text.len() > limit && text.len() > before.text().len() {
        return Err(FixError::TooLarge {
            size: text.len(),
            limit,
            service: scope.service,
        });
    }
    let after = judge_at(&Policy::parse(text)?, scope, now);
    let certain = after
        .offending
        .iter()
        .map(|offence| offence.certain)
        .max()
        .unwrap_or(Verdict::Private);
    let denies = |policy: &Policy| {
        policy
            .statements()
            .iter()
            .filter(|one| one.effect == Effect::Deny)
            .count()
    };
    if certain > goal.at_most() || Policy::parse(text).is_ok_and(|after| denies(&after) < denies(before)) {
        return Err(FixError::NotReached {
            verdict: certain,
            reason: after.reason,
        });
    }
    Ok(())
}
