//! Whether what leads here is alive: without a trail no event comes, and silence looks like peace.
//!
//! A schedule of the stack tags the topic of the alerts. CloudTrail records that call, and it comes by the rule that all events
//! of the function come by. Where it stops coming to all functions, or all find something broken, the metric is missing, and an
//! alarm tells. Where it stops coming to one of them, the others miss it: each notes its own good heartbeat in the ledger, and looks
//! at those of the others. So one metric does for all functions, and the log says which is missing.
//!
//! That alerts can be published is not asked here, where an alert would wake somebody: the sweep's summary goes out each night, and
//! how long ago that was is the other metric of a heartbeat.

use std::time::Duration;

use futures_util::future::{join, try_join_all};
use jiff::{SignedDuration, Timestamp};
use portcullis_core::Call;

use crate::answer::{Heartbeat, Response};
use crate::error::Failure;
use crate::invocation::Invocation;
use crate::metrics;
use crate::settings::Source;

/// There is a heartbeat every six hours: a function whose last good one is older has missed one.
const MISSED: SignedDuration = SignedDuration::from_mins(6 * 60 + 30);

/// All functions hear of one tag at about the same time: the others get so long to note theirs.
const OTHERS: Duration = Duration::from_secs(10);

/// The tag of a heartbeat.
const TAG: &str = "portcullis:heartbeat";

/// Whether a call is the function's heartbeat: a tag on what the stack says, the topic of the alerts or its key, by whomever.
pub fn is_one(call: &Call, tagged: &str) -> bool {
    let is = |parameter| matches!(call.parameter(parameter), Ok(Some(arn)) if arn == tagged);
    let named = match call.source.as_str() {
        "sns.amazonaws.com" => is("resourceArn"),
        // Other tags of the key are a call like any other.
        "kms.amazonaws.com" => is("keyId") && call.parameters.to_string().contains(TAG),
        _ => false,
    };
    call.name == "TagResource" && call.error.is_none() && named
}

/// Asks whether settings, topic and ledger can be used, and whether the other functions of the stack are alive.
pub async fn answer(invocation: &Invocation, settings: &Source, others: &[String]) -> Result<Response, Failure> {
    let (settings, heard) = join(settings.proven(), invocation.topic.is_heard()).await;
    let heard = match (settings, heard) {
        (Ok(()), Ok(heard)) => heard,
        (Err(failure), Ok(_)) => return Err(failure),
        (Ok(()), Err(error)) => return Err(Failure::Notify(error)),
        // All that is broken is told, not only the first of it.
        (Err(failure), Err(error)) => {
            tracing::error!(error = %Failure::Notify(error), "broken as well");
            return Err(failure);
        }
    };
    if !heard {
        // A retry would find the same, and no dead letter helps where nobody hears of it.
        let why = "nobody has confirmed a subscription of the alerts' topic: no alert reaches anybody";
        tracing::error!(outcome = "unheard", why, "heartbeat");
        return Ok(Response::Heartbeat(Heartbeat::Unheard { why }));
    }
    let now = Timestamp::now();
    let swept = invocation.ledger.beat(&invocation.function, now).await?;
    let mut silent = silent(invocation, others, now).await?;
    if !silent.is_empty() {
        tokio::time::sleep(OTHERS).await;
        silent = self::silent(invocation, others, now).await?;
    }
    metrics::heartbeat(
        &invocation.function,
        silent.is_empty(),
        now.duration_since(swept).as_hours(),
    );
    if silent.is_empty() {
        tracing::info!(outcome = "alive", "heartbeat");
        return Ok(Response::Heartbeat(Heartbeat::Alive));
    }
    let functions = silent.join(", ");
    tracing::error!(
        outcome = "alone",
        functions,
        "heartbeat: these functions have had no good one for more than six hours"
    );
    Ok(Response::Heartbeat(Heartbeat::Alone { silent }))
}

/// The other functions that have missed a heartbeat.
async fn silent(invocation: &Invocation, others: &[String], now: Timestamp) -> Result<Vec<String>, Failure> {
    let beats = others
        .iter()
        .map(async |name| Ok::<_, Failure>((name, invocation.ledger.last_beat(name).await?)));
    let missed = |at: Option<Timestamp>| at.is_none_or(|at| now.duration_since(at) > MISSED);
    let beats = try_join_all(beats).await?.into_iter();
    Ok(beats
        .filter(|(_, at)| missed(*at))
        .map(|(name, _)| name.clone())
        .collect())
}
