//! The kinds of documents and of statements.
//!
//! Source of the limits: Organizations User Guide, "Quotas and service limits for AWS Organizations"; IAM User Guide, "IAM and AWS STS
//! quotas"; VPC User Guide, "Amazon VPC quotas". White space counts, so that documents are written without.

use std::fmt;

use serde::Serialize;

/// The kind of policy that a statement stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A service control policy: binds the principals of member accounts.
    #[serde(rename = "scp")]
    ServiceControl,
    /// A resource control policy: binds whoever asks for a resource of a member account.
    #[serde(rename = "rcp")]
    ResourceControl,
}

/// What a statement asks of those whom it binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Breaks nobody who does the right thing.
    Default,
    /// Denies a whole call, since no key tells right from wrong, or a call that says nothing.
    Strict,
    /// Needs what the levels of data say: keys, and the buckets of a level.
    Levels,
    /// Needs the list of the organisation's accounts.
    Accounts,
    /// Needs the VPC endpoints of a level, and its buckets.
    Networks,
}

impl Tier {
    /// All tiers, from the one that is always written.
    pub const ALL: [Self; 5] = [
        Self::Default,
        Self::Strict,
        Self::Levels,
        Self::Accounts,
        Self::Networks,
    ];

    /// Its word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Strict => "strict",
            Self::Levels => "levels",
            Self::Accounts => "accounts",
            Self::Networks => "networks",
        }
    }
}

/// The statements that are attached together: each group is a document of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// S3.
    S3,
    /// EC2 and EBS.
    Ec2,
    /// KMS, and sharing by RAM.
    Kms,
    /// The other data stores.
    Data,
    /// Portcullis, the exempt roles and the trail.
    Protect,
    /// Who gets in from outside, and how.
    Perimeter,
}

impl Group {
    /// All groups, in the order of their documents.
    pub const ALL: [Self; 6] = [
        Self::S3,
        Self::Ec2,
        Self::Kms,
        Self::Data,
        Self::Protect,
        Self::Perimeter,
    ];

    /// Its word on the command line and in the names of files.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Ec2 => "ec2",
            Self::Kms => "kms",
            Self::Data => "data",
            Self::Protect => "protect",
            Self::Perimeter => "perimeter",
        }
    }
}

/// The kinds of documents, in the order in which they are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentKind {
    /// A declarative policy of EC2.
    Ec2,
    /// A declarative policy of S3.
    S3,
    /// A service control policy.
    Scp,
    /// A resource control policy.
    Rcp,
    /// A managed policy of IAM, of denies only.
    Iam,
    /// A permissions boundary.
    Boundary,
    /// The policy of VPC endpoints.
    Endpoint,
}

impl DocumentKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Ec2,
        Self::S3,
        Self::Scp,
        Self::Rcp,
        Self::Iam,
        Self::Boundary,
        Self::Endpoint,
    ];

    /// Its word on the command line and in the names of files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::S3 => "s3",
            Self::Scp => "scp",
            Self::Rcp => "rcp",
            Self::Iam => "iam",
            Self::Boundary => "boundary",
            Self::Endpoint => "endpoint",
        }
    }

    /// The type of an organisation's policy, by AWS's name; `None` for what no organisation has.
    pub fn organization_type(self) -> Option<&'static str> {
        match self {
            Self::Ec2 => Some("DECLARATIVE_POLICY_EC2"),
            Self::S3 => Some("S3_POLICY"),
            Self::Scp => Some("SERVICE_CONTROL_POLICY"),
            Self::Rcp => Some("RESOURCE_CONTROL_POLICY"),
            Self::Iam | Self::Boundary | Self::Endpoint => None,
        }
    }

    /// The most characters that one may have.
    pub fn limit(self) -> usize {
        match self {
            Self::Ec2 | Self::S3 => 10_000,
            Self::Scp => 10_240,
            Self::Rcp => 5_120,
            Self::Iam | Self::Boundary => 6_144,
            Self::Endpoint => 20_480,
        }
    }

    /// How many can be attached to one root, OU, account or principal, and how many of them AWS itself takes (`FullAWSAccess`,
    /// `RCPFullAWSAccess`).
    pub fn attachable(self) -> (usize, usize) {
        match self {
            Self::Scp => (10, 1),
            Self::Rcp => (5, 1),
            Self::Ec2 | Self::S3 | Self::Iam => (10, 0),
            Self::Boundary | Self::Endpoint => (1, 0),
        }
    }
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ec2 => "an EC2 policy",
            Self::S3 => "an S3 policy",
            Self::Scp => "a service control policy",
            Self::Rcp => "a resource control policy",
            Self::Iam => "a managed policy of IAM",
            Self::Boundary => "a permissions boundary",
            Self::Endpoint => "an endpoint policy",
        })
    }
}
