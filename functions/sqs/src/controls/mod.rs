//! One file a control, named after it. A new one is another line here.

mod sqs_queue_encrypted;
mod sqs_queue_encryption_key;
mod sqs_queue_external_access;
mod sqs_queue_public_policy;
mod sqs_queue_tls_only;

use portcullis_core::{Control, Typed};

use crate::queue::{Queue, TYPE};

/// Queues with their controls.
pub const QUEUES: Typed<Queue> = Typed::new(&TYPE, QUEUE);

/// The controls of queues, in the order in which their remedies build on each other.
const QUEUE: &[Control<Queue>] = &[
    sqs_queue_public_policy::CONTROL,
    sqs_queue_external_access::CONTROL,
    sqs_queue_tls_only::CONTROL,
    sqs_queue_encrypted::CONTROL,
    sqs_queue_encryption_key::CONTROL,
];
