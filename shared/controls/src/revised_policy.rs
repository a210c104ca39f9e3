//! Policies that a service changes only where they are still as they were read.

use serde::{Deserialize, Serialize};

use crate::dead_principals::{Writable, writable};

/// A policy, or that there is none, with the revision that was read: a change made of it expects that revision, and so loses a race
/// rather than undo what somebody else wrote meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisedPolicy {
    /// Its text, byte for byte; none where there is no policy.
    pub text: Option<String>,
    /// The revision; none where any will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

impl RevisedPolicy {
    /// Another text in place of this one.
    #[must_use]
    pub fn with_text(&self, text: Option<String>) -> Self {
        Self {
            text,
            revision: self.revision.clone(),
        }
    }

    /// The same whatever its revision: what a later change brings back, and what two reads are compared by.
    #[must_use]
    pub fn of_any_revision(mut self) -> Self {
        self.revision = None;
        self
    }

    /// The same as AWS will take it, and what was left out for that.
    pub fn writable(self) -> (Self, Vec<String>) {
        let Some(text) = &self.text else {
            return (self, Vec::new());
        };
        let Writable { text, notes } = writable(text);
        (self.with_text(text), notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_keeps_the_revision_and_leaves_out_who_is_no_more() {
        let policy = |principal: &str| RevisedPolicy {
            text: Some(format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":{principal}}},"Action":"dynamodb:Query","Resource":"*"}}]}}"#
            )),
            revision: Some("1".into()),
        };
        let (written, notes) = policy(r#"["111122223333","AROAEXAMPLEEXAMPLE001"]"#).writable();
        assert_eq!(written, policy(r#"["111122223333"]"#));
        assert_eq!(notes.len(), 1);
        let none = RevisedPolicy::default();
        assert_eq!(none.clone().writable(), (none, Vec::new()));
    }
}
