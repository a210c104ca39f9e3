//! # What it requires
//! The images are encrypted with a key of KMS of the kind that the classification of the repository asks for. Where every key will
//! do, ECR's own will, too.
//!
//! # Why
//! Under a key of KMS, its policy says who may pull, besides the repository's.
//!
//! # What it changes
//! Nothing: how a repository is encrypted is said when it is made, and never again. It is told.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! ECR User Guide, "Encryption at rest"; Security Hub ECR.5.

use portcullis_controls::prelude::*;

use crate::repository::{Repository, RepositoryFact};

pub const CONTROL: Control<Repository> = Control {
    meta: Meta {
        id: "ecr-repository-encrypted",
        title: "A repository is encrypted with a key of the kind that its data need",
        severity: Severity::Low,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub ECR.5", "Config ecr-repository-cmk-encryption-enabled"],
        calls: &["CreateRepository", "TagResource", "UntagResource"],
    },
    reads: &[RepositoryFact::Encryption],
    changes: &[],
    judge: &|repository, context| {
        let with = repository.encryption.get().map_or(With::ServiceOwned, With::Key);
        let Some(found) = key_by_level(with, context, Severity::Low, |key| key).finding() else {
            return Judgement::Compliant;
        };
        let why =
            "a repository's encryption can't be changed: make another one with the key, and copy the images into it";
        Finding::new(found.severity, found.summary, "", Vec::new())
            .only_notify(why)
            .into()
    },
};
