//! Checks of what a good policy says, beyond who it lets in.

pub mod kms;
pub mod s3;
