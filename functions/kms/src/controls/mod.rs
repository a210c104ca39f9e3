//! The controls, one file each. The order matters: a later one is judged on the state that the earlier ones leave.

use portcullis_core::{Control, Meta, Typed};

use crate::alias::{self, Alias};
use crate::key::{self, Key};

mod kms_alias_moved;
mod kms_key_destroyed;
mod kms_key_disabled;
mod kms_key_external_access;
mod kms_key_grants;
mod kms_key_imported_material;
mod kms_key_policy_practice;
mod kms_key_public_policy;
mod kms_key_region;
mod kms_key_required;
mod kms_key_rotation;
mod kms_key_scheduled_deletion;

/// What tells of a disabled key.
pub const DISABLED: &Meta = &kms_key_disabled::CONTROL.meta;

/// What cancels a deletion.
pub const SCHEDULED: &Meta = &kms_key_scheduled_deletion::CONTROL.meta;

/// The controls of keys.
pub const KEY: &[Control<Key>] = &[
    kms_key_scheduled_deletion::CONTROL,
    kms_key_disabled::CONTROL,
    kms_key_rotation::CONTROL,
    kms_key_public_policy::CONTROL,
    kms_key_external_access::CONTROL,
    kms_key_policy_practice::CONTROL,
    kms_key_grants::CONTROL,
    kms_key_imported_material::CONTROL,
    kms_key_region::CONTROL,
    kms_key_required::CONTROL,
    kms_key_destroyed::CONTROL,
];

/// The control of aliases.
pub const ALIAS: &[Control<Alias>] = &[kms_alias_moved::CONTROL];

/// Keys with their controls.
pub const KEYS: Typed<Key> = Typed::new(&key::TYPE, KEY);

/// Aliases with their control.
pub const ALIASES: Typed<Alias> = Typed::new(&alias::TYPE, ALIAS);
