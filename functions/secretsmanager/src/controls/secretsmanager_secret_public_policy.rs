//! # What it requires
//! The secret's policy lets in nobody whom it does not name.
//!
//! # Why
//! Everybody with an AWS account can read the password, or replace it. Under the default key only the account itself can decrypt
//! it: then the policy is one key away from a leak, and no less wrong.
//!
//! # What it changes
//! `PutResourcePolicy` with the same policy, less what is public: a statement goes, or only its public principal where it names
//! others too. It is put with `BlockPublicPolicy`, for Secrets Manager's own judgement. Nothing else left: `DeleteResourcePolicy`,
//! which leaves the secret to IAM. Where a condition can't be decided, nothing is removed: it is told. The policy of a replica is
//! its primary's: it is told, with the region in which it can be changed.
//!
//! # What may break
//! Readers that came in by the public statement alone.
//!
//! # References
//! Secrets Manager User Guide, "Resource-based policies", "Block public access to secrets"; IAM User Guide, "IAM Access Analyzer
//! resource types".

use portcullis_controls::prelude::*;

use crate::secret::{Secret, SecretChange, SecretFact};

pub const CONTROL: Control<Secret> = Control {
    meta: Meta {
        id: "secretsmanager-secret-public-policy",
        title: "A secret's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["IAM Access Analyzer public access"],
        calls: &["CreateSecret", "PutResourcePolicy", "RestoreSecret"],
    },
    reads: &[SecretFact::Policy],
    changes: &[SecretFact::Policy],
    judge: &|secret, context| {
        let policy = ResourcePolicy::of(Service::SecretsManager, &secret.policy, context);
        secret.by_its_primary(public_policy(policy, smallest_cure, SecretChange::Policy), context)
    },
};
