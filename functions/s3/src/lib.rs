//! The resource types of Amazon S3: buckets, access points, and the account's public access block.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins
//! each type with the file that talks to AWS.

pub mod access_point;
pub mod account;
#[cfg(feature = "aws")]
mod aws;
mod block;
pub mod bucket;
pub mod controls;
mod logs;
mod policies;
mod public_to_s3;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::{Listing, Service};

#[cfg(feature = "aws")]
pub use aws::serve;
pub use block::PublicAccessBlock;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "s3",
        title: "Amazon S3",
        source: "s3.amazonaws.com",
        types: listings(),
        settings: None,
    }
}

/// All resource types of this function.
pub fn listings() -> Vec<Box<dyn Listing>> {
    vec![
        Box::new(controls::BUCKETS),
        Box::new(controls::ACCOUNTS),
        Box::new(controls::ACCESS_POINTS),
    ]
}
