//! # What it requires
//! The topic's policy lets in nobody whom it does not name.
//!
//! # Why
//! Whoever finds the topic can subscribe and read what is published, or publish: to the people who trust its messages, and to the
//! functions that act on them. Whether a statement for `*` really is open is decided by the whole policy: that which SNS gives each
//! topic, `__default_statement_ID`, is for everybody by its looks only, and stays.
//!
//! # What it changes
//! `SetTopicAttributes` with the same policy, less what is public: a statement goes, or only its public principal where it names
//! others too. A topic can't be without a policy: where nothing else would be left, its first statement is narrowed to the account.
//! Where a condition can't be decided, nothing is removed: it is told. The topic of Portcullis's own alerts is told of only.
//!
//! # What may break
//! Publishers and subscribers that came in by the public statement alone. Statements for services, such as that of CloudWatch's
//! alarms, are not public, and stay.
//!
//! # References
//! SNS Developer Guide, "Example cases for Amazon SNS access control"; Security Hub SNS.4.

use portcullis_controls::prelude::*;

use crate::policies::cure;

use crate::topic::{Topic, TopicChange, TopicFact, spares_own};

pub const CONTROL: Control<Topic> = Control {
    meta: Meta {
        id: "sns-topic-public-policy",
        title: "A topic's policy is not public",
        severity: Severity::Critical,
        impact: Impact::Access,
        default: Switch::Enforce,
        standards: &["Security Hub SNS.4", "Config sns-topic-no-public-access"],
        calls: &["AddPermission", "CreateTopic", "SetTopicAttributes"],
    },
    reads: &[TopicFact::Policy],
    changes: &[TopicFact::Policy],
    judge: &|topic, context| {
        let policy = ResourcePolicy::of(Service::Sns, &topic.policy, context);
        spares_own(public_policy(policy, cure, TopicChange::Policy), context)
    },
};
