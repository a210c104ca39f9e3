//! Each control of KMS, in notify mode, enforced, and undone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod aliases;
mod bad_input;
mod deletion;
mod grants;
mod material;
mod policies;
mod preflight;
mod regions;
mod rotation;
mod samples;
mod support;
