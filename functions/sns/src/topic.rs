//! Topics: what is read and changed of them, and which events name them.

use portcullis_controls::encryption::Key;
use portcullis_controls::same_in_meaning;
use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Finding, JudgeContext, Judgement, Location, Observed, Resource, ResourceType, Settings, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

/// The event source of SNS's calls.
pub const SOURCE: &str = "sns.amazonaws.com";

/// A topic as read: `GetTopicAttributes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct Topic {
    /// Its policy. There is always one.
    #[fact(read("sns:GetTopicAttributes"), write("sns:SetTopicAttributes"), policy)]
    pub policy: Observed<String>,
    /// The key of KMS that it is encrypted with; absent where it has none.
    #[fact(read("sns:GetTopicAttributes", "kms:DescribeKey"), write("sns:SetTopicAttributes"))]
    pub encryption: Observed<Encryption>,
    /// Its tags; none reads as an empty map.
    #[fact(tags, read("sns:ListTagsForResource"))]
    pub tags: Observed<Tags>,
}

/// Server-side encryption with a key of KMS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// The key as the topic names it, by id, ARN or alias.
    pub name: String,
    /// The one that the name stands for.
    pub key: Key,
}

/// Topics. The classification of the data is in their tags.
pub const TYPE: ResourceType<Topic> = ResourceType {
    name: "AWS::SNS::Topic",
    arn_form: "sns:{r}:{a}:{n}",
    source: SOURCE,
    always: &[TopicFact::Tags],
    list_actions: &["sns:ListTopics"],
    creates: &["CreateTopic"],
    deletes: &["DeleteTopic"],
    named,
    identified: |id, location| parsed(id, location).filter(|topic| topic.place() == *location),
    matters,
    // SNS writes a policy anew: it reorders its parts, and names an account by its ARN.
    comparable: |topic| Topic {
        policy: same_in_meaning(&topic.policy),
        ..topic.clone()
    },
    ..ResourceType::REGIONAL
};

/// What is wrong with the topic of our own alerts is told and left to a person: a slip in its policy or its key would end all alerts,
/// that of the slip included.
pub fn spares_own(judged: Judgement<TopicChange>, context: &JudgeContext<'_>) -> Judgement<TopicChange> {
    match judged {
        Judgement::Violated(finding) if context.resource.arn == context.own_topic => {
            let why = "it is the topic of Portcullis's own alerts, which its stack looks after";
            Finding {
                remedies: Vec::new(),
                ..finding.only_notify(why)
            }
            .into()
        }
        other => other,
    }
}

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    let arn = match call.name.as_str() {
        // It answers for a topic that was there before as well. Source: SNS API Reference, `CreateTopic`.
        "CreateTopic" => field(&call.response, "topicArn")
            .and_then(string)
            .or(call.parameter("name")?),
        "TagResource" | "UntagResource" => call.parameter("resourceArn")?,
        _ => call.parameter("topicArn")?,
    };
    let arn = arn.or_else(|| call.resources.first().cloned());
    let arn = arn.ok_or_else(|| EventError::Missing("requestParameters.topicArn".into()))?;
    let found = parsed(&arn, &call.place());
    let found = found.ok_or_else(|| EventError::parameter("topicArn", "a topic's ARN", &arn.into()))?;
    Ok([found]
        .into_iter()
        .filter(|topic| topic.account == call.account)
        .collect())
}

/// The topic that an ARN or a name stands for. Source: SNS API Reference, `CreateTopic`, `Name`.
fn parsed(text: &str, location: &Location) -> Option<Resource> {
    let topic = Resource::named(TYPE.name, "sns", "", text, location)?;
    let plain = topic.id.strip_suffix(".fifo").unwrap_or(&topic.id);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_name = !plain.is_empty() && topic.id.len() <= 256 && plain.bytes().all(allowed);
    is_name.then_some(topic)
}

/// Most attributes, such as the display name, and most tags change nothing that is judged.
fn matters(call: &Call, settings: &Settings) -> bool {
    match call.name.as_str() {
        "SetTopicAttributes" => {
            let name = call.parameter("attributeName").ok().flatten();
            name.is_none_or(|name| ["KmsMasterKeyId", "Policy"].contains(&name.as_str()))
        }
        "TagResource" | "UntagResource" => call.tags_matter(settings),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_named_by_arn_and_by_name_and_a_subscription_is_none() {
        let (account, region) = ("111122223333".to_owned(), "eu-west-1".to_owned());
        let location = Location { account, region };
        let found = |text: &str| parsed(text, &location).map(|topic| topic.arn);
        let arn = "arn:aws:sns:eu-west-1:111122223333:jobs.fifo";
        for text in [arn, "jobs.fifo"] {
            assert_eq!(found(text).as_deref(), Some(arn), "{text}");
        }
        let subscription = "arn:aws:sns:eu-west-1:111122223333:jobs:8a21d249-4329-4871-acc6-7be709c6ea7f";
        for text in [
            "",
            "jobs.other",
            ".fifo",
            "arn:aws:sqs:eu-west-1:111122223333:jobs",
            subscription,
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
