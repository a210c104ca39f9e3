//! The controls, one file each. The order matters: a later one is judged on the state that the earlier ones leave.

use portcullis_core::{Control, Typed};

use crate::account_defaults::{self, AccountDefaults};
use crate::image::{self, Image};
use crate::instance::{self, Instance};
use crate::launch_template::{self, LaunchTemplate};
use crate::security_group::{self, SecurityGroup};
use crate::snapshot::{self, Snapshot};
use crate::volume::{self, Volume};

mod ec2_ebs_encryption_by_default;
mod ec2_image_block_public_access;
mod ec2_image_encrypted;
mod ec2_image_external_access;
mod ec2_image_public;
mod ec2_instance_exposed;
mod ec2_instance_imdsv2;
mod ec2_instance_metadata_defaults;
mod ec2_launch_template_encrypted;
mod ec2_launch_template_imdsv2;
mod ec2_launch_template_public_address;
mod ec2_security_group_default;
mod ec2_security_group_open_ingress;
mod ec2_security_group_quarantine;
mod ec2_snapshot_block_public_access;
mod ec2_snapshot_encrypted;
mod ec2_snapshot_external_access;
mod ec2_snapshot_public;
mod ec2_volume_encrypted;
mod ec2_volume_marked;
mod ec2_volume_quarantine;

/// The controls of a region's defaults.
pub const ACCOUNT_DEFAULTS: &[Control<AccountDefaults>] = &[
    ec2_ebs_encryption_by_default::CONTROL,
    ec2_snapshot_block_public_access::CONTROL,
    ec2_image_block_public_access::CONTROL,
    ec2_instance_metadata_defaults::CONTROL,
];

/// The control whose violation cuts an instance off, where settings say so.
pub const EXPOSED: &str = ec2_instance_exposed::CONTROL.meta.id;

/// The controls of volumes.
pub const VOLUME: &[Control<Volume>] = &[
    ec2_volume_encrypted::CONTROL,
    ec2_volume_marked::CONTROL,
    ec2_volume_quarantine::CONTROL,
];

/// The controls of snapshots.
pub const SNAPSHOT: &[Control<Snapshot>] = &[
    ec2_snapshot_public::CONTROL,
    ec2_snapshot_external_access::CONTROL,
    ec2_snapshot_encrypted::CONTROL,
];

/// The controls of images.
pub const IMAGE: &[Control<Image>] = &[
    ec2_image_public::CONTROL,
    ec2_image_external_access::CONTROL,
    ec2_image_encrypted::CONTROL,
];

/// The controls of instances.
pub const INSTANCE: &[Control<Instance>] = &[ec2_instance_exposed::CONTROL, ec2_instance_imdsv2::CONTROL];

/// The controls of launch templates.
pub const LAUNCH_TEMPLATE: &[Control<LaunchTemplate>] = &[
    ec2_launch_template_encrypted::CONTROL,
    ec2_launch_template_imdsv2::CONTROL,
    ec2_launch_template_public_address::CONTROL,
];

/// The controls of security groups.
pub const SECURITY_GROUP: &[Control<SecurityGroup>] = &[
    ec2_security_group_open_ingress::CONTROL,
    ec2_security_group_default::CONTROL,
    ec2_security_group_quarantine::CONTROL,
];

/// A region's defaults with their controls.
pub const REGIONS: Typed<AccountDefaults> = Typed::new(&account_defaults::TYPE, ACCOUNT_DEFAULTS);

/// Volumes with their controls.
pub const VOLUMES: Typed<Volume> = Typed::new(&volume::TYPE, VOLUME);

/// Snapshots with their controls.
pub const SNAPSHOTS: Typed<Snapshot> = Typed::new(&snapshot::TYPE, SNAPSHOT);

/// Images with their controls.
pub const IMAGES: Typed<Image> = Typed::new(&image::TYPE, IMAGE);

/// Security groups with their controls.
pub const SECURITY_GROUPS: Typed<SecurityGroup> = Typed::new(&security_group::TYPE, SECURITY_GROUP);

/// Instances with their controls.
pub const INSTANCES: Typed<Instance> = Typed::new(&instance::TYPE, INSTANCE).with_quarantines(&[EXPOSED]);

/// Launch templates with their controls.
pub const LAUNCH_TEMPLATES: Typed<LaunchTemplate> = Typed::new(&launch_template::TYPE, LAUNCH_TEMPLATE);
