//! One file a control, named after it. A new one is another line here.

mod ecr_repository_encrypted;
mod ecr_repository_external_access;
mod ecr_repository_immutable_tags;
mod ecr_repository_public_policy;
mod ecr_repository_scan_on_push;

use portcullis_core::{Control, Typed};

use crate::repository::{Repository, TYPE};

/// Repositories with their controls.
pub const REPOSITORIES: Typed<Repository> = Typed::new(&TYPE, REPOSITORY);

/// The controls of repositories, in the order in which their remedies build on each other.
const REPOSITORY: &[Control<Repository>] = &[
    ecr_repository_public_policy::CONTROL,
    ecr_repository_external_access::CONTROL,
    ecr_repository_scan_on_push::CONTROL,
    ecr_repository_immutable_tags::CONTROL,
    ecr_repository_encrypted::CONTROL,
];
