//! # What it requires
//! The topic is encrypted with a key of KMS of the kind that the classification of its data asks for: one that AWS manages, one
//! that the customer manages, or the very one that settings name. Where every key will do, SNS's own disk encryption will, too.
//!
//! # Why
//! Messages wait on disk until they are delivered. Under a key of KMS, the key's policy says who may read them as well.
//!
//! # What it changes
//! By setting, where the level names a key: `SetTopicAttributes` with `KmsMasterKeyId`. It is told by default.
//!
//! # What may break
//! Publishers need `kms:GenerateDataKey*` and `kms:Decrypt` on the key. AWS services that publish by themselves, such as CloudWatch's
//! alarms, S3, EventBridge and Budgets, need a statement in the key's policy. The policy of `alias/aws/sns` can't have one: under that
//! key all alarms fall silent.
//!
//! # References
//! SNS Developer Guide, "Managing Amazon SNS encryption keys and costs", "Enable compatibility between event sources from AWS services
//! and encrypted topics"; Security Hub SNS.1.

use portcullis_controls::prelude::*;

use crate::topic::{Encryption, Topic, TopicChange, TopicFact, spares_own};

pub const CONTROL: Control<Topic> = Control {
    meta: Meta {
        id: "sns-topic-encrypted",
        title: "A topic is encrypted with a key of the kind that its data need",
        severity: Severity::Medium,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["Security Hub SNS.1", "Config sns-encrypted-kms"],
        calls: &["CreateTopic", "SetTopicAttributes", "TagResource", "UntagResource"],
    },
    reads: &[TopicFact::Encryption],
    changes: &[TopicFact::Encryption],
    judge: &|topic, context| {
        let with = match topic.encryption.get() {
            None => With::ServiceOwned,
            Some(Encryption { key, .. }) => With::Key(key),
        };
        let judged = key_by_level(with, context, Severity::Medium, |key| {
            let name = key.arn.clone();
            TopicChange::Encryption(Some(Encryption { name, key }))
        });
        spares_own(judged, context)
    },
};
