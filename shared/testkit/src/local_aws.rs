//! A local AWS with an account for each test.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use serde_json::{Map, Value, json};

use crate::{Call, Endpoint, Fault, Message, http, launcher, loopback, random};

/// The region that tests run in unless they say otherwise.
pub(crate) const REGION: &str = "us-east-1";

/// An AWS account of the test's own in a local AWS. Clones are the same account.
///
/// Its resources, calls and faults are apart from those of other tests, so that tests run beside each other. Only
/// bucket names are shared, as in AWS: take them from [`LocalAws::unique`].
#[derive(Debug, Clone)]
pub struct LocalAws(Arc<Account>);

#[derive(Debug)]
struct Account {
    endpoint: Endpoint,
    id: String,
    tester: Keys,
    function: Keys,
}

/// The keys of one assumed role.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: String,
}

/// What a function finds deployed beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The name of the ledger table.
    pub table: String,
    /// The topic that alerts go to.
    pub topic_arn: String,
}

impl LocalAws {
    /// A new account in the local AWS that `PORTCULLIS_LOCAL_AWS` names, or in one that is started for this process.
    ///
    /// # Panics
    /// If the endpoint isn't on loopback, or no local AWS can be had.
    pub async fn start() -> Self {
        let endpoint = launcher::endpoint().await.unwrap_or_else(|why| panic!("{why}"));
        Self::at(endpoint).await
    }

    /// A new account in the local AWS at this endpoint.
    pub async fn at(endpoint: Endpoint) -> Self {
        Self::of_account(endpoint, &random::account()).await
    }

    /// This account in the local AWS at this endpoint.
    pub async fn of_account(endpoint: Endpoint, id: &str) -> Self {
        let id = id.to_owned();
        let tester = assume_role(endpoint, &id, "tester").await;
        let function = assume_role(endpoint, &id, FUNCTION_ROLE).await;
        Self(Arc::new(Account {
            endpoint,
            id,
            tester,
            function,
        }))
    }

    /// Where it listens.
    pub fn endpoint(&self) -> Endpoint {
        self.0.endpoint
    }

    /// The id of the account.
    pub fn account(&self) -> &str {
        &self.0.id
    }

    /// The role that the function runs under, for "own changes are ignored".
    pub fn role_arn(&self) -> String {
        format!("arn:aws:iam::{}:role/{FUNCTION_ROLE}", self.account())
    }

    /// The function's keys.
    pub(crate) fn function_keys(&self) -> &Keys {
        &self.0.function
    }

    /// For the test's own clients, in us-east-1. Nothing is read from the environment or from files.
    pub fn sdk_config(&self) -> SdkConfig {
        self.sdk_config_in(REGION)
    }

    /// For the test's own clients in another region.
    pub fn sdk_config_in(&self, region: &str) -> SdkConfig {
        let keys = &self.0.tester;
        let credentials = Credentials::new(
            keys.id.clone(),
            keys.secret.clone(),
            Some(keys.token.clone()),
            None,
            "testkit",
        );
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(self.endpoint().to_string())
            .http_client(loopback::http_client())
            .build()
    }

    /// A name that no other test has: bucket names are one namespace for all accounts.
    pub fn unique(&self, name: &str) -> String {
        format!("{name}-{:012x}", random::bits() & 0xffff_ffff_ffff)
    }

    /// Makes what the stack makes for a function, in us-east-1: the ledger table and the topic.
    pub async fn deploy(&self) -> Deployment {
        self.deploy_in(REGION).await
    }

    /// Makes what the stack makes for a function in another region.
    pub async fn deploy_in(&self, region: &str) -> Deployment {
        let config = self.sdk_config_in(region);
        let table = self.unique("ledger");
        create_ledger(&aws_sdk_dynamodb::Client::new(&config), &table).await;
        let topic = aws_sdk_sns::Client::new(&config)
            .create_topic()
            .name(self.unique("alerts"))
            .send()
            .await
            .expect("create the topic");
        Deployment {
            table,
            topic_arn: topic.topic_arn.expect("the topic's ARN"),
        }
    }

    /// The calls that functions made in this account, in the order of their beginnings; the test's own are not among
    /// them.
    pub async fn calls(&self) -> Vec<Call> {
        self.calls_after(0).await
    }

    /// The calls, without the first so many that were answered.
    pub(crate) async fn calls_after(&self, answered: usize) -> Vec<Call> {
        let list = self
            .control("GET", &format!("/_calls?key={}", self.0.function.id), &json!(null))
            .await;
        let all: Vec<Call> =
            serde_json::from_value(list.clone()).unwrap_or_else(|e| panic!("the list of calls: {e} in {list}"));
        let mut calls: Vec<Call> = all.into_iter().skip(answered).collect();
        calls.sort_by(|a, b| a.started_ms.total_cmp(&b.started_ms));
        calls
    }

    /// Forgets the calls made so far.
    pub async fn clear_calls(&self) {
        self.control("DELETE", &format!("/_calls?key={}", self.0.function.id), &json!(null))
            .await;
    }

    /// Waits until functions have called this action (`s3:PutBucketPolicy`) so often, to act in the middle of an
    /// invocation. A call counts when it has been answered.
    ///
    /// # Panics
    /// If that does not happen within ten seconds.
    pub async fn wait_for_call(&self, name: &str, times: usize) {
        let began = Instant::now();
        loop {
            let calls = self.calls().await;
            if calls.iter().filter(|call| call.name() == name).count() >= times {
                return;
            }
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "no {name} came, only {}",
                crate::table(&calls)
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Lets this befall the function's calls, instead of what was told before.
    pub async fn fault(&self, fault: Fault) {
        self.faults(&[fault]).await;
    }

    /// Lets these befall the function's calls, instead of what was told before. The first that fits a call decides.
    pub async fn faults(&self, faults: &[Fault]) {
        let key = &self.0.function.id;
        let rules: Value = faults.iter().map(|fault| fault.to_json(key)).collect();
        self.control("POST", &format!("/_fault?key={key}"), &rules).await;
    }

    /// Whether everything has befallen the function's calls that was to.
    pub async fn faults_spent(&self) -> bool {
        let rules = self
            .control("GET", &format!("/_fault?key={}", self.0.function.id), &json!(null))
            .await;
        rules
            .as_array()
            .is_some_and(|rules| rules.iter().all(|rule| rule["times"] == 0))
    }

    /// Nothing befalls the function's calls any more.
    pub async fn clear_faults(&self) {
        self.faults(&[]).await;
    }

    /// Lets every call of the function take this much longer, so that calls sent together surely overlap: what
    /// [`rounds`](crate::rounds) needs to be exact.
    pub async fn slow(&self, delay: Duration) {
        self.fault(Fault::on_all().delay(delay).always()).await;
    }

    /// The messages published to a topic, oldest first.
    pub async fn messages(&self, topic_arn: &str) -> Vec<Message> {
        let list = self
            .control("GET", &format!("/_sns?topic={topic_arn}"), &json!(null))
            .await;
        list.as_array().into_iter().flatten().map(Message::parse).collect()
    }

    /// The items of a ledger table in us-east-1 as plain JSON, ordered by their keys.
    pub async fn ledger_items(&self, table: &str) -> Vec<Value> {
        self.ledger_items_in(REGION, table).await
    }

    /// The items of a ledger table in another region.
    pub async fn ledger_items_in(&self, region: &str, table: &str) -> Vec<Value> {
        let mut pages = aws_sdk_dynamodb::Client::new(&self.sdk_config_in(region))
            .scan()
            .table_name(table)
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(plain(&AttributeValue::M(item.expect("scan the ledger"))));
        }
        items.sort_by_key(|item| (item["pk"].to_string(), item["sk"].to_string()));
        items
    }

    /// One request to the launcher itself.
    async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let headers = [("content-type", "application/json")];
        let answer = http::send(self.endpoint().address(), method, path, &headers, body)
            .await
            .unwrap_or_else(|why| panic!("the local AWS: {why}"));
        assert!(
            answer.status().is_success(),
            "the local AWS: {method} {path}: {} {}",
            answer.status(),
            String::from_utf8_lossy(answer.body())
        );
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }
}

/// The name of the role that functions run under.
const FUNCTION_ROLE: &str = "portcullis";

/// Keys of an account come from assuming a role in it: the local AWS asks no trust, and makes the account.
async fn assume_role(endpoint: Endpoint, account: &str, role: &str) -> Keys {
    let body = format!(
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::{account}:role/{role}&RoleSessionName=testkit"
    );
    // Only the service and the region in it are read; the signature isn't.
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=testkit/20260101/{REGION}/sts/aws4_request, SignedHeaders=host, Signature=0"
    );
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let answer = http::send(endpoint.address(), "POST", "/", &headers, body)
        .await
        .unwrap_or_else(|why| panic!("no local AWS at {endpoint}: {why}"));
    let xml = String::from_utf8_lossy(answer.body());
    let element = |name: &str| {
        let rest = xml.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
        let text = rest
            .and_then(|rest| rest.split_once(&format!("</{name}>")))
            .map(|(text, _)| text);
        text.unwrap_or_else(|| {
            panic!(
                "{endpoint} is no local AWS: AssumeRole answered {} {xml}",
                answer.status()
            )
        })
        .to_owned()
    };
    Keys {
        id: element("AccessKeyId"),
        secret: element("SecretAccessKey"),
        token: element("SessionToken"),
    }
}

/// The ledger table as the stack defines it.
async fn create_ledger(client: &aws_sdk_dynamodb::Client, table: &str) {
    let attribute = |name: &str| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .expect("an attribute definition")
    };
    let index = |name: &str, keys: Vec<KeySchemaElement>, projection: ProjectionType| {
        GlobalSecondaryIndex::builder()
            .index_name(name)
            .set_key_schema(Some(keys))
            .projection(Projection::builder().projection_type(projection).build())
            .build()
            .expect("an index")
    };
    client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(["pk", "sk", "todo", "since", "id"].map(attribute).to_vec()))
        .set_key_schema(Some(vec![key("pk", KeyType::Hash), key("sk", KeyType::Range)]))
        .global_secondary_indexes(index(
            "todo",
            vec![key("todo", KeyType::Hash), key("since", KeyType::Range)],
            ProjectionType::All,
        ))
        .global_secondary_indexes(index("by-id", vec![key("id", KeyType::Hash)], ProjectionType::KeysOnly))
        .send()
        .await
        .expect("create the ledger table");
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .expect("a key schema element")
}

/// An attribute value without its type: what a person would write.
fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => serde_json::from_str(number).unwrap_or_else(|_| json!(number)),
        AttributeValue::Bool(flag) => json!(flag),
        AttributeValue::L(list) => list.iter().map(plain).collect(),
        AttributeValue::M(map) => {
            let mut members: Vec<_> = map.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect::<Map<_, _>>())
        }
        AttributeValue::Ss(set) | AttributeValue::Ns(set) => json!(set),
        AttributeValue::B(bytes) => json!(bytes.as_ref()),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_values_become_plain_json() {
        let item = AttributeValue::M(
            [
                ("when".to_owned(), AttributeValue::N("17".into())),
                ("done".to_owned(), AttributeValue::Bool(false)),
                ("none".to_owned(), AttributeValue::Null(true)),
                (
                    "list".to_owned(),
                    AttributeValue::L(vec![AttributeValue::S("a".into())]),
                ),
            ]
            .into(),
        );
        assert_eq!(
            plain(&item).to_string(),
            r#"{"done":false,"list":["a"],"none":null,"when":17}"#
        );
    }
}
