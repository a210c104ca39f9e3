//! Controls that can't be judged, since a read was refused: unknown is not compliant, and no reason to leave the others.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use portcullis_core::{Control, ControlResult, Guard, Outcome, Resource};

use super::observe::facts;
use crate::adapter::Adapter;
use crate::error::{AwsError, Kind};
use crate::ledger::Record;

/// A control that can't be judged, as it is told.
pub struct Unread {
    pub result: ControlResult,
    pub error: AwsError,
}

impl Unread {
    /// The control, if one of its facts was denied.
    pub fn of<G: Guard>(
        control: &Control<G>,
        denied: &BTreeMap<G::Fact, AwsError>,
        carried: Option<&Record>,
    ) -> Option<Self> {
        let error = control.facts.iter().find_map(|fact| denied.get(fact))?;
        Some(Self {
            result: unjudged(control, error, carried),
            error: error.clone(),
        })
    }
}

/// What is told of a control whose facts can't be read. What an unfinished record set out to do may have been done.
pub(super) fn unjudged<G: Guard>(control: &Control<G>, error: &AwsError, carried: Option<&Record>) -> ControlResult {
    let mut begun = carried.into_iter().flat_map(|record| &record.report.results);
    let begun = begun.find(|told| told.control == control.meta.id && told.outcome.is_change());
    if let Some(begun) = begun {
        return ControlResult {
            outcome: Outcome::Failed,
            why: format!(
                "it was begun, and what came of it can't be read ({error}); a restore of this record undoes what was done"
            ),
            ..begun.clone()
        };
    }
    ControlResult {
        why: error.to_string(),
        unjudged: true,
        ..ControlResult::new(
            control.meta.id,
            control.meta.severity,
            Outcome::Failed,
            format!("can't be judged: {} was denied", error.operation),
        )
    }
}

/// Asks for each fact by itself once all together were denied: what can be read, and why the rest can't. None where nothing is
/// left to judge by, as without the tags that classify and exempt.
pub(super) async fn readable<G: Guard, A: Adapter<G>>(
    adapter: &A,
    resource: &Resource,
    controls: &[&'static Control<G>],
) -> Option<(G::State, BTreeMap<G::Fact, AwsError>)> {
    let needed = facts::<G>(controls);
    let asked = needed.iter().map(|fact| async move {
        let one = BTreeSet::from([*fact]);
        (*fact, adapter.observe(resource, &one).await.err())
    });
    let mut denied = BTreeMap::new();
    for (fact, error) in join_all(asked).await {
        match error {
            Some(error) if error.kind == Kind::Denied => drop(denied.insert(fact, error)),
            Some(_) => return None,
            None => {}
        }
    }
    let blind = G::always().iter().any(|fact| denied.contains_key(fact));
    let left: BTreeSet<_> = needed.into_iter().filter(|fact| !denied.contains_key(fact)).collect();
    if blind || denied.is_empty() || left.is_empty() {
        return None;
    }
    let state = adapter.observe(resource, &left).await.ok()??;
    Some((state, denied))
}
