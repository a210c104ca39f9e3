//! One file a control, named after it. A new one is another line here.

mod sns_topic_encrypted;
mod sns_topic_external_access;
mod sns_topic_public_policy;
mod sns_topic_tls_only;

use portcullis_core::{Control, Typed};

use crate::topic::{TYPE, Topic};

/// Topics with their controls.
pub const TOPICS: Typed<Topic> = Typed::new(&TYPE, TOPIC);

/// The controls of topics, in the order in which their remedies build on each other.
const TOPIC: &[Control<Topic>] = &[
    sns_topic_public_policy::CONTROL,
    sns_topic_external_access::CONTROL,
    sns_topic_tls_only::CONTROL,
    sns_topic_encrypted::CONTROL,
];
