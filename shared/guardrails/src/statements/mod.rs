//! The tables: each statement with its controls.

mod data;
mod ec2;
mod kms;
mod perimeter;
mod protect;
mod s3;

use crate::guardrail::Guardrail;

/// All guardrails, in the order in which their documents have them.
pub fn guardrails() -> impl Iterator<Item = &'static Guardrail> {
    [s3::ALL, ec2::ALL, kms::ALL, data::ALL, protect::ALL, perimeter::ALL]
        .into_iter()
        .flatten()
}
