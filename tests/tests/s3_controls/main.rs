//! Each control of S3, in notify mode, enforced, and undone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod access_points;
mod account;
mod encryption;
mod exposure;
mod features;
mod look_alikes;
mod policies;
