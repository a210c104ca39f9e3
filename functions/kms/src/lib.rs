//! The guards of AWS KMS: customer managed keys and the aliases that settings require.
//!
//! [`listings`] is what the command line, the docs and the template's test see. With the feature `aws`, [`serve`] joins
//! each guard with the file that talks to AWS.

pub mod alias;
#[cfg(feature = "aws")]
mod aws;
pub mod controls;
mod former;
pub mod key;
mod lockout;
mod naming;
mod policies;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::{Listing, listing};

#[cfg(feature = "aws")]
pub use aws::serve;

/// The event source of KMS's calls, and of what it does by itself.
pub const SOURCE: &str = "kms.amazonaws.com";

/// All guards of this function.
pub fn listings() -> Vec<Box<dyn Listing>> {
    vec![listing::<key::Key>(), listing::<alias::Alias>()]
}
