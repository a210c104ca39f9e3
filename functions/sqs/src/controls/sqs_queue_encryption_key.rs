//! # What it requires
//! The queue is encrypted with a key of the kind that the classification of its data asks for: an AWS-managed key of KMS, one that
//! the customer manages, or the very one that settings name. Where every key will do, SSE-SQS will, too.
//!
//! # Why
//! Who may read messages under SSE-SQS is decided by the queue's permissions alone; under a key of KMS, by the key's policy as well.
//!
//! # What it changes
//! By setting, where the level names a key: `SetQueueAttributes` with `KmsMasterKeyId`. It is told by default.
//!
//! # What may break
//! Senders need `kms:GenerateDataKey` and `kms:Decrypt` on the key, receivers `kms:Decrypt`. AWS services that send to the queue,
//! such as SNS, S3 and EventBridge, need a statement in the key's policy, which an AWS-managed key can't have.
//!
//! # References
//! SQS Developer Guide, "Key management" (permissions of producers and consumers, "Enable compatibility between event sources from
//! AWS services and encrypted queues").

use portcullis_controls::prelude::*;

use crate::queue::{Encryption, Queue, QueueChange, QueueFact};

pub const CONTROL: Control<Queue> = Control {
    meta: Meta {
        id: "sqs-queue-encryption-key",
        title: "A queue is encrypted with a key of the kind that its data need",
        severity: Severity::Medium,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["SQS Developer Guide: Encryption at rest in Amazon SQS"],
        calls: &["CreateQueue", "SetQueueAttributes", "TagQueue", "UntagQueue"],
    },
    reads: &[QueueFact::Encryption],
    changes: &[QueueFact::Encryption],
    judge: &|queue, context| {
        let with = match queue.encryption.get() {
            None => With::Nothing,
            Some(Encryption::Sqs) => With::ServiceOwned,
            Some(Encryption::Kms(_, key)) => With::Key(key),
        };
        key_by_level(with, context, Severity::Medium, |key| {
            QueueChange::Encryption(Some(Encryption::Kms(key.arn.clone(), key)))
        })
    },
};
