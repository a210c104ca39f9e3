//! One file a control, named after it. A new one is another line here.

mod secretsmanager_secret_encryption_key;
mod secretsmanager_secret_external_access;
mod secretsmanager_secret_public_policy;
mod secretsmanager_secret_rotation;
mod secretsmanager_secret_scheduled_deletion;

use portcullis_core::{Control, Typed};

use crate::secret::{Secret, TYPE};

/// Secrets with their controls.
pub const SECRETS: Typed<Secret> = Typed::new(&TYPE, SECRET);

/// The controls of secrets, in the order in which their remedies build on each other.
const SECRET: &[Control<Secret>] = &[
    secretsmanager_secret_scheduled_deletion::CONTROL,
    secretsmanager_secret_public_policy::CONTROL,
    secretsmanager_secret_external_access::CONTROL,
    secretsmanager_secret_encryption_key::CONTROL,
    secretsmanager_secret_rotation::CONTROL,
];
