//! Sharing lists: the ways to be public that are not policies.
//!
//! Sources: EC2 User Guide, "Make your AMI publicly available" and "Share an Amazon EBS snapshot"; RDS User Guide,
//! "Sharing a DB snapshot"; Systems Manager User Guide, "Sharing SSM documents".

use serde::{Deserialize, Serialize};

use crate::principals::is_account;
use crate::trust::Trust;
use crate::verdict::Verdict;

/// With whom something is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Share {
    /// A group, or a keyword that stands for one: `all`, `All`.
    Group(String),
    /// An account id.
    Account(String),
    /// The ARN of an organisation.
    Organization(String),
    /// The ARN of an organisational unit.
    Unit(String),
}

impl Share {
    /// Reads one entry of a list that mixes ids, keywords and ARNs.
    pub fn parse(text: &str) -> Self {
        if text.contains(":organization/") {
            Self::Organization(text.to_owned())
        } else if text.contains(":ou/") {
            Self::Unit(text.to_owned())
        } else if is_account(text) {
            Self::Account(text.to_owned())
        } else {
            Self::Group(text.to_owned())
        }
    }
}

/// Whom an ACL or a sharing list lets in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ListJudgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The entries that let somebody in, by index.
    pub offending: Vec<(usize, Verdict)>,
    /// Why.
    pub reason: String,
}

impl ListJudgement {
    pub(crate) fn add(&mut self, index: usize, verdict: Verdict, reason: &str) {
        self.verdict = self.verdict.max(verdict);
        self.offending.push((index, verdict));
        if !self.reason.is_empty() {
            self.reason += "; ";
        }
        self.reason += reason;
    }

    /// The reason where there is nothing.
    pub(crate) fn or(mut self, nothing: &str) -> Self {
        if self.offending.is_empty() {
            nothing.clone_into(&mut self.reason);
        }
        self
    }
}

/// Whether an organisation, or one of its units, is trusted: a unit is with its organisation, or by its own path.
fn is_trusted(arn: &str, trust: &Trust) -> bool {
    // arn:aws:organizations::ACCOUNT:organization/o-…, arn:aws:organizations::ACCOUNT:ou/o-…/ou-…
    let mut steps = arn.split('/').skip(1);
    let (Some(organization), unit) = (steps.next(), steps.next()) else {
        return false;
    };
    // The unit that a path names is the last one in it; those before are wider.
    let names = |path: &String| {
        let mut steps = path.trim_end_matches('*').trim_end_matches('/').split('/');
        let (of, last) = (steps.next(), steps.next_back());
        of == Some(organization) && last == unit
    };
    trust.organizations.contains(organization) || trust.ids.contains(arn) || trust.org_paths.iter().any(names)
}

/// Judges the sharing list of a snapshot, an image or a document.
pub fn judge_sharing(shares: &[Share], owner: &str, trust: &Trust) -> ListJudgement {
    let mut found = ListJudgement::default();
    for (index, share) in shares.iter().enumerate() {
        let (verdict, who) = match share {
            Share::Group(group) if group.eq_ignore_ascii_case("all") => (Verdict::Public, "everybody".to_owned()),
            Share::Group(group) => (Verdict::Public, format!("the unknown group {group}")),
            Share::Account(account) if account == owner || trust.accounts.contains(account) => continue,
            Share::Account(account) => (Verdict::External, format!("account {account}")),
            Share::Organization(arn) | Share::Unit(arn) if is_trusted(arn, trust) => continue,
            Share::Organization(arn) => (Verdict::External, format!("organisation {arn}")),
            Share::Unit(arn) => (Verdict::External, format!("organisational unit {arn}")),
        };
        found.add(index, verdict, &format!("it is shared with {who}"));
    }
    found.or("it is shared with nobody else")
}
