//! What puts a policy right.

use portcullis_core::{Clause, Finding, Severity};

/// Why there is nothing to write where the analyser has no fix.
pub const NO_FIX: &str = "no single statement can be changed to that end";

/// What would put a policy right; `P` is a policy, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cure<P> {
    /// What to write, and what is changed.
    Write(P, String),
    /// A person has to look: why.
    Nothing(String),
}

impl<P> Cure<P> {
    /// The finding that goes with it.
    pub fn finding<R>(self, severity: Severity, summary: Clause, remedy: impl FnOnce(P) -> R) -> Finding<R> {
        match self {
            Self::Write(policy, change) => Finding::new(severity, summary, change, vec![remedy(policy)]),
            Self::Nothing(why) => Finding::new(severity, summary, "", Vec::new()).only_notify(why),
        }
    }
}

/// The finding that a policy puts right, or that is told where there can be none.
pub fn written<P, C>(
    policy: Result<P, String>,
    severity: Severity,
    summary: Clause,
    remedy: impl Into<String>,
    change: impl FnOnce(P) -> C,
) -> Finding<C> {
    match policy {
        Ok(policy) => Finding::new(severity, summary, remedy, vec![change(policy)]),
        Err(why) => Finding::new(severity, summary, remedy, Vec::new()).only_notify(why),
    }
}
