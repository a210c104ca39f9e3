//! The guards of Amazon EC2: a region's defaults, EBS volumes and snapshots, images, security groups, instances,
//! launch templates.
//!
//! [`listings`] is what the command line, the docs and the template's test see. With the feature `aws`, [`serve`] joins
//! each guard with the file that talks to AWS.

pub mod account_defaults;
#[cfg(feature = "aws")]
mod aws;
pub mod balanced;
pub mod controls;
pub mod encryption;
pub mod image;
pub mod instance;
pub mod launch_template;
mod naming;
pub mod security_group;
pub mod sharing;
pub mod snapshot;
#[cfg(feature = "violations")]
pub mod violations;
pub mod volume;

use portcullis_core::{Listing, listing};

#[cfg(feature = "aws")]
pub use aws::serve;

/// The event source of EC2's calls, EBS's and VPC's included.
pub const SOURCE: &str = "ec2.amazonaws.com";

/// All guards of this function.
pub fn listings() -> Vec<Box<dyn Listing>> {
    vec![
        listing::<account_defaults::AccountDefaults>(),
        listing::<volume::Volume>(),
        listing::<snapshot::Snapshot>(),
        listing::<image::Image>(),
        listing::<security_group::SecurityGroup>(),
        listing::<instance::Instance>(),
        listing::<launch_template::LaunchTemplate>(),
    ]
}
