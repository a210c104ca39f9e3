//! Looks for requests that a statement lets in. [`Analyzer`] is the way in: it examines one statement at a time.
//!
//! What the policy [mentions] decides which [callers], which [actions and resources](action_resources) and which
//! [values](candidate_values) of condition keys are worth a try; the values of one caller make a [table](value_table), in which a
//! [search](request_search) finds a request that gets in.

mod account_classes;
mod action_resources;
mod callers;
mod candidate_values;
mod candidates;
mod fresh_names;
mod identity_values;
mod mentions;
mod request_search;
mod source_arns;
mod statement_analysis;
mod value_table;

pub use action_resources::likely_resource;
pub(crate) use action_resources::resources;
pub(crate) use statement_analysis::{Admitted, Analyzer, Budget, Finding, can_be_confused};
