//! # What it requires
//! Server-side encryption is on: SSE-SQS or SSE-KMS.
//!
//! # Why
//! Messages wait on disk for up to 14 days. SQS encrypts new queues by itself; one that is not had it turned off by somebody.
//!
//! # What it changes
//! `SetQueueAttributes` with `SqsManagedSseEnabled`: SQS's own keys, which cost nothing and which nobody needs permission for. A
//! queue that has SSE-KMS keeps it. Messages that were sent before stay as they are.
//!
//! # What may break
//! Requests to an encrypted queue have to use HTTPS and Signature Version 4: anonymous ones, and those over plain HTTP, fail.
//!
//! # References
//! SQS Developer Guide, "Encryption at rest in Amazon SQS"; Security Hub SQS.1.

use portcullis_controls::prelude::*;

use crate::queue::{Encryption, Queue, QueueChange, QueueFact};

pub const CONTROL: Control<Queue> = Control {
    meta: Meta {
        id: "sqs-queue-encrypted",
        title: "A queue is encrypted",
        severity: Severity::High,
        impact: Impact::Nothing,
        default: Switch::Enforce,
        standards: &["Security Hub SQS.1"],
        calls: &["CreateQueue", "SetQueueAttributes", "TagQueue", "UntagQueue"],
    },
    reads: &[QueueFact::Encryption],
    changes: &[QueueFact::Encryption],
    judge: &|queue, context| match queue.encryption.get() {
        Some(_) => Judgement::Compliant,
        None => Finding::new(
            severity_of_plain(context),
            Clause::new(
                "is not encrypted: its server-side encryption is off",
                "was not encrypted: its server-side encryption was off",
            ),
            "turn on server-side encryption with keys of SQS (SSE-SQS)",
            vec![QueueChange::Encryption(Some(Encryption::Sqs))],
        )
        .into(),
    },
};
