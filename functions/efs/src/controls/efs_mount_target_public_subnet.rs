//! # What it requires
//! No mount target of the file system is in a subnet that gives addresses of the internet to what is started there.
//!
//! # Why
//! A mount target itself has no such address, but its neighbours do: whoever takes one of them over is beside it.
//!
//! # What it changes
//! Nothing: a mount target can't be moved. A person makes one in a private subnet of the same zone, and deletes the other.
//!
//! # What may break
//! Nothing.
//!
//! # References
//! Security Hub EFS.6; Config efs-mount-target-public-accessible.

use portcullis_controls::prelude::*;

use crate::file_system::{FileSystem, FileSystemFact};

pub const CONTROL: Control<FileSystem> = Control {
    meta: Meta {
        id: "efs-mount-target-public-subnet",
        title: "A file system's mount targets are in private subnets",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &["Security Hub EFS.6", "Config efs-mount-target-public-accessible"],
        calls: &["CreateMountTarget"],
    },
    reads: &[FileSystemFact::PublicMountTargets],
    changes: &[],
    judge: &|found, _| {
        let public = found.public_mount_targets.get().into_iter().flatten();
        let public: Vec<_> = public.map(|(target, subnet)| format!("{target} in {subnet}")).collect();
        if public.is_empty() {
            return Judgement::Compliant;
        }
        let summary = format!(
            "mount targets in subnets that give addresses of the internet: {}",
            public.join(", ")
        );
        Finding::new(
            Severity::Medium,
            Clause::has(summary),
            "move them to private subnets",
            Vec::new(),
        )
        .only_notify(
            "a mount target can't be moved: make one in a private subnet of the same zone, and delete the other",
        )
        .into()
    },
};
