//! The values that one caller can bring for every key, and what each condition makes of them.

use std::collections::{HashMap, HashSet};

use super::callers::CallerProfile;
use super::candidate_values::values;
use super::candidates::Candidate;
use super::mentions::{Mentions, Pool};
use crate::condition::Truth;
use crate::keys::Class;
use crate::parse::{Effect, Policy};
use crate::scope::Scope;

/// Ways to fill in the variables of one value.
const FILLINGS: usize = 64;

pub(super) type Mask = u128;

/// The value of which nothing is known.
pub(super) const UNKNOWN: Mask = 1 << 127;
/// How many values of a key fit a mask beside it.
const MOST_VALUES: usize = 127;

/// The values of every key for one caller, and which of them meet each condition.
pub(super) struct ValueTable {
    pub candidates: Vec<Vec<Candidate>>,
    /// All values of each key, and those that anybody can bring.
    pub all: Vec<Mask>,
    pub open: Vec<Mask>,
    /// Per statement and condition: the values for which it holds, and for which it may.
    pub truths: HashMap<usize, Vec<(Mask, Mask)>>,
}

impl ValueTable {
    /// The texts that a key can have.
    pub(super) fn texts(&self, key: usize) -> impl Iterator<Item = &String> {
        let values = self.candidates[key].iter().filter_map(|one| one.value.as_ref());
        values.filter_map(|value| value.first())
    }

    /// Whether there may be more.
    pub(super) fn has_unknown(&self, key: usize) -> bool {
        self.all[key] & UNKNOWN != 0
    }
}

/// What is judged: the same for every caller, action and resource.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub policy: &'a Policy,
    pub scope: &'a Scope<'a>,
    pub mentions: &'a Mentions,
    pub now: f64,
}

impl Context<'_> {
    /// The values that a caller can bring, as masks.
    pub(super) fn table(&self, profile: &CallerProfile) -> ValueTable {
        let mentions = self.mentions;
        let statements = self.policy.statements();
        let mut table = ValueTable {
            candidates: Vec::with_capacity(mentions.keys.len()),
            all: Vec::with_capacity(mentions.keys.len()),
            open: Vec::with_capacity(mentions.keys.len()),
            truths: HashMap::with_capacity(mentions.included.len()),
        };
        for &at in &mentions.included {
            table.truths.insert(at, vec![(0, 0); statements[at].conditions.len()]);
        }
        let mut filling = HashMap::new();
        for (index, key) in mentions.keys.iter().enumerate() {
            let filled;
            let mut complete = !(profile.unexplored.account && goes_by_account(key.class)
                || profile.unexplored.arn && key.class == Class::Arn);
            let pool = if key.linked {
                filled = self.fill(index, profile, &mut filling);
                complete &= filled.1;
                &filled.0
            } else {
                &key.pool
            };
            let mut found = values(mentions, self.scope, profile, index, pool, self.now);
            complete &= found.complete;
            // Of the values that every condition treats alike, one will do; not so where values are compared to others.
            let mut kept: Vec<Candidate> = Vec::new();
            let mut seen: Vec<(Vec<Truth>, bool)> = Vec::new();
            for candidate in found.candidates.drain(..) {
                let signature = (self.signature(index, &candidate), candidate.open);
                let known = seen.iter().position(|known| *known == signature);
                if known.is_none_or(|at| key.linked && kept[at..].iter().all(|one| one.value != candidate.value)) {
                    if kept.len() == MOST_VALUES {
                        complete = false;
                        break;
                    }
                    let bit = kept.len();
                    for ((at, nth), truth) in key.conditions.iter().zip(&signature.0) {
                        let Some(masks) = table.truths.get_mut(at).and_then(|all| all.get_mut(*nth)) else {
                            continue;
                        };
                        masks.0 |= Mask::from(*truth == Truth::Yes) << bit;
                        masks.1 |= Mask::from(*truth != Truth::No) << bit;
                    }
                    kept.push(candidate);
                    seen.push(signature);
                }
            }
            let unknown = if complete { 0 } else { UNKNOWN };
            for (at, nth) in &key.conditions {
                if let Some(masks) = table.truths.get_mut(at).and_then(|all| all.get_mut(*nth)) {
                    masks.1 |= unknown;
                }
            }
            let open = kept.iter().enumerate().filter(|(_, one)| one.open);
            table.open.push(open.fold(unknown, |mask, (bit, _)| mask | 1 << bit));
            table.all.push(mask_of(kept.len()) | unknown);
            table.candidates.push(kept);
        }
        table
    }

    /// What each condition on a key makes of a value. Conditions with policy variables are left for later.
    fn signature(&self, key: usize, candidate: &Candidate) -> Vec<Truth> {
        let known = &self.mentions.keys[key];
        let truth = |(at, nth): &(usize, usize)| {
            let statement = &self.policy.statements()[*at];
            let condition = &statement.conditions[*nth];
            if known.linked && condition.linked().next().is_some() {
                Truth::No
            } else if known.class == Class::Unknown {
                Truth::Maybe
            } else {
                condition.holds(candidate.value.as_deref(), &|_| None, statement.effect == Effect::Allow)
            }
        };
        known.conditions.iter().map(truth).collect()
    }

    /// The key's values with policy variables replaced by what this caller brings; and whether that is all.
    fn fill(&self, key: usize, profile: &CallerProfile, filling: &mut HashMap<usize, Vec<String>>) -> (Pool, bool) {
        let known = &self.mentions.keys[key];
        let mut pool = known.pool.clone();
        let mut complete = true;
        if known.class.is_chosen() {
            pool.literals.extend(self.mentions.instances(&known.name));
            pool.literals.extend(self.asked_for(key, profile));
        }
        for (at, nth) in &known.conditions {
            let condition = &self.policy.statements()[*at].conditions[*nth];
            for value in condition.values.iter().filter(|value| value.has_variables()) {
                let mut names: Vec<&str> = value.variables().collect();
                names.sort_unstable();
                names.dedup();
                let mut choices: Vec<Vec<String>> = Vec::new();
                for name in &names {
                    let Some(&index) = self.mentions.key_index.get(*name) else {
                        continue;
                    };
                    let texts = filling.entry(index).or_insert_with(|| self.brought(index, profile));
                    choices.push(texts.clone());
                }
                let total = choices
                    .iter()
                    .fold(1_usize, |product, all| product.saturating_mul(all.len().max(1)));
                complete &= total <= FILLINGS;
                for number in 0..total.min(FILLINGS) {
                    let mut rest = number;
                    let mut chosen: HashMap<&str, &String> = HashMap::new();
                    for (name, all) in names.iter().zip(&choices) {
                        if let Some(text) = all.get(rest % all.len().max(1)) {
                            chosen.insert(*name, text);
                        }
                        rest /= all.len().max(1);
                    }
                    let lookup = |name: &str| chosen.get(name).map(|text| (*text).clone());
                    if let Some(glob) = value.glob(&lookup) {
                        pool.literal_or_group(glob);
                    }
                }
            }
        }
        (pool, complete)
    }

    /// What a caller can bring for a key that is used as a variable.
    fn brought(&self, key: usize, profile: &CallerProfile) -> Vec<String> {
        let known = &self.mentions.keys[key];
        let mut texts = self.plainly(key, profile);
        if known.class.is_chosen() && !texts.is_empty() {
            texts.extend(self.mentions.instances(&known.name));
            texts.extend(self.asked_for(key, profile));
        }
        let mut seen = HashSet::new();
        texts.retain(|text| seen.insert(text.clone()));
        texts
    }

    /// As [`Self::brought`], without regard to policy variables.
    fn plainly(&self, key: usize, profile: &CallerProfile) -> Vec<String> {
        let pool = &self.mentions.keys[key].pool;
        let found = values(self.mentions, self.scope, profile, key, pool, self.now);
        let texts = found.candidates.into_iter().filter_map(|one| one.value);
        texts.flatten().collect()
    }

    /// What a key would have to be as a variable, to match what the caller brings for those that are compared to it.
    fn asked_for(&self, key: usize, profile: &CallerProfile) -> Vec<String> {
        let mut texts = Vec::new();
        for (partner, before, after) in &self.mentions.keys[key].partners {
            let brought = self.plainly(*partner, profile);
            let inner = |text: &String| {
                text.strip_prefix(before.as_str())?
                    .strip_suffix(after.as_str())
                    .map(str::to_owned)
            };
            texts.extend(brought.iter().filter_map(inner));
        }
        texts
    }
}

/// Whether the caller's account or organisation decides on the key's value.
fn goes_by_account(class: Class) -> bool {
    matches!(
        class,
        Class::Account
            | Class::Arn
            | Class::UserId
            | Class::Organization
            | Class::OrgPaths
            | Class::SourceAccount
            | Class::SourceArn
            | Class::ServiceContext
            | Class::SourceOrganization
            | Class::SourceOrgPaths
            | Class::Endpoint(_)
            | Class::OwnArn
            | Class::UploadKey
            | Class::AccessPointArn
            | Class::AccessPointAccount
    )
}

fn mask_of(count: usize) -> Mask {
    if count >= 128 { Mask::MAX } else { (1 << count) - 1 }
}
