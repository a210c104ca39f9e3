//! Whether what settings require is there and can be used: asked for after a deploy, not by an event.
//!
//! It goes through the one pipeline, so what is wrong is told once, and again after the reminder period; it changes nothing
//! that the controls themselves would not.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use jiff::Timestamp;
use portcullis_core::{Cause, Location, Resource, Selector, State};

use crate::adapter::{Adapter, Bound, Page};
use crate::answer::{Checked, WithoutAnswer};
use crate::error::{AwsError, Failure, Kind};
use crate::invocation::Invocation;
use crate::pipeline;

/// Looks at what settings require of one guard's resources.
pub async fn look<A: Adapter>(
    invocation: &Invocation,
    bound: &Bound<A>,
    by: Option<&str>,
) -> Result<Vec<Checked>, Failure> {
    let mut answers = Vec::new();
    for (resource, control) in
        (bound.typed.resource_type.preflight)(&invocation.settings).map_err(Failure::Preflight)?
    {
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
            pipeline::process(invocation, bound, &resource, &cause, since).await
        } else {
            let elsewhere = Bound {
                typed: bound.typed,
                adapter: Elsewhere(PhantomData),
            };
            pipeline::process(invocation, &elsewhere, &resource, &cause, since).await
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
struct Elsewhere<S>(PhantomData<S>);

impl<S: State> Adapter for Elsewhere<S> {
    type State = S;

    async fn observe(&self, _: &Resource, _: &BTreeSet<S::Fact>) -> Result<Option<S>, AwsError> {
        Ok(Some(S::default()))
    }

    async fn list(&self, _: &Location, _: Option<String>) -> Result<Page, AwsError> {
        Ok(Page::default())
    }

    async fn execute(&self, resource: &Resource, change: &S::Change) -> Result<(), AwsError> {
        Err(AwsError {
            operation: "preflight",
            code: "OtherRegion".into(),
            message: format!("{} is in another region: {change:?} was not made", resource.arn),
            kind: Kind::Rejected,
        })
    }
}
