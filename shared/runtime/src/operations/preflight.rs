//! Whether what settings require is there and can be used: asked for after a deploy, not by an event.
//!
//! It goes through the one pipeline, so what is wrong is told once, and again after the reminder period; it changes nothing
//! that the controls themselves would not.

use std::collections::BTreeSet;

use jiff::Timestamp;
use portcullis_core::{Cause, Guard, Location, Resource, Selector};

use crate::adapter::{Adapter, Page};
use crate::answer::{Checked, WithoutAnswer};
use crate::error::{AwsError, Failure, Kind};
use crate::invocation::Invocation;
use crate::pipeline;

/// Looks at what settings require of one guard's resources.
pub async fn look<G: Guard, A: Adapter<G>>(
    invocation: &Invocation,
    adapter: &A,
    by: Option<&str>,
) -> Result<Vec<Checked>, Failure> {
    let mut answers = Vec::new();
    for (resource, control) in G::preflight(&invocation.settings).map_err(Failure::Preflight)? {
        let cause = Cause::other(
            "preflight",
            Timestamp::now(),
            Selector::Only([control.to_owned()].into()),
        )
        .with_id(&invocation.request)
        .asked_by(by);
        if resource.account != invocation.location.account {
            answers.push(Checked::Without(WithoutAnswer::Unchecked {
                why: format!(
                    "it is of account {}, which this function can't look into",
                    resource.account
                ),
                resource: resource.arn,
            }));
            continue;
        }
        let since = Timestamp::now();
        let answer = if resource.region == invocation.location.region {
            pipeline::process::<G, A>(invocation, adapter, &resource, &cause, since).await
        } else {
            pipeline::process::<G, _>(invocation, &Elsewhere, &resource, &cause, since).await
        };
        answers.push(match answer {
            // It is told: the others are looked at all the same.
            Err(failure @ (Failure::NotRemediated { .. } | Failure::Observe(_))) => {
                Checked::Without(WithoutAnswer::Failed {
                    resource: resource.arn,
                    why: failure.to_string(),
                })
            }
            answer => Checked::Answer(answer?),
        });
    }
    Ok(answers)
}

/// In place of the adapter where the resource is in another region, which the function's role may not read: it is judged by
/// its name alone.
struct Elsewhere;

impl<G: Guard> Adapter<G> for Elsewhere {
    async fn observe(&self, _: &Resource, _: &BTreeSet<G::Fact>) -> Result<Option<G::State>, AwsError> {
        Ok(Some(G::State::default()))
    }

    async fn list(&self, _: &Location, _: Option<String>) -> Result<Page, AwsError> {
        Ok(Page::default())
    }

    async fn execute(&self, resource: &Resource, remedy: &G::Remedy) -> Result<(), AwsError> {
        Err(AwsError {
            operation: "preflight",
            code: "OtherRegion".into(),
            message: format!("{} is in another region: {remedy:?} was not made", resource.arn),
            kind: Kind::Rejected,
        })
    }
}
