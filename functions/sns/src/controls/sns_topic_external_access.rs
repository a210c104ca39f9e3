//! # What it requires
//! The topic's policy lets in no account, organisation, network or service outside of those that settings trust.
//!
//! # Why
//! A partner who was let in years ago, or an account id with a typing error, subscribes unnoticed to all that is published, and
//! whoever may publish can feed what acts on the messages.
//!
//! # What it changes
//! `SetTopicAttributes` with the same policy, less the foreign principals, where it is set to enforce. Notify by default: who is a
//! partner is not for a machine to say. Trust them under `trusted` in the settings. The topic of Portcullis's own alerts is told of
//! only.
//!
//! # What may break
//! The partner's access.
//!
//! # References
//! IAM User Guide, "IAM Access Analyzer: external access findings"; SNS Developer Guide, "Example cases for Amazon SNS access control".

use portcullis_controls::prelude::*;

use crate::policies::cure;

use crate::topic::{Topic, TopicChange, TopicFact, spares_own};

pub const CONTROL: Control<Topic> = Control {
    meta: Meta {
        id: "sns-topic-external-access",
        title: "A topic lets in trusted accounts only",
        severity: Severity::High,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["IAM Access Analyzer external access"],
        calls: &["AddPermission", "CreateTopic", "SetTopicAttributes"],
    },
    reads: &[TopicFact::Policy],
    changes: &[TopicFact::Policy],
    judge: &|topic, context| {
        let policy = ResourcePolicy::of(Service::Sns, &topic.policy, context);
        spares_own(external_access(policy, cure, TopicChange::Policy), context)
    },
};
