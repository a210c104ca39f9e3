use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::{Call, CloudTrail, Deployment, Function, FunctionBuilder, Invocation, LocalAws, Message};

/// An account of the test's own, with what the stack makes for the function.
#[derive(Debug, Clone)]
pub struct World {
    /// The account.
    pub aws: LocalAws,
    /// Its ledger and topic.
    pub stack: Deployment,
    /// Where everything is.
    pub region: String,
}

impl World {
    /// A new one in us-east-1.
    pub async fn new() -> Self {
        Self::in_region("us-east-1").await
    }

    /// A new one elsewhere.
    pub async fn in_region(region: &str) -> Self {
        Self::of(LocalAws::start().await, region).await
    }

    /// What the stack makes, in a region of this account.
    pub async fn of(aws: LocalAws, region: &str) -> Self {
        let stack = aws.deploy_in(region).await;
        Self {
            aws,
            stack,
            region: region.to_owned(),
        }
    }

    /// The same account as the test's clients see it, in the world's region.
    pub fn sdk_config(&self) -> aws_config::SdkConfig {
        self.aws.sdk_config_in(&self.region)
    }

    /// The real function of this name, in enforce mode unless told otherwise.
    pub fn function_of(&self, name: &str) -> FunctionBuilder {
        let function = Function::new(name, &self.aws).deployment(&self.stack);
        function.region(&self.region).mode("enforce")
    }

    /// The ARN of something in this account and region: `arn("sqs", "jobs")`.
    pub fn arn(&self, service: &str, path: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{path}", self.region, self.aws.account())
    }

    /// A call in this account and region.
    pub fn call(&self, source: &str, name: &str, params: Value) -> CloudTrail {
        CloudTrail::call(source, name)
            .params(params)
            .account(self.aws.account())
            .region(&self.region)
    }

    /// The alerts so far.
    pub async fn alerts(&self) -> Vec<Message> {
        self.aws.messages(&self.stack.topic_arn).await
    }

    /// The closed records of the ledger, oldest first, and whether any record is open.
    pub async fn records(&self) -> (Vec<Value>, bool) {
        let items = self.aws.ledger_items_in(&self.region, &self.stack.table).await;
        let document =
            |item: &Value| serde_json::from_str::<Value>(item["document"].as_str().unwrap_or_default()).unwrap();
        let closed = items
            .iter()
            .filter(|item| item["sk"].as_str().is_some_and(|sort| sort.starts_with("record#")));
        let mut closed: Vec<_> = closed.map(document).collect();
        closed.sort_by_key(|record| record["report"]["ledger_id"].to_string());
        (closed, items.iter().any(|item| item["sk"] == "~open"))
    }

    /// Lets the minute pass after which Lambda retries: by then, the lease of an invocation that broke off has ended.
    pub async fn a_minute_later(&self) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws.sdk_config_in(&self.region));
        for item in self.aws.ledger_items_in(&self.region, &self.stack.table).await {
            if item["sk"] != "~open" {
                continue;
            }
            let key = |name: &str| AttributeValue::S(item[name].as_str().unwrap_or_default().to_owned());
            let update = client.update_item().table_name(&self.stack.table);
            update
                .key("pk", key("pk"))
                .key("sk", key("sk"))
                .update_expression("SET lease_until = :over")
                .expression_attribute_values(":over", AttributeValue::N("0".into()))
                .send()
                .await
                .expect("end the lease");
        }
    }

    /// The holds and the findings last told of the only resource in the ledger.
    pub async fn status(&self) -> Value {
        let items = self.aws.ledger_items_in(&self.region, &self.stack.table).await;
        let status = items.iter().find(|item| item["sk"] == "~status");
        status.map_or(json!({}), |item| {
            serde_json::from_str(item["document"].as_str().unwrap()).unwrap()
        })
    }
}

/// What a function answered, read as tests need it.
pub trait Answered {
    /// The answer.
    fn answer(&self) -> &Value;

    /// The outcome of the only resource.
    fn outcome(&self) -> String {
        outcome_of(self.answer())
    }
}

impl Answered for Invocation {
    #[track_caller]
    fn answer(&self) -> &Value {
        match &self.result {
            Ok(answer) => answer,
            Err(error) => panic!(
                "the function failed: {error}\n{}{}",
                self.logs.join("\n"),
                crate::table(&self.calls)
            ),
        }
    }
}

/// The part of an answer that is about the only resource.
#[track_caller]
pub fn resource_of(answer: &Value) -> &Value {
    match answer["resources"].as_array().map(Vec::as_slice) {
        Some([only]) => only,
        Some(_) => panic!("expected one resource in {answer}"),
        None => answer,
    }
}

/// Its outcome.
pub fn outcome_of(answer: &Value) -> String {
    let resource = resource_of(answer);
    resource["outcome"].as_str().unwrap_or_default().to_owned()
}

/// The ledger id of its record.
#[track_caller]
pub fn record_of(answer: &Value) -> String {
    let record = resource_of(answer)["record"].as_str();
    record.unwrap_or_else(|| panic!("no record in {answer}")).to_owned()
}

/// Undoes what an invocation did.
pub async fn put_back(function: &Function, done: &Invocation) -> Invocation {
    put_back_record(function, &record_of(done.answer())).await
}

/// Undoes a record.
pub async fn put_back_record(function: &Function, id: &str) -> Invocation {
    let undone = function.invoke(json!({"restore": id, "by": "ana"})).await;
    assert_eq!(undone.outcome(), "restored", "{:?}", undone.result);
    undone
}

/// Its outcomes by control.
pub fn controls_in(answer: &Value) -> BTreeMap<String, String> {
    let controls = resource_of(answer)["controls"].as_object().into_iter().flatten();
    controls
        .map(|(id, outcome)| (id.clone(), outcome.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// The outcome of one control, which is the only one told.
pub fn told(control: &str, outcome: &str) -> BTreeMap<String, String> {
    [(control.to_owned(), outcome.to_owned())].into()
}

/// The calls that change something at a service, by their names alone.
pub fn writes_to(service: &str, calls: &[Call]) -> Vec<String> {
    let own = calls.iter().filter(|call| call.service == service && !call.is_read());
    own.map(|call| call.action.clone()).collect()
}

/// The calls that change something, but for the ledger, the alert and what is scheduled, by their names alone.
pub fn changes(calls: &[Call]) -> Vec<String> {
    let made = calls.iter().filter(|call| !call.is_read() && !call.is_own());
    made.map(|call| call.action.clone()).collect()
}
