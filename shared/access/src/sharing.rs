//! Sharing lists: the ways to be public that are not policies.
//!
//! Sources: EC2 User Guide, "Make your AMI publicly available" and "Share an Amazon EBS snapshot"; RDS User Guide,
//! "Sharing a DB snapshot"; Systems Manager User Guide, "Sharing SSM documents".

use serde::{Deserialize, Serialize};

use crate::evaluate::is_account;
use crate::judge::Verdict;
use crate::trust::Trust;

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

/// With whom a list shares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharingJudgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The entries that let somebody in, by index.
    pub offending: Vec<(usize, Verdict)>,
    /// Why.
    pub reason: String,
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
pub fn judge_sharing(shares: &[Share], owner: &str, trust: &Trust) -> SharingJudgement {
    let mut offending = Vec::new();
    let mut reasons = Vec::new();
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
        offending.push((index, verdict));
        reasons.push(format!("it is shared with {who}"));
    }
    let verdict = offending
        .iter()
        .map(|(_, verdict)| *verdict)
        .max()
        .unwrap_or(Verdict::Private);
    let reason = if reasons.is_empty() {
        "it is shared with nobody else".to_owned()
    } else {
        reasons.join("; ")
    };
    SharingJudgement {
        verdict,
        offending,
        reason,
    }
}
