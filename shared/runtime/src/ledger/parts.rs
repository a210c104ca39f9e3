//! Records that are larger than an item of DynamoDB: what is found and changed has to be noted, however much it is.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use serde_json::json;

use super::{Item, Ledger, Record, STATUS_DAYS, attribute, document, json_of, number, text};
use crate::error::{AwsError, Failure};

/// An item takes 400 KB, with the names of its attributes. Source: DynamoDB Developer Guide, "Quotas".
const LARGEST_ITEM: usize = 350_000;
/// A transaction takes 4 MB. Source: DynamoDB API Reference, `TransactWriteItems`.
const LARGEST_RECORD: usize = 3_500_000;

/// A record as items: the one that stands for it, and those that hold what it has no room for.
pub(super) fn items(arn: &str, sort: &str, record: &Record) -> Result<(Item, Vec<Item>), Failure> {
    let mut whole = json_of(record)?.to_string();
    if whole.len() > LARGEST_RECORD {
        whole = json_of(&shortened(record))?.to_string();
    }
    if whole.len() > LARGEST_RECORD {
        return Err(Failure::LedgerRecord(format!(
            "one of {} bytes, of {LARGEST_RECORD} that a transaction takes: what is there of the resource is more than can be noted",
            whole.len()
        )));
    }
    let mut item: Item = [("pk", arn), ("sk", sort)]
        .map(|(key, value)| (key.to_owned(), text(value)))
        .into();
    if whole.len() <= LARGEST_ITEM {
        item.insert("document".into(), text(&whole));
        return Ok((item, Vec::new()));
    }
    let expires = Timestamp::now().as_second() + STATUS_DAYS * 24 * 60 * 60;
    let parts: Vec<Item> = cut(&whole)
        .enumerate()
        .map(|(number, part)| {
            let sort = format!("{}{number:03}", prefix(&record.report.ledger_id));
            let mut item: Item = [("pk", arn), ("sk", sort.as_str()), ("part", part)]
                .map(|(key, value)| (key.to_owned(), text(value)))
                .into();
            item.insert("expires".into(), AttributeValue::N(expires.to_string()));
            item
        })
        .collect();
    item.insert("parts".into(), AttributeValue::N(parts.len().to_string()));
    Ok((item, parts))
}

/// The record without the facts before and after: what was there before and the changes, which a restore needs, tell both.
fn shortened(record: &Record) -> Record {
    let mut record = record.clone();
    for facts in [&mut record.report.before, &mut record.report.after] {
        let size = facts.to_string().len();
        *facts = json!({"omitted": format!("{size} bytes: the state before and the changes tell them")});
    }
    record
}

fn prefix(id: &str) -> String {
    format!("part#{id}#")
}

/// A text in pieces that an item takes.
fn cut(mut whole: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let mut end = whole.len().min(LARGEST_ITEM);
        while !whole.is_char_boundary(end) {
            end -= 1;
        }
        let (part, rest) = whole.split_at(end);
        whole = rest;
        (!part.is_empty()).then_some(part)
    })
}

impl Ledger {
    /// The record that an item stands for.
    pub(super) async fn record(&self, item: &Item) -> Result<Record, Failure> {
        if item.contains_key("document") {
            return document(item);
        }
        let parts = number(item, "parts")?;
        let call = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :part)")
            .expression_attribute_values(":pk", text(attribute(item, "pk")?))
            .expression_attribute_values(":part", text(&prefix(attribute(item, "id")?)))
            .consistent_read(true);
        let mut found = call.into_paginator().items().send();
        let (mut whole, mut count) = (String::new(), 0);
        while let Some(part) = found.next().await.filter(|_| count < parts) {
            let part = part.map_err(|error| Failure::Ledger(AwsError::new("Query", &error)))?;
            whole.push_str(attribute(&part, "part")?);
            count += 1;
        }
        if count < parts {
            return Err(Failure::LedgerRecord(format!("{count} of its {parts} parts")));
        }
        serde_json::from_str(&whole).map_err(|error| Failure::LedgerRecord(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Cause, Report, Resource, Selector};

    use super::*;

    fn record(bytes: usize) -> Record {
        let resource = Resource {
            kind: "AWS::KMS::Key".into(),
            arn: "arn:aws:kms:eu-west-1:111122223333:key/1".into(),
            id: "1".into(),
            account: "111122223333".into(),
            region: "eu-west-1".into(),
        };
        let state = json!({"grants": "\u{e9}".repeat(bytes / 2)});
        Record {
            report: Report {
                ledger_id: "019ab000-0000-7000-8000-000000000001".into(),
                resource,
                origin: Cause::other("CreateGrant", Timestamp::UNIX_EPOCH, Selector::All).origin,
                results: Vec::new(),
                before: state.clone(),
                after: state.clone(),
                managed_by: None,
            },
            prior: state,
            remedies: Vec::new(),
            restores: None,
            drawn: false,
            opened: Timestamp::UNIX_EPOCH,
        }
    }

    /// DynamoDB counts the bytes of names and values. Source: DynamoDB Developer Guide, "DynamoDB item sizes and formats".
    fn size(item: &Item) -> usize {
        let value = |value: &AttributeValue| value.as_s().or(value.as_n()).map_or(0, String::len);
        item.iter().map(|(name, one)| name.len() + value(one)).sum()
    }

    #[test]
    fn whatever_its_size_a_record_fits_into_items_and_a_transaction() {
        for bytes in [100, 100_000, 390_000, 1_000_000, 1_600_000] {
            let record = record(bytes);
            let (item, parts) = items("arn", "~open", &record).unwrap();
            assert!(size(&item) < 400_000 && parts.iter().all(|part| size(part) < 400_000));
            assert!(
                size(&item) + parts.iter().map(size).sum::<usize>() < 4_000_000,
                "{bytes}"
            );
            let whole = match item.get("document") {
                Some(document) => document.as_s().unwrap().clone(),
                None => parts.iter().map(|part| part["part"].as_s().unwrap().as_str()).collect(),
            };
            let read: Record = serde_json::from_str(&whole).unwrap();
            assert_eq!(read.prior, record.prior, "what a restore needs is whole");
        }
        let error = items("arn", "~open", &record(4_000_000)).unwrap_err();
        assert!(error.to_string().contains("more than can be noted"), "{error}");
    }
}
