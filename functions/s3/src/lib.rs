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

use portcullis_core::{Listing, Service};

#[cfg(feature = "aws")]
pub use aws::serve;
pub use block::PublicAccessBlock;

/// The event source of S3's calls, those of S3 Control included.
pub const SOURCE: &str = "s3.amazonaws.com";

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "s3",
        title: "Amazon S3",
        source: SOURCE,
        types: listings(),
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
