//! Talking to AWS: the only file of this function that does.

use std::collections::BTreeSet;

use aws_sdk_sns::Client;
use portcullis_controls::Keys;
use portcullis_core::{Location, Observed, Resource, Tags};
use portcullis_runtime::{Adapter, AwsError, Handler, Page, Regional, SdkConfig, done, unless};

use crate::controls::TOPICS;
use crate::topic::{Encryption, TYPE, Topic, TopicChange, TopicFact};

/// There is no such topic. Source: SNS API Reference, `GetTopicAttributes` and `ListTagsForResource`, "Errors".
const GONE: [&str; 3] = ["NotFound", "ResourceNotFound", "NotFoundException"];

struct Aws {
    sns: Regional<Client>,
    keys: Keys,
}

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let (sns, keys) = (Regional::new(&config, Client::new), Keys::new(&config));
    vec![portcullis_runtime::serve(TOPICS, Aws { sns, keys })]
}

impl Aws {
    async fn read(&self, topic: &Resource, facts: &BTreeSet<TopicFact>) -> Result<Topic, AwsError> {
        let sns = self.sns.of(&topic.region);
        let answer = sns.get_topic_attributes().topic_arn(&topic.arn).send().await;
        let attributes = done("GetTopicAttributes", answer)?.attributes.unwrap_or_default();
        let answer = sns.list_tags_for_resource().resource_arn(&topic.arn).send().await;
        let tags = done("ListTagsForResource", answer)?.tags.unwrap_or_default();
        let set = |name| attributes.get(name).filter(|value| !value.is_empty());
        let encryption = match set("KmsMasterKeyId") {
            _ if !facts.contains(&TopicFact::Encryption) => Observed::Unread,
            None => Observed::Absent,
            Some(name) => Observed::Is(Encryption {
                name: name.clone(),
                key: self.keys.named(topic, name).await?,
            }),
        };
        Ok(Topic {
            policy: AwsError::policy("GetTopicAttributes", set("Policy").cloned())?.into(),
            encryption,
            tags: Observed::Is(tags.into_iter().map(|tag| (tag.key, tag.value)).collect::<Tags>()),
        })
    }
}

impl Adapter for Aws {
    type State = Topic;

    async fn observe(&self, topic: &Resource, facts: &BTreeSet<TopicFact>) -> Result<Option<Topic>, AwsError> {
        unless(&GONE, self.read(topic, facts).await)
    }

    async fn list(&self, location: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let list = self.sns.of(&location.region).list_topics().set_next_token(from);
        let page = done("ListTopics", list.send().await)?;
        let arns = page
            .topics
            .unwrap_or_default()
            .into_iter()
            .filter_map(|topic| topic.topic_arn);
        Ok(Page {
            resources: arns.filter_map(|arn| (TYPE.identified)(&arn, location)).collect(),
            next: page.next_token,
        })
    }

    async fn execute(&self, topic: &Resource, change: &TopicChange) -> Result<(), AwsError> {
        // An empty text is no key. Source: SNS API Reference, `SetTopicAttributes`. No policy is none that SNS takes, and says so.
        let (name, value) = match change {
            TopicChange::Policy(policy) => ("Policy", policy.as_deref()),
            TopicChange::Encryption(key) => ("KmsMasterKeyId", key.as_ref().map(|key| key.name.as_str())),
        };
        let set = self.sns.of(&topic.region).set_topic_attributes().topic_arn(&topic.arn);
        let set = set.attribute_name(name).attribute_value(value.unwrap_or_default());
        done("SetTopicAttributes", set.send().await).map(drop)
    }
}
