//! Which accounts and organisations patterns can tell apart.

use std::collections::HashSet;

use crate::classes::classes;
use crate::condition::{Condition, Pattern};
use crate::evaluate::is_account;
use crate::glob::{Glob, Span, Token};
use crate::judge::Scope;
use crate::keys::Class;
use crate::names::Names;
use crate::survey::{Survey, is_ours};

/// Patterns of accounts and organisations, by condition.
#[derive(Default)]
pub(crate) struct Kinds {
    accounts: Vec<Vec<Glob>>,
    numbers: Vec<f64>,
    organizations: Vec<Vec<Glob>>,
}

impl Kinds {
    pub(crate) fn add(&mut self, class: Class, condition: &Condition) {
        use crate::keys::Id;
        let component = match class {
            Class::Account | Class::SourceAccount | Class::AccessPointAccount | Class::Endpoint(Id::Account) => None,
            Class::Arn
            | Class::SourceArn
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

    /// One account and one organisation of each kind that patterns can tell from a stranger's.
    pub(crate) fn fill(&self, survey: &mut Survey, scope: &Scope) {
        let alike = |groups: &[Vec<Glob>], one: &str, other: &str| {
            groups.iter().all(|group| {
                let any = |text: &str| group.iter().any(|glob| glob.matches(text));
                any(one) == any(other)
            })
        };
        if !self.accounts.is_empty() {
            let domain = Glob::from_tokens(vec![Token::One(Span::Digit); 12]);
            let mut avoid: HashSet<String> = survey.accounts.iter().flatten().cloned().collect();
            avoid.extend(scope.trust.accounts.iter().cloned());
            avoid.insert(scope.owner.to_owned());
            let groups: Vec<&[Glob]> = self.accounts.iter().map(Vec::as_slice).collect();
            let found = classes(&domain, &groups, &avoid, '9', &survey.work);
            survey.complete &= found.complete;
            let others = found
                .texts
                .into_iter()
                .filter(|text| !alike(&self.accounts, text, &survey.names.stranger));
            survey.wild_accounts.extend(others);
        }
        let near = self.numbers.iter().flat_map(|number| [number - 1.0, number + 1.0]);
        let near = near.map(|number| format!("{number:012}"));
        survey
            .wild_accounts
            .extend(near.filter(|account| is_account(account) && !is_ours(account, scope)));
        survey.members.extend(survey.wild_accounts.iter().cloned());
        let Names { stranger, member, .. } = &*survey.names;
        if !alike(&self.accounts, stranger, member) {
            survey.members.insert(stranger.clone());
        }
        if !self.organizations.is_empty() {
            let ten = std::iter::repeat_n(Token::One(Span::Id), 10);
            let domain = Glob::literal("o-").then(ten.chain([Token::Many(Span::Id)]));
            let mut avoid: HashSet<String> = survey.organizations.iter().flatten().cloned().collect();
            avoid.extend(scope.trust.organizations.iter().cloned());
            let groups: Vec<&[Glob]> = self.organizations.iter().map(Vec::as_slice).collect();
            let found = classes(&domain, &groups, &avoid, 'x', &survey.work);
            survey.complete &= found.complete;
            let stranger = &survey.names.strange_organization;
            let others = found
                .texts
                .into_iter()
                .filter(|text| !alike(&self.organizations, text, stranger));
            survey.wild_organizations.extend(others);
        }
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
