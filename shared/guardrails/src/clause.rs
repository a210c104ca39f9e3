//! What a statement says besides its actions.

use serde_json::Value;

/// One key of one operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// The operator, such as `StringEquals`.
    pub operator: &'static str,
    /// The condition key.
    pub key: String,
    /// The values, one of which has to match.
    pub values: Vec<String>,
}

impl Clause {
    /// An operator, a key and its values.
    pub fn new<S: Into<String>>(
        operator: &'static str,
        key: impl Into<String>,
        values: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            operator,
            key: key.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }
}

/// The resources of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resources {
    /// `Resource`.
    These(Vec<String>),
    /// `NotResource`, or all where nothing is excepted.
    AllBut(Vec<String>),
}

/// What settings make of a guardrail: one statement, or one for each level of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// What is added to the Sid where there are several.
    pub suffix: String,
    /// The resources.
    pub resources: Resources,
    /// The conditions besides the exemption.
    pub conditions: Vec<Clause>,
}

/// A list as policies write it: one text stands by itself.
pub(crate) fn one_or_many<S: AsRef<str>>(texts: &[S]) -> Value {
    match texts {
        [one] => one.as_ref().into(),
        many => many.iter().map(AsRef::as_ref).collect::<Vec<_>>().into(),
    }
}
