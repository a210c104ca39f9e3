//! Queues: what is read and changed of them, and which events name them.

use portcullis_controls::encryption::Key;
use portcullis_core::event::{Call, EventError, field, string};
use portcullis_core::{Location, Observed, Resource, ResourceType, Settings, Tags};
use portcullis_derive::Facts;
use serde::{Deserialize, Serialize};

/// The event source of SQS's calls.
pub const SOURCE: &str = "sqs.amazonaws.com";

/// A queue as read: `GetQueueAttributes`, of the URL that `GetQueueUrl` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct Queue {
    /// Its policy, byte for byte.
    #[fact(
        read("sqs:GetQueueUrl", "sqs:GetQueueAttributes"),
        write("sqs:SetQueueAttributes"),
        policy
    )]
    pub policy: Observed<String>,
    /// Its server-side encryption; absent where it is off.
    #[fact(
        read("sqs:GetQueueUrl", "sqs:GetQueueAttributes", "kms:DescribeKey"),
        write("sqs:SetQueueAttributes")
    )]
    pub encryption: Observed<Encryption>,
    /// Its tags; none reads as an empty map.
    #[fact(tags, read("sqs:ListQueueTags"))]
    pub tags: Observed<Tags>,
}

/// Server-side encryption. A queue has one kind or the other. Source: SQS Developer Guide, "Encryption at rest in Amazon SQS".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// SSE-SQS: with keys that SQS owns.
    Sqs,
    /// SSE-KMS, with the key as the queue names it, by id, ARN or alias, and the one that the name stands for.
    Kms(String, Key),
}

/// Queues. The classification of the data is in their tags.
pub const TYPE: ResourceType<Queue> = ResourceType {
    name: "AWS::SQS::Queue",
    arn_form: "sqs:{r}:{a}:{n}",
    source: SOURCE,
    always: &[QueueFact::Tags],
    list_actions: &["sqs:ListQueues"],
    creates: &["CreateQueue"],
    deletes: &["DeleteQueue"],
    named,
    identified: |id, location| parsed(id, location).filter(|queue| queue.place() == *location),
    matters,
    ..ResourceType::REGIONAL
};

fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    let url = match call.name.as_str() {
        "CreateQueue" => field(&call.response, "queueUrl").and_then(string),
        _ => call.parameter("queueUrl")?,
    };
    let queue = url
        .or_else(|| call.resources.first().cloned())
        .or(call.parameter("queueName")?);
    let queue = queue.ok_or_else(|| EventError::Missing("requestParameters.queueUrl".into()))?;
    let found = parsed(&queue, &call.place());
    let found = found.ok_or_else(|| EventError::parameter("queueUrl", "a queue's URL", &queue.into()))?;
    Ok([found]
        .into_iter()
        .filter(|queue| queue.account == call.account)
        .collect())
}

/// The queue that a URL, an ARN or a name stands for. The hosts of URLs vary, so account and name come from the path. Source: SQS
/// Developer Guide, "Amazon SQS queue and message identifiers"; SQS API Reference, `CreateQueue`, `QueueName`.
fn parsed(text: &str, location: &Location) -> Option<Resource> {
    let mut location = location.clone();
    let mut path = text.rsplit('/');
    let name = path.next()?;
    location.account = path.next().map_or(location.account, str::to_owned);
    let queue = Resource::named(TYPE.name, "sqs", "", name, &location)?;
    let plain = queue.id.strip_suffix(".fifo").unwrap_or(&queue.id);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let is_name = !plain.is_empty() && queue.id.len() <= 80 && plain.bytes().all(allowed);
    is_name.then_some(queue)
}

/// Most attributes, such as the visibility timeout, and most tags change nothing that is judged.
fn matters(call: &Call, settings: &Settings) -> bool {
    const JUDGED: [&str; 3] = ["KmsMasterKeyId", "Policy", "SqsManagedSseEnabled"];
    let any = |names: &str, matter: &dyn Fn(&str) -> bool| {
        call.names(names)
            .is_none_or(|names| names.iter().any(|name| matter(name)))
    };
    match call.name.as_str() {
        "SetQueueAttributes" => any("attributes", &|name| JUDGED.contains(&name)),
        "TagQueue" => any("tags", &|key| settings.knows_tag(key)),
        "UntagQueue" => any("tagKeys", &|key| settings.knows_tag(key)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_by_url_by_arn_and_by_name() {
        let (account, region) = ("111122223333".to_owned(), "eu-west-1".to_owned());
        let location = Location { account, region };
        let found = |text: &str| parsed(text, &location).map(|queue| queue.arn);
        for text in [
            "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs.fifo",
            "https://eu-west-1.queue.amazonaws.com/111122223333/jobs.fifo",
            "arn:aws:sqs:eu-west-1:111122223333:jobs.fifo",
            "jobs.fifo",
        ] {
            let arn = "arn:aws:sqs:eu-west-1:111122223333:jobs.fifo";
            assert_eq!(found(text).as_deref(), Some(arn), "{text}");
        }
        for text in [
            "",
            "jobs.other",
            ".fifo",
            "https://sqs.eu-west-1.amazonaws.com/111122223333/",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
