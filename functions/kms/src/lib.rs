//! The resource types of AWS KMS: customer managed keys and the aliases that settings require.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins
//! each type with the file that talks to AWS.

pub mod alias;
#[cfg(feature = "aws")]
mod aws;
pub mod controls;
pub mod key;
mod key_state_history;
mod lockout;
mod naming;
mod policies;
mod settings;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::settings::SectionType;
use portcullis_core::{Listing, Service};

#[cfg(feature = "aws")]
pub use aws::serve;
pub use naming::SOURCE;
pub use settings::KmsSettings;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "kms",
        title: "AWS KMS",
        source: SOURCE,
        types: listings(),
        settings: Some(SectionType::of::<KmsSettings>()),
    }
}

/// All resource types of this function.
pub fn listings() -> Vec<Box<dyn Listing>> {
    vec![Box::new(controls::KEYS), Box::new(controls::ALIASES)]
}
