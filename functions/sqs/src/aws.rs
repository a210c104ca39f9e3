//! Talking to AWS: the only file of this function that does.

use std::collections::BTreeSet;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use portcullis_controls::Keys;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, Handler, PAGE, Page, Regional, SdkConfig, done, unless};

use crate::controls::QUEUES;
use crate::queue::{Encryption, Queue, QueueChange, QueueFact, TYPE};

/// There is no such queue. Source: SQS API Reference, "Common errors"; the second is the older protocol's.
const GONE: [&str; 2] = ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];

struct Aws {
    sqs: Regional<Client>,
    keys: Keys,
}

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let (sqs, keys) = (Regional::new(&config, Client::new), Keys::new(&config));
    vec![portcullis_runtime::serve(QUEUES, Aws { sqs, keys })]
}

impl Aws {
    /// The URL of a queue, which nobody may build from its parts. Source: SQS Developer Guide, "Amazon SQS queue and message
    /// identifiers".
    async fn url(&self, queue: &Resource) -> Result<String, AwsError> {
        let get = self.sqs.of(&queue.region).get_queue_url().queue_name(&queue.id);
        let answer = get.queue_owner_aws_account_id(&queue.account).send().await;
        Ok(done("GetQueueUrl", answer)?.queue_url.unwrap_or_default())
    }

    async fn read(&self, queue: &Resource, facts: &BTreeSet<QueueFact>) -> Result<Queue, AwsError> {
        let (sqs, url) = (self.sqs.of(&queue.region), self.url(queue).await?);
        let tags = done("ListQueueTags", sqs.list_queue_tags().queue_url(&url).send().await)?;
        let get = sqs.get_queue_attributes().queue_url(&url);
        let answer = get.attribute_names(Name::All).send().await;
        let attributes = done("GetQueueAttributes", answer)?.attributes.unwrap_or_default();
        let set = |name| attributes.get(&name).filter(|value| !value.is_empty());
        let encryption = match (set(Name::KmsMasterKeyId), set(Name::SqsManagedSseEnabled)) {
            _ if !facts.contains(&QueueFact::Encryption) => Observed::Unread,
            (Some(name), _) => Observed::Is(Encryption::Kms(name.clone(), self.keys.named(queue, name).await?)),
            (None, Some(on)) if on == "true" => Observed::Is(Encryption::Sqs),
            _ => Observed::Absent,
        };
        Ok(Queue {
            policy: AwsError::policy("GetQueueAttributes", set(Name::Policy).cloned())?.into(),
            encryption,
            tags: Observed::Is(tags.tags.unwrap_or_default().into_iter().collect()),
        })
    }
}

impl Adapter for Aws {
    type State = Queue;

    async fn observe(&self, queue: &Resource, facts: &BTreeSet<QueueFact>) -> Result<Option<Queue>, AwsError> {
        unless(&GONE, self.read(queue, facts).await)
    }

    async fn list(&self, location: &Location, from: Option<String>) -> Result<Page, AwsError> {
        // Without the most results that a page may have, no token comes back. Source: SQS API Reference, `ListQueues`.
        let list = self.sqs.of(&location.region).list_queues().max_results(PAGE);
        let page = done("ListQueues", list.set_next_token(from).send().await)?;
        let urls = page.queue_urls.unwrap_or_default().into_iter();
        Ok(Page {
            resources: urls.filter_map(|url| (TYPE.identified)(&url, location)).collect(),
            next: page.next_token,
        })
    }

    async fn execute(&self, queue: &Resource, change: &QueueChange) -> Result<(), AwsError> {
        let set = self.sqs.of(&queue.region).set_queue_attributes();
        let set = set.queue_url(self.url(queue).await?);
        // An empty text is none. Source: SQS API Reference, `SetQueueAttributes`.
        let set = match change {
            QueueChange::Policy(policy) => set.attributes(Name::Policy, policy.as_deref().unwrap_or_default()),
            QueueChange::Encryption(Some(Encryption::Kms(key, _))) => set.attributes(Name::KmsMasterKeyId, key),
            QueueChange::Encryption(other) => set
                .attributes(Name::KmsMasterKeyId, "")
                .attributes(Name::SqsManagedSseEnabled, other.is_some().to_string()),
        };
        done("SetQueueAttributes", set.send().await).map(drop)
    }
}
