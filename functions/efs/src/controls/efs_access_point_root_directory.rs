//! # What it requires
//! Each access point of the file system shows its clients a directory of their own as the root.
//!
//! # Why
//! An access point whose root is that of the file system shows each application the data of all others.
//!
//! # What it changes
//! Nothing: an access point can't be changed. A person makes another one, and has its clients use that.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! EFS User Guide, "Working with Amazon EFS access points"; Security Hub EFS.3; Config efs-access-point-enforce-root-directory.

use portcullis_controls::prelude::*;

use crate::file_system::{FileSystem, FileSystemFact};

pub const CONTROL: Control<FileSystem> = Control {
    meta: Meta {
        id: "efs-access-point-root-directory",
        title: "A file system's access points enforce a root directory",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EFS.3", "Config efs-access-point-enforce-root-directory"],
        calls: &["CreateAccessPoint"],
    },
    reads: &[FileSystemFact::AccessPoints],
    changes: &[],
    judge: &|found, _| {
        let points = found.access_points.get().into_iter().flatten();
        let open: Vec<_> = points
            .filter(|(_, point)| point.root == "/")
            .map(|(id, _)| id.as_str())
            .collect();
        if open.is_empty() {
            return Judgement::Compliant;
        }
        Finding::new(
            Severity::Medium,
            Clause::has(format!(
                "access points whose root is that of the file system: {}",
                open.join(", ")
            )),
            "make access points with a directory of their own",
            Vec::new(),
        )
        .only_notify("an access point can't be changed: make another one, and have its clients use that")
        .into()
    },
};
