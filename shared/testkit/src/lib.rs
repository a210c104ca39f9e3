//! What the tests stand on: a local AWS, the Lambda runtime around the real binaries, events, assertions.
//!
//! A test gets an AWS account of its own, starts a function in it, sends it an event and looks at what came of it:
//!
//! ```no_run
//! use portcullis_testkit::{CloudTrail, Function, LocalAws, assert_rounds};
//! use serde_json::json;
//!
//! # async fn test() {
//! let aws = LocalAws::start().await;
//! let stack = aws.deploy().await;
//! let function = Function::new("portcullis-s3", &aws).deployment(&stack).mode("enforce").start().await;
//!
//! let bucket = aws.unique("bare");
//! // … make the bucket, with a client from `aws.sdk_config()` …
//! let event = CloudTrail::call("s3.amazonaws.com", "CreateBucket")
//!     .params(json!({"bucketName": bucket}))
//!     .account(aws.account())
//!     .event();
//! let invocation = function.invoke(event).await;
//!
//! invocation.result.as_ref().expect("handled");
//! assert_rounds(&invocation.calls, 5);
//! assert_eq!(aws.messages(&stack.topic_arn).await.len(), 1);
//! # }
//! ```
//!
//! Nothing here leaves the machine: an endpoint that is not on loopback is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is test support: a panic is how a test fails"
)]

mod calls;
pub mod events;
mod fault;
mod function;
mod http;
mod lambda_runtime;
mod launcher;
mod local_aws;
mod loopback;
mod message;
mod queue;
mod random;
mod round_trip;
pub mod samples;
mod service;
mod snapshot;
mod violation;
mod world;

pub use aws_config::SdkConfig;
pub use calls::{Call, assert_called, assert_no_changes, assert_only_reads, assert_rounds, rounds, table};
pub use events::{Actor, CloudTrail};
pub use fault::Fault;
pub use function::{ColdStart, Function, FunctionBuilder, Invocation};
pub use lambda_runtime::{Answer, FunctionError, LambdaRuntime, Payload};
pub use local_aws::{Deployment, LocalAws};
pub use loopback::{Endpoint, NotLoopback};
pub use message::Message;
pub use queue::{Queue, batch};
pub use round_trip::Enforced;
pub use service::{Finds, Sample, ServiceUnderTest, Way, levels};
pub use snapshot::{Snapshot, assert_changed};
pub use violation::{Arrange, Arranged, Boxed, Subject, Violation, policy};
pub use world::{
    Answered, World, changes, controls_in, outcome_of, put_back, put_back_record, record_of, resource_of, told,
    writes_to,
};
