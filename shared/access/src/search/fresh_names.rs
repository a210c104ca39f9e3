//! Ids and texts that a policy does not name, for those whom it does not know.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::parse::Policy;
use crate::scope::Scope;

/// Ids and texts that a policy does not name.
#[derive(Debug, Clone)]
pub(super) struct FreshNames {
    pub partition: String,
    /// The organisation of the resource, where none is known.
    pub owners_organization: String,
    /// An account that nobody named.
    pub stranger: String,
    /// A member account of an organisation that somebody named.
    pub member: String,
    /// A stranger's organisation.
    pub strange_organization: String,
    /// A text that the policy does not hold.
    pub fresh: String,
    /// Another one, for values that have to differ.
    pub other: String,
    text: String,
    /// Ids that were asked for, by their beginning.
    given: RefCell<BTreeMap<String, String>>,
}

impl FreshNames {
    pub(super) fn new(policy: &Policy, scope: &Scope) -> Self {
        let text = policy.text().to_ascii_lowercase();
        let account = |first: u64| {
            let mut accounts = (first..).map(|account| account.to_string());
            let new = accounts.find(|account| !text.contains(account.as_str()) && !scope.is_ours(account));
            new.unwrap_or_default()
        };
        Self {
            partition: scope.partition(policy),
            stranger: account(999_988_887_777),
            member: account(555_566_667_777),
            owners_organization: unnamed(&text, "o-ownersorg"),
            strange_organization: unnamed(&text, "o-attacker0"),
            fresh: unnamed(&text, "attacker-value-"),
            other: unnamed(&text, "other-value-"),
            text,
            given: RefCell::default(),
        }
    }

    /// An id with that beginning which the policy does not name.
    pub(super) fn unnamed(&self, start: &str) -> String {
        let mut given = self.given.borrow_mut();
        let known = given.get(start).cloned();
        known.unwrap_or_else(|| {
            let new = unnamed(&self.text, start);
            given.insert(start.to_owned(), new.clone());
            new
        })
    }
}

/// A text with that beginning which the policy (in lower case) does not hold: whatever an id is compared to, the
/// stranger's is another.
fn unnamed(text: &str, start: &str) -> String {
    let mut names = (1_u32..).map(|number| format!("{start}{number}"));
    names
        .find(|name| !text.contains(&name.to_ascii_lowercase()))
        .unwrap_or_default()
}
