//! Wildcard patterns: matching in linear space and near-linear time.

/// Which characters a wildcard takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Span {
    /// Any.
    Any,
    /// Any but a colon: within an ARN component.
    Part,
    /// Any but a colon and a slash: one name within an ARN.
    Name,
    /// A digit, as in account ids.
    Digit,
    /// A lower-case letter or a digit, as in organisation ids.
    Id,
}

impl Span {
    fn takes(self, character: char) -> bool {
        match self {
            Self::Any => true,
            Self::Part => character != ':',
            Self::Name => !matches!(character, ':' | '/'),
            Self::Digit => character.is_ascii_digit(),
            Self::Id => character.is_ascii_digit() || character.is_ascii_lowercase(),
        }
    }
}

/// One step of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Token {
    /// That character.
    Char(char),
    /// `?`: one of such characters.
    One(Span),
    /// `*`: any run of them.
    Many(Span),
}

impl Token {
    pub(crate) fn is_many(self) -> bool {
        matches!(self, Self::Many(_))
    }

    pub(crate) fn takes(self, character: char) -> bool {
        match self {
            Self::Char(expected) => expected == character,
            Self::One(span) | Self::Many(span) => span.takes(character),
        }
    }
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    tokens: Vec<Token>,
    /// Every wildcard takes any character.
    plain: bool,
}

impl Glob {
    /// A pattern in which `*` is any run of characters and `?` is any one.
    pub fn new(pattern: &str) -> Self {
        Self::from_tokens(pattern.chars().map(wild).collect())
    }

    /// A pattern without wildcards.
    pub(crate) fn literal(text: &str) -> Self {
        Self {
            tokens: text.chars().map(Token::Char).collect(),
            plain: true,
        }
    }

    pub(crate) fn from_tokens(mut tokens: Vec<Token>) -> Self {
        // "**" is "*"; without this, a run of stars would cost time and states.
        tokens.dedup_by(|a, b| a == b && a.is_many());
        let plain = tokens
            .iter()
            .all(|token| matches!(token, Token::Char(_) | Token::One(Span::Any) | Token::Many(Span::Any)));
        Self { tokens, plain }
    }

    /// The pattern followed by another.
    pub(crate) fn then(self, rest: impl IntoIterator<Item = Token>) -> Self {
        let mut tokens = self.tokens;
        tokens.extend(rest);
        Self::from_tokens(tokens)
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    pub(crate) fn into_tokens(self) -> Vec<Token> {
        self.tokens
    }

    /// The same pattern with the wildcards of the first five ARN components held within them; `None` without six
    /// components.
    ///
    /// Source: IAM User Guide, "IAM JSON policy elements: Condition operators", ARN operators.
    pub(crate) fn into_arn(self) -> Option<Self> {
        let mut colons = 0;
        let tokens = self
            .tokens
            .into_iter()
            .map(|token| {
                colons += usize::from(token == Token::Char(':'));
                match token {
                    Token::Many(Span::Any) if colons < 5 => Token::Many(Span::Part),
                    Token::One(Span::Any) if colons < 5 => Token::One(Span::Part),
                    other => other,
                }
            })
            .collect();
        (colons >= 5).then(|| Self::from_tokens(tokens))
    }

    /// Its piece between two colons, the first being number 0, if it has that many.
    pub(crate) fn component(&self, number: usize) -> Option<Self> {
        let mut pieces = self.tokens.split(|token| *token == Token::Char(':'));
        pieces.nth(number).map(|tokens| Self::from_tokens(tokens.to_vec()))
    }

    /// What follows its fifth colon, if it has that many: what an ARN has after the account.
    pub(crate) fn rest(&self) -> Option<&[Token]> {
        let mut colons = self
            .tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| **token == Token::Char(':'));
        colons.nth(4).map(|(at, _)| &self.tokens[at + 1..])
    }

    /// Whether a wildcard before the account takes colons, so that what matches it may have them elsewhere.
    pub(crate) fn is_loose(&self) -> bool {
        let start = self
            .rest()
            .map_or(self.tokens.len(), |rest| self.tokens.len() - rest.len());
        self.tokens[..start].contains(&Token::Many(Span::Any))
    }

    pub(crate) fn is_literal(&self) -> bool {
        self.tokens.iter().all(|token| matches!(token, Token::Char(_)))
    }

    /// The text, if the pattern has no wildcard.
    pub(crate) fn as_literal(&self) -> Option<String> {
        self.tokens
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
        for token in &self.tokens {
            match token {
                Token::Char(character) => text.push(*character),
                Token::One(Span::Digit) => text.push('0'),
                Token::One(_) => text.push('x'),
                Token::Many(_) => text.push_str(filler),
            }
        }
        text
    }

    /// The characters before the first wildcard.
    pub(crate) fn prefix(&self) -> String {
        self.tokens
            .iter()
            .map_while(|token| match token {
                Token::Char(character) => Some(*character),
                _ => None,
            })
            .collect()
    }

    /// The pattern as text, as [`Self::new`] takes it.
    pub(crate) fn source(&self) -> String {
        let text = |token: &Token| match token {
            Token::Char(character) => *character,
            Token::One(_) => '?',
            Token::Many(_) => '*',
        };
        self.tokens.iter().map(text).collect()
    }

    /// The characters after the last wildcard.
    pub(crate) fn suffix(&self) -> String {
        let wild = self.tokens.iter().rposition(|token| !matches!(token, Token::Char(_)));
        let fixed = self.tokens[wild.map_or(0, |at| at + 1)..].iter();
        fixed
            .filter_map(|token| match token {
                Token::Char(character) => Some(*character),
                _ => None,
            })
            .collect()
    }

    /// Whether the whole text matches. Greedy, with one retreat: at most length × length steps.
    pub fn matches(&self, text: &str) -> bool {
        if !self.plain {
            return self.matches_spans(text);
        }
        if text.is_ascii() {
            let letters = text.as_bytes();
            return self.matches_letters(letters.len(), |at| char::from(letters[at]));
        }
        let letters: Vec<char> = text.chars().collect();
        self.matches_letters(letters.len(), |at| letters[at])
    }

    fn matches_letters(&self, length: usize, letter: impl Fn(usize) -> char) -> bool {
        let (mut at, mut position) = (0, 0);
        let mut retreat: Option<(usize, usize)> = None;
        while position < length {
            match self.tokens.get(at) {
                Some(Token::Many(_)) => {
                    at += 1;
                    // What is left may be anything.
                    if at == self.tokens.len() {
                        return true;
                    }
                    retreat = Some((at, position));
                }
                Some(token) if token.takes(letter(position)) => {
                    at += 1;
                    position += 1;
                }
                _ => match &mut retreat {
                    Some((star, from)) => {
                        *from += 1;
                        (at, position) = (*star, *from);
                    }
                    None => return false,
                },
            }
        }
        self.tokens[at..].iter().all(|token| token.is_many())
    }

    /// With stars that stop somewhere, one retreat is not enough: follow the set of positions instead.
    fn matches_spans(&self, text: &str) -> bool {
        // Most differ in what stands before the first wildcard.
        let fixed = self.tokens.iter().map_while(|token| match token {
            Token::Char(character) => Some(*character),
            _ => None,
        });
        let mut characters = text.chars();
        let mut start = 0;
        for expected in fixed {
            if characters.next() != Some(expected) {
                return false;
            }
            start += 1;
        }
        let rest = &self.tokens[start..];
        if rest.len() < 64 {
            return matches_few(rest, characters);
        }
        let tape = Tape::new(&[self]);
        let mut states = Vec::new();
        tape.close(start, &mut states);
        for character in characters {
            states = tape.step(&states, character);
            if states.is_empty() {
                return false;
            }
        }
        states.contains(&self.tokens.len())
    }
}

/// The same with the positions as bits.
fn matches_few(tokens: &[Token], characters: std::str::Chars) -> bool {
    let reach = |mut at: usize| {
        let mut bits = 1_u64 << at;
        while tokens.get(at).is_some_and(|token| token.is_many()) {
            at += 1;
            bits |= 1 << at;
        }
        bits
    };
    let mut states = reach(0);
    for character in characters {
        let (mut left, mut next) = (states, 0);
        while left != 0 {
            let at = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(token) = tokens.get(at).filter(|token| token.takes(character)) {
                next |= reach(at + usize::from(!token.is_many()));
            }
        }
        if next == 0 {
            return false;
        }
        states = next;
    }
    states & (1 << tokens.len()) != 0
}

fn wild(character: char) -> Token {
    match character {
        '*' => Token::Many(Span::Any),
        '?' => Token::One(Span::Any),
        other => Token::Char(other),
    }
}

/// Several patterns one after the other, followed all at once. A state is the sorted list of positions in it.
pub(crate) struct Tape {
    /// `None` where a pattern ends.
    tokens: Vec<Option<Token>>,
    /// Which pattern a position belongs to.
    pub owner: Vec<usize>,
}

impl Tape {
    pub(crate) fn new(globs: &[&Glob]) -> Self {
        let mut tape = Self {
            tokens: Vec::new(),
            owner: Vec::new(),
        };
        for (number, glob) in globs.iter().enumerate() {
            tape.tokens.extend(glob.tokens.iter().copied().map(Some));
            tape.tokens.push(None);
            tape.owner.resize(tape.tokens.len(), number);
        }
        tape
    }

    pub(crate) fn start(&self) -> Vec<usize> {
        let mut state = Vec::new();
        let mut begins = true;
        for (position, token) in self.tokens.iter().enumerate() {
            if begins {
                self.close(position, &mut state);
            }
            begins = token.is_none();
        }
        state
    }

    /// Adds a position and what can be reached from it by an empty star.
    fn close(&self, mut position: usize, state: &mut Vec<usize>) {
        loop {
            state.push(position);
            if self.tokens[position].is_some_and(Token::is_many) {
                position += 1;
            } else {
                return;
            }
        }
    }

    pub(crate) fn step(&self, state: &[usize], character: char) -> Vec<usize> {
        let mut next = Vec::with_capacity(state.len() + 1);
        for &position in state {
            if let Some(token) = self.tokens[position].filter(|token| token.takes(character)) {
                self.close(position + usize::from(!token.is_many()), &mut next);
            }
        }
        next.sort_unstable();
        next.dedup();
        // From a full star every text is possible that an earlier position of the pattern could still lead to.
        let mut full = None;
        let mut kept = next.len();
        for at in (0..next.len()).rev() {
            let position = next[at];
            if full == Some(self.owner[position]) {
                continue;
            }
            if self.tokens[position] == Some(Token::Many(Span::Any)) {
                full = Some(self.owner[position]);
            }
            kept -= 1;
            next[kept] = position;
        }
        next.drain(..kept);
        next
    }

    /// The patterns that end here.
    pub(crate) fn met(&self, state: &[usize]) -> impl Iterator<Item = usize> {
        state
            .iter()
            .filter(|position| self.tokens[**position].is_none())
            .map(|position| self.owner[*position])
    }

    /// The characters that make a difference here: those some pattern waits for, a colon where one may not pass, and
    /// some that none waits for.
    pub(crate) fn alphabet(&self, state: &[usize], filler: char) -> Vec<char> {
        let mut characters = Vec::new();
        let mut colon = false;
        for &position in state {
            match self.tokens[position] {
                Some(Token::Char(character)) => characters.push(character),
                Some(Token::One(Span::Part | Span::Name) | Token::Many(Span::Part | Span::Name)) => colon = true,
                _ => {}
            }
        }
        if colon {
            characters.push(':');
        }
        characters.sort_unstable();
        characters.dedup();
        // Of digits a few, since an account has nothing but them and some of those may be taken.
        let (others, count) = if filler.is_ascii_digit() {
            ("9876543210", 3)
        } else {
            ("xqzjkvw0123456789abcdefghilmnoprstuy", 1)
        };
        let fresh = std::iter::once(filler).chain(others.chars().filter(|other| *other != filler));
        let fresh: Vec<char> = fresh
            .filter(|candidate| characters.binary_search(candidate).is_err())
            .take(count)
            .collect();
        fresh.into_iter().chain(characters).collect()
    }
}
