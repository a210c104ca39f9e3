//! An account with EC2.

pub use portcullis_ec2::violations::Ec2;
use portcullis_testkit::Call;
pub use portcullis_tests::settings::only;
pub use portcullis_tests::{round_trip, writes_to};

/// The ARNs of a key of the customer's, and of the one that AWS manages for EBS.
pub async fn keys(ec2: &Ec2) -> (String, String) {
    ec2.keys().await
}

/// The calls that change something at EC2, in order.
pub fn writes(calls: &[Call]) -> Vec<String> {
    writes_to("ec2", calls)
}
