//! S3 access control lists.
//!
//! Source: S3 User Guide, "Access control list (ACL) overview" and "Blocking public access to your Amazon S3 storage".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::judge::Verdict;

/// To whom an ACL grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grantee {
    /// A predefined group, by its URI.
    Group(String),
    /// A canonical user id.
    Canonical(String),
    /// An account by its e-mail address.
    Email(String),
}

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// To whom.
    pub grantee: Grantee,
    /// `READ`, `WRITE`, `READ_ACP`, `WRITE_ACP` or `FULL_CONTROL`.
    pub permission: String,
}

/// Whom an ACL lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AclJudgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The grants that let somebody in, by index.
    pub offending: Vec<(usize, Verdict)>,
    /// Why.
    pub reason: String,
}

/// Judges an ACL. `trusted` holds canonical ids that are ours; `ignores_public` is the effective `IgnorePublicAcls`,
/// with which S3 pays no regard to public grants (and only to those).
pub fn judge_acl(grants: &[Grant], owner: &str, trusted: &BTreeSet<String>, ignores_public: bool) -> AclJudgement {
    let mut offending = Vec::new();
    let mut reasons = Vec::new();
    for (index, Grant { grantee, permission }) in grants.iter().enumerate() {
        let (verdict, who) = match grantee {
            Grantee::Group(uri) => match uri.rsplit('/').next().unwrap_or_default() {
                // The group writes server access logs; it is S3 itself.
                "LogDelivery" => continue,
                "AllUsers" => (Verdict::Public, "anyone on the internet".to_owned()),
                "AuthenticatedUsers" => (Verdict::Public, "every AWS account".to_owned()),
                // Not a group that AWS documents: to the safe side.
                _ => (Verdict::Public, format!("the unknown group {uri}")),
            },
            Grantee::Canonical(id) if id == owner || trusted.contains(id) => continue,
            Grantee::Canonical(id) => (Verdict::External, format!("the canonical user {id}")),
            Grantee::Email(address) => (Verdict::External, format!("the account of {address}")),
        };
        if verdict == Verdict::Public && ignores_public {
            continue;
        }
        offending.push((index, verdict));
        reasons.push(format!("the ACL grants {permission} to {who}"));
    }
    let verdict = offending
        .iter()
        .map(|(_, verdict)| *verdict)
        .max()
        .unwrap_or(Verdict::Private);
    let reason = if reasons.is_empty() {
        "the ACL grants nothing to others".to_owned()
    } else {
        reasons.join("; ")
    };
    AclJudgement {
        verdict,
        offending,
        reason,
    }
}
