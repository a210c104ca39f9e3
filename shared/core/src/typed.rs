//! Resource types with their controls: typed for the pipeline, and as data for all else.

use std::collections::BTreeSet;

use crate::event::{Call, EventError, NativeEvent};
use crate::{Change, Control, Location, Meta, Resource, ResourceType, Settings, State};

/// A resource type with its controls.
pub struct Typed<S: State> {
    /// The type.
    pub resource_type: &'static ResourceType<S>,
    /// Its controls, in the order in which their remedies build on each other.
    pub controls: &'static [Control<S>],
    /// The ids of the controls whose violation can close a resource off, where settings say so.
    pub quarantines: &'static [&'static str],
}

#[allow(
    clippy::expl_impl_clone_on_copy,
    reason = "derived, it would ask the state to be Copy as well"
)]
impl<S: State> Clone for Typed<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: State> Copy for Typed<S> {}

impl<S: State> Typed<S> {
    /// A resource type with its controls, none of which closes a resource off.
    pub const fn new(resource_type: &'static ResourceType<S>, controls: &'static [Control<S>]) -> Self {
        Self {
            resource_type,
            controls,
            quarantines: &[],
        }
    }

    /// The same with the controls whose violation can close a resource off.
    #[must_use]
    pub const fn with_quarantines(self, quarantines: &'static [&'static str]) -> Self {
        Self { quarantines, ..self }
    }

    /// The calls that lead to it: those that can break a control, and those that delete it.
    fn all_calls(&self) -> BTreeSet<&'static str> {
        let calls = self.controls.iter().flat_map(|control| control.meta.calls);
        calls.chain(self.resource_type.deletes).copied().collect()
    }
}

/// A resource type with its controls as the docs, the template and `portcullis triage` see it: data, without its types.
pub trait Listing: Send + Sync {
    /// CloudFormation's name of the type.
    fn kind(&self) -> &'static str;
    /// What its ARNs have after the partition, as in `s3:::{n}`; empty where a place has but one of the type.
    fn arn_form(&self) -> &'static str {
        ""
    }
    /// The CloudTrail event source of its calls.
    fn source(&self) -> &'static str;
    /// Whether a function looks after those of its own region only.
    fn regional(&self) -> bool {
        true
    }
    /// Its controls.
    fn controls(&self) -> Vec<&'static Meta>;
    /// The ids of the controls whose violation can close a resource off, where settings say so.
    fn quarantines(&self) -> &'static [&'static str] {
        &[]
    }
    /// The IAM actions that observing and listing take, and what is looked up before a change.
    fn reads(&self) -> BTreeSet<&'static str>;
    /// The IAM actions that the remedies of a control, and what undoes them, take.
    fn writes_of(&self, control: &str) -> BTreeSet<&'static str>;
    /// The resources that a call names; `None` where the call is none of its own.
    fn resources(&self, call: &Call) -> Option<Result<Vec<Resource>, EventError>>;
    /// Whether a call can change what is judged, under these settings.
    fn matters(&self, _: &Call, _: &Settings) -> bool {
        true
    }
    /// AWS Config's name of the type.
    fn config_kind(&self) -> &'static str;
    /// The resource that an id or an ARN stands for.
    fn identified(&self, id: &str, location: &Location) -> Option<Resource>;
    /// The calls that lead to it: those that can break a control, and those that delete it.
    fn calls(&self) -> BTreeSet<&'static str>;
    /// The calls that delete one, where another one may get its name.
    fn deletes(&self) -> &'static [&'static str] {
        &[]
    }
    /// What its service tells EventBridge by itself, and leads to it as a call does.
    fn native_events(&self) -> &'static [NativeEvent] {
        &[]
    }

    /// Whether it looks after what AWS Config calls by this type.
    fn takes_item(&self, kind: &str) -> bool {
        kind == self.config_kind() || kind == self.kind()
    }

    /// The IAM actions that its remedies take.
    fn writes(&self) -> BTreeSet<&'static str> {
        let controls = self.controls().into_iter();
        controls.flat_map(|meta| self.writes_of(meta.id)).collect()
    }

    /// The controls that a call can break.
    fn controls_for(&self, call: &str) -> Vec<&'static str> {
        self.controls()
            .iter()
            .filter(|meta| meta.calls.contains(&call))
            .map(|meta| meta.id)
            .collect()
    }
}

impl<S: State> Listing for Typed<S> {
    fn kind(&self) -> &'static str {
        self.resource_type.name
    }

    fn arn_form(&self) -> &'static str {
        self.resource_type.arn_form
    }

    fn source(&self) -> &'static str {
        self.resource_type.source
    }

    fn regional(&self) -> bool {
        self.resource_type.regional
    }

    fn controls(&self) -> Vec<&'static Meta> {
        self.controls.iter().map(|control| &control.meta).collect()
    }

    fn quarantines(&self) -> &'static [&'static str] {
        self.quarantines
    }

    fn reads(&self) -> BTreeSet<&'static str> {
        let of_controls = self.controls.iter().flat_map(|control| control.reads);
        let facts = of_controls.chain(self.resource_type.always);
        facts
            .flat_map(|fact| S::reads(*fact))
            .chain(self.resource_type.list_actions)
            .chain(self.resource_type.impact_reads)
            .copied()
            .collect()
    }

    fn writes_of(&self, control: &str) -> BTreeSet<&'static str> {
        let control = self.controls.iter().filter(|one| one.meta.id == control);
        let facts = control.flat_map(|control| control.changes);
        facts.flat_map(|fact| S::writes(*fact)).copied().collect()
    }

    fn resources(&self, call: &Call) -> Option<Result<Vec<Resource>, EventError>> {
        let takes = call.source == self.resource_type.source && self.all_calls().contains(call.name.as_str());
        takes.then(|| (self.resource_type.named)(call))
    }

    fn matters(&self, call: &Call, settings: &Settings) -> bool {
        (self.resource_type.matters)(call, settings)
    }

    fn config_kind(&self) -> &'static str {
        self.resource_type.config_name()
    }

    fn identified(&self, id: &str, location: &Location) -> Option<Resource> {
        (self.resource_type.identified)(id, location)
    }

    fn calls(&self) -> BTreeSet<&'static str> {
        self.all_calls()
    }

    fn deletes(&self) -> &'static [&'static str] {
        self.resource_type.deletes
    }

    fn native_events(&self) -> &'static [NativeEvent] {
        self.resource_type.native_events
    }
}

/// The facts of a control's remedies, and of what undoes them, that it does not declare to change: the role would lack what
/// they take.
pub(crate) fn undeclared<S: State>(control: &Control<S>, changes: &[S::Change], state: &S) -> Vec<S::Fact> {
    let undone = changes.iter().filter_map(|change| change.inverse(state));
    let facts = changes
        .iter()
        .map(Change::fact)
        .chain(undone.map(|change| change.fact()));
    facts.filter(|fact| !control.changes.contains(fact)).collect()
}
