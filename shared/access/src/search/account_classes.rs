//! Which accounts and organisations patterns can tell apart.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::fresh_names::FreshNames;
use crate::classes::classes;
use crate::condition::{Condition, Pattern};
use crate::glob::{Glob, Span, Token};
use crate::keys::Class;
use crate::principals::is_account;
use crate::scope::Scope;

/// Patterns of accounts and organisations, by condition.
#[derive(Default)]
pub(super) struct AccountPatterns {
    accounts: Vec<Vec<Glob>>,
    numbers: Vec<f64>,
    organizations: Vec<Vec<Glob>>,
}

/// Accounts and organisations that only patterns tell from a stranger's.
pub(super) struct AccountClasses {
    /// Accounts that only a wildcard lets in.
    pub accounts: BTreeSet<String>,
    /// Accounts of an organisation that is named: one of each kind that patterns can tell apart.
    pub members: BTreeSet<String>,
    /// Organisations that only a wildcard lets in.
    pub organizations: BTreeSet<String>,
    /// Every kind that patterns can tell apart is among them.
    pub complete: bool,
}

impl AccountPatterns {
    pub(super) fn add(&mut self, class: Class, condition: &Condition) {
        use crate::keys::Id;
        let component = match class {
            Class::Account | Class::SourceAccount | Class::AccessPointAccount | Class::Endpoint(Id::Account) => None,
            Class::Arn
            | Class::SourceArn
            | Class::ServiceContext
            | Class::AccessPointArn
            | Class::UploadKey
            | Class::OwnArn
            | Class::Endpoint(Id::VpcArn) => Some(4),
            Class::UserId => Some(0),
            Class::Organization | Class::SourceOrganization | Class::Endpoint(Id::Organization) => {
                return keep(&mut self.organizations, condition.globs().cloned().collect());
            }
            Class::OrgPaths | Class::SourceOrgPaths | Class::Endpoint(Id::OrgPath) => {
                return keep_each(&mut self.organizations, condition.globs().map(before_slash));
            }
            _ => return,
        };
        let digits = |glob: &Glob| {
            let fits = |token: &Token| !matches!(token, Token::Char(one) if !one.is_ascii_digit());
            glob.tokens().iter().all(fits)
        };
        match component {
            None => keep(
                &mut self.accounts,
                condition.globs().filter(|glob| digits(glob)).cloned().collect(),
            ),
            Some(number) => {
                let accounts = condition.globs().filter_map(|glob| glob.component(number));
                keep_each(&mut self.accounts, accounts.filter(digits));
            }
        }
        if class == Class::Account {
            self.numbers
                .extend(condition.patterns.iter().flatten().filter_map(|pattern| match pattern {
                    Pattern::Number(number) => Some(*number),
                    _ => None,
                }));
        }
    }

    /// One account and one organisation of each kind that patterns can tell from a stranger's, beside those that are named.
    pub(super) fn classes(
        &self,
        scope: &Scope,
        names: &FreshNames,
        accounts: &BTreeMap<usize, BTreeSet<String>>,
        organizations: &BTreeMap<usize, BTreeSet<String>>,
        work: &Cell<usize>,
    ) -> AccountClasses {
        let mut found = AccountClasses {
            accounts: BTreeSet::new(),
            members: BTreeSet::from([names.member.clone()]),
            organizations: BTreeSet::new(),
            complete: true,
        };
        let alike = |groups: &[Vec<Glob>], one: &str, other: &str| {
            groups.iter().all(|group| {
                let any = |text: &str| group.iter().any(|glob| glob.matches(text));
                any(one) == any(other)
            })
        };
        let FreshNames { stranger, member, .. } = names;
        if !self.accounts.is_empty() {
            let domain = Glob::from_tokens(vec![Token::One(Span::Digit); 12]);
            let mut avoid: HashSet<String> = accounts.values().flatten().cloned().collect();
            avoid.extend(scope.trust.accounts.iter().cloned());
            avoid.insert(scope.owner.to_owned());
            let groups: Vec<&[Glob]> = self.accounts.iter().map(Vec::as_slice).collect();
            let others = classes(&domain, &groups, &avoid, '9', work);
            found.complete &= others.complete;
            let others = others.texts.into_iter();
            found
                .accounts
                .extend(others.filter(|text| !alike(&self.accounts, text, stranger)));
        }
        let near = self.numbers.iter().flat_map(|number| [number - 1.0, number + 1.0]);
        let near = near.map(|number| format!("{number:012}"));
        found
            .accounts
            .extend(near.filter(|account| is_account(account) && !scope.is_ours(account)));
        found.members.extend(found.accounts.iter().cloned());
        if !alike(&self.accounts, stranger, member) {
            found.members.insert(stranger.clone());
        }
        if !self.organizations.is_empty() {
            let ten = std::iter::repeat_n(Token::One(Span::Id), 10);
            let domain = Glob::literal("o-").then(ten.chain([Token::Many(Span::Id)]));
            let mut avoid: HashSet<String> = organizations.values().flatten().cloned().collect();
            avoid.extend(scope.trust.organizations.iter().cloned());
            let groups: Vec<&[Glob]> = self.organizations.iter().map(Vec::as_slice).collect();
            let others = classes(&domain, &groups, &avoid, 'x', work);
            found.complete &= others.complete;
            let others = others.texts.into_iter();
            let stranger = &names.strange_organization;
            found
                .organizations
                .extend(others.filter(|text| !alike(&self.organizations, text, stranger)));
        }
        found
    }
}

/// Keeps a group that can tell anything apart.
fn keep(groups: &mut Vec<Vec<Glob>>, mut group: Vec<Glob>) {
    group.retain(|glob| !glob.is_literal());
    let all = |glob: &Glob| matches!(glob.tokens(), [Token::Many(_)]);
    if !group.is_empty() && !group.iter().any(all) && !groups.contains(&group) {
        groups.push(group);
    }
}

/// Keeps parts of patterns, each by itself: the rest of a pattern decides whether its part matters, so they are no alternatives.
fn keep_each(groups: &mut Vec<Vec<Glob>>, parts: impl Iterator<Item = Glob>) {
    for part in parts {
        keep(groups, vec![part]);
    }
}

fn before_slash(glob: &Glob) -> Glob {
    let tokens = glob.tokens().split(|token| *token == Token::Char('/')).next();
    Glob::from_tokens(tokens.unwrap_or_default().to_vec())
}
