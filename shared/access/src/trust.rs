//! What counts as ours.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::network::Cidr;

/// Everything that is trusted beside the owner's own account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trust {
    /// Account ids.
    pub accounts: BTreeSet<String>,
    /// Organisation ids, `o-…`.
    pub organizations: BTreeSet<String>,
    /// Organisation paths, `o-…/r-…/ou-…/`; what lies below is trusted too.
    pub org_paths: BTreeSet<String>,
    /// VPC ids or ARNs.
    pub vpcs: BTreeSet<String>,
    /// VPC endpoint ids.
    pub vpc_endpoints: BTreeSet<String>,
    /// Networks as CIDRs.
    pub networks: BTreeSet<String>,
    /// Other ids known to be ours: origin access identities, canonical users, unique ids of roles and users, ARNs.
    pub ids: BTreeSet<String>,
}

impl Trust {
    pub(crate) fn cidrs(&self) -> Vec<Cidr> {
        self.networks
            .iter()
            .filter_map(|network| Cidr::parse(network))
            .collect()
    }

    pub(crate) fn has_id(&self, id: &str) -> bool {
        // A role's unique id is followed by the session's name, in settings by a star for all of them.
        let unique = id.split(':').next().unwrap_or(id);
        let known = || self.ids.contains(unique) || self.ids.contains(&format!("{unique}:*"));
        self.ids.contains(id) || (unique.starts_with('A') && known())
    }

    pub(crate) fn has_path(&self, path: &str) -> bool {
        let under = |prefix: &String| {
            let prefix = prefix.trim_end_matches('*');
            path.starts_with(prefix)
                && (prefix.ends_with('/') || path[prefix.len()..].starts_with('/') || path == prefix)
        };
        self.org_paths.iter().any(under) || self.organizations.contains(path.split('/').next().unwrap_or(path))
    }
}
