//! Controls that can't be judged, since a read was refused: unknown is not compliant, and no reason to leave the others.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use portcullis_core::{Control, ControlResult, Outcome, Resource, State};

use super::observe::facts;
use crate::adapter::{Adapter, Bound, FactOf};
use crate::error::{AwsError, Kind};
use crate::ledger::Record;

/// A control that can't be judged, as it is told.
pub struct Unread {
    pub result: ControlResult,
    pub error: AwsError,
}

impl Unread {
    /// The control, if one of its facts was denied.
    pub fn of<S: State>(
        control: &Control<S>,
        denied: &BTreeMap<S::Fact, AwsError>,
        carried: Option<&Record>,
    ) -> Option<Self> {
        let error = control.reads.iter().find_map(|fact| denied.get(fact))?;
        Some(Self {
            result: unjudged(control, error, carried),
            error: error.clone(),
        })
    }
}

/// What is told of a control whose facts can't be read. What an unfinished record set out to do may have been done.
pub(super) fn unjudged<S: State>(control: &Control<S>, error: &AwsError, carried: Option<&Record>) -> ControlResult {
    let mut begun = carried.into_iter().flat_map(|record| &record.report.results);
    let begun = begun.find(|told| told.control == control.meta.id && told.is_intended());
    if let Some(mut begun) = begun.cloned() {
        let undo = begun.undo.no_way_back();
        let undo = undo.unwrap_or_else(|| "a restore of this record undoes what was done".into());
        let why = format!("it was begun, and what came of it can't be read ({error}); {undo}");
        begun.turn(Outcome::Failed, why);
        return begun;
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
pub(super) async fn readable<A: Adapter>(
    bound: &Bound<A>,
    resource: &Resource,
    controls: &[&'static Control<A::State>],
) -> Option<(A::State, BTreeMap<FactOf<A>, AwsError>)> {
    let needed = facts(bound.typed, controls);
    let asked = needed.iter().map(|fact| async move {
        let one = BTreeSet::from([*fact]);
        (*fact, bound.adapter.observe(resource, &one).await.err())
    });
    let mut denied = BTreeMap::new();
    for (fact, error) in join_all(asked).await {
        match error {
            Some(error) if error.kind == Kind::Denied => drop(denied.insert(fact, error)),
            Some(_) => return None,
            None => {}
        }
    }
    let blind = bound
        .typed
        .resource_type
        .always
        .iter()
        .any(|fact| denied.contains_key(fact));
    let left: BTreeSet<_> = needed.into_iter().filter(|fact| !denied.contains_key(fact)).collect();
    if blind || denied.is_empty() || left.is_empty() {
        return None;
    }
    let state = bound.adapter.observe(resource, &left).await.ok()??;
    Some((state, denied))
}
