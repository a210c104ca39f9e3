//! What is gathered to be told in one message: in a sweep, and for an event that names more than people can read one by one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use portcullis_core::Report;
use portcullis_core::alert::sweep::Swept;

/// What is told at the end instead of at once, by the record's id.
#[derive(Debug, Default)]
pub struct Digest(Mutex<BTreeMap<String, Noted>>);

/// The findings of a record, and where it is.
#[derive(Debug)]
pub struct Noted {
    /// The resource's ARN.
    pub resource: String,
    /// Its type.
    pub kind: String,
    /// The event that led to it.
    pub event: String,
    pub findings: Vec<Swept>,
}

impl Noted {
    pub fn of(report: &Report) -> Self {
        Self {
            resource: report.resource.arn.clone(),
            kind: report.resource.kind.clone(),
            event: report.origin.id.clone(),
            findings: Swept::of(report),
        }
    }
}

impl Digest {
    pub fn note(&self, report: &Report) {
        self.lock().insert(report.ledger_id.clone(), Noted::of(report));
    }

    /// What was gathered so far, which is then nobody else's to tell.
    pub fn take(&self) -> BTreeMap<String, Noted> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Noted>> {
        // A map of whole entries is whole, whoever panicked while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
