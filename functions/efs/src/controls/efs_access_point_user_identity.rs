//! # What it requires
//! Each access point of the file system has its clients act as the user that it names.
//!
//! # Why
//! A client that may say who it is can be anybody, root included.
//!
//! # What it changes
//! Nothing: an access point can't be changed. A person makes another one, and has its clients use that.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EFS User Guide, "Working with Amazon EFS access points"; Security Hub EFS.4; Config efs-access-point-enforce-user-identity.

use portcullis_controls::prelude::*;

use crate::file_system::{FileSystem, FileSystemFact};

pub const CONTROL: Control<FileSystem> = Control {
    meta: Meta {
        id: "efs-access-point-user-identity",
        title: "A file system's access points enforce a user",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EFS.4", "Config efs-access-point-enforce-user-identity"],
        calls: &["CreateAccessPoint"],
    },
    reads: &[FileSystemFact::AccessPoints],
    changes: &[],
    judge: &|found, _| {
        let points = found.access_points.get().into_iter().flatten();
        let open: Vec<_> = points
            .filter(|(_, point)| !point.has_user)
            .map(|(id, _)| id.as_str())
            .collect();
        if open.is_empty() {
            return Judgement::Compliant;
        }
        Finding::new(
            Severity::Medium,
            Clause::has(format!(
                "access points that take their clients' word for who they are: {}",
                open.join(", ")
            )),
            "make access points that name a user",
            Vec::new(),
        )
        .only_notify("an access point can't be changed: make another one, and have its clients use that")
        .into()
    },
};
