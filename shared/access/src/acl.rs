//! S3 access control lists.
//!
//! Source: S3 User Guide, "Access control list (ACL) overview" and "Blocking public access to your Amazon S3 storage".

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::principals::ANONYMOUS_ID;
use crate::sharing::ListJudgement;
use crate::verdict::Verdict;

/// To whom an ACL grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grantee {
    /// A predefined group, by its URI.
    Group(String),
    /// An account, by its canonical user id.
    CanonicalUser(String),
    /// An account, by its e-mail address.
    Email(String),
}

/// Anyone on the internet. Source: S3 User Guide, "Amazon S3 predefined groups".
pub const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
/// Every AWS account. Source: as above.
pub const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
/// S3 itself, which writes server access logs. Source: as above.
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// To whom.
    pub grantee: Grantee,
    /// `READ`, `WRITE`, `READ_ACP`, `WRITE_ACP` or `FULL_CONTROL`.
    pub permission: String,
}

impl Grant {
    /// Whom it lets in, if that is the public.
    pub fn public(&self) -> Option<&'static str> {
        match &self.grantee {
            Grantee::Group(uri) if uri == ALL_USERS => Some("everybody"),
            Grantee::CanonicalUser(id) if id == ANONYMOUS_ID => Some("everybody who does not sign in"),
            Grantee::Group(uri) if uri == AUTHENTICATED_USERS => Some("every AWS account"),
            _ => None,
        }
    }
}

/// Judges an ACL. `trusted` holds canonical ids that are ours; `ignores_public` is the effective `IgnorePublicAcls`,
/// with which S3 pays no regard to public grants (and only to those).
pub fn judge_acl(grants: &[Grant], owner: &str, trusted: &BTreeSet<String>, ignores_public: bool) -> ListJudgement {
    let mut found = ListJudgement::default();
    for (index, grant) in grants.iter().enumerate() {
        let (verdict, who) = match &grant.grantee {
            Grantee::Group(uri) if uri == LOG_DELIVERY => continue,
            Grantee::Group(uri) => match grant.public() {
                Some(public) => (Verdict::Public, public.to_owned()),
                // Not a group that AWS documents.
                None => (Verdict::External, format!("the unknown group {uri}")),
            },
            Grantee::CanonicalUser(id) if id == owner || trusted.contains(id) => continue,
            Grantee::CanonicalUser(id) if id == ANONYMOUS_ID => {
                (Verdict::Public, "everybody who does not sign in".to_owned())
            }
            Grantee::CanonicalUser(id) => (Verdict::External, format!("the canonical user {id}")),
            Grantee::Email(address) => (Verdict::External, format!("the account of {address}")),
        };
        if verdict == Verdict::Public && ignores_public {
            continue;
        }
        found.add(index, verdict, &format!("the ACL grants {} to {who}", grant.permission));
    }
    found.or("the ACL grants nothing to others")
}
