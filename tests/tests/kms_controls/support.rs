//! Keys under test.

pub use portcullis_kms::violations::{Key, Kms, allow, policy};
use portcullis_testkit::Call;
pub use portcullis_tests::{round_trip, told, writes_to};

/// The calls that change something at KMS, in order.
pub fn writes(calls: &[Call]) -> Vec<String> {
    writes_to("kms", calls)
}
