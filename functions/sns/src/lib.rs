//! Amazon SNS: topics.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins the type with the
//! file that talks to AWS.

#[cfg(feature = "aws")]
mod aws;
pub mod controls;
mod policies;
pub mod topic;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::Service;

#[cfg(feature = "aws")]
pub use aws::serve;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "sns",
        title: "Amazon SNS",
        source: topic::SOURCE,
        types: vec![Box::new(controls::TOPICS)],
        settings: None,
    }
}
