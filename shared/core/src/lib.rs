//! The words of Portcullis and its pure steps.
//!
//! An event names resources; a [`Guard`] says how a resource's [`State`] looks and which [`Control`]s it has; judging a
//! state yields [`Finding`]s with remedies; [`plan()`] folds them into the smallest set of changes; [`alert`] tells people.
//! Nothing here knows the AWS SDK or an async runtime: every step is a plain function over plain data.

pub mod alert;
mod arn;
mod catalog;
mod cause;
mod control;
mod decide;
pub mod event;
mod guard;
mod outcome;
mod plan;
mod resource;
mod seen;
mod service;
pub mod settings;
pub mod triage;

pub use arn::{Arn, ArnError, partition_of};
pub use catalog::{Listing, listing};
pub use cause::{Cause, Origin, Selector};
pub use control::{Control, Finding, History, Impact, JudgeContext, Judgement, Meta, RememberedCall, Severity};
pub use decide::{
    Decision, DecisionContext, Deferral, Hold, Reason, Remediation, Ruling, Wait, decide, next_hour, whole_second,
};
pub use event::{Actor, Call, Event, EventError};
pub use guard::{Guard, Remedy, State};
pub use outcome::{ControlResult, Outcome, Report};
pub use plan::{Plan, PlannedFinding, plan};
pub use resource::{Location, Resource};
pub use seen::Observed;
pub use service::Service;
pub use settings::Settings;

/// Tags of a resource, key to value.
pub type Tags = std::collections::BTreeMap<String, String>;
