//! Amazon RDS: DB instances, DB clusters (Aurora, Multi-AZ, DocumentDB and Neptune come through the same API), and their snapshots.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins the types with the
//! files that talk to AWS.

#[cfg(feature = "aws")]
mod aws;
pub mod controls;
pub mod database;
mod judged;
mod naming;
mod native;
pub mod snapshot;
pub mod storage;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::Service;

#[cfg(feature = "aws")]
pub use aws::serve;
pub use naming::SOURCE;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "rds",
        title: "Amazon RDS",
        source: SOURCE,
        types: vec![
            Box::new(controls::SNAPSHOTS),
            Box::new(controls::CLUSTER_SNAPSHOTS),
            Box::new(controls::CLUSTERS),
            Box::new(controls::INSTANCES),
        ],
        settings: None,
    }
}
