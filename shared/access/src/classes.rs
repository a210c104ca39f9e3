//! One text for each way that conditions can tell texts apart.

use std::cell::Cell;
use std::collections::{HashMap, HashSet, VecDeque};

use crate::glob::{Glob, Span, Tape, Token};

/// One text for each way to match or not match groups of patterns, among the texts of a domain; none of them to be
/// avoided.
pub(crate) struct Classes {
    pub texts: Vec<String>,
    /// False when the search was cut short: then a class may be missing.
    pub complete: bool,
}

/// More classes than this don't fit a mask.
const MOST_CLASSES: usize = 48;
/// Pairs of positions looked at for one text that two patterns have in common.
const PAIRS: usize = 4_000;
/// A pair costs less than a step of all patterns does.
const PAIRS_A_STEP: usize = 4;

/// The texts of a domain that differ in which of the groups have a pattern that matches them.
///
/// A condition's values are alternatives, so it matters only whether one of them matches: a group each. Patterns that no
/// text of the domain matches are left out, and the search ends as soon as every combination was found.
pub(crate) fn classes(
    domain: &Glob,
    groups: &[&[Glob]],
    avoid: &HashSet<String>,
    filler: char,
    budget: &Cell<usize>,
) -> Classes {
    // What matches all of the domain tells nothing apart.
    let groups: Vec<&[Glob]> = groups
        .iter()
        .copied()
        .filter(|group| !group.iter().any(|glob| covers(glob, domain)))
        .collect();
    let mut search = Search {
        avoid,
        found: HashMap::new(),
        order: Vec::new(),
    };
    // More groups than this have more combinations than classes are kept.
    let combinations = |count: usize| (count < 6).then(|| 1_usize << count);
    let matched = |text: &str| -> Vec<usize> {
        let any = |number: &usize| groups[*number].iter().any(|glob| glob.matches(text));
        (0..groups.len()).filter(any).collect()
    };
    // Easy ones: the plainest text of the domain, and of each pattern within it.
    if let Some(text) = plainest(domain, filler) {
        search.add(&matched(&text), text);
    }
    let mut live: Vec<(usize, &Glob)> = Vec::new();
    for (number, glob) in groups
        .iter()
        .enumerate()
        .flat_map(|(number, group)| group.iter().map(move |glob| (number, glob)))
    {
        let common = shared(domain, glob, filler, budget);
        if common.text.is_some() || !common.complete {
            live.push((number, glob));
        }
        if let Some(text) = common.text {
            search.add(&matched(&text), text);
        }
        if search.is_full(combinations(groups.len())) {
            break;
        }
    }
    let mut numbers: Vec<usize> = live.iter().map(|(number, _)| *number).collect();
    numbers.dedup();
    let all = combinations(numbers.len());
    let complete = search.is_full(all) || search.walk(domain, &live, all, filler, budget);
    Classes {
        texts: search.fresh(),
        complete,
    }
}

/// Whether a pattern matches every text of a domain, as far as that is plain to see.
fn covers(glob: &Glob, domain: &Glob) -> bool {
    match glob.tokens().split_last() {
        Some((Token::Many(Span::Any), start)) => {
            glob.tokens().len() <= domain.tokens().len()
                && start
                    .iter()
                    .zip(domain.tokens())
                    .all(|(a, b)| matches!(a, Token::Char(_)) && a == b)
        }
        _ => false,
    }
}

/// Places that were seen: as bits where there are few in all.
enum Seen {
    Bits(Vec<u64>),
    Places(HashSet<usize>),
}

impl Seen {
    fn new(places: usize) -> Self {
        if places < 1 << 15 {
            Self::Bits(vec![0; places / 64 + 1])
        } else {
            Self::Places(HashSet::new())
        }
    }

    fn insert(&mut self, place: usize) -> bool {
        match self {
            Self::Bits(bits) => {
                let (word, bit) = (&mut bits[place / 64], 1 << (place % 64));
                let new = *word & bit == 0;
                *word |= bit;
                new
            }
            Self::Places(places) => places.insert(place),
        }
    }
}

struct Search<'a> {
    avoid: &'a HashSet<String>,
    /// By the groups that match: a text, and whether it is none of those to be avoided.
    found: HashMap<Vec<usize>, (String, bool)>,
    order: Vec<Vec<usize>>,
}

impl Search<'_> {
    /// Keeps the first text that need not be avoided; another one only until such a text is found.
    fn add(&mut self, signature: &[usize], text: String) {
        let fresh = !self.avoid.contains(&text);
        match self.found.get_mut(signature) {
            Some(known) if known.1 || !fresh => {}
            Some(known) => *known = (text, true),
            None => {
                self.order.push(signature.to_vec());
                self.found.insert(signature.to_vec(), (text, fresh));
            }
        }
    }

    fn wants(&self, signature: &[usize]) -> bool {
        self.found.get(signature).is_none_or(|(_, fresh)| !fresh)
    }

    fn is_full(&self, all: Option<usize>) -> bool {
        all.is_some_and(|all| self.found.values().filter(|(_, fresh)| *fresh).count() >= all)
    }

    fn fresh(&self) -> Vec<String> {
        let texts = self.order.iter().filter_map(|signature| self.found.get(signature));
        texts
            .filter(|(_, fresh)| *fresh)
            .map(|(text, _)| text.clone())
            .collect()
    }

    /// Follows all patterns at once, breadth first. False if that was cut short.
    fn walk(
        &mut self,
        domain: &Glob,
        live: &[(usize, &Glob)],
        all: Option<usize>,
        filler: char,
        budget: &Cell<usize>,
    ) -> bool {
        let globs: Vec<&Glob> = std::iter::once(domain)
            .chain(live.iter().map(|(_, glob)| *glob))
            .collect();
        let tape = Tape::new(&globs);
        let start = tape.start();
        let mut nodes: Vec<(usize, char)> = vec![(0, '\0')];
        let mut queue = VecDeque::from([(0_usize, start.clone())]);
        let mut seen: HashSet<Vec<usize>> = HashSet::from([start]);
        let mut work = 0;
        let mut complete = true;
        let accept = |search: &mut Self, state: &[usize], node: usize, last: Option<char>, nodes: &[(usize, char)]| {
            let mut met = tape.met(state).peekable();
            if met.next_if_eq(&0).is_none() {
                return;
            }
            let mut signature: Vec<usize> = met.map(|index| live[index - 1].0).collect();
            signature.dedup();
            if search.wants(&signature) {
                let mut text = spell(nodes, node);
                text.extend(last);
                search.add(&signature, text);
            }
        };
        'search: while let Some((node, state)) = queue.pop_front() {
            accept(self, &state, node, None, &nodes);
            for character in tape.alphabet(&state, filler) {
                let next = tape.step(&state, character);
                work += next.len() + 1;
                // Without the domain, no text can be found any more.
                if next.first().is_none_or(|position| tape.owner[*position] != 0) {
                    continue;
                }
                if seen.contains(&next) {
                    accept(self, &next, node, Some(character), &nodes);
                    continue;
                }
                nodes.push((node, character));
                seen.insert(next.clone());
                queue.push_back((nodes.len() - 1, next));
            }
            if self.is_full(all) {
                break 'search;
            }
            if work > budget.get() || self.order.len() > MOST_CLASSES {
                complete = false;
                break;
            }
        }
        budget.set(budget.get().saturating_sub(work));
        complete
    }
}

fn spell(nodes: &[(usize, char)], mut node: usize) -> String {
    let mut text = Vec::new();
    while node != 0 {
        text.push(nodes[node].1);
        node = nodes[node].0;
    }
    text.iter().rev().collect()
}

/// The shortest text of a pattern.
fn plainest(glob: &Glob, filler: char) -> Option<String> {
    let steps = glob.tokens().iter().filter(|token| !token.is_many());
    let letter = |token: &Token| match token {
        Token::Char(character) => Some(*character),
        other => [filler, 'x', '0', ':'].into_iter().find(|one| other.takes(*one)),
    };
    steps.map(letter).collect()
}

/// A text that two patterns both match.
pub(crate) fn in_common(one: &Glob, other: &Glob, budget: &Cell<usize>) -> Option<String> {
    shared(one, other, 'x', budget).text
}

/// Whether there may be such a text.
pub(crate) fn meets(one: &Glob, other: &Glob, budget: &Cell<usize>) -> bool {
    let shared = shared(one, other, 'x', budget);
    shared.text.is_some() || !shared.complete
}

/// What two patterns have in common.
struct Shared {
    /// A shortest text that both match.
    text: Option<String>,
    /// False when the search was cut short.
    complete: bool,
}

fn shared(one: &Glob, other: &Glob, filler: char, budget: &Cell<usize>) -> Shared {
    let (mut one, mut other) = (one.tokens(), other.tokens());
    // Most differ, or agree, before the first wildcard.
    let mut start = String::new();
    while let ([Token::Char(a), rest @ ..], [Token::Char(b), others @ ..]) = (one, other) {
        if a != b {
            return Shared {
                text: None,
                complete: true,
            };
        }
        start.push(*a);
        (one, other) = (rest, others);
    }
    let width = other.len() + 1;
    let mut nodes: Vec<(usize, Option<char>, usize)> = Vec::with_capacity(one.len() + width);
    nodes.push((0, None, 0));
    let end = one.len() * width + other.len();
    let mut seen = Seen::new(end + 1);
    seen.insert(0);
    let mut at = 0;
    let mut complete = true;
    while at < nodes.len() {
        let (place, ..) = nodes[at];
        if place == end {
            let mut text = Vec::new();
            let mut node = at;
            while node != 0 {
                text.extend(nodes[node].1);
                node = nodes[node].2;
            }
            budget.set(budget.get().saturating_sub(nodes.len() / PAIRS_A_STEP));
            return Shared {
                text: Some(start + &text.iter().rev().collect::<String>()),
                complete,
            };
        }
        if nodes.len() > PAIRS.min(budget.get() * PAIRS_A_STEP) {
            complete = false;
            break;
        }
        let (left, right) = (place / width, place % width);
        let (a, b) = (one.get(left).copied(), other.get(right).copied());
        let mut go = |place: usize, character: Option<char>| {
            if seen.insert(place) {
                nodes.push((place, character, at));
            }
        };
        if a.is_some_and(Token::is_many) {
            go(place + width, None);
        }
        if b.is_some_and(Token::is_many) {
            go(place + 1, None);
        }
        if let (Some(a), Some(b)) = (a, b) {
            let candidates = match (a, b) {
                (Token::Char(character), _) | (_, Token::Char(character)) => [character; 4],
                _ => [filler, 'x', '0', ':'],
            };
            if let Some(character) = candidates.into_iter().find(|one| a.takes(*one) && b.takes(*one)) {
                let next = place + if a.is_many() { 0 } else { width } + usize::from(!b.is_many());
                go(next, Some(character));
            }
        }
        at += 1;
    }
    budget.set(budget.get().saturating_sub(nodes.len() / PAIRS_A_STEP));
    Shared { text: None, complete }
}
