//! # What it requires
//! An image is scanned for known vulnerabilities when it is pushed, by the repository's own setting or by a rule of the registry.
//!
//! # Why
//! An image is never safer than on the day on which it is pushed, and nobody looks later.
//!
//! # What it changes
//! By setting: `PutImageScanningConfiguration`. It is told by default. AWS recommends rules of the registry
//! (`PutRegistryScanningConfiguration`), which do for all repositories, and under which the repository's own setting counts for
//! nothing.
//!
//! # What may break
//! Nothing. Images that were pushed before are not scanned by it.
//!
//! # References
//! ECR User Guide, "Scan images for software vulnerabilities in Amazon ECR"; Security Hub ECR.1.

use portcullis_controls::prelude::*;
use portcullis_core::Observed;

use crate::repository::{Repository, RepositoryChange, RepositoryFact};

pub const CONTROL: Control<Repository> = Control {
    meta: Meta {
        id: "ecr-repository-scan-on-push",
        title: "A repository's images are scanned when they are pushed",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub ECR.1", "Config ecr-private-image-scanning-enabled"],
        calls: &["CreateRepository", "PutImageScanningConfiguration"],
    },
    reads: &[RepositoryFact::ScanOnPush],
    changes: &[RepositoryFact::ScanOnPush],
    judge: &|repository, _| {
        if repository.scan_on_push != Observed::Is(false) {
            return Judgement::Compliant;
        }
        Finding::new(
            Severity::Medium,
            Clause::new("does not scan its images", "did not scan its images"),
            "scan its images when they are pushed",
            vec![RepositoryChange::ScanOnPush(true)],
        )
        .into()
    },
};
