//! What is written all or nothing: a record's opening, its closing, and what is noted of a resource without any.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};
use jiff::Timestamp;

use super::{Item, Ledger, OPEN, Record, STATUS, UNTOLD, View, budget, hour, parts, status_item, text};
use crate::error::{AwsError, Failure};
use crate::resource_status::Status;

/// Pauses before drawing on the budget again where somebody else did at the same moment.
const CONFLICT_PAUSES: [Duration; 5] = [
    Duration::from_millis(15),
    Duration::from_millis(40),
    Duration::from_millis(80),
    Duration::from_millis(160),
    Duration::from_millis(320),
];

/// Whether a record could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It is, and what it wanted of the budget is drawn.
    Yes,
    /// It is not, for the hour's budget is spent.
    BudgetSpent,
}

/// What the opening of a record takes along in its transaction.
#[derive(Debug, Clone, Copy)]
pub enum WithWrites<'a> {
    /// Nothing else.
    Nothing,
    /// One of the hour's budget, of which there are so many.
    Draw(u32),
    /// The status from now on: what has to hold even if nobody comes to close the record.
    Status(&'a Status),
}

impl View {
    /// That the status is still the one that was seen.
    fn condition(&self) -> &'static str {
        match self.seen {
            None => "attribute_not_exists(pk)",
            Some(_) => "document = :seen",
        }
    }

    fn values(&self) -> Option<Item> {
        let seen = self.seen.as_deref()?;
        Some(Item::from([(":seen".to_owned(), text(seen))]))
    }
}

/// A transaction that was not carried out.
struct Cancelled {
    /// Item by item, where DynamoDB said so.
    reasons: Vec<CancellationReason>,
    error: AwsError,
}

impl Cancelled {
    fn reason(&self, item: usize) -> Option<&str> {
        self.reasons.get(item).and_then(CancellationReason::code)
    }

    /// Whether somebody else was at one of the items.
    fn is_race(&self) -> bool {
        let raced = ["ConditionalCheckFailed", "TransactionConflict"];
        let mut codes = self.reasons.iter().filter_map(CancellationReason::code);
        codes.any(|code| raced.contains(&code))
    }
}

impl From<Cancelled> for Failure {
    fn from(cancelled: Cancelled) -> Self {
        Self::Ledger(cancelled.error)
    }
}

#[allow(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn built(error: BuildError) -> Failure {
    Failure::LedgerRecord(error.to_string())
}

impl Ledger {
    /// Writes the record ahead of the first change. One condition makes it the lease: it holds for one owner at a time. The
    /// other is that no record was closed since `view` was read: else the state that was read with it is old.
    pub async fn open(
        &self,
        record: &Record,
        owner: &str,
        until: i64,
        view: &View,
        along: WithWrites<'_>,
    ) -> Result<Opened, Failure> {
        let resource = &record.report.resource.arn;
        let (lease, parts) = self.lease(record, owner, until)?;
        let mut items = vec![lease];
        items.push(match along {
            WithWrites::Status(status) => self.put_status(resource, status, view)?,
            WithWrites::Nothing | WithWrites::Draw(_) => self.is_current(resource, view)?,
        });
        match along {
            WithWrites::Draw(0) => return Ok(Opened::BudgetSpent),
            WithWrites::Draw(limit) => {
                items.push(self.draw(&record.report.resource.account, limit, Timestamp::now())?);
            }
            WithWrites::Nothing | WithWrites::Status(_) => {}
        }
        items.extend(self.put_all(parts)?);
        let mut pauses = CONFLICT_PAUSES.into_iter();
        loop {
            let Err(cancelled) = self.transact(items.clone()).await else {
                return Ok(Opened::Yes);
            };
            match (cancelled.reason(0), cancelled.reason(1), cancelled.reason(2)) {
                (Some("ConditionalCheckFailed"), _, _) => {
                    return Err(Failure::Busy {
                        resource: resource.clone(),
                        until: Timestamp::now().as_millisecond(),
                    });
                }
                (Some("TransactionConflict"), _, _)
                | (_, Some("ConditionalCheckFailed" | "TransactionConflict"), _) => {
                    return Err(Failure::LostRace(resource.clone()));
                }
                (_, _, Some("ConditionalCheckFailed")) => return Ok(Opened::BudgetSpent),
                // All functions draw on one item: whoever comes at the same moment waits for a moment.
                (_, _, Some("TransactionConflict")) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(Failure::LostRace(resource.clone())),
                },
                _ => return Err(cancelled.into()),
            }
        }
    }

    /// Writes items as they are.
    fn put_all(&self, items: Vec<Item>) -> Result<Vec<TransactWriteItem>, Failure> {
        let put = |item| {
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            Ok(TransactWriteItem::builder().put(put.build().map_err(built)?).build())
        };
        items.into_iter().map(put).collect()
    }

    /// The open record, which one owner at a time can write, and what it has no room for.
    fn lease(&self, record: &Record, owner: &str, until: i64) -> Result<(TransactWriteItem, Vec<Item>), Failure> {
        let resource = &record.report.resource.arn;
        let (mut item, parts) = parts::items(resource, OPEN, record)?;
        item.insert("id".into(), text(&record.report.ledger_id));
        item.insert("todo".into(), text("open"));
        item.insert("since".into(), text(&record.opened.to_string()));
        item.insert("owner".into(), text(owner));
        item.insert("lease_until".into(), AttributeValue::N(until.to_string()));
        let now = Timestamp::now().as_millisecond();
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #owner = :me OR lease_until < :now")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", text(owner))
            .expression_attribute_values(":now", AttributeValue::N(now.to_string()));
        Ok((
            TransactWriteItem::builder().put(put.build().map_err(built)?).build(),
            parts,
        ))
    }

    /// Asks that the status is still the one that was seen.
    fn is_current(&self, arn: &str, view: &View) -> Result<TransactWriteItem, Failure> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", text(arn))
            .key("sk", text(STATUS))
            .condition_expression(view.condition())
            .set_expression_attribute_values(view.values());
        Ok(TransactWriteItem::builder()
            .condition_check(check.build().map_err(built)?)
            .build())
    }

    /// Writes the status if it is still the one that was seen.
    fn put_status(&self, arn: &str, status: &Status, view: &View) -> Result<TransactWriteItem, Failure> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(status_item(arn, status)?))
            .condition_expression(view.condition())
            .set_expression_attribute_values(view.values());
        Ok(TransactWriteItem::builder().put(put.build().map_err(built)?).build())
    }

    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), Cancelled> {
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        sent.map(drop).map_err(|error| Cancelled {
            reasons: match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons().to_vec()
                }
                _ => Vec::new(),
            },
            error: AwsError::new("TransactWriteItems", &error),
        })
    }

    /// One more of the hour's budget, if that leaves it within its limit. The counter is deleted some days later.
    fn draw(&self, account: &str, limit: u32, now: Timestamp) -> Result<TransactWriteItem, Failure> {
        let expires = now.as_second() + 3 * 24 * 60 * 60;
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(&budget(account)))
            .key("sk", text(&hour(now)))
            .update_expression("SET expires = :expires ADD drawn :one")
            .condition_expression("attribute_not_exists(drawn) OR drawn < :limit")
            .expression_attribute_values(":expires", AttributeValue::N(expires.to_string()))
            .expression_attribute_values(":one", AttributeValue::N("1".into()))
            .expression_attribute_values(":limit", AttributeValue::N(limit.to_string()));
        Ok(TransactWriteItem::builder()
            .update(update.build().map_err(built)?)
            .build())
    }

    /// Closes the record once it is told, and notes what was told: one transaction. One that a sweep will tell at its end is
    /// found by the index until then, as `untold` by that function.
    pub async fn close(
        &self,
        record: &Record,
        owner: &str,
        status: &Status,
        retention_days: u16,
        untold: Option<&str>,
    ) -> Result<(), Failure> {
        let Record { report, .. } = record;
        let arn = &report.resource.arn;
        let expires = Timestamp::now().as_second() + i64::from(retention_days) * 24 * 60 * 60;
        let (mut closed, mut parts) = parts::items(arn, &format!("record#{}", report.ledger_id), record)?;
        for part in &mut parts {
            part.insert("expires".into(), AttributeValue::N(expires.to_string()));
        }
        closed.insert("id".into(), text(&report.ledger_id));
        closed.insert("outcome".into(), text(&report.outcome().to_string()));
        closed.insert("expires".into(), AttributeValue::N(expires.to_string()));
        if let Some(function) = untold {
            closed.insert("todo".into(), text(&format!("{UNTOLD}{function}")));
            closed.insert("since".into(), text(&Timestamp::now().to_string()));
        }
        // A set of DynamoDB's takes no value twice, and none that is empty.
        let controls: BTreeSet<_> = report.results.iter().map(|told| told.control.clone()).collect();
        if !controls.is_empty() {
            closed.insert("controls".into(), AttributeValue::Ss(controls.into_iter().collect()));
        }
        let unlock = Delete::builder()
            .table_name(&self.table)
            .key("pk", text(arn))
            .key("sk", text(OPEN))
            .condition_expression("#owner = :me")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", text(owner));
        let keep = Put::builder().table_name(&self.table).set_item(Some(closed));
        let status = Status {
            closed: Some(report.ledger_id.clone()),
            closed_at: Some(Timestamp::now()),
            ..status.clone()
        };
        // While a record is open nobody else writes the status.
        let note = Put::builder()
            .table_name(&self.table)
            .set_item(Some(status_item(arn, &status)?));
        let mut items = vec![
            TransactWriteItem::builder()
                .delete(unlock.build().map_err(built)?)
                .build(),
            TransactWriteItem::builder().put(keep.build().map_err(built)?).build(),
            TransactWriteItem::builder().put(note.build().map_err(built)?).build(),
        ];
        items.extend(self.put_all(parts)?);
        Ok(self.transact(items).await?)
    }

    /// Notes what changed of a status outside of any record: a race that is lost where somebody else wrote it, or opened a
    /// record, since it was read. Whoever is at the resource judged it without knowing of that.
    pub async fn note(&self, arn: &str, view: &View, status: &Status) -> Result<(), Failure> {
        let nobody_at_it = ConditionCheck::builder()
            .table_name(&self.table)
            .key("pk", text(arn))
            .key("sk", text(OPEN))
            .condition_expression("attribute_not_exists(pk)");
        let nobody_at_it = TransactWriteItem::builder()
            .condition_check(nobody_at_it.build().map_err(built)?)
            .build();
        let items = vec![self.put_status(arn, status, view)?, nobody_at_it];
        match self.transact(items).await {
            Err(cancelled) if cancelled.is_race() => Err(Failure::LostRace(arn.to_owned())),
            other => Ok(other?),
        }
    }
}
