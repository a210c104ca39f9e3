//! # What it requires
//! The repository's policy lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! A partner who was let in years ago, or an account id with a typing error, pulls each image that is pushed; one who may push decides
//! what runs here.
//!
//! # What it changes
//! `SetRepositoryPolicy` with the same policy, less the foreign principals, where it is set to enforce. Notify by default: who is a
//! partner is not for a machine to say. Trust them under `trusted` in the settings.
//!
//! # What may break
//! The partner's access.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings"; ECR User Guide, "Private repository policy examples in Amazon ECR".

use portcullis_controls::prelude::*;

use crate::repository::{Repository, RepositoryChange, RepositoryFact};

pub const CONTROL: Control<Repository> = Control {
    meta: Meta {
        id: "ecr-repository-external-access",
        title: "A repository lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &["CreateRepository", "SetRepositoryPolicy"],
    },
    reads: &[RepositoryFact::Policy],
    changes: &[RepositoryFact::Policy],
    judge: &|repository, context| {
        let policy = ResourcePolicy::of(Service::Ecr, &repository.policy, context);
        external_access(policy, smallest_cure, RepositoryChange::Policy)
    },
};
