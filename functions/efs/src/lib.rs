//! Amazon EFS: file systems with their mount targets and access points.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins the type with the
//! file that talks to AWS.

#[cfg(feature = "aws")]
mod aws;
pub mod controls;
pub mod file_system;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::Service;

#[cfg(feature = "aws")]
pub use aws::serve;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "efs",
        title: "Amazon EFS",
        source: file_system::SOURCE,
        types: vec![Box::new(controls::FILE_SYSTEMS)],
        settings: None,
    }
}
