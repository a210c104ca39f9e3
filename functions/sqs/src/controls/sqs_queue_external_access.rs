//! # What it requires
//! The queue's policy lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! A partner who was let in years ago, or an account id with a typing error, reads messages unnoticed, and whoever may send can feed
//! the application behind the queue.
//!
//! # What it changes
//! `SetQueueAttributes` with the same policy, less the foreign principals, where it is set to enforce. Notify by default: who is a
//! partner is not for a machine to say. Trust them under `trusted` in the settings.
//!
//! # What may break
//! The partner's access.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings"; SQS Developer Guide, "Basic examples of Amazon SQS policies".

use portcullis_controls::prelude::*;

use crate::queue::{Queue, QueueChange, QueueFact};

pub const CONTROL: Control<Queue> = Control {
    meta: Meta {
        id: "sqs-queue-external-access",
        title: "A queue lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &["AddPermission", "CreateQueue", "SetQueueAttributes"],
    },
    reads: &[QueueFact::Policy],
    changes: &[QueueFact::Policy],
    judge: &|queue, context| {
        let policy = ResourcePolicy::of(Service::Sqs, &queue.policy, context);
        external_access(policy, smallest_cure, QueueChange::Policy)
    },
};
