//! Whether what settings require is there and can be used: asked for after a deploy, not by an event.
//!
//! It goes through the one pipeline, so what is wrong is told once, and again after the reminder period; it changes nothing
//! that the controls themselves would not.

use std::collections::BTreeSet;

use jiff::Timestamp;
use portcullis_core::{Cause, Guard, Place, Resource};
use serde_json::{Value, json};

use crate::adapter::{Adapter, Page, Serve};
use crate::error::{AwsError, Failure, Kind};
use crate::pipeline::{self, Shell};

/// Asks all guards of a function, and counts what they answer.
pub async fn preflight<'a>(
    shell: &Shell,
    guards: impl Iterator<Item = &'a dyn Serve>,
    by: Option<&str>,
) -> Result<Value, Failure> {
    let mut resources = Vec::new();
    for guard in guards {
        resources.append(&mut guard.preflight(shell, by).await?);
    }
    let count = |outcome: &str| resources.iter().filter(|one| one["outcome"] == outcome).count();
    let (right, unchecked) = (count("compliant"), count("unchecked"));
    let counts = json!({"right": right, "wrong": resources.len() - right - unchecked, "unchecked": unchecked});
    Ok(json!({"preflight": counts, "resources": resources}))
}

/// Looks at what settings require of one guard's resources.
pub async fn look<G: Guard, A: Adapter<G>>(
    shell: &Shell,
    adapter: &A,
    by: Option<&str>,
) -> Result<Vec<Value>, Failure> {
    let mut answers = Vec::new();
    for (resource, control) in G::preflight(&shell.settings).map_err(Failure::Preflight)? {
        let cause = Cause::preflight(by, &shell.request, control, Timestamp::now());
        let looked = if resource.account != shell.place.account {
            let why = format!(
                "it is of account {}, which this function can't look into",
                resource.account
            );
            Ok(json!({"resource": resource.arn, "outcome": "unchecked", "why": why}))
        } else if resource.region != shell.place.region {
            pipeline::process::<G, _>(shell, &Elsewhere, &resource, &cause, Timestamp::now()).await
        } else {
            pipeline::process::<G, A>(shell, adapter, &resource, &cause, Timestamp::now()).await
        };
        answers.push(match looked {
            // It is told: the others are looked at all the same.
            Err(failure @ (Failure::NotRemediated { .. } | Failure::Observe(_))) => {
                json!({"resource": resource.arn, "outcome": "failed", "why": failure.to_string()})
            }
            looked => looked?,
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

    async fn list(&self, _: &Place, _: Option<String>) -> Result<Page, AwsError> {
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
