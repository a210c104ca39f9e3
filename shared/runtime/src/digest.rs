//! One message about many resources: at the end of a sweep, and of an event that names more than people can read one by one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{self, StreamExt};
use portcullis_core::alert::Alert;
use portcullis_core::alert::storm;
use portcullis_core::alert::sweep::Swept;
use portcullis_core::{Cause, Report};

use crate::error::Failure;
use crate::pipeline::Shell;

/// An event of more resources than this is told in one message.
pub const STORM: usize = 10;

/// How many records are noted as told at the same time.
const AT_ONCE: usize = 8;

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
            event: report.event_id.clone(),
            findings: Swept::of(report),
        }
    }
}

impl Digest {
    pub fn note(&self, report: &Report) {
        self.lock().insert(report.ledger_id.clone(), Noted::of(report));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Noted>> {
        // A map of whole entries is whole, whoever panicked while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells what an event of many resources came to. Its retry tells what it could not: the ledger knows what is untold.
pub async fn tell_storm(shell: &Shell, kind: &str, cause: &Cause) -> Result<(), Failure> {
    let about = |noted: &Noted| noted.kind == kind && noted.event == cause.id;
    let compose = |findings| storm::compose(&shell.function, &shell.place, kind, cause, findings);
    tell(shell, about, compose).await.map(drop)
}

/// Sends one message about what is closed and untold, here and by the ledger, then notes that it was told. Yields how many
/// findings it was about.
pub async fn tell(
    shell: &Shell,
    about: impl Fn(&Noted) -> bool,
    compose: impl FnOnce(Vec<Swept>) -> Option<Alert>,
) -> Result<usize, Failure> {
    let mut untold = shell.ledger.untold(&shell.function).await?;
    if let Some(digest) = &shell.digest {
        untold.append(&mut digest.lock());
    }
    untold.retain(|_, noted| about(noted));
    let records: Vec<_> = untold
        .iter()
        .map(|(id, noted)| (noted.resource.clone(), id.clone()))
        .collect();
    let findings: Vec<_> = untold.into_values().flat_map(|noted| noted.findings).collect();
    let new = findings.len();
    let Some(alert) = compose(findings) else { return Ok(0) };
    shell.topic.send(alert).await.map_err(Failure::Notify)?;
    let mut marks = stream::iter(records)
        .map(|(resource, id)| async move {
            let marked = shell.ledger.told(&resource, &id).await;
            (resource, marked)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((resource, marked)) = marks.next().await {
        if let Err(failure) = marked {
            // A retry of the whole would wake somebody again for all of them.
            tracing::error!(resource, error = %failure, "the next sweep tells it again");
        }
    }
    Ok(new)
}
