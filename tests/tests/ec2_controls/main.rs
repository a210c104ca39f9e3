//! The controls of EC2, each through the real binary against the local AWS: told, enforced, undone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod defaults;
mod images;
mod instances;
mod launch_templates;
mod samples;
mod security_groups;
mod settling;
mod snapshots;
mod storms;
mod support;
mod tags;
mod volumes;
