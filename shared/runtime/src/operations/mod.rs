//! What a function is asked to do besides handling an event: each in a file of its own, beside the pipeline.

pub mod aws_config;
pub mod deferred;
pub mod heartbeat;
pub mod preflight;
pub mod release;
pub mod restore;
pub mod summary;
pub mod sweep;
