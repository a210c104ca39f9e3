//! # What it requires
//! The repository's policy lets in nobody whom it does not name.
//!
//! # Why
//! Everybody with an AWS account can pull the images, with the code and the keys in them, or push one that is run here. That a
//! token is needed (`ecr:GetAuthorizationToken`) stops nobody: each account gives its own.
//!
//! # What it changes
//! `SetRepositoryPolicy` with the same policy, less what is public: a statement goes, or only its public principal where it names
//! others too. The statement by which Lambda gets the images of functions stays. Nothing else left: `DeleteRepositoryPolicy`, which
//! leaves the repository to IAM. Where a condition can't be decided, nothing is removed: it is told.
//!
//! # What may break
//! Those who pull by the public statement alone. Images that are meant for everybody belong into the public registry.
//!
//! # References
//! ECR User Guide, "Private repository policies in Amazon ECR"; Lambda Developer Guide, "Create a Lambda function using a container
//! image", "Amazon ECR permissions"; IAM User Guide, "IAM Access Analyzer resource types".

use portcullis_controls::prelude::*;

use crate::repository::{Repository, RepositoryChange, RepositoryFact};

pub const CONTROL: Control<Repository> = Control {
    meta: Meta {
        id: "ecr-repository-public-policy",
        title: "A repository's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["IAM Access Analyzer public access"],
        calls: &["CreateRepository", "SetRepositoryPolicy"],
    },
    reads: &[RepositoryFact::Policy],
    changes: &[RepositoryFact::Policy],
    judge: &|repository, context| {
        let policy = ResourcePolicy::of(Service::Ecr, &repository.policy, context);
        public_policy(policy, smallest_cure, RepositoryChange::Policy)
    },
};
