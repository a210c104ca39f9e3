//! The imperative shell: everything that a function does besides judging, written once.
//!
//! `event → resources → observe → judge → decide → record → apply → verify → notify`: the pipeline is in `pipeline`,
//! the undoing of it in `restore`. A function's `main` hands its guards, each with the one file that talks to AWS
//! ([`Adapter`]), to [`run`].

mod adapter;
mod config;
mod digest;
mod environment;
mod error;
mod heartbeat;
mod lambda;
mod ledger;
mod metrics;
mod pipeline;
mod preflight;
mod release;
mod restore;
mod schedule;
mod sdk;
mod settings;
mod status;
mod sweep;
mod topic;
mod waiting;

pub use adapter::{Adapter, Aside, PAGE, Page, Resolved, Serve, serve};
pub use aws_config::SdkConfig;
pub use environment::Environment;
pub use error::{AwsError, Failure, Kind};
pub use lambda::run;
pub use lambda_runtime::Error;
pub use sdk::{LoopbackResolver, Regional, sdk_config};
