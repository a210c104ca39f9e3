use std::collections::BTreeSet;
use std::marker::PhantomData;

use crate::event::{Call, EventError, NativeEvent};
use crate::{Control, Guard, Location, Meta, Resource, Settings};

/// A guard as the docs, the template test and `portcullis triage` see it: data, without its types.
pub trait Listing: Send + Sync {
    /// CloudFormation's name of the type it guards.
    fn kind(&self) -> &'static str;
    /// The CloudTrail event source of its calls.
    fn source(&self) -> &'static str;
    /// Whether a function looks after those of its own region only.
    fn regional(&self) -> bool {
        true
    }
    /// Its controls.
    fn controls(&self) -> Vec<&'static Meta>;
    /// The ids of the controls whose violation can close a resource off, where settings say so.
    fn quarantines(&self) -> &'static [&'static str];
    /// The IAM actions that observing and listing take, and what is looked up before a change.
    fn reads(&self) -> BTreeSet<&'static str>;
    /// The resources that a call names; `None` where the call is none of its own.
    fn resources(&self, call: &Call) -> Option<Result<Vec<Resource>, EventError>>;
    /// Whether a call can change what is judged, under these settings.
    fn matters(&self, _: &Call, _: &Settings) -> bool {
        true
    }
    /// AWS Config's name of the type.
    fn config_kind(&self) -> &'static str;
    /// The resource that an id or an ARN stands for.
    fn identified(&self, id: &str, place: &Location) -> Option<Resource>;

    /// Whether it looks after what AWS Config calls by this type.
    fn takes_item(&self, kind: &str) -> bool {
        kind == self.config_kind() || kind == self.kind()
    }

    /// What its service tells EventBridge by itself, and leads to it as a call does.
    fn native_events(&self) -> &'static [NativeEvent] {
        &[]
    }

    /// The calls that delete one, where another one may get its name.
    fn deletes(&self) -> &'static [&'static str] {
        &[]
    }

    /// The calls that lead to it: those that can break a control, and those that delete it.
    fn calls(&self) -> BTreeSet<&'static str> {
        self.controls()
            .iter()
            .flat_map(|meta| meta.calls.iter().copied())
            .chain(self.deletes().iter().copied())
            .collect()
    }

    /// The IAM actions that its remedies take.
    fn writes(&self) -> BTreeSet<&'static str> {
        self.controls()
            .iter()
            .flat_map(|meta| meta.writes.iter().copied())
            .collect()
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

struct Listed<G>(PhantomData<G>);

/// The listing of a guard.
pub fn listing<G: Guard>() -> Box<dyn Listing> {
    Box::new(Listed::<G>(PhantomData))
}

impl<G: Guard> Listing for Listed<G> {
    fn kind(&self) -> &'static str {
        G::KIND
    }

    fn source(&self) -> &'static str {
        G::SOURCE
    }

    fn regional(&self) -> bool {
        G::REGIONAL
    }

    fn controls(&self) -> Vec<&'static Meta> {
        G::controls().iter().map(|Control { meta, .. }| meta).collect()
    }

    fn quarantines(&self) -> &'static [&'static str] {
        G::quarantines()
    }

    fn reads(&self) -> BTreeSet<&'static str> {
        let asked = G::controls().iter().flat_map(|control| control.facts.iter().copied());
        asked
            .chain(G::always().iter().copied())
            .flat_map(|fact| G::reads(fact).iter().copied())
            .chain(G::lists().iter().copied())
            .chain(G::impact_reads().iter().copied())
            .collect()
    }

    fn resources(&self, call: &Call) -> Option<Result<Vec<Resource>, EventError>> {
        (call.source == G::SOURCE && self.calls().contains(call.name.as_str())).then(|| G::resources(call))
    }

    fn native_events(&self) -> &'static [NativeEvent] {
        G::native_events()
    }

    fn deletes(&self) -> &'static [&'static str] {
        G::deletes()
    }

    fn matters(&self, call: &Call, settings: &Settings) -> bool {
        G::matters(call, settings)
    }

    fn config_kind(&self) -> &'static str {
        G::CONFIG_KIND
    }

    fn identified(&self, id: &str, place: &Location) -> Option<Resource> {
        G::identified(id, place)
    }
}
