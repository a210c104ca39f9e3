//! # What it requires
//! The secret's policy lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! A partner who was let in years ago, or an account id with a typing error, reads the password unnoticed.
//!
//! # What it changes
//! `PutResourcePolicy` with the same policy, less the foreign principals, where it is set to enforce. Notify by default: who is a
//! partner is not for a machine to say. Trust them under `trusted` in the settings. The policy of a replica is its primary's: it is
//! told, with the region in which it can be changed.
//!
//! # What may break
//! The partner's access.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings"; Secrets Manager User Guide, "Access AWS Secrets Manager secrets
//! from a different account".

use portcullis_controls::prelude::*;

use crate::secret::{Secret, SecretChange, SecretFact};

pub const CONTROL: Control<Secret> = Control {
    meta: Meta {
        id: "secretsmanager-secret-external-access",
        title: "A secret lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &["CreateSecret", "PutResourcePolicy", "RestoreSecret"],
    },
    reads: &[SecretFact::Policy],
    changes: &[SecretFact::Policy],
    judge: &|secret, context| {
        let policy = ResourcePolicy::of(Service::SecretsManager, &secret.policy, context);
        secret.by_its_primary(external_access(policy, smallest_cure, SecretChange::Policy), context)
    },
};
