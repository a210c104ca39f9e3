use super::mentions::{Mentions, Pool, avoid};
use crate::classes::classes;
use crate::glob::Glob;

/// A value that a caller can bring.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// `None`: the key is missing.
    pub value: Option<Vec<String>>,
    /// Anybody can bring it; otherwise it takes something that is somebody's in particular.
    pub open: bool,
}

/// The values that a caller can bring for a key, and whether that is all of them.
pub(super) struct Values {
    pub candidates: Vec<Candidate>,
    pub complete: bool,
}

/// Gathers the values that a caller can bring for one key.
pub(super) struct Candidates<'a> {
    pub pool: &'a Pool,
    pub mentions: &'a Mentions,
    found: Vec<Candidate>,
    complete: bool,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(pool: &'a Pool, mentions: &'a Mentions) -> Self {
        Self {
            pool,
            mentions,
            found: Vec::new(),
            complete: true,
        }
    }

    pub(super) fn values(self) -> Values {
        Values {
            candidates: self.found,
            complete: self.complete,
        }
    }

    /// The key may be missing.
    pub(super) fn missing(&mut self) {
        self.found.push(Candidate {
            value: None,
            open: true,
        });
    }

    /// The key may have this one value.
    pub(super) fn one(&mut self, value: impl Into<String>, open: bool) {
        self.found.push(Candidate {
            value: Some(vec![value.into()]),
            open,
        });
    }

    /// One text for each way the patterns can be met within a domain.
    pub(super) fn within(&mut self, domain: &str, arn: bool, filler: char, accept: &dyn Fn(&str) -> Option<bool>) {
        let domain = Glob::new(domain);
        let domain = if arn {
            domain.clone().into_arn().unwrap_or(domain)
        } else {
            domain
        };
        self.within_domain(&domain, filler, &|_| true, accept);
    }

    /// As [`Self::within`], for some of the patterns only: the others match nothing that is accepted.
    pub(super) fn within_some(
        &mut self,
        domain: &str,
        filler: char,
        patterns: &dyn Fn(&Glob) -> bool,
        accept: &dyn Fn(&str) -> Option<bool>,
    ) {
        self.within_domain(&Glob::new(domain), filler, patterns, accept);
    }

    /// As [`Self::within_some`], where the domain is a pattern already.
    pub(super) fn within_domain(
        &mut self,
        domain: &Glob,
        filler: char,
        patterns: &dyn Fn(&Glob) -> bool,
        accept: &dyn Fn(&str) -> Option<bool>,
    ) {
        let pool = self.pool;
        let mut texts: Vec<String> = pool
            .literals
            .iter()
            .filter(|literal| domain.matches(literal))
            .cloned()
            .collect();
        let some: Vec<Vec<Glob>> = pool
            .groups
            .iter()
            .map(|group| group.iter().filter(|glob| patterns(glob)).cloned().collect())
            .collect();
        let groups: Vec<&[Glob]> = some
            .iter()
            .map(Vec::as_slice)
            .filter(|group| !group.is_empty())
            .collect();
        if !groups.is_empty() {
            let found = classes(domain, &groups, &avoid(pool), filler, &self.mentions.work);
            self.complete &= found.complete;
            texts.extend(found.texts);
        }
        for text in texts {
            if let Some(open) = accept(&text) {
                self.one(text, open);
            }
        }
    }

    /// There may be values that were not found.
    pub(super) fn unexplored(&mut self) {
        self.complete = false;
    }

    /// The values that were found.
    pub(super) fn found(&self) -> impl Iterator<Item = &String> {
        self.found.iter().filter_map(|one| one.value.as_ref()).flatten()
    }

    /// The key may be true or false.
    pub(super) fn either(&mut self) {
        self.one("true", true);
        self.one("false", true);
    }

    /// The key may have whatever the caller likes.
    pub(super) fn anything(&mut self) {
        if self.pool.bools {
            self.either();
        }
        if self.pool.numbers.is_empty() && self.pool.moments.is_empty() && self.pool.networks.is_empty() {
            self.one(&self.mentions.names.fresh, true);
            self.one(&self.mentions.names.other, true);
        }
        for number in self.pool.numbers.iter().chain(&self.pool.moments) {
            for near in [*number, number - 1.0, number + 1.0] {
                self.one(near.to_string(), true);
            }
        }
        for network in self.pool.networks.iter().flatten() {
            let text = |number: u128| {
                if network.v6 {
                    std::net::IpAddr::from(number.to_be_bytes()).to_string()
                } else {
                    std::net::IpAddr::from(u32::try_from(number).unwrap_or_default().to_be_bytes()).to_string()
                }
            };
            self.one(text(network.first), true);
            self.one(text(network.last), true);
            for outside in [network.first.checked_sub(1), network.last.checked_add(1)]
                .into_iter()
                .flatten()
            {
                if network.v6 || u32::try_from(outside).is_ok() {
                    self.one(text(outside), true);
                }
            }
        }
        self.within("*", false, 'x', &|_| Some(true));
        // A key with several values, as the set operators read them.
        if !self.pool.single && (2..12).contains(&self.pool.literals.len()) {
            self.found.push(Candidate {
                value: Some(self.pool.literals.iter().cloned().collect()),
                open: true,
            });
        }
    }
}
