//! The words of Portcullis and its pure steps.
//!
//! An event names resources, as a [`ResourceType`] says; a [`State`] is what was read of one; the type's [`Control`]s judge it, which
//! yields [`Finding`]s with remedies; [`plan()`] folds them into the smallest set of changes; [`alert`] tells people.
//! Nothing here knows the AWS SDK or an async runtime: every step is a plain function over plain data.

pub mod alert;
mod arn;
mod cause;
mod clause;
mod control;
mod decide;
pub mod event;
mod managed;
mod meta;
mod observed;
mod outcome;
mod plan;
mod report;
mod resource;
mod resource_type;
mod service;
pub mod settings;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
pub mod triage;
mod typed;

pub use arn::{Arn, ArnError, partition_of};
pub use cause::{Cause, Origin, Selector};
pub use clause::Clause;
pub use jiff::SignedDuration;

pub use control::{Control, Effect, Finding, History, Judge, JudgeContext, Judgement, RememberedCall};
pub use decide::{
    Decision, DecisionContext, Deferral, Hold, Reason, Remediation, Ruling, Settling, Wait, decide, next_hour,
    whole_second,
};
pub use event::{Actor, Call, Event, EventError};
pub use meta::{Impact, Meta, Severity, Switch};
pub use observed::Observed;
pub use outcome::{ControlResult, Outcome, Undo};
pub use plan::{Plan, PlannedFinding, plan};
pub use report::Report;
pub use resource::{Location, Resource};
pub use resource_type::{Required, ResourceType};
pub use service::Service;
pub use settings::Settings;
pub use state::{Change, State};
pub use typed::{Listing, Typed};

/// Tags of a resource, key to value.
pub type Tags = std::collections::BTreeMap<String, String>;
