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
pub mod settings;
pub mod triage;

pub use arn::{Arn, ArnError, partition_of};
pub use catalog::{Listing, listing};
pub use cause::{Asks, Cause};
pub use control::{Control, Finding, Heard, Impact, Judgement, Memory, Meta, Scope, Severity};
pub use decide::{
    Circumstances, Decision, Deferral, Hold, Reason, Remediation, Ruling, Wait, decide, next_hour, whole_second,
};
pub use event::{Actor, Call, Event, EventError};
pub use guard::{Guard, Remedy, State};
pub use outcome::{Outcome, Report, Told};
pub use plan::{Judged, Plan, plan};
pub use resource::{Place, Resource};
pub use seen::Seen;
pub use settings::Settings;

/// Tags of a resource, key to value.
pub type Tags = std::collections::BTreeMap<String, String>;
