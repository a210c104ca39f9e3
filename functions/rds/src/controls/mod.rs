//! The controls, one file each. The order matters: a later one is judged on the state that the earlier ones leave.

mod rds_cluster_deletion_protection;
mod rds_cluster_encrypted;
mod rds_cluster_marked;
mod rds_cluster_public;
mod rds_cluster_quarantine;
mod rds_cluster_snapshot_encrypted;
mod rds_cluster_snapshot_external_access;
mod rds_cluster_snapshot_public;
mod rds_instance_deletion_protection;
mod rds_instance_encrypted;
mod rds_instance_marked;
mod rds_instance_public;
mod rds_instance_quarantine;
mod rds_snapshot_encrypted;
mod rds_snapshot_external_access;
mod rds_snapshot_public;

use portcullis_core::{Control, Typed};

use crate::database::{self, Database};
use crate::snapshot::{self, Snapshot};

/// Snapshots of DB instances with their controls.
pub const SNAPSHOTS: Typed<Snapshot> = Typed::new(
    &snapshot::OF_INSTANCES,
    &[
        rds_snapshot_public::CONTROL,
        rds_snapshot_external_access::CONTROL,
        rds_snapshot_encrypted::CONTROL,
    ],
);

/// Snapshots of DB clusters with their controls.
pub const CLUSTER_SNAPSHOTS: Typed<Snapshot> = Typed::new(
    &snapshot::OF_CLUSTERS,
    &[
        rds_cluster_snapshot_public::CONTROL,
        rds_cluster_snapshot_external_access::CONTROL,
        rds_cluster_snapshot_encrypted::CONTROL,
    ],
);

/// DB instances with their controls.
pub const INSTANCES: Typed<Database> =
    Typed::new(&database::OF_INSTANCES, INSTANCE).with_quarantines(&[rds_instance_encrypted::CONTROL.meta.id]);

/// DB clusters with their controls.
pub const CLUSTERS: Typed<Database> = Typed::new(&database::OF_CLUSTERS, CLUSTER).with_quarantines(&[
    rds_cluster_public::CONTROL.meta.id,
    rds_cluster_encrypted::CONTROL.meta.id,
]);

/// The controls of instances.
const INSTANCE: &[Control<Database>] = &[
    rds_instance_public::CONTROL,
    rds_instance_encrypted::CONTROL,
    rds_instance_marked::CONTROL,
    rds_instance_quarantine::CONTROL,
    rds_instance_deletion_protection::CONTROL,
];

/// The controls of clusters.
const CLUSTER: &[Control<Database>] = &[
    rds_cluster_public::CONTROL,
    rds_cluster_encrypted::CONTROL,
    rds_cluster_marked::CONTROL,
    rds_cluster_quarantine::CONTROL,
    rds_cluster_deletion_protection::CONTROL,
];
