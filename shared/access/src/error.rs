//! What is wrong with a text that is no policy.

use crate::service::Service;

/// Why a text is not a policy that AWS would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is not JSON.
    #[error("not valid JSON at line {line}, column {column}: {message}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the JSON parser says.
        message: String,
    },
    /// An element has a value of the wrong kind.
    #[error("{place} (byte {offset}): expected {expected}, found {found}")]
    Unexpected {
        /// Which element, such as `Statement[2].Action`.
        place: String,
        /// Where it starts in the text.
        offset: usize,
        /// What AWS takes there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// An element that the policy language does not have.
    #[error("{place} (byte {offset}): unknown element \"{name}\"; expected one of {expected}")]
    UnknownElement {
        /// In which object.
        place: String,
        /// Where it starts in the text.
        offset: usize,
        /// The unknown name.
        name: String,
        /// The names that AWS takes there.
        expected: &'static str,
    },
    /// A required element is not there.
    #[error("{place} (byte {offset}): required element \"{name}\" is missing")]
    Missing {
        /// In which object.
        place: String,
        /// Where that object starts in the text.
        offset: usize,
        /// The missing name.
        name: &'static str,
    },
    /// Two elements that exclude each other.
    #[error("{place} (byte {offset}): \"{first}\" and \"{second}\" exclude each other")]
    Exclusive {
        /// In which object.
        place: String,
        /// Where that object starts in the text.
        offset: usize,
        /// One of them.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// An element has a value that AWS does not take.
    #[error("{place} (byte {offset}): \"{found}\" is not {expected}")]
    Value {
        /// Which element.
        place: String,
        /// Where it starts in the text.
        offset: usize,
        /// What AWS takes there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The text is larger than its service takes, even where the quota was raised.
    #[error("the policy has {size} bytes; {service} takes {limit} at most")]
    TooLargeFor {
        /// Whose policy it would be.
        service: Service,
        /// What counts of the text.
        size: usize,
        /// The bound.
        limit: usize,
    },
    /// The text is larger than any service takes.
    #[error("the policy has {size} bytes; no service takes more than {limit}")]
    TooLarge {
        /// Bytes in the text.
        size: usize,
        /// The bound.
        limit: usize,
    },
}
