//! All guards of all functions, as data.

use portcullis_core::{Listing, Meta};
use serde::Serialize;

/// The guards, by function. A new function is one more line here.
pub fn listings() -> Vec<Box<dyn Listing>> {
    [
        portcullis_s3::listings(),
        portcullis_kms::listings(),
        portcullis_ec2::listings(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The controls of these guards, in their order.
pub fn controls(listings: &[Box<dyn Listing>]) -> Vec<&'static Meta> {
    listings.iter().flat_map(|listing| listing.controls()).collect()
}

/// AWS's own name of the service behind an event source.
pub fn service(source: &str) -> &str {
    match source {
        "ec2.amazonaws.com" => "Amazon EC2",
        "kms.amazonaws.com" => "AWS KMS",
        "rds.amazonaws.com" => "Amazon RDS",
        "s3.amazonaws.com" => "Amazon S3",
        other => other,
    }
}

/// The word by which settings and alerts call it.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
