//! The imperative invocation: everything that a function does besides judging, written once.
//!
//! `event → resources → observe → judge → decide → record → apply → verify → notify`: the pipeline is in `pipeline`,
//! the undoing of it in `restore`. A function's `main` hands its resource types, each with the one file that talks to AWS
//! ([`Adapter`]), to [`run`].

mod adapter;
mod answer;
mod answered;
mod digest;
mod dispatch;
mod environment;
mod error;
mod handler;
mod invocation;
mod lambda;
mod ledger;
mod log;
mod metrics;
mod operations;
mod pipeline;
mod queue;
mod resource_status;
mod retry;
mod schedule;
mod sdk;
mod settings;
mod topic;

pub use adapter::{Adapter, ImpactNotes, PAGE, Page, Resolved};
pub use answered::{done, unless};
pub use aws_config::SdkConfig;
pub use environment::Environment;
pub use error::{AwsError, ErrorCodes, Failure, Kind};
pub use handler::{Handler, serve};
pub use lambda::run;
pub use lambda_runtime::Error;
pub use sdk::{LoopbackResolver, Regional, sdk_config};
