use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use portcullis_core::Report;
use portcullis_core::alert::{self, Alert, AttributeValue};
use serde_json::json;

use crate::error::AwsError;

/// So many alerts are remembered: more than one process handles between a failed closing and its retry.
const REMEMBERED: usize = 64;

/// Where alerts go. Clones remember the same alerts.
#[derive(Clone)]
pub struct Topic {
    client: Client,
    arn: String,
    /// The request that alerts are sent in.
    request: String,
    /// What this process sent: where the ledger failed afterwards, the retry must not wake anybody again.
    sent: Arc<Mutex<VecDeque<String>>>,
}

impl Topic {
    pub fn new(client: Client, arn: String) -> Self {
        Self {
            client,
            arn,
            request: String::new(),
            sent: Arc::default(),
        }
    }

    /// Which it is.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The same for one request.
    pub fn of(&self, request: &str) -> Self {
        Self {
            request: request.to_owned(),
            ..self.clone()
        }
    }

    /// Sends the alert of a report: text for people, the document for queues, functions and HTTP endpoints.
    pub async fn publish(&self, report: &Report, function: &str) -> Result<(), AwsError> {
        let alert = alert::compose(report, function, &self.request);
        let mut document = alert.document.clone();
        // Whoever takes an unclosed record over is another request, and tells the same.
        document["request_id"].take();
        let document = document.to_string();
        if self.sent().contains(&document) {
            tracing::info!(
                record = report.ledger_id,
                "told already; only its record was not closed"
            );
            return Ok(());
        }
        self.send(alert).await?;
        let mut sent = self.sent();
        sent.push_back(document);
        if sent.len() > REMEMBERED {
            sent.pop_front();
        }
        Ok(())
    }

    /// Sends an alert, whatever was sent before.
    pub async fn send(&self, alert: Alert) -> Result<(), AwsError> {
        let mut publish = self
            .client
            .publish()
            .topic_arn(&self.arn)
            .message_structure("json")
            .message(alert.message())
            .subject(alert.subject);
        for (name, value) in alert.attributes {
            let (kind, text) = match value {
                AttributeValue::Text(text) => ("String", text),
                AttributeValue::Texts(texts) => ("String.Array", json!(texts).to_string()),
            };
            let value = MessageAttributeValue::builder()
                .data_type(kind)
                .string_value(text)
                .build();
            publish = publish.message_attributes(name, value.map_err(|error| built("Publish", &error))?);
        }
        publish.send().await.map_err(|error| AwsError::new("Publish", &error))?;
        Ok(())
    }

    /// Whether anybody has confirmed a subscription.
    pub async fn is_heard(&self) -> Result<bool, AwsError> {
        let mut subscriptions = self
            .client
            .list_subscriptions_by_topic()
            .topic_arn(&self.arn)
            .into_paginator()
            .items()
            .send();
        while let Some(one) = subscriptions.next().await {
            let one = one.map_err(|error| AwsError::new("ListSubscriptionsByTopic", &error))?;
            // Until then AWS has words in its place.
            if one.subscription_arn().is_some_and(|arn| arn.starts_with("arn:")) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn sent(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        // A list of texts is whole, whoever panicked while holding it.
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn built(operation: &'static str, error: &impl std::fmt::Display) -> AwsError {
    let (code, message) = ("the request can't be built".into(), error.to_string());
    AwsError {
        operation,
        code,
        message,
        kind: crate::error::Kind::Rejected,
    }
}
