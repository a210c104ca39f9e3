//! Grants of a key: who uses it past its policy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The grants of a key. Services make thousands, so only those to somebody else are kept whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// How many there are.
    pub total: usize,
    /// How many to whom, the most frequent twenty.
    pub grantees: BTreeMap<String, usize>,
    /// Those to anybody but a principal of the account, or a service that works for it: the first of them, as many as a record holds.
    pub foreign: Vec<Grant>,
    /// How many more of those there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_foreign: usize,
    /// Whether there are more than were read.
    #[serde(default)]
    pub more: bool,
}

/// So many foreign grants are kept. A key takes 50,000 of them (KMS Developer Guide, "Resource quotas"), and whoever is woken reads few.
pub const MOST_FOREIGN: usize = 500;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One grant. Source: KMS API Reference, `GrantListEntry`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Who may use the key.
    pub grantee: String,
    /// Who may retire the grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retiring: Option<String>,
    /// The account under which it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What for.
    pub operations: Vec<String>,
    /// The encryption context that is asked for, by `equals` or `subset`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub constraints: BTreeMap<String, BTreeMap<String, String>>,
    /// The resource of a service on whose behalf alone it may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was made (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

impl Grant {
    /// The account that it serves: that of the grantee, or where that is a service, of whoever made the grant. None for an id
    /// that names no account.
    pub fn account(&self) -> Option<&str> {
        let served = if self.is_for_service() {
            self.issuer.as_deref().unwrap_or_default()
        } else {
            self.grantee.as_str()
        };
        let mut parts = served.split(':');
        let account = match parts.next() {
            // arn:aws:iam::111122223333:role/app
            Some("arn") => parts.nth(3),
            // 111122223333:aws:ec2-infrastructure:i-81e2f56c
            first => first,
        };
        account.filter(|text| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// Whether the grantee is an AWS service.
    pub fn is_for_service(&self) -> bool {
        let name = self.grantee.as_str();
        !name.contains(':') && (name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn"))
    }
}

impl Grants {
    /// Sorts the grants of a key of this account.
    pub fn new(all: Vec<Grant>, account: &str, more: bool) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for grant in &all {
            *counts.entry(grant.grantee.clone()).or_default() += 1;
        }
        let mut frequent: Vec<_> = counts.into_iter().collect();
        frequent.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        frequent.truncate(20);
        let total = all.len();
        let mut foreign: Vec<_> = all
            .into_iter()
            .filter(|grant| grant.account() != Some(account))
            .collect();
        let more_foreign = foreign.len().saturating_sub(MOST_FOREIGN);
        foreign.truncate(MOST_FOREIGN);
        Self {
            total,
            grantees: frequent.into_iter().collect(),
            foreign,
            more_foreign,
            more,
        }
    }
}
