//! The guards of Amazon S3: buckets, access points, and the account's public access block.
//!
//! [`listings`] is what the command line, the docs and the template's test see. With the feature `aws`, [`serve`] joins
//! each guard with the file that talks to AWS.

pub mod access_point;
pub mod account;
#[cfg(feature = "aws")]
mod aws;
mod block;
pub mod bucket;
pub mod controls;
mod logs;
mod policies;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::{Listing, listing};

#[cfg(feature = "aws")]
pub use aws::serve;
pub use block::PublicAccessBlock;

/// The event source of S3's calls, those of S3 Control included.
pub const SOURCE: &str = "s3.amazonaws.com";

/// All guards of this function.
pub fn listings() -> Vec<Box<dyn Listing>> {
    vec![
        listing::<bucket::Bucket>(),
        listing::<account::Account>(),
        listing::<access_point::AccessPoint>(),
    ]
}
