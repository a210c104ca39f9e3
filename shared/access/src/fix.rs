//! The smallest change that makes a policy let nobody in who should not be.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use crate::error::PolicyError;
use crate::explain;
use crate::judge::{judge_at, now};
use crate::narrow::{Goal, Narrowing, denied, narrowings, own_root};
use crate::parse::{Effect, MAX_POLICY_BYTES, Policy, Statement};
use crate::practice::kms::is_manageable;
use crate::scope::Scope;
use crate::search::{Analyzer, Budget};
use crate::service::Service;
use crate::verdict::{Offence, Verdict};

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
    /// The result would hold more of something than the service takes.
    #[error("the fixed policy has {count} {what}, of {limit} that {service} takes")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The service's limit.
        limit: usize,
        /// The service.
        service: Service,
    },
    /// Nobody could change the result any more, so KMS would not take it.
    #[error("after every change nobody of the account could call kms:PutKeyPolicy any more, which KMS refuses")]
    LockedOut,
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
        analyzer: Analyzer::new(policy, scope, now),
        current: policy.clone(),
        trial: RefCell::new(policy.clone()),
        narrowed: BTreeMap::new(),
        removed: BTreeSet::new(),
        changes: BTreeMap::new(),
        left: Cell::new(COST),
        manageable: scope.service == Service::Kms && is_manageable(policy, &all(policy), scope),
    };
    let mut offences: Vec<Offence> = certain.into_iter().cloned().collect();
    // What could not be decided in the large may be certain once the rest is gone.
    for _ in 0..ROUNDS {
        for offence in offences {
            plan.put_right(&offence, scope, goal);
        }
        plan.settle(scope.service)?;
        let removed: Vec<usize> = plan.removed.iter().copied().collect();
        let Some(text) = plan.current.without(&removed) else {
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

fn all(policy: &Policy) -> Vec<&Statement> {
    policy.statements().iter().collect()
}

/// How often the result is judged and put right again.
const ROUNDS: usize = 4;

/// What trying narrower versions may cost in all; when it is used up, statements go as a whole.
const COST: usize = 500_000;

struct Plan<'a> {
    policy: &'a Policy,
    analyzer: Analyzer<'a>,
    /// As narrowed in the rounds before this one; what is to be removed is still in it, so that indices stay.
    current: Policy,
    /// The same with what this round narrows, for one statement at a time to be tried in.
    trial: RefCell<Policy>,
    /// The texts of the statements that this round narrows.
    narrowed: BTreeMap<usize, String>,
    removed: BTreeSet<usize>,
    changes: BTreeMap<usize, Change>,
    left: Cell<usize>,
    /// It is of a key that somebody of the account can manage.
    manageable: bool,
}

impl Plan<'_> {
    fn put_right(&mut self, offence: &Offence, scope: &Scope, goal: Goal) {
        let index = offence.index;
        let statement = &self.policy.statements()[index];
        // No other statement's verdict changes with this one, so only this one is judged again, with all there is.
        let works = |text: &str| -> bool {
            if self.left.get() == 0 {
                return false;
            }
            let Ok(statement) = self.current.read_statement(text) else {
                return false;
            };
            let is_deny = statement.effect == Effect::Deny;
            self.trial.borrow_mut().statements[index] = statement;
            if is_deny {
                return true;
            }
            let trial = self.trial.borrow();
            let analyzer = self.analyzer.for_variant(&trial);
            let finding = analyzer.examine(index, Budget::WHOLE);
            self.left.set(self.left.get().saturating_sub(finding.cost()));
            analyzer.offence(index, &finding).is_none_or(|still| {
                // What can't be decided any more after a change is no improvement.
                still.certain <= goal.at_most() && (offence.undecided || still.verdict <= goal.at_most())
            })
        };
        // A statement that was narrowed already and still lets somebody in has to go.
        let narrowed = (!self.changes.contains_key(&index)).then(|| {
            let current = &self.current;
            narrowings(current, index, scope, goal, &works)
        });
        let narrowed = narrowed.flatten().or_else(|| self.last_resort(index, scope, &works));
        let (kind, note) = if let Some(Narrowing { statement, note }) = narrowed {
            self.narrowed.insert(index, statement);
            (ChangeKind::Narrowed, note)
        } else {
            self.trial.borrow_mut().statements[index] = self.current.statements[index].clone();
            self.removed.insert(index);
            (
                ChangeKind::Removed,
                format!("{} is removed", explain::statement_name(statement, index)),
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
    }

    /// Takes what this round narrowed into the policy.
    fn settle(&mut self, service: Service) -> Result<(), FixError> {
        if !self.narrowed.is_empty() {
            let text = self.current.with_all_replaced(&std::mem::take(&mut self.narrowed));
            if text.len() > MAX_POLICY_BYTES {
                return Err(FixError::TooLarge {
                    size: text.len(),
                    limit: service.policy_limit(),
                    service,
                });
            }
            self.current = Policy::parse(&text)?;
            self.trial = RefCell::new(self.current.clone());
        }
        Ok(())
    }

    /// Where the last statement can't go, and where a key must stay manageable, it is narrowed to the owner's account, and if
    /// even that lets somebody in, turned into a Deny.
    fn last_resort(&self, index: usize, scope: &Scope, works: &dyn Fn(&str) -> bool) -> Option<Narrowing> {
        if !scope.service.needs_policy() {
            return None;
        }
        let (current, trial) = (&self.current, self.trial.borrow());
        let stays = |at: usize| at != index && !self.removed.contains(&at);
        let left: Vec<&Statement> = trial
            .statements
            .iter()
            .enumerate()
            .filter(|(at, _)| stays(*at))
            .map(|(_, one)| one)
            .collect();
        let lost = match scope.service {
            _ if left.is_empty() => true,
            Service::Kms => self.manageable && !is_manageable(current, &left, scope),
            _ => false,
        };
        drop(trial);
        if !lost {
            return None;
        }
        let candidates = [own_root(current, index, scope), denied(current, index)];
        candidates
            .into_iter()
            .flatten()
            .find(|narrowing| works(&narrowing.statement))
    }
}

/// Judges the result again: within the goal for certain, and no worse than before in any respect.
fn check(before: &Policy, text: &str, scope: &Scope, goal: Goal, now: f64) -> Result<(), FixError> {
    let limit = scope.service.policy_limit();
    let (size, was) = (scope.service.size(text), scope.service.size(before.text()));
    if size > limit && size > was {
        return Err(FixError::TooLarge {
            size,
            limit,
            service: scope.service,
        });
    }
    let policy = Policy::parse(text)?;
    let conditions = |policy: &Policy| {
        policy
            .statements()
            .iter()
            .map(|one| one.conditions.len())
            .sum::<usize>()
    };
    if let Some(limit) = scope.service.conditions_limit() {
        let count = conditions(&policy);
        if count > limit && count > conditions(before) {
            return Err(FixError::TooMany {
                what: "conditions",
                count,
                limit,
                service: scope.service,
            });
        }
    }
    if scope.service == Service::Kms && !is_manageable(&policy, &all(&policy), scope) {
        return Err(FixError::LockedOut);
    }
    let after = judge_at(&policy, scope, now);
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
    if certain > goal.at_most() || denies(&policy) < denies(before) {
        return Err(FixError::NotReached {
            verdict: certain,
            reason: after.reason,
        });
    }
    Ok(())
}
