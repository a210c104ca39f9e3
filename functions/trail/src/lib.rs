//! AWS CloudTrail: trails.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins the type with the
//! file that talks to AWS.

#[cfg(feature = "aws")]
mod aws;
pub mod controls;
pub mod settings;
pub mod trail;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::Service;
use portcullis_core::settings::SectionType;

#[cfg(feature = "aws")]
pub use aws::serve;
pub use settings::TrailSettings;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "trail",
        title: "AWS CloudTrail",
        source: trail::SOURCE,
        types: vec![Box::new(controls::TRAILS)],
        settings: Some(SectionType::of::<TrailSettings>()),
    }
}
