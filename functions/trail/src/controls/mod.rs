//! One file a control, named after it. A new one is another line here.

mod cloudtrail_trail_deleted;
mod cloudtrail_trail_delivery;
mod cloudtrail_trail_encrypted;
mod cloudtrail_trail_logging;
mod cloudtrail_trail_selectors;
mod cloudtrail_trail_validation;

use portcullis_core::{Control, Typed};

use crate::trail::{TYPE, Trail};

/// Trails with their controls.
pub const TRAILS: Typed<Trail> = Typed::new(&TYPE, TRAIL);

/// The controls of trails, in the order in which their remedies build on each other.
const TRAIL: &[Control<Trail>] = &[
    cloudtrail_trail_logging::CONTROL,
    cloudtrail_trail_deleted::CONTROL,
    cloudtrail_trail_selectors::CONTROL,
    cloudtrail_trail_delivery::CONTROL,
    cloudtrail_trail_validation::CONTROL,
    cloudtrail_trail_encrypted::CONTROL,
];
