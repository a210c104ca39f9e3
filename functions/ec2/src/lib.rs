//! The resource types of Amazon EC2: a region's defaults, EBS volumes and snapshots, images, security groups, instances,
//! launch templates.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins
//! each type with the file that talks to AWS.

pub mod account_defaults;
#[cfg(feature = "aws")]
mod aws;
pub mod balanced;
pub mod controls;
mod encryption;
pub mod image;
pub mod instance;
pub mod launch_template;
mod naming;
mod native;
pub mod security_group;
mod settings;
pub mod snapshot;
#[cfg(feature = "violations")]
pub mod violations;
pub mod volume;

use portcullis_core::settings::SectionType;
use portcullis_core::{Listing, Service};

#[cfg(feature = "aws")]
pub use aws::serve;
pub use naming::SOURCE;
pub use settings::{Ec2Settings, ExposedInstances, VolumeQuarantine};

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "ec2",
        title: "Amazon EC2",
        source: SOURCE,
        types: listings(),
        settings: Some(SectionType::of::<Ec2Settings>()),
    }
}

/// All resource types of this function.
pub fn listings() -> Vec<Box<dyn Listing>> {
    vec![
        Box::new(controls::REGIONS),
        Box::new(controls::VOLUMES),
        Box::new(controls::SNAPSHOTS),
        Box::new(controls::IMAGES),
        Box::new(controls::SECURITY_GROUPS),
        Box::new(controls::INSTANCES),
        Box::new(controls::LAUNCH_TEMPLATES),
    ]
}
