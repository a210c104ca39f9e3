//! What can be prevented need not be put right: policies that make a violation impossible, from the same settings.
//!
//! [`guardrails`] are the statements as data, each with the controls that it serves; [`generate`] makes documents of
//! them within AWS's limits.

mod actions;
mod attach;
mod clause;
mod declarative;
mod documents;
mod error;
mod events;
mod guardrail;
mod kind;
mod prevention;
mod request;
mod statements;
mod template;
mod values;

pub use actions::{Actions, Finding, Level, actions, check};
pub use attach::{attach, file_name, map};
pub use declarative::{Declarative, EC2_POLICY, S3_POLICY, endpoints};
pub use documents::{Document, Generated, Selection, Written, generate};
pub use error::GuardrailError;
pub use events::{Owners, action, requests};
pub use guardrail::{Exempt, Guardrail};
pub use kind::{DocumentKind, Group, Kind, Tier};
pub use prevention::{PreventedBy, Prevention, Verdict, controls_with_a_line, prevention};
pub use request::{Denial, Evaluator, Expected, Sample, SampleRequest};
pub use statements::guardrails;
pub use template::{template, with_parameters};
pub use values::{ExemptionValues, KeyValues, LevelValues, Values};
