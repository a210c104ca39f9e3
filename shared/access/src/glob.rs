//! Wildcard patterns: matching in linear space and near-linear time, and one text for each way a set of patterns can
//! be met.

use std::cell::Cell;
use std::collections::{HashMap, HashSet, VecDeque};

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    /// That character.
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// `?` in an ARN component: any character but a colon.
    OneInPart,
    /// `*` in an ARN component: any run without a colon.
    ManyInPart,
}

impl Token {
    fn is_many(self) -> bool {
        matches!(self, Self::Many | Self::ManyInPart)
    }

    fn takes(self, character: char) -> bool {
        match self {
            Self::Char(expected) => expected == character,
            Self::One | Self::Many => true,
            Self::OneInPart | Self::ManyInPart => character != ':',
        }
    }
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(Vec<Token>);

impl Glob {
    /// A pattern in which `*` is any run of characters and `?` is any one.
    pub fn new(pattern: &str) -> Self {
        Self::from_tokens(pattern.chars().map(wild).collect())
    }

    /// A pattern without wildcards.
    pub(crate) fn literal(text: &str) -> Self {
        Self(text.chars().map(Token::Char).collect())
    }

    pub(crate) fn from_tokens(mut tokens: Vec<Token>) -> Self {
        // "**" is "*"; without this, a run of stars would cost time and states.
        tokens.dedup_by(|a, b| a == b && a.is_many());
        Self(tokens)
    }

    pub(crate) fn into_tokens(self) -> Vec<Token> {
        self.0
    }

    /// The same pattern with the wildcards of the first five ARN components held within them; `None` without six
    /// components.
    ///
    /// Source: IAM User Guide, "IAM JSON policy elements: Condition operators", ARN operators.
    pub(crate) fn into_arn(self) -> Option<Self> {
        let mut colons = 0;
        let tokens = self
            .0
            .into_iter()
            .map(|token| {
                colons += usize::from(token == Token::Char(':'));
                match token {
                    Token::Many if colons < 5 => Token::ManyInPart,
                    Token::One if colons < 5 => Token::OneInPart,
                    other => other,
                }
            })
            .collect();
        (colons >= 5).then(|| Self::from_tokens(tokens))
    }

    /// The text, if the pattern has no wildcard.
    pub(crate) fn as_literal(&self) -> Option<String> {
        self.0
            .iter()
            .map(|token| match token {
                Token::Char(character) => Some(*character),
                _ => None,
            })
            .collect()
    }

    /// A text that matches: stars become the filler.
    pub(crate) fn filled(&self, filler: &str) -> String {
        let mut text = String::new();
        for token in &self.0 {
            match token {
                Token::Char(character) => text.push(*character),
                Token::One | Token::OneInPart => text.push('x'),
                Token::Many | Token::ManyInPart => text.push_str(filler),
            }
        }
        text
    }

    /// The characters before the first wildcard.
    pub(crate) fn prefix(&self) -> String {
        self.0
            .iter()
            .map_while(|token| match token {
                Token::Char(character) => Some(*character),
                _ => None,
            })
            .collect()
    }

    /// Whether the whole text matches. Greedy, with one retreat per star kind: at most length × length steps.
    pub fn matches(&self, text: &str) -> bool {
        if self.0.contains(&Token::ManyInPart) {
            return self.matches_parts(text);
        }
        let next = |position: usize| text.get(position..).and_then(|rest| rest.chars().next());
        let (mut at, mut position) = (0, 0);
        let mut retreat: Option<(usize, usize)> = None;
        while let Some(character) = next(position) {
            match self.0.get(at) {
                Some(token) if token.is_many() => {
                    retreat = Some((at, position));
                    at += 1;
                }
                Some(token) if token.takes(character) => {
                    at += 1;
                    position += character.len_utf8();
                }
                _ => match retreat {
                    Some((star, from)) => {
                        let skipped = from + next(from).map_or(1, char::len_utf8);
                        retreat = Some((star, skipped));
                        at = star + 1;
                        position = skipped;
                    }
                    None => return false,
                },
            }
        }
        self.0[at..].iter().all(|token| token.is_many())
    }

    /// With stars that stop at colons, one retreat is not enough: follow the set of positions instead.
    fn matches_parts(&self, text: &str) -> bool {
        let mut states = Vec::new();
        close(&self.0, 0, &mut states);
        for character in text.chars() {
            states = step(&self.0, &states, character);
            if states.is_empty() {
                return false;
            }
        }
        states.contains(&self.0.len())
    }
}

fn wild(character: char) -> Token {
    match character {
        '*' => Token::Many,
        '?' => Token::One,
        other => Token::Char(other),
    }
}

/// Adds a position and what can be reached from it by an empty star.
fn close(tokens: &[Token], mut position: usize, states: &mut Vec<usize>) {
    loop {
        if !states.contains(&position) {
            states.push(position);
        }
        if tokens.get(position).is_some_and(|token| token.is_many()) {
            position += 1;
        } else {
            return;
        }
    }
}

fn step(tokens: &[Token], states: &[usize], character: char) -> Vec<usize> {
    let mut next = Vec::new();
    for &position in states {
        if let Some(token) = tokens.get(position).filter(|token| token.takes(character)) {
            close(tokens, position + usize::from(!token.is_many()), &mut next);
        }
    }
    next.sort_unstable();
    // From a full star every text is possible that an earlier position could still lead to.
    let last = next
        .iter()
        .rposition(|&position| tokens.get(position) == Some(&Token::Many));
    if let Some(last) = last {
        next.drain(..last);
    }
    next
}

/// One text for each way to match or not match the patterns, among the texts of `domain`; none of them in `avoid`.
pub(crate) struct Classes {
    pub texts: Vec<String>,
    /// False when the search was cut short: then a class may be missing.
    pub complete: bool,
}

/// More classes than this don't fit a mask.
const MOST_CLASSES: usize = 48;

type State = Vec<(usize, Vec<usize>)>;

pub(crate) fn classes(
    domain: &Glob,
    patterns: &[&Glob],
    avoid: &HashSet<String>,
    filler: char,
    budget: &Cell<usize>,
) -> Classes {
    let automata: Vec<&[Token]> = std::iter::once(domain)
        .chain(patterns.iter().copied())
        .map(|glob| glob.0.as_slice())
        .collect();
    let start: State = (0..automata.len())
        .map(|index| {
            let mut states = Vec::new();
            close(automata[index], 0, &mut states);
            (index, states)
        })
        .collect();
    let mut nodes: Vec<(usize, char)> = vec![(0, '\0')];
    let mut queue = VecDeque::from([(0_usize, start.clone())]);
    let mut seen: HashSet<State> = HashSet::from([start]);
    let mut found: HashMap<Vec<usize>, (String, bool)> = HashMap::new();
    let mut order = Vec::new();
    let mut work = 0;
    let mut complete = true;
    let mut accept = |state: &State, text: &dyn Fn() -> String, order: &mut Vec<Vec<usize>>| {
        let met: Vec<usize> = state
            .iter()
            .filter(|(index, states)| states.contains(&automata[*index].len()))
            .map(|(index, _)| *index)
            .collect();
        if met.first() != Some(&0) {
            return;
        }
        // Keep the first text that no literal of the policy names; another one only until such a text is found.
        if let Some((_, true)) = found.get(&met) {
            return;
        }
        let text = text();
        let fresh = !avoid.contains(&text);
        if !found.contains_key(&met) {
            order.push(met.clone());
        }
        if fresh || !found.contains_key(&met) {
            found.insert(met, (text, fresh));
        }
    };
    while let Some((node, state)) = queue.pop_front() {
        accept(&state, &|| spell(&nodes, node), &mut order);
        let alphabet = next_characters(&automata, &state, filler);
        for character in alphabet {
            let next: State = state
                .iter()
                .filter_map(|(index, states)| {
                    let states = step(automata[*index], states, character);
                    work += states.len() + 1;
                    (!states.is_empty()).then_some((*index, states))
                })
                .collect();
            // Without the domain, no text can be found any more.
            if next.first().is_none_or(|(index, _)| *index != 0) {
                continue;
            }
            if seen.contains(&next) {
                accept(&next, &|| spell(&nodes, node) + &character.to_string(), &mut order);
                continue;
            }
            nodes.push((node, character));
            seen.insert(next.clone());
            queue.push_back((nodes.len() - 1, next));
        }
        if work > budget.get() || order.len() > MOST_CLASSES {
            complete = false;
            break;
        }
    }
    budget.set(budget.get().saturating_sub(work));
    let texts = order
        .iter()
        .filter_map(|met| found.get(met))
        .filter(|(_, fresh)| *fresh)
        .map(|(text, _)| text.clone());
    Classes {
        texts: texts.collect(),
        complete,
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

/// The characters that make a difference here: those some pattern waits for, a colon where one may not pass, and one
/// that none waits for.
fn next_characters(automata: &[&[Token]], state: &State, filler: char) -> Vec<char> {
    let mut characters = Vec::new();
    let mut colon = false;
    for (index, states) in state {
        for &position in states {
            match automata[*index].get(position) {
                Some(Token::Char(character)) => characters.push(*character),
                Some(Token::OneInPart | Token::ManyInPart) => colon = true,
                _ => {}
            }
        }
    }
    if colon {
        characters.push(':');
    }
    let other = std::iter::once(filler).chain("xqzjkvw0123456789abcdefghilmnoprstuy".chars());
    let fresh = other.into_iter().find(|candidate| !characters.contains(candidate));
    characters.sort_unstable();
    characters.dedup();
    fresh.into_iter().chain(characters).collect()
}
