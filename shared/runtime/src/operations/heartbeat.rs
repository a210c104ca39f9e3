//! Whether what leads here is alive: without a trail no event comes, and silence looks like peace.
//!
//! A schedule of the stack tags the topic of the alerts. CloudTrail records that call, and it comes by the rule that all events
//! of the function come by. Where it stops coming, or finds something broken, the metric is missing, and an alarm tells. That
//! alerts can be published is not asked here, where an alert would wake somebody: the sweep's summary goes out each night, and
//! its metrics only after it.

use futures_util::future::join3;
use jiff::Timestamp;
use portcullis_core::Call;

use crate::answer::{Heartbeat, Response};
use crate::error::Failure;
use crate::invocation::Invocation;
use crate::metrics;
use crate::settings::Source;

/// Whether a call is a heartbeat: a tag on the topic of the alerts, by whomever.
pub fn is_one(call: &Call, topic_arn: &str) -> bool {
    (call.source.as_str(), call.name.as_str()) == ("sns.amazonaws.com", "TagResource")
        && call.error.is_none()
        && matches!(call.parameter("resourceArn"), Ok(Some(arn)) if arn == topic_arn)
}

/// Asks whether settings, ledger and topic can be used.
pub async fn answer(invocation: &Invocation, settings: &Source) -> Result<Response, Failure> {
    let now = Timestamp::now();
    let (settings, ledger, heard) = join3(
        settings.proven(),
        invocation.ledger.beat(&invocation.function, now),
        invocation.topic.is_heard(),
    )
    .await;
    // All that is broken is told, not only the first of it.
    let broken = [
        settings.err(),
        ledger.err(),
        heard.as_ref().err().cloned().map(Failure::Notify),
    ];
    let mut broken = broken.into_iter().flatten();
    if let Some(first) = broken.next() {
        for other in broken {
            tracing::error!(error = %other, "broken as well");
        }
        return Err(first);
    }
    if heard.is_ok_and(|heard| !heard) {
        // A retry would find the same, and no dead letter helps where nobody hears of it.
        let why = "nobody has confirmed a subscription of the alerts' topic: no alert reaches anybody";
        tracing::error!(outcome = "unheard", why, "heartbeat");
        return Ok(Response::Heartbeat(Heartbeat::Unheard { why }));
    }
    tracing::info!(outcome = "alive", "heartbeat");
    metrics::heartbeat(&invocation.function);
    Ok(Response::Heartbeat(Heartbeat::Alive))
}
