//! One message about many resources: at the end of a sweep, and of an event that names more than people can read one by one.

use futures_util::stream::{self, StreamExt};
use portcullis_core::Cause;
use portcullis_core::alert::Alert;
use portcullis_core::alert::storm;
use portcullis_core::alert::sweep::Swept;

use crate::digest::Noted;
use crate::error::Failure;
use crate::invocation::Invocation;

/// An event of more resources than this is told in one message.
pub const STORM: usize = 10;

/// How many records are noted as told at the same time.
const AT_ONCE: usize = 8;

/// Tells what an event of many resources came to. Its retry tells what it could not: the ledger knows what is untold.
pub async fn tell_storm(invocation: &Invocation, kind: &str, cause: &Cause) -> Result<(), Failure> {
    let about = |noted: &Noted| noted.kind == kind && noted.event == cause.origin.id;
    let compose = |findings| storm::compose(&invocation.function, &invocation.location, kind, cause, findings);
    tell(invocation, about, compose).await.map(drop)
}

/// Sends one message about what is closed and untold, here and by the ledger, then notes that it was told. Yields how many
/// findings it was about.
pub async fn tell(
    invocation: &Invocation,
    about: impl Fn(&Noted) -> bool,
    compose: impl FnOnce(Vec<Swept>) -> Option<Alert>,
) -> Result<usize, Failure> {
    let mut untold = invocation.ledger.untold(&invocation.function).await?;
    if let Some(digest) = &invocation.digest {
        untold.append(&mut digest.take());
    }
    untold.retain(|_, noted| about(noted));
    let records: Vec<_> = untold
        .iter()
        .map(|(id, noted)| (noted.resource.clone(), id.clone()))
        .collect();
    let findings: Vec<_> = untold.into_values().flat_map(|noted| noted.findings).collect();
    let new = findings.len();
    let Some(alert) = compose(findings) else { return Ok(0) };
    invocation.topic.send(alert).await.map_err(Failure::Notify)?;
    let mut marks = stream::iter(records)
        .map(|(resource, id)| async move {
            let marked = invocation.ledger.told(&resource, &id).await;
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
