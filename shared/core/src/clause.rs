//! What is wrong with a resource, in words.

use std::fmt::Display;

/// What is wrong, as a clause that follows the resource's name, in the present and in the past.
///
/// Each verb is written in both tenses, and what both share once:
/// `Clause::new("rotates", "rotated").followed_by(" every 400 days only")`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clause {
    /// What is told while it is so: `is public by its policy: …`.
    pub is: String,
    /// What is told once it was put right: `was public by its policy: …`.
    pub was: String,
}

impl Clause {
    /// A clause with any verb.
    pub fn new(is: impl Into<String>, was: impl Into<String>) -> Self {
        Self {
            is: is.into(),
            was: was.into(),
        }
    }

    /// A clause that says what the resource is: `is …`, `was …`.
    pub fn is(what: impl Display) -> Self {
        Self::new(format!("is {what}"), format!("was {what}"))
    }

    /// A clause that says what it has: `has …`, `had …`.
    pub fn has(what: impl Display) -> Self {
        Self::new(format!("has {what}"), format!("had {what}"))
    }

    /// A clause that says what it fails to do: `does not …`, `did not …`.
    pub fn does_not(what: impl Display) -> Self {
        Self::new(format!("does not {what}"), format!("did not {what}"))
    }

    /// A clause about what has happened to it, and is past in any case: `was …`.
    pub fn was(what: impl Display) -> Self {
        Self::new(format!("was {what}"), format!("was {what}"))
    }

    /// The same with these words after it, whatever the tense.
    #[must_use]
    pub fn followed_by(self, words: impl Display) -> Self {
        Self::new(format!("{}{words}", self.is), format!("{}{words}", self.was))
    }

    /// The same with what else is wrong.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let Self { is, was } = other;
        Self::new(format!("{}; {is}", self.is), format!("{}; {was}", self.was))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clause_has_both_tenses() {
        let told = |clause: Clause| (clause.is, clause.was);
        let both = |is: &str, was: &str| (is.to_owned(), was.to_owned());
        assert_eq!(told(Clause::is("open")), both("is open", "was open"));
        assert_eq!(told(Clause::has("holes")), both("has holes", "had holes"));
        assert_eq!(
            told(Clause::does_not("rotate").followed_by(", for now")),
            both("does not rotate, for now", "did not rotate, for now")
        );
        assert_eq!(
            told(Clause::was("left disabled").and(Clause::new("lives", "lived").followed_by(" abroad"))),
            both("was left disabled; lives abroad", "was left disabled; lived abroad")
        );
    }
}
