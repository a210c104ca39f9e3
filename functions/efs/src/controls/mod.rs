//! One file a control, named after it. The order is that in which remedies build on each other: the quarantine first, for it is about
//! what was found.

mod efs_access_point_root_directory;
mod efs_access_point_user_identity;
mod efs_file_system_encrypted;
mod efs_file_system_external_access;
mod efs_file_system_public_policy;
mod efs_file_system_quarantine;
mod efs_file_system_tls_only;
mod efs_mount_target_public_subnet;

use portcullis_core::{Control, Typed};

use crate::file_system::{FileSystem, TYPE};

/// File systems with their controls.
pub const FILE_SYSTEMS: Typed<FileSystem> = Typed::new(&TYPE, FILE_SYSTEM).with_quarantines(&[
    efs_file_system_quarantine::CAUSES[0].meta.id,
    efs_file_system_quarantine::CAUSES[1].meta.id,
    efs_file_system_quarantine::CAUSES[2].meta.id,
]);

const FILE_SYSTEM: &[Control<FileSystem>] = &[
    efs_file_system_quarantine::CONTROL,
    efs_file_system_public_policy::CONTROL,
    efs_file_system_external_access::CONTROL,
    efs_file_system_tls_only::CONTROL,
    efs_file_system_encrypted::CONTROL,
    efs_mount_target_public_subnet::CONTROL,
    efs_access_point_root_directory::CONTROL,
    efs_access_point_user_identity::CONTROL,
];
