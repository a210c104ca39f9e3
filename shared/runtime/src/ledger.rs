//! What was, what was done and what came of it: one DynamoDB table.
//!
//! All items of a resource share the partition key `pk`, its ARN, so that one query answers "what happened to it":
//! `~open`, the one record that is not told yet, which is the lease as well; `~status`, what was told and what is held;
//! `record#<id>`, the closed records, by time since ids are UUIDs of version 7; `part#<id>#<number>`, what of a record is larger than one item. `~` sorts last, so a descending query
//! has the two first. The sparse index `todo` answers "what is open" and "what is deferred" (then the status carries the
//! attribute), the index `by-id` finds a record by its id alone. Apart from resources, `budget#<account>` counts what may be
//! disturbed in an hour, and `heartbeat#<function>` holds when its heartbeat was last good
//! and when it last told a sweep.

mod parts;
mod transact;

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::query::QueryError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, Select};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use jiff::Timestamp;
use portcullis_core::{Report, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Noted;
use crate::error::{AwsError, Failure};
use crate::resource_status::Status;

pub use transact::{Opened, WithWrites};

const OPEN: &str = "~open";
const STATUS: &str = "~status";
const DEFERRED: &str = "deferred";
/// Before the function's name: closed records that its sweep has still to tell.
const UNTOLD: &str = "untold by ";
/// The open record and the status: of a resource's items they sort last.
const NEWEST: i32 = 2;
/// So many days after its last change a status is deleted. What is still wrong is told again, and so written anew, long before.
const STATUS_DAYS: i64 = 400;
/// So many days after its last heartbeat a function is forgotten.
const HEARTBEAT_DAYS: i64 = 30;

type Item = HashMap<String, AttributeValue>;

/// The ledger's table.
#[derive(Clone)]
pub struct Ledger {
    client: Client,
    table: String,
}

/// One event's doings on one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What is, or will be, told. While the record is open, its outcomes are intentions.
    pub report: Report,
    /// The whole state before the first change, as far as it was read.
    pub prior: Value,
    /// The changes, in order.
    pub remedies: Vec<Value>,
    /// The record that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<String>,
    /// Whether it has drawn on the hour's budget: once, however often it is retried.
    #[serde(default)]
    pub drawn: bool,
    /// When it was opened.
    pub opened: Timestamp,
}

/// The record that is not told yet, and who is at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    pub record: Record,
    /// The invocation that holds the lease.
    pub owner: String,
    /// The end of the lease, in Unix milliseconds.
    pub until: i64,
}

/// What the ledger holds of one resource.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    pub open: Option<Open>,
    pub status: Status,
    /// What the status item held when it was read, to tell whether somebody changed it since.
    seen: Option<String>,
    /// Whether the status knows of a call that the ledger does not know of yet.
    pub news: bool,
}

impl View {
    /// The open record, if there is one that nobody else is at any more.
    pub fn acquire_lease(&self, resource: &Resource, owner: &str) -> Result<Option<&Open>, Failure> {
        match &self.open {
            Some(open) if open.owner != owner && open.until > Timestamp::now().as_millisecond() => Err(Failure::Busy {
                resource: resource.arn.clone(),
                until: open.until,
            }),
            open => Ok(open.as_ref()),
        }
    }
}

/// A value as the ledger keeps it.
pub fn json_of(value: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::LedgerRecord(error.to_string()))
}

impl Ledger {
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// The resource's open record, status and holds: one consistent query.
    pub async fn read(&self, arn: &str) -> Result<View, Failure> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(arn))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(NEWEST)
            .send()
            .await
            .map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
        let mut view = View::default();
        for item in page.items() {
            match attribute(item, "sk")? {
                OPEN => {
                    let until = number(item, "lease_until")?;
                    view.open = Some(Open {
                        record: self.record(item).await?,
                        owner: attribute(item, "owner")?.to_owned(),
                        until,
                    });
                }
                STATUS => {
                    view.status = document::<Status>(item)?.upgraded();
                    view.seen = Some(attribute(item, "document")?.to_owned());
                }
                _ => {}
            }
        }
        Ok(view)
    }

    /// How much of this hour's budget is left.
    pub async fn left(&self, account: &str, limit: u32, now: Timestamp) -> Result<u32, Failure> {
        let drawn = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .expression_attribute_values(":pk", text(&budget(account)))
            .expression_attribute_values(":sk", text(&hour(now)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
        let drawn = drawn.items().first().map(|item| number(item, "drawn")).transpose()?;
        let left = i64::from(limit) - drawn.unwrap_or_default();
        Ok(u32::try_from(left).unwrap_or_default())
    }

    /// The statuses of the resources with findings that have waited long enough, those that waited longest first.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Status>, Failure> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("todo")
            .key_condition_expression("todo = :deferred AND since <= :now")
            .expression_attribute_values(":deferred", text(DEFERRED))
            .expression_attribute_values(":now", text(&now.to_string()))
            .into_paginator()
            .items()
            .send();
        let mut due = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
            due.push(document(&item)?);
        }
        Ok(due)
    }

    /// How many resources have something that waits, due or not.
    pub async fn waiting(&self) -> Result<u64, Failure> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("todo")
            .key_condition_expression("todo = :deferred")
            .expression_attribute_values(":deferred", text(DEFERRED))
            .select(Select::Count)
            .into_paginator()
            .send();
        let mut waiting = 0;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
            waiting += u64::try_from(page.count()).unwrap_or_default();
        }
        Ok(waiting)
    }

    /// Ends the lease but keeps the record open, so that the retry need not wait. A failure costs only that wait.
    pub async fn give_back(&self, arn: &str, owner: &str) {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(arn))
            .key("sk", text(OPEN))
            .update_expression("SET lease_until = :zero")
            .condition_expression("#owner = :me")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", text(owner))
            .expression_attribute_values(":zero", AttributeValue::N("0".into()));
        match update.send().await.map_err(|error| AwsError::new("UpdateItem", &error)) {
            // It failed before it could open one.
            Err(error) if error.code == "ConditionalCheckFailedException" => {}
            Err(error) => tracing::warn!(resource = arn, error = %error, "the lease ends by itself"),
            Ok(_) => {}
        }
    }

    /// Notes a good heartbeat of a function. Answers since when the function has not told a sweep: its last one, or else its
    /// first heartbeat.
    pub async fn beat(&self, function: &str, now: Timestamp) -> Result<Timestamp, Failure> {
        let noted = self
            .note_of(
                function,
                "SET #at = :now, swept = if_not_exists(swept, :now), expires = :expires",
                now,
            )
            .expression_attribute_names("#at", "at")
            .return_values(ReturnValue::AllNew)
            .send()
            .await
            .map_err(|error| Failure::Ledger(AwsError::new("UpdateItem", &error)))?;
        moment(&noted.attributes.unwrap_or_default(), "swept")
    }

    /// Notes that a function told a sweep.
    pub async fn swept(&self, function: &str, now: Timestamp) -> Result<(), Failure> {
        let noted = self
            .note_of(function, "SET swept = :now, expires = :expires", now)
            .send();
        noted
            .await
            .map(drop)
            .map_err(|error| Failure::Ledger(AwsError::new("UpdateItem", &error)))
    }

    /// When a function's heartbeat was last good.
    pub async fn last_beat(&self, function: &str) -> Result<Option<Timestamp>, Failure> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", text(&heartbeat(function)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
        let beaten = page.items().first().filter(|item| item.contains_key("at"));
        beaten.map(|item| moment(item, "at")).transpose()
    }

    fn note_of(&self, function: &str, update: &str, now: Timestamp) -> UpdateItemFluentBuilder {
        let expires = now.as_second() + HEARTBEAT_DAYS * 24 * 60 * 60;
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(&heartbeat(function)))
            .key("sk", text("last"))
            .update_expression(update)
            .expression_attribute_values(":now", text(&now.to_string()))
            .expression_attribute_values(":expires", AttributeValue::N(expires.to_string()))
    }

    /// The resources whose record is open, and that nobody is at any more.
    pub async fn abandoned(&self, now: Timestamp) -> Result<Vec<Resource>, Failure> {
        let mut items = self.todo("open");
        let mut abandoned = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
            if number(&item, "lease_until")? < now.as_millisecond() {
                abandoned.push(self.record(&item).await?.report.resource);
            }
        }
        Ok(abandoned)
    }

    /// What the sweeps of a function have still to tell, by the record's id.
    pub async fn untold(&self, function: &str) -> Result<BTreeMap<String, Noted>, Failure> {
        let mut items = self.todo(&format!("{UNTOLD}{function}"));
        let mut untold = BTreeMap::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
            let report = self.record(&item).await?.report;
            untold.insert(report.ledger_id.clone(), Noted::of(&report));
        }
        Ok(untold)
    }

    /// Notes that a sweep told a closed record.
    pub async fn told(&self, arn: &str, id: &str) -> Result<(), Failure> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", text(arn))
            .key("sk", text(&format!("record#{id}")))
            .update_expression("REMOVE todo, since")
            .condition_expression("attribute_exists(pk)");
        match update.send().await.map_err(|error| AwsError::new("UpdateItem", &error)) {
            // Its retention ended meanwhile.
            Err(error) if error.code != "ConditionalCheckFailedException" => Err(Failure::Ledger(error)),
            _ => Ok(()),
        }
    }

    /// The items that the index has under one word.
    fn todo(&self, word: &str) -> PaginationStream<Result<Item, SdkError<QueryError>>> {
        self.client
            .query()
            .table_name(&self.table)
            .index_name("todo")
            .key_condition_expression("todo = :todo")
            .expression_attribute_values(":todo", text(word))
            .into_paginator()
            .items()
            .send()
    }

    /// A record by its id, and whether it is still open.
    pub async fn find(&self, id: &str) -> Result<Option<(Record, bool)>, Failure> {
        let keys = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-id")
            .key_condition_expression("id = :id")
            .expression_attribute_values(":id", text(id))
            .send()
            .await
            .map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
        let Some(key) = keys.items().first() else {
            return Ok(None);
        };
        let (arn, sort) = (attribute(key, "pk")?, attribute(key, "sk")?);
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .expression_attribute_values(":pk", text(arn))
            .expression_attribute_values(":sk", text(sort))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
        match page.items().first() {
            Some(item) => Ok(Some((self.record(item).await?, sort == OPEN))),
            None => Ok(None),
        }
    }
}

/// Under which key a function's heartbeats are noted.
fn heartbeat(function: &str) -> String {
    format!("heartbeat#{function}")
}

/// Under which key the budget of an account is counted, and under which an hour of it.
fn budget(account: &str) -> String {
    format!("budget#{account}")
}

fn hour(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H").to_string()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn item(arn: &str, sort: &str, document: &impl Serialize) -> Result<Item, Failure> {
    let json = serde_json::to_string(document).map_err(|error| Failure::LedgerRecord(error.to_string()))?;
    Ok([("pk", arn), ("sk", sort), ("document", json.as_str())]
        .map(|(key, value)| (key.to_owned(), text(value)))
        .into())
}

/// The status, found by the index `todo` from its earliest moment on while something of it waits. A resource that is no more
/// leaves it behind, so it ends by itself.
fn status_item(arn: &str, status: &Status) -> Result<Item, Failure> {
    let mut item = item(arn, STATUS, status)?;
    let expires = status.last().as_second() + STATUS_DAYS * 24 * 60 * 60;
    item.insert("expires".into(), AttributeValue::N(expires.to_string()));
    if let Some(next) = status.next() {
        item.insert("todo".into(), text(DEFERRED));
        item.insert("since".into(), text(&next.to_string()));
    }
    Ok(item)
}

fn attribute<'a>(item: &'a Item, name: &str) -> Result<&'a str, Failure> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value
        .map(String::as_str)
        .ok_or_else(|| Failure::LedgerRecord(format!("an item without the text {name}")))
}

fn moment(item: &Item, name: &str) -> Result<Timestamp, Failure> {
    let moment = attribute(item, name)?.parse();
    moment.map_err(|error| Failure::LedgerRecord(format!("an item whose {name} is no moment: {error}")))
}

fn number(item: &Item, name: &str) -> Result<i64, Failure> {
    let value = item
        .get(name)
        .and_then(|value| value.as_n().ok())
        .and_then(|value| value.parse().ok());
    value.ok_or_else(|| Failure::LedgerRecord(format!("an item without the number {name}")))
}

fn document<T: for<'de> Deserialize<'de>>(item: &Item) -> Result<T, Failure> {
    serde_json::from_str(attribute(item, "document")?).map_err(|error| Failure::LedgerRecord(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn written_again<T: Serialize + for<'de> Deserialize<'de>>(document: &str) -> String {
        serde_json::to_string(&serde_json::from_str::<T>(document).unwrap()).unwrap()
    }

    /// The documents of every released version, as its functions wrote them: see `tests/tests/golden.rs`.
    #[test]
    fn the_records_and_statuses_of_every_released_version_are_read_and_written_again_byte_for_byte() {
        let entries = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
        let files: Vec<PathBuf> = entries(&golden)
            .flat_map(|version| entries(&version).collect::<Vec<_>>())
            .flat_map(|service| entries(&service).collect::<Vec<_>>())
            .collect();
        let is_status = |file: &&PathBuf| file.parent().unwrap().ends_with("status");
        assert!(files.iter().filter(is_status).count() >= 5, "statuses are missing");
        assert!(files.len() > 100, "records are missing");
        for file in &files {
            let document = fs::read_to_string(file).unwrap();
            let again = if is_status(&file) {
                written_again::<Status>(&document)
            } else {
                written_again::<Record>(&document)
            };
            assert_eq!(again, document, "{}", file.display());
        }
    }
}
