//! End to end: the real Lambda binaries, the Lambda runtime API, a local AWS.
//!
//! A test gets a [`World`]: an account of its own with ledger and topic. It puts a resource there as insecure as it likes,
//! sends an event to the function, and looks at what came of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is test support: a panic is how a test fails"
)]

mod balanced;
mod bucket;
mod control_plane;
pub mod faults;
mod round_trip;
pub mod samples;
pub mod settings;
mod snapshot;
mod story;
pub mod template;
mod world;

/// How long an AWS call takes where rounds are counted: calls that are sent together overlap then, even where a busy machine
/// stalls the process between two of them.
pub const APART: std::time::Duration = std::time::Duration::from_millis(400);

pub use balanced::balance;
pub use bucket::{ALL_USERS, AUTHENTICATED_USERS, Bucket, LOG_DELIVERY};
pub use control_plane::{AccessPoint, AccountBlock};
pub use round_trip::{Expected, Subject, round_trip};
pub use snapshot::{Snapshot, assert_changed, block};
pub use story::Story;
pub use world::{
    Answered, World, controls_in, outcome_of, put_back, put_back_record, record_of, resource_of, told, writes,
    writes_to,
};
