use std::borrow::Cow;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::{Call, EventError, NativeEvent};
use crate::{Control, Location, Resource, Settings, Tags};

/// The code for one type of resource: which events name it, what a state of it is, which controls it has.
pub trait Guard: Sized + Send + Sync + 'static {
    /// CloudFormation's name of the type.
    const KIND: &'static str;
    /// AWS Config's name of the type, where it is another.
    const CONFIG_KIND: &'static str = Self::KIND;
    /// The CloudTrail event source of its calls, as in `s3.amazonaws.com`.
    const SOURCE: &'static str;
    /// Whether a function looks after those of its own region only. S3 records what happens to a bucket, and to an account, in
    /// the region through which somebody called.
    const REGIONAL: bool = true;
    /// One thing that can be read of the resource; the unit in which observation is asked for.
    type Fact: Copy + Ord + Debug + Send + Sync + 'static;
    /// What one observation found.
    type State: State<Remedy = Self::Remedy>;
    /// The changes that can be made.
    type Remedy: Remedy;

    /// All controls, in the order in which their remedies build on each other.
    fn controls() -> &'static [Control<Self>];

    /// The ids of the controls whose violation can close a resource off, where settings say so.
    fn quarantines() -> &'static [&'static str] {
        &[]
    }

    /// The IAM actions that reading a fact takes.
    fn reads(fact: Self::Fact) -> &'static [&'static str];

    /// The facts that the guard reads whatever the controls, such as tags for classification.
    fn always() -> &'static [Self::Fact] {
        &[]
    }

    /// The IAM actions of what is looked up before a change for those who are told, and that no judgement needs.
    fn impact_reads() -> &'static [&'static str] {
        &[]
    }

    /// The facts that a remedy changes, so that a restore can look at them.
    fn touches(remedy: &Self::Remedy) -> Self::Fact;

    /// The facts that a restore reads besides those that it changes: what [`State::restore_plan`] looks at.
    fn restore_reads() -> &'static [Self::Fact] {
        &[]
    }

    /// The resources that settings require, wherever they are, each with the control that says whether it is as it has to be:
    /// what a preflight looks at. An error says what is wrong with the settings.
    fn preflight(_: &Settings) -> Result<Vec<(Resource, &'static str)>, String> {
        Ok(Vec::new())
    }

    /// The resources of this account that a call names; none where it is about another account's.
    fn resources(call: &Call) -> Result<Vec<Resource>, EventError>;

    /// Whether a call can change what is judged, under these settings: one that sets tags of which they know nothing can't. What
    /// can't is ignored without a call of AWS.
    fn matters(_: &Call, _: &Settings) -> bool {
        true
    }

    /// The calls of which the ledger keeps when each was last made, since AWS does not show their effect any more once another
    /// call covers it.
    fn remembers() -> &'static [&'static str] {
        &[]
    }

    /// What its service tells EventBridge by itself, and leads to it as a call does.
    fn native_events() -> &'static [NativeEvent] {
        &[]
    }

    /// The calls that delete a resource whose name somebody may take anew: with it end the holds that were left on it.
    fn deletes() -> &'static [&'static str] {
        &[]
    }

    /// The resource of a place that an id or an ARN stands for, as AWS Config and sweeps name it; `None` where it can be
    /// none of this type, or is somebody else's.
    fn identified(id: &str, place: &Location) -> Option<Resource>;

    /// The IAM actions that listing all resources of a place takes.
    fn lists() -> &'static [&'static str];

    /// The resources that settings name, which a sweep looks at even where listing does not find them any more.
    fn required(_: &Settings, _: &Location) -> Vec<Resource> {
        Vec::new()
    }
}

/// What one observation of a resource found, as plain data.
pub trait State: Clone + Default + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The changes that can be made to it.
    type Remedy;

    /// What it would be after a change.
    #[must_use]
    fn after(&self, remedy: &Self::Remedy) -> Self;

    /// The change that would bring this state back once `remedy` was made; `None` where AWS has no way back.
    fn inverse(&self, remedy: &Self::Remedy) -> Option<Self::Remedy>;

    /// The changes that a restore makes from here, in the order in which AWS takes them: more than was asked for where something
    /// has to step aside meanwhile. An error says what stands in the way.
    fn restore_plan(&self, changes: Vec<Self::Remedy>) -> Result<Vec<Self::Remedy>, String> {
        Ok(changes)
    }

    /// Whether it says that the resource is no more, where a control asks for that: others answer no state at all then.
    fn is_gone(&self) -> bool {
        false
    }

    /// It without what AWS changes by itself, such as a public address that comes and goes with a stop and a start: what a
    /// restore compares.
    #[must_use]
    fn comparable(&self) -> Self {
        self.clone()
    }

    /// Its tags, where they were read.
    fn tags(&self) -> Option<&Tags>;
}

/// A change, as data.
pub trait Remedy: Clone + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What it replaces as a whole, as in `policy` or a rule's id: of two remedies with one target, only the later is made.
    fn target(&self) -> Cow<'static, str>;

    /// Remedies of different lanes may be made at the same time; those of one lane are made in order.
    fn concurrency_group(&self) -> u8 {
        0
    }

    /// The changes of lower rank are made first, those of one rank in the order of their controls.
    fn apply_order(&self) -> u8 {
        0
    }

    /// A restore makes the changes of lower rank first.
    fn restore_order(&self) -> u8 {
        0
    }

    /// The IAM actions that making it takes.
    fn writes(&self) -> &'static [&'static str];
}
