use serde::{Deserialize, Serialize};

/// Block Public Access, of a bucket, an access point or an account.
/// Source: S3 User Guide, "Blocking public access to your Amazon S3 storage".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(clippy::struct_excessive_bools)] // These are the four flags that AWS has.
pub struct PublicAccessBlock {
    /// New ACLs that grant public access are refused.
    pub block_public_acls: bool,
    /// Public grants of ACLs have no effect.
    pub ignore_public_acls: bool,
    /// New policies that grant public access are refused.
    pub block_public_policy: bool,
    /// A public policy serves only AWS services and the owner's account.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All four on.
    pub const FULL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };

    /// What two blocks above each other come to: the more restrictive of each flag.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || other.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || other.ignore_public_acls,
            block_public_policy: self.block_public_policy || other.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || other.restrict_public_buckets,
        }
    }

    /// The flags that are off, by AWS's names.
    pub fn off(self) -> Vec<&'static str> {
        let flags = [
            (self.block_public_acls, "BlockPublicAcls"),
            (self.ignore_public_acls, "IgnorePublicAcls"),
            (self.block_public_policy, "BlockPublicPolicy"),
            (self.restrict_public_buckets, "RestrictPublicBuckets"),
        ];
        flags.into_iter().filter(|(on, _)| !on).map(|(_, name)| name).collect()
    }
}
