//! Amazon DynamoDB: tables with their streams.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins the type with the
//! file that talks to AWS.

#[cfg(feature = "aws")]
mod aws;
pub mod controls;
mod policies;
pub mod table;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::Service;

#[cfg(feature = "aws")]
pub use aws::serve;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "dynamodb",
        title: "Amazon DynamoDB",
        source: table::SOURCE,
        types: vec![Box::new(controls::TABLES)],
        settings: None,
    }
}
