//! # What it requires
//! The file system's policy lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! A partner who was let in years ago, or an account id with a typing error, mounts the file system over a peered network unnoticed.
//!
//! # What it changes
//! `PutFileSystemPolicy` with the same policy, less the foreign principals, where it is set to enforce. The last statement stays, for
//! the account itself. Notify by default: who is a partner is not for a machine to say. Trust them under `trusted` in the settings.
//!
//! # What may break
//! The partner's access, within minutes, that of clients which have it mounted included.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings"; EFS User Guide, "Creating file system policies".

use portcullis_controls::prelude::*;

use crate::file_system::{FileSystem, FileSystemChange, FileSystemFact};

pub const CONTROL: Control<FileSystem> = Control {
    meta: Meta {
        id: "efs-file-system-external-access",
        title: "A file system lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &["PutFileSystemPolicy"],
    },
    reads: &[FileSystemFact::Policy],
    changes: &[FileSystemFact::Policy],
    judge: &|found, context| external_access(found.policy_in(context), smallest_cure, FileSystemChange::Policy),
};
