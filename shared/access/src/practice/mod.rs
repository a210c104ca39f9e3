//! Checks of what a good policy says, beyond who it lets in.

pub mod kms;
mod refusal;
pub mod s3;
pub mod tls;
