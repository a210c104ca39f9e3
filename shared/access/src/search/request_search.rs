//! Looks for one request that a statement lets in and no Deny stops.
//!
//! For one caller, action and resource, each condition key has a few values that the policy can tell apart. An Allow
//! keeps those of each key that meet its conditions. A Deny must then fail in at least one condition: the search picks
//! which. Only keys tied together by policy variables have to be tried in combination.
//!
//! Where not all values of a key could be found, it has one more of which nothing is known. What can't get in even with
//! that is kept out for certain by the other keys.

use std::collections::BTreeMap;

use super::action_resources::{Target, has_variables};
use super::callers::CallerProfile;
use super::value_table::{Context, Mask, UNKNOWN, ValueTable};
use crate::condition::{Condition, Truth};
use crate::evaluate::{Request, principal_matches, resource_matches};
use crate::parse::{Effect, Statement};
use crate::template::Template;

/// Steps that one judgement may take before what is left counts as undecided.
pub(super) const STEPS: usize = 5_000;
/// Steps that one search may take to combine the values of keys that policy variables tie together.
const COMBINATIONS: usize = 2_400;

/// What a search came to.
pub(super) enum Outcome {
    Found(Request),
    Nothing,
    Unfinished,
}

/// Searches on one budget.
pub(super) struct Search<'a> {
    pub context: Context<'a>,
    pub steps: usize,
    /// How many it may take.
    pub most: usize,
}

/// What one search asks for.
pub(super) struct Question<'a> {
    pub at: usize,
    pub profile: &'a CallerProfile,
    pub table: &'a ValueTable,
    pub target: &'a Target,
    /// Count only what is certain; otherwise, also what can't be ruled out.
    pub certain: bool,
    /// Only values that anybody can bring.
    pub open: bool,
}

struct Problem<'a> {
    denies: Vec<usize>,
    question: &'a Question<'a>,
}

/// The values chosen for tied keys; a key that is not there is missing.
type Choice<'a> = BTreeMap<String, &'a Vec<String>>;

/// What to choose, in order; and the Denies that no choice decides on.
struct Plan {
    levels: Vec<Level>,
    free: Vec<usize>,
}

/// A tied key, with what is decided once it and those before it are chosen.
struct Level {
    key: usize,
    /// Conditions of the Allow.
    conditions: Vec<usize>,
    /// Whether the Allow is about the resource.
    resource: bool,
    denies: Vec<usize>,
}

impl Plan {
    /// The level that decides on what depends on some keys; `None` if there are none.
    fn level(&mut self, keys: &[usize]) -> Option<&mut Level> {
        for &key in keys {
            if self.levels.iter().all(|level| level.key != key) {
                self.levels.push(Level {
                    key,
                    conditions: Vec::new(),
                    resource: false,
                    denies: Vec::new(),
                });
            }
        }
        self.levels.iter_mut().rev().find(|level| keys.contains(&level.key))
    }
}

/// Where a search through the levels is.
struct Walk<'a> {
    choice: Choice<'a>,
    /// What makes each Deny fail that was decided on.
    ways: Vec<Vec<(usize, Mask)>>,
    /// The step at which it gives up.
    until: usize,
}

impl Search<'_> {
    /// Whether a caller may meet the conditions of an Allow at all, whatever it asks for and whatever is denied.
    pub(super) fn may_meet(&mut self, at: usize, profile: &CallerProfile, table: &ValueTable) -> bool {
        let target = Target {
            action: String::new(),
            resource: None,
            relevant: vec![false; self.context.mentions.included.len()],
        };
        let outcome = self.run(&Question {
            at,
            profile,
            table,
            target: &target,
            certain: false,
            open: false,
        });
        !matches!(outcome, Outcome::Nothing)
    }

    pub(super) fn run(&mut self, question: &Question) -> Outcome {
        let statement = &self.context.policy.statements()[question.at];
        let least = if question.certain { Truth::Yes } else { Truth::Maybe };
        if principal_matches(statement, &question.profile.caller) < least || (question.certain && statement.doubtful) {
            return Outcome::Nothing;
        }
        let table = question.table;
        let kept = if question.certain { !UNKNOWN } else { Mask::MAX };
        let choice = if question.open { &table.open } else { &table.all };
        let mut masks: Vec<Mask> = choice.iter().map(|mask| mask & kept).collect();
        let mut linked = has_variables(statement);
        for (nth, condition) in statement.conditions.iter().enumerate() {
            if condition.linked().next().is_some() {
                linked = true;
                continue;
            }
            let Some(&key) = self.context.mentions.key_index.get(&condition.key) else {
                continue;
            };
            let (yes, maybe) = table.truths[&question.at][nth];
            masks[key] &= if question.certain { yes } else { maybe };
            if masks[key] == 0 {
                return Outcome::Nothing;
            }
        }
        let mut denies = Vec::new();
        let included = self.context.mentions.included.iter();
        for (&index, relevant) in included.zip(&question.target.relevant) {
            let deny = &self.context.policy.statements()[index];
            if deny.effect != Effect::Deny || !relevant || (!question.certain && deny.doubtful) {
                continue;
            }
            let names = principal_matches(deny, &question.profile.caller);
            if names < if question.certain { Truth::Maybe } else { Truth::Yes } {
                continue;
            }
            linked |= deny
                .conditions
                .iter()
                .any(|condition| condition.linked().next().is_some());
            linked |= has_variables(deny);
            denies.push(index);
        }
        let problem = Problem { denies, question };
        if linked {
            self.combine(&problem, &masks)
        } else {
            let ways = self.all_ways_out(&problem, &problem.denies, None);
            self.escape(&problem, &ways, masks)
        }
    }

    fn all_ways_out(&self, problem: &Problem, denies: &[usize], choice: Option<&Choice>) -> Vec<Vec<(usize, Mask)>> {
        denies
            .iter()
            .map(|&deny| self.ways_out(problem, deny, choice))
            .collect()
    }

    /// The keys with values that make a Deny fail. Under a fixed choice of the tied keys, those are decided already.
    fn ways_out(&self, problem: &Problem, deny: usize, choice: Option<&Choice>) -> Vec<(usize, Mask)> {
        let question = problem.question;
        let statement = &self.context.policy.statements()[deny];
        let mut ways = Vec::new();
        for (nth, condition) in statement.conditions.iter().enumerate() {
            let Some(&key) = self.context.mentions.key_index.get(&condition.key) else {
                continue;
            };
            let all = question.table.all[key];
            if condition.linked().next().is_some() {
                let holds = choice.map_or(Truth::Maybe, |choice| {
                    let lookup = |name: &str| choice.get(name).and_then(|values| values.first()).cloned();
                    condition.holds(
                        choice.get(&condition.key).map(|values| values.as_slice()),
                        &lookup,
                        false,
                    )
                });
                if holds == Truth::No || (holds == Truth::Maybe && !question.certain) {
                    ways.push((key, all));
                }
                continue;
            }
            let (yes, maybe) = question.table.truths[&deny][nth];
            let fails = all & !if question.certain { maybe } else { yes };
            if fails != 0 {
                ways.push((key, fails));
            }
        }
        ways
    }

    /// Tries the combinations of keys that policy variables tie together.
    fn combine(&mut self, problem: &Problem, masks: &[Mask]) -> Outcome {
        let question = problem.question;
        if !question.certain {
            // What the tied conditions don't decide may be decided already.
            let certain_to_touch = |deny: &&usize| !has_variables(&self.context.policy.statements()[**deny]);
            let denies: Vec<usize> = problem.denies.iter().filter(certain_to_touch).copied().collect();
            let ways = self.all_ways_out(problem, &denies, None);
            if let Outcome::Nothing = self.escape(problem, &ways, masks.to_vec()) {
                return Outcome::Nothing;
            }
        }
        let plan = self.plan(problem);
        let unknown = plan.levels.iter().any(|level| masks[level.key] & UNKNOWN != 0);
        let mut walk = Walk {
            choice: Choice::new(),
            ways: self.all_ways_out(problem, &plan.free, None),
            until: self.most.min(self.steps + COMBINATIONS),
        };
        match self.descend(problem, &plan.levels, &mut walk, masks.to_vec()) {
            Outcome::Nothing if unknown => Outcome::Unfinished,
            outcome => outcome,
        }
    }

    /// In which order to choose values of the tied keys, those first that the Allow itself ties; and what is decided with
    /// each.
    fn plan(&self, problem: &Problem) -> Plan {
        let statements = self.context.policy.statements();
        let at = problem.question.at;
        let index = |name: &str| self.context.mentions.key_index.get(name).copied();
        let of_condition = |condition: &Condition| -> Vec<usize> {
            let own = condition.linked().next().and_then(|_| index(&condition.key));
            own.into_iter().chain(condition.linked().filter_map(index)).collect()
        };
        let of_resource = |statement: &Statement| -> Vec<usize> {
            let values = statement.resources.iter().flat_map(|selection| &selection.values);
            values.flat_map(Template::variables).filter_map(index).collect()
        };
        let mut plan = Plan {
            levels: Vec::new(),
            free: Vec::new(),
        };
        for (nth, condition) in statements[at].conditions.iter().enumerate() {
            if let Some(level) = plan.level(&of_condition(condition)) {
                level.conditions.push(nth);
            }
        }
        if let Some(level) = plan.level(&of_resource(&statements[at])) {
            level.resource = true;
        }
        for &deny in &problem.denies {
            let mut keys = of_resource(&statements[deny]);
            keys.extend(statements[deny].conditions.iter().flat_map(of_condition));
            match plan.level(&keys) {
                Some(level) => level.denies.push(deny),
                None => plan.free.push(deny),
            }
        }
        plan
    }

    /// Chooses a value of the next tied key, and goes on with what it leaves open.
    fn descend<'a>(&mut self, problem: &Problem<'a>, levels: &[Level], walk: &mut Walk<'a>, masks: Vec<Mask>) -> Outcome
    where
        Self: 'a,
    {
        let question = problem.question;
        let Some((level, rest)) = levels.split_first() else {
            let ways = std::mem::take(&mut walk.ways);
            let outcome = self.escape(problem, &ways, masks);
            walk.ways = ways;
            return outcome;
        };
        let name = self.context.mentions.keys[level.key].name.as_str();
        let mut bits = masks[level.key] & !UNKNOWN;
        let mut unfinished = false;
        while bits != 0 {
            // Such a step costs several times what others do.
            self.steps += 4;
            if self.steps > walk.until {
                return Outcome::Unfinished;
            }
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let mut narrowed = masks.clone();
            narrowed[level.key] = 1 << bit;
            match &question.table.candidates[level.key][bit].value {
                Some(values) => drop(walk.choice.insert(name.to_owned(), values)),
                None => drop(walk.choice.remove(name)),
            }
            let known = walk.ways.len();
            if self.meets(question, level, &walk.choice) && self.leave_a_way_out(problem, level, walk, &narrowed) {
                match self.descend(problem, rest, walk, narrowed) {
                    Outcome::Found(request) => return Outcome::Found(request),
                    Outcome::Unfinished => unfinished = true,
                    Outcome::Nothing => {}
                }
            }
            walk.ways.truncate(known);
        }
        walk.choice.remove(name);
        if unfinished {
            Outcome::Unfinished
        } else {
            Outcome::Nothing
        }
    }

    /// Whether the Allow's tied conditions and resource agree with a choice, as far as this level decides on them.
    fn meets(&self, question: &Question, level: &Level, choice: &Choice) -> bool {
        let statement = &self.context.policy.statements()[question.at];
        let lookup = |name: &str| choice.get(name).and_then(|values| values.first()).cloned();
        let least = if question.certain { Truth::Yes } else { Truth::Maybe };
        let on = !level.resource
            || match &question.target.resource {
                Some(resource) => resource_matches(statement, self.context.scope.service, resource, &lookup) >= least,
                // It is about something only if its variables have values.
                None => statement
                    .resources
                    .as_ref()
                    .is_none_or(|all| all.negated || all.values.iter().any(|value| value.literal(&lookup).is_some())),
            };
        on && level.conditions.iter().all(|&nth| {
            let condition = &statement.conditions[nth];
            let actual = choice.get(&condition.key).map(|values| values.as_slice());
            condition.holds(actual, &lookup, true) >= least
        })
    }

    /// Adds the ways out of the Denies that this level decides on; false if one of them has none.
    fn leave_a_way_out(&self, problem: &Problem, level: &Level, walk: &mut Walk, masks: &[Mask]) -> bool {
        let question = problem.question;
        let least = if question.certain { Truth::Maybe } else { Truth::Yes };
        for &deny in &level.denies {
            let statement = &self.context.policy.statements()[deny];
            let lookup = |name: &str| walk.choice.get(name).and_then(|values| values.first()).cloned();
            let touches = match &question.target.resource {
                Some(resource) => resource_matches(statement, self.context.scope.service, resource, &lookup) >= least,
                None => !has_variables(statement),
            };
            if touches {
                let ways = self.ways_out(problem, deny, Some(&walk.choice));
                if ways.iter().all(|(key, fails)| masks[*key] & fails == 0) {
                    return false;
                }
                walk.ways.push(ways);
            }
        }
        true
    }

    /// Lets every Deny fail in one of its conditions.
    fn escape(&mut self, problem: &Problem, denies: &[Vec<(usize, Mask)>], masks: Vec<Mask>) -> Outcome {
        let mut stack = vec![masks];
        let mut unknown = false;
        while let Some(masks) = stack.pop() {
            self.steps += 1;
            if self.steps > self.most {
                return Outcome::Unfinished;
            }
            // The Deny with the fewest ways out decides.
            let mut tightest: Option<Vec<(usize, Mask)>> = None;
            for ways in denies {
                if ways.iter().any(|(key, fails)| masks[*key] & !fails == 0) {
                    continue;
                }
                let viable: Vec<_> = ways
                    .iter()
                    .filter(|(key, fails)| masks[*key] & fails != 0)
                    .copied()
                    .collect();
                if tightest.as_ref().is_none_or(|known| viable.len() < known.len()) {
                    tightest = Some(viable);
                }
            }
            let Some(ways) = tightest else {
                if masks.contains(&UNKNOWN) {
                    unknown = true;
                    continue;
                }
                return Outcome::Found(self.request(problem.question, &masks));
            };
            for (key, fails) in ways.into_iter().rev() {
                let mut narrowed = masks.clone();
                narrowed[key] &= fails;
                stack.push(narrowed);
            }
        }
        if unknown { Outcome::Unfinished } else { Outcome::Nothing }
    }

    fn request(&self, question: &Question, masks: &[Mask]) -> Request {
        let mut context = BTreeMap::new();
        for (index, key) in self.context.mentions.keys.iter().enumerate() {
            let bit = masks[index].trailing_zeros() as usize;
            if let Some(value) = question.table.candidates[index]
                .get(bit)
                .and_then(|one| one.value.clone())
            {
                context.insert(key.name.clone(), value);
            }
        }
        Request {
            caller: question.profile.caller.clone(),
            action: question.target.action.clone(),
            resource: question.target.resource.clone().unwrap_or_default(),
            context,
        }
    }
}
