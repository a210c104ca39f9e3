//! What all resources of one invocation share.

use std::sync::Arc;

use jiff::Timestamp;
use portcullis_core::{Location, Settings};

use crate::digest::Digest;
use crate::ledger::Ledger;
use crate::schedule::Schedules;
use crate::topic::Topic;

/// No resource is begun later than so many milliseconds before the invocation's end: one may take that long.
pub const RESERVE: i64 = 15_000;

/// How an event came to the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// By the queue: it comes again until it is handled.
    Queue,
    /// By an invocation, which whoever made it gets an answer to.
    Direct,
}

/// What all resources of one invocation share.
#[derive(Clone)]
pub struct Invocation {
    pub ledger: Ledger,
    pub topic: Topic,
    pub schedules: Schedules,
    pub settings: Arc<Settings>,
    pub own_role: String,
    pub function: String,
    /// Where the function is.
    pub location: Location,
    /// The Lambda request. Lambda's own retries keep it.
    pub request: String,
    /// The owner of what this invocation opens, made up for it alone: Lambda may deliver an event twice, at the same time and under
    /// the same request id. Its retries come a minute later at the earliest, when the lease of what broke off has ended. Source:
    /// Lambda Developer Guide, "Error handling for asynchronous invocation".
    pub owner: String,
    /// When Lambda will stop this invocation, in Unix milliseconds: the end of its leases.
    pub deadline: i64,
    /// How the event came.
    pub delivery: Delivery,
    /// In a sweep, and an event of many resources: what gathers the findings, which are told at its end and not one by one.
    pub digest: Option<Arc<Digest>>,
}

impl Invocation {
    /// The invocation with a digest of its own: what it finds is told at the end, in one message.
    #[must_use]
    pub fn digesting(&self) -> Self {
        Self {
            digest: Some(Arc::default()),
            ..self.clone()
        }
    }

    /// The milliseconds until Lambda stops it.
    pub fn remaining(&self) -> i64 {
        self.deadline - Timestamp::now().as_millisecond()
    }

    /// Whether there is time left for one more resource.
    pub fn has_time(&self) -> bool {
        self.remaining() >= RESERVE
    }
}
