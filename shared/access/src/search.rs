//! Looks for one request that a statement lets in and no Deny stops.
//!
//! For one caller, action and resource, each condition key has a few values that the policy can tell apart. An Allow
//! keeps those of each key that meet its conditions. A Deny must then fail in at least one condition: the search picks
//! which. Only keys tied together by policy variables have to be tried in combination.
//!
//! Where not all values of a key could be found, it has one more of which nothing is known. What can't get in even with
//! that is kept out for certain by the other keys.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::adversary::World;
use crate::bring::{Candidate, values};
use crate::condition::{Condition, Truth};
use crate::evaluate::{Request, principal_matches, resource_matches};
use crate::judge::Scope;
use crate::keys::Class;
use crate::parse::{Effect, Policy, Statement};
use crate::survey::{Pool, Survey};
use crate::targets::{Target, has_variables};
use crate::template::Template;

/// Steps that one judgement may take before what is left counts as undecided.
pub(crate) const STEPS: usize = 5_000;
/// Steps that one search may take to combine the values of keys that policy variables tie together.
const COMBINATIONS: usize = 2_400;

/// Ways to fill in the variables of one value.
const FILLINGS: usize = 64;

type Mask = u128;

/// The value of which nothing is known.
const VAGUE: Mask = 1 << 127;
/// How many values of a key fit a mask beside it.
const MOST_VALUES: usize = 127;

/// The values of every key for one caller, and which of them meet each condition.
pub(crate) struct Field {
    candidates: Vec<Vec<Candidate>>,
    /// All values of each key, and those that anybody can bring.
    all: Vec<Mask>,
    open: Vec<Mask>,
    /// Per statement and condition: the values for which it holds, and for which it may.
    truths: Vec<Vec<(Mask, Mask)>>,
}

impl Field {
    /// The texts that a key can have.
    pub(crate) fn texts(&self, key: usize) -> impl Iterator<Item = &String> {
        let values = self.candidates[key].iter().filter_map(|one| one.value.as_ref());
        values.filter_map(|value| value.first())
    }

    /// Whether there may be more.
    pub(crate) fn is_vague(&self, key: usize) -> bool {
        self.all[key] & VAGUE != 0
    }
}

/// What a search came to.
pub(crate) enum Outcome {
    Found(Request),
    Nothing,
    Unfinished,
}

/// Everything that does not change between searches.
pub(crate) struct Search<'a> {
    pub policy: &'a Policy,
    pub scope: &'a Scope<'a>,
    pub survey: &'a Survey,
    pub now: f64,
    pub steps: usize,
    /// How many it may take.
    pub most: usize,
}

/// What one search asks for.
pub(crate) struct Question<'a> {
    pub at: usize,
    pub world: &'a World,
    pub field: &'a Field,
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
    /// The values that a caller can bring, as masks.
    pub(crate) fn field(&mut self, world: &World) -> Field {
        let survey = self.survey;
        let statements = self.policy.statements();
        let mut field = Field {
            candidates: Vec::with_capacity(survey.keys.len()),
            all: Vec::with_capacity(survey.keys.len()),
            open: Vec::with_capacity(survey.keys.len()),
            truths: vec![Vec::new(); statements.len()],
        };
        for &at in &survey.included {
            field.truths[at] = vec![(0, 0); statements[at].conditions.len()];
        }
        let mut filling = HashMap::new();
        for (index, key) in survey.keys.iter().enumerate() {
            let filled;
            let mut complete =
                !(world.vague_account && goes_by_account(key.class) || world.vague_arn && key.class == Class::Arn);
            let pool = if key.linked {
                filled = self.fill(index, world, &mut filling);
                complete &= filled.1;
                &filled.0
            } else {
                &key.pool
            };
            let mut found = values(survey, self.scope, world, index, pool, self.now);
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
                        let masks = &mut field.truths[*at][*nth];
                        masks.0 |= Mask::from(*truth == Truth::Yes) << bit;
                        masks.1 |= Mask::from(*truth != Truth::No) << bit;
                    }
                    kept.push(candidate);
                    seen.push(signature);
                }
            }
            let vague = if complete { 0 } else { VAGUE };
            for (at, nth) in &key.conditions {
                field.truths[*at][*nth].1 |= vague;
            }
            let open = kept.iter().enumerate().filter(|(_, one)| one.open);
            field.open.push(open.fold(vague, |mask, (bit, _)| mask | 1 << bit));
            field.all.push(mask_of(kept.len()) | vague);
            field.candidates.push(kept);
        }
        field
    }

    /// What each condition on a key makes of a value. Conditions with policy variables are left for later.
    fn signature(&self, key: usize, candidate: &Candidate) -> Vec<Truth> {
        let known = &self.survey.keys[key];
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
    fn fill(&self, key: usize, world: &World, filling: &mut HashMap<usize, Vec<String>>) -> (Pool, bool) {
        let known = &self.survey.keys[key];
        let mut pool = known.pool.clone();
        let mut complete = true;
        if known.class.is_chosen() {
            pool.literals.extend(self.survey.instances(&known.name));
            pool.literals.extend(self.asked_for(key, world));
        }
        for (at, nth) in &known.conditions {
            let condition = &self.policy.statements()[*at].conditions[*nth];
            for value in condition.values.iter().filter(|value| value.has_variables()) {
                let mut names: Vec<&str> = value.variables().collect();
                names.sort_unstable();
                names.dedup();
                let mut choices: Vec<Vec<String>> = Vec::new();
                for name in &names {
                    let Some(&index) = self.survey.index.get(*name) else {
                        continue;
                    };
                    let texts = filling.entry(index).or_insert_with(|| self.brought(index, world));
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
    fn brought(&self, key: usize, world: &World) -> Vec<String> {
        let known = &self.survey.keys[key];
        let mut texts = self.plainly(key, world);
        if known.class.is_chosen() && !texts.is_empty() {
            texts.extend(self.survey.instances(&known.name));
            texts.extend(self.asked_for(key, world));
        }
        let mut seen = HashSet::new();
        texts.retain(|text| seen.insert(text.clone()));
        texts
    }

    /// The same, without regard to policy variables.
    fn plainly(&self, key: usize, world: &World) -> Vec<String> {
        let pool = &self.survey.keys[key].pool;
        let found = values(self.survey, self.scope, world, key, pool, self.now);
        let texts = found.candidates.into_iter().filter_map(|one| one.value);
        texts.flatten().collect()
    }

    /// What a key would have to be as a variable, to match what the caller brings for those that are compared to it.
    fn asked_for(&self, key: usize, world: &World) -> Vec<String> {
        let mut texts = Vec::new();
        for (partner, before, after) in &self.survey.keys[key].partners {
            let brought = self.plainly(*partner, world);
            let inner = |text: &String| {
                text.strip_prefix(before.as_str())?
                    .strip_suffix(after.as_str())
                    .map(str::to_owned)
            };
            texts.extend(brought.iter().filter_map(inner));
        }
        texts
    }

    /// Whether a caller may meet the conditions of an Allow at all, whatever it asks for and whatever is denied.
    pub(crate) fn may_meet(&mut self, at: usize, world: &World, field: &Field) -> bool {
        let target = Target {
            action: String::new(),
            resource: None,
            relevant: vec![false; self.policy.statements().len()],
        };
        let outcome = self.run(&Question {
            at,
            world,
            field,
            target: &target,
            certain: false,
            open: false,
        });
        !matches!(outcome, Outcome::Nothing)
    }

    pub(crate) fn run(&mut self, question: &Question) -> Outcome {
        let statement = &self.policy.statements()[question.at];
        let least = if question.certain { Truth::Yes } else { Truth::Maybe };
        if principal_matches(statement, &question.world.caller) < least || (question.certain && statement.doubtful) {
            return Outcome::Nothing;
        }
        let field = question.field;
        let kept = if question.certain { !VAGUE } else { Mask::MAX };
        let choice = if question.open { &field.open } else { &field.all };
        let mut masks: Vec<Mask> = choice.iter().map(|mask| mask & kept).collect();
        let mut linked = has_variables(statement);
        for (nth, condition) in statement.conditions.iter().enumerate() {
            if condition.linked().next().is_some() {
                linked = true;
                continue;
            }
            let Some(&key) = self.survey.index.get(&condition.key) else {
                continue;
            };
            let (yes, maybe) = field.truths[question.at][nth];
            masks[key] &= if question.certain { yes } else { maybe };
            if masks[key] == 0 {
                return Outcome::Nothing;
            }
        }
        let mut denies = Vec::new();
        for &index in &self.survey.included {
            let deny = &self.policy.statements()[index];
            if deny.effect != Effect::Deny || !question.target.relevant[index] || (!question.certain && deny.doubtful) {
                continue;
            }
            let names = principal_matches(deny, &question.world.caller);
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
        let statement = &self.policy.statements()[deny];
        let mut ways = Vec::new();
        for (nth, condition) in statement.conditions.iter().enumerate() {
            let Some(&key) = self.survey.index.get(&condition.key) else {
                continue;
            };
            let all = question.field.all[key];
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
            let (yes, maybe) = question.field.truths[deny][nth];
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
            let certain_to_touch = |deny: &&usize| !has_variables(&self.policy.statements()[**deny]);
            let denies: Vec<usize> = problem.denies.iter().filter(certain_to_touch).copied().collect();
            let ways = self.all_ways_out(problem, &denies, None);
            if let Outcome::Nothing = self.escape(problem, &ways, masks.to_vec()) {
                return Outcome::Nothing;
            }
        }
        let plan = self.plan(problem);
        let vague = plan.levels.iter().any(|level| masks[level.key] & VAGUE != 0);
        let mut walk = Walk {
            choice: Choice::new(),
            ways: self.all_ways_out(problem, &plan.free, None),
            until: self.most.min(self.steps + COMBINATIONS),
        };
        match self.descend(problem, &plan.levels, &mut walk, masks.to_vec()) {
            Outcome::Nothing if vague => Outcome::Unfinished,
            outcome => outcome,
        }
    }

    /// In which order to choose values of the tied keys, those first that the Allow itself ties; and what is decided with
    /// each.
    fn plan(&self, problem: &Problem) -> Plan {
        let statements = self.policy.statements();
        let at = problem.question.at;
        let index = |name: &str| self.survey.index.get(name).copied();
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
        let name = self.survey.keys[level.key].name.as_str();
        let mut bits = masks[level.key] & !VAGUE;
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
            match &question.field.candidates[level.key][bit].value {
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
        let statement = &self.policy.statements()[question.at];
        let lookup = |name: &str| choice.get(name).and_then(|values| values.first()).cloned();
        let least = if question.certain { Truth::Yes } else { Truth::Maybe };
        let on = !level.resource
            || question
                .target
                .resource
                .as_ref()
                .is_none_or(|resource| resource_matches(statement, self.scope.service, resource, &lookup) >= least);
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
            let statement = &self.policy.statements()[deny];
            let lookup = |name: &str| walk.choice.get(name).and_then(|values| values.first()).cloned();
            let touches = match &question.target.resource {
                Some(resource) => resource_matches(statement, self.scope.service, resource, &lookup) >= least,
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
        let mut vague = false;
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
                if masks.contains(&VAGUE) {
                    vague = true;
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
        if vague { Outcome::Unfinished } else { Outcome::Nothing }
    }

    fn request(&self, question: &Question, masks: &[Mask]) -> Request {
        let mut context = BTreeMap::new();
        for (index, key) in self.survey.keys.iter().enumerate() {
            let bit = masks[index].trailing_zeros() as usize;
            if let Some(value) = question.field.candidates[index]
                .get(bit)
                .and_then(|one| one.value.clone())
            {
                context.insert(key.name.clone(), value);
            }
        }
        Request {
            caller: question.world.caller.clone(),
            action: question.target.action.clone(),
            resource: question.target.resource.clone().unwrap_or_default(),
            context,
        }
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
