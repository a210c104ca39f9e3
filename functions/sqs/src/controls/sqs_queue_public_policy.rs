//! # What it requires
//! The queue's policy lets in nobody whom it does not name.
//!
//! # Why
//! Whoever finds the queue can read what is in it, fill it with messages of his own at your cost, or empty it. Whether a statement
//! for `*` really is open is decided by the whole policy: one that lets in a topic or a bucket by `aws:SourceArn` is not public.
//!
//! # What it changes
//! `SetQueueAttributes` with the same policy, less what is public: a statement goes, or only its public principal where it names
//! others too. All other statements stay byte for byte. Nothing else left: an empty policy, which leaves the queue to the account.
//! Where a condition can't be decided, nothing is removed: it is told. SQS takes up to 60 seconds to act on it.
//!
//! # What may break
//! Senders and receivers that came in by the public statement alone.
//!
//! # References
//! SQS Developer Guide, "Basic examples of Amazon SQS policies", "Amazon SQS security best practices"; Security Hub SQS.3.

use portcullis_controls::prelude::*;

use crate::queue::{Queue, QueueChange, QueueFact};

pub const CONTROL: Control<Queue> = Control {
    meta: Meta {
        id: "sqs-queue-public-policy",
        title: "A queue's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub SQS.3", "Config sqs-queue-no-public-access"],
        calls: &["AddPermission", "CreateQueue", "SetQueueAttributes"],
    },
    reads: &[QueueFact::Policy],
    changes: &[QueueFact::Policy],
    judge: &|queue, context| {
        let policy = ResourcePolicy::of(Service::Sqs, &queue.policy, context);
        public_policy(policy, smallest_cure, QueueChange::Policy)
    },
};
