//! ARNs of what an account has: what AWS says of the resource that a service acts for.
//!
//! An account names what is its own, and no name in an ARN holds a colon unless [AWS's list](crate::reference) says so: hence a
//! pattern that leaves colons open before the account can't be met by a name, while one that leaves the account open is met by
//! anybody's resource, whatever shape its ARN has.

use std::collections::BTreeSet;

use super::callers::CallerProfile;
use super::candidates::Candidates;
use crate::classes::meets;
use crate::glob::{Glob, Span, Token};
use crate::keys::Class;
use crate::reference;

/// ARNs of an account, where `rest` is what follows it and a star in it is any text without a colon.
pub(super) fn account_arns(partition: &str, service: &str, account: &str, rest: &str) -> Glob {
    let start = Glob::new(&format!("arn:{partition}:{service}:*:{account}:"));
    let start = start.clone().into_arn().unwrap_or(start);
    start.then(within(Glob::new(rest).tokens(), Span::Part))
}

/// The same steps with their wildcards held to a span.
fn within(tokens: &[Token], span: Span) -> Vec<Token> {
    let held = |token: &Token| match token {
        Token::Many(_) => Token::Many(span),
        Token::One(_) => Token::One(span),
        Token::Char(character) => Token::Char(*character),
    };
    tokens.iter().map(held).collect()
}

/// What a service that acts for the caller's account can bring for the resource.
pub(super) fn source_arns(candidates: &mut Candidates, partition: &str, profile: &CallerProfile) {
    let mentions = candidates.mentions;
    let account = profile.account.as_deref().unwrap_or(&mentions.names.stranger);
    let name = mentions.names.unnamed("attacker-");
    candidates.one(format!("arn:{partition}:sns:us-east-1:{account}:{name}"), true);
    let pool = candidates.pool;
    let own = format!(":{account}:");
    for literal in pool.literals.iter().filter(|literal| literal.contains(&own)) {
        if literal.split(':').nth(4) == Some(account) {
            candidates.one(literal, true);
        }
    }
    let mut domains = BTreeSet::from([Domain::new(partition, "*", account, "*")]);
    for glob in pool.globs() {
        shapes(glob, partition, account, &mut domains);
    }
    for domain in &domains {
        candidates.within_domain(&domain.glob(), 'x', &|_| true, &|_| Some(true));
    }
    // What is named whole may be the account's where the account is named as well.
    let by_account = !profile.anybody && mentions.has(|class| class == Class::SourceAccount);
    unowned(candidates, partition, by_account);
    // A pattern that leaves the account open is somebody's whose resource nobody here could name.
    let open = Glob::new(&format!("arn:{partition}:*:*:{account}:*"));
    let unmet = |glob: &&Glob| {
        glob.component(4).is_none_or(|one| !one.is_literal())
            && !candidates.found().any(|text| glob.matches(text))
            && meets(&open, glob, &mentions.work)
    };
    let undecided = pool.globs().any(|glob| unmet(&glob));
    if undecided {
        candidates.unexplored();
    }
}

/// ARNs of one shape, so that each is looked through once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Domain {
    start: String,
    rest: String,
    span: bool,
}

impl Domain {
    fn new(partition: &str, service: &str, account: &str, rest: &str) -> Self {
        Self {
            start: format!("arn:{partition}:{service}:*:{account}:"),
            rest: rest.to_owned(),
            span: true,
        }
    }

    fn glob(&self) -> Glob {
        let start = Glob::new(&self.start);
        let start = start.clone().into_arn().unwrap_or(start);
        let span = if self.span { Span::Part } else { Span::Any };
        start.then(within(Glob::new(&self.rest).tokens(), span))
    }
}

/// The shapes of ARNs with more colons that a pattern can mean: its own, and those that AWS lists.
fn shapes(glob: &Glob, partition: &str, account: &str, domains: &mut BTreeSet<Domain>) {
    let rest = glob.rest();
    let colons = rest.is_some_and(|rest| rest.contains(&Token::Char(':')));
    if let Some(rest) = rest.filter(|_| colons) {
        domains.insert(Domain::new(
            partition,
            "*",
            account,
            &Glob::from_tokens(rest.to_vec()).source(),
        ));
    }
    // A name with a colon is needed only where the account is in the way, and wildcards before it let it stand elsewhere.
    let names_other = || {
        glob.component(4)
            .is_none_or(|one| one.as_literal().is_some_and(|named| named != account))
    };
    if !glob.is_loose() || !names_other() {
        return;
    }
    match glob.component(2).and_then(|service| service.as_literal()) {
        Some(service) => {
            let listed = reference::arns(&service).filter(|(unowned, _)| !unowned);
            domains.extend(listed.map(|(_, rest)| Domain::new(partition, &service, account, rest)));
            if service == "cloudwatch" {
                domains.insert(alarm(partition, account));
            }
        }
        None => drop(domains.insert(alarm(partition, account))),
    }
}

/// The name of an alarm may hold anything (CloudWatch API Reference, `PutMetricAlarm`), another account's id as well.
fn alarm(partition: &str, account: &str) -> Domain {
    Domain {
        span: false,
        ..Domain::new(partition, "cloudwatch", account, "alarm:*")
    }
}

/// ARNs that name no account, such as a bucket's: anybody's resource may be called what a wildcard leaves open, but what is
/// named whole is somebody's in particular.
fn unowned(candidates: &mut Candidates, partition: &str, by_account: bool) {
    let pool = candidates.pool;
    let mut domains: BTreeSet<(String, String)> = BTreeSet::from([("s3".to_owned(), "*".to_owned())]);
    let accountless = |glob: &&Glob| glob.component(4).is_some_and(|one| one.tokens().is_empty());
    for glob in pool.globs().filter(accountless) {
        let service = glob.component(2).unwrap_or_else(|| Glob::new("*"));
        let Some(service) = service.as_literal() else {
            continue;
        };
        let listed = reference::arns(&service).filter(|(unowned, _)| *unowned);
        let before = domains.len();
        domains.extend(listed.map(|(_, rest)| (service.clone(), rest.to_owned())));
        if let Some(rest) = glob.rest().filter(|_| before == domains.len() && service != "s3") {
            domains.insert((service, Glob::from_tokens(rest.to_vec()).source()));
        }
    }
    // What a pattern names whole, before its first wildcard.
    let starts = pool.globs().filter_map(Glob::rest);
    let named: Vec<String> = starts.map(|rest| Glob::from_tokens(rest.to_vec()).prefix()).collect();
    let literals: Vec<String> = pool
        .literals
        .iter()
        .filter_map(|literal| after_account(literal))
        .collect();
    for (service, rest) in domains {
        let start = Glob::new(&format!("arn:{partition}:{service}:*::"));
        let start = start.clone().into_arn().unwrap_or(start);
        let rest = Glob::new(&rest);
        let id = rest
            .tokens()
            .iter()
            .position(|token| token.is_many())
            .unwrap_or(rest.tokens().len());
        let mut tokens = within(rest.tokens(), Span::Part);
        if id < tokens.len() {
            tokens.splice(id..=id, [Token::One(Span::Name), Token::Many(Span::Name)]);
        }
        let domain = start.then(tokens);
        candidates.within_domain(&domain, 'x', &|_| true, &|text| {
            if by_account {
                return Some(true);
            }
            let rest = after_account(text)?;
            let end = rest.get(id..)?.find(['/', ':']).map_or(rest.len(), |at| id + at);
            let whole = &rest[..end];
            let is_named = |one: &String| one.strip_prefix(whole).is_some_and(|more| more.starts_with(['/', ':']));
            let is_literal = |one: &String| one == whole || is_named(one);
            (end > id && !named.iter().any(is_named) && !literals.iter().any(is_literal)).then_some(true)
        });
    }
}

/// What an ARN has after its account.
fn after_account(arn: &str) -> Option<String> {
    arn.splitn(6, ':').nth(5).map(str::to_owned)
}
