//! # What it requires
//! A tag can't be given to another image, unless somebody left out some tags from that.
//!
//! # Why
//! Whoever may push can put another image behind the tag that is deployed, and nobody sees it in the deployment.
//!
//! # What it changes
//! By setting: `PutImageTagMutability`. It is told by default.
//!
//! # What may break
//! Pipelines that push the same tag again, such as `latest`.
//!
//! # References
//! ECR User Guide, "Preventing image tags from being overwritten in Amazon ECR"; Security Hub ECR.2.

use portcullis_controls::prelude::*;
use portcullis_core::Observed;

use crate::repository::{Repository, RepositoryChange, RepositoryFact};

pub const CONTROL: Control<Repository> = Control {
    meta: Meta {
        id: "ecr-repository-immutable-tags",
        title: "A repository's tags stay with their images",
        severity: Severity::Low,
        impact: Impact::Availability,
        default: Switch::Notify,
        standards: &["Security Hub ECR.2", "Config ecr-private-tag-immutability-enabled"],
        calls: &["CreateRepository", "PutImageTagMutability"],
    },
    reads: &[RepositoryFact::ImmutableTags],
    changes: &[RepositoryFact::ImmutableTags],
    judge: &|repository, _| {
        if repository.immutable_tags != Observed::Is(false) {
            return Judgement::Compliant;
        }
        Finding::new(
            Severity::Low,
            Clause::new(
                "lets its tags be given to other images",
                "let its tags be given to other images",
            ),
            "make its tags immutable",
            vec![RepositoryChange::ImmutableTags(true)],
        )
        .into()
    },
};
