//! What always holds (DESIGN, section 3): each test would fail without its invariant.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod boundaries;
mod convergence;
mod crash;
mod faults;
mod rounds;
mod story;
mod undo;
