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
            Share::Organization(arn) => {
                if arn
                    .rsplit('/')
                    .next()
                    .is_some_and(|id| trust.organizations.contains(id))
                    || trust.ids.contains(arn)
                {
                    continue;
                }
                (Verdict::External, format!("organisation {arn}"))
            }
            Share::Unit(arn) => {
                // arn:aws:organizations::ACCOUNT:ou/o-…/ou-…
                let mut parts = arn.rsplit('/');
                let (unit, organization) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let in_path = |path: &String| {
                    path.starts_with(organization) && path.split('/').any(|component| component == unit)
                };
                if trust.organizations.contains(organization)
                    || trust.ids.contains(arn)
                    || (!organization.is_empty() && trust.org_paths.iter().any(in_path))
                {
                    continue;
                }
                (Verdict::External, format!("organisational unit {arn}"))
            }
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
