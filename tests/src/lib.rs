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

pub mod faults;
pub mod privileges;
mod services;
pub mod settings;
pub mod template;

use portcullis_testkit::Call;

/// How long an AWS call takes where rounds are counted: calls that are sent together overlap then, even where a busy machine
/// stalls the process between two of them.
pub const APART: std::time::Duration = std::time::Duration::from_millis(400);

pub use portcullis_ec2::violations::balance;
pub use portcullis_s3::violations::{
    ALL_USERS, AUTHENTICATED_USERS, AccessPoint, AccountBlock, Bucket, LOG_DELIVERY, S3 as World,
};
pub use portcullis_testkit::{
    Answered, Arranged, Snapshot, Subject, assert_changed, controls_in, outcome_of, put_back, put_back_record,
    record_of, resource_of, samples, told, writes_to,
};
pub use services::{SERVICES, round_trip, service_of};

/// The calls that change something at S3.
pub fn writes(calls: &[Call]) -> Vec<String> {
    let s3 = |call: &&Call| call.service.starts_with("s3") && !call.is_read();
    calls.iter().filter(s3).map(Call::name).collect()
}
