//! # What it requires
//! The topic's policy denies publishing over plain HTTP, whoever does it.
//!
//! # Why
//! SNS answers plain HTTP in many regions. A client with a mistyped scheme sends messages and signatures in the clear.
//!
//! # What it changes
//! `SetTopicAttributes` with one more statement in the policy, `PortcullisTlsOnly`, unless one to the same effect is there. It
//! denies `sns:Publish`: SNS refuses `sns:*`. The topic of Portcullis's own alerts is told of only.
//!
//! # What may break
//! Clients that use plain HTTP. Notify by default.
//!
//! # References
//! SNS Developer Guide, "Amazon SNS security best practices": "Enforce encryption of data in transit".

use portcullis_controls::prelude::*;
use serde_json::{Value, json};

use crate::topic::{Topic, TopicChange, TopicFact, spares_own};

pub const CONTROL: Control<Topic> = Control {
    meta: Meta {
        id: "sns-topic-tls-only",
        title: "A topic refuses plain HTTP",
        severity: Severity::Low,
        impact: Impact::Access,
        default: Switch::Notify,
        standards: &["SNS Developer Guide: Amazon SNS security best practices"],
        calls: &["AddPermission", "CreateTopic", "RemovePermission", "SetTopicAttributes"],
    },
    reads: &[TopicFact::Policy],
    changes: &[TopicFact::Policy],
    judge: &|topic, context| {
        let policy = ResourcePolicy::of(Service::Sns, &topic.policy, context);
        let widened = policy.text.map(denying_all);
        let seen = ResourcePolicy {
            text: widened.as_deref().or(policy.text),
            ..policy
        };
        let add = |mut statement: Value| {
            statement["Action"] = json!(PUBLISH);
            policy.with_statement(statement).map(Some)
        };
        spares_own(tls_only(seen, Severity::Low, add, TopicChange::Policy), context)
    },
};

/// What SNS lets a policy deny of what goes over the wire with a message in it.
const PUBLISH: &str = "sns:Publish";

/// A policy whose denials of publishing deny everything: SNS takes no wildcard in an action, so such a denial is all that there can be.
fn denying_all(policy: &str) -> String {
    let Ok(mut parsed) = serde_json::from_str::<Value>(policy) else {
        return policy.to_owned();
    };
    let statements = match &mut parsed["Statement"] {
        Value::Array(all) => all.iter_mut().collect(),
        one => vec![one],
    };
    for statement in statements.into_iter().filter(|one| one["Effect"] == "Deny") {
        let publish = |action: &Value| {
            action
                .as_str()
                .is_some_and(|action| action.eq_ignore_ascii_case(PUBLISH))
        };
        let denies = match &statement["Action"] {
            Value::Array(all) => all.iter().any(publish),
            one => publish(one),
        };
        if denies {
            statement["Action"] = json!("sns:*");
        }
    }
    parsed.to_string()
}

#[cfg(test)]
mod tests {
    use portcullis_core::testing::{judging, resource};
    use portcullis_core::{Observed, Settings};

    use super::*;

    const ARN: &str = "arn:aws:sns:eu-west-1:111122223333:news";

    #[test]
    fn publishing_over_plain_http_is_denied_once_by_what_sns_takes() {
        let own =
            json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sns:Publish", "Resource": ARN});
        let judged = |text: String| {
            let topic = Topic {
                policy: Observed::Is(text),
                ..Topic::default()
            };
            judging(&resource("AWS::SNS::Topic", ARN), &Settings::default(), |context| {
                (CONTROL.judge)(&topic, context)
            })
        };
        let policy = |statements: &[&Value]| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let found = judged(policy(&[&own])).finding().unwrap();
        let [TopicChange::Policy(Some(with))] = found.remedies.as_slice() else {
            panic!("{found:?}")
        };
        assert!(!with.contains("sns:*") && with.contains(&own.to_string()), "{with}");
        assert_eq!(judged(with.clone()), Judgement::Compliant);
        // A denial of something else, or to somebody only, is none.
        assert_ne!(
            judged(with.replacen(
                "\"Action\":\"sns:Publish\",\"Resource\":\"arn:aws:sns:eu-west-1:111122223333:news\",\"Condition",
                "\"Action\":\"sns:Subscribe\",\"Resource\":\"arn:aws:sns:eu-west-1:111122223333:news\",\"Condition",
                1
            )),
            Judgement::Compliant
        );
        assert_ne!(
            judged(with.replace("\"*\"", "{\"AWS\":\"444455556666\"}")),
            Judgement::Compliant
        );
    }

    #[test]
    fn our_own_topic_is_told_of_and_left() {
        let topic = Topic {
            policy: Observed::Is(json!({"Statement": []}).to_string()),
            ..Topic::default()
        };
        judging(
            &resource(
                "AWS::SNS::Topic",
                "arn:aws:sns:eu-west-1:111122223333:portcullis-alerts",
            ),
            &Settings::default(),
            |context| {
                let found = (CONTROL.judge)(&topic, context).finding().unwrap();
                assert!(found.remedies.is_empty() && found.only_notify.is_some());
            },
        );
    }
}
