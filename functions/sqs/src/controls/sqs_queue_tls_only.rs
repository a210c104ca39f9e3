//! # What it requires
//! The queue's policy denies every request over plain HTTP, whoever makes it.
//!
//! # Why
//! SQS answers plain HTTP in many regions. A client with a mistyped scheme sends messages and signatures in the clear.
//!
//! # What it changes
//! `SetQueueAttributes` with one more statement in the policy, `PortcullisTlsOnly`, unless one to the same effect is there. The
//! others stay byte for byte.
//!
//! # What may break
//! Clients that use plain HTTP. Notify by default.
//!
//! # References
//! SQS Developer Guide, "Amazon SQS security best practices": "Consider enforcing encryption of data in transit".

use portcullis_controls::prelude::*;

use crate::queue::{Queue, QueueChange, QueueFact};

pub const CONTROL: Control<Queue> = Control {
    meta: Meta {
        id: "sqs-queue-tls-only",
        title: "A queue refuses plain HTTP",
        severity: Severity::Low,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["SQS Developer Guide: Amazon SQS security best practices"],
        calls: &["AddPermission", "CreateQueue", "RemovePermission", "SetQueueAttributes"],
    },
    reads: &[QueueFact::Policy],
    changes: &[QueueFact::Policy],
    judge: &|queue, context| {
        let policy = ResourcePolicy::of(Service::Sqs, &queue.policy, context);
        let add = |statement| policy.with_statement(statement).map(Some);
        tls_only(policy, Severity::Low, add, QueueChange::Policy)
    },
};
