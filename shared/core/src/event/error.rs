use serde_json::Value;

/// The most that Lambda takes for an asynchronous invocation, in bytes. Source: Lambda Developer Guide, "Lambda quotas".
pub const LARGEST_EVENT: usize = 1024 * 1024;

/// Why an event was refused: what was expected, what was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON at all, or nested beyond reason.
    #[error("expected an event in JSON, found what is none: {0}")]
    NotJson(String),
    /// Larger than anything Lambda hands over.
    #[error("expected an event of at most {LARGEST_EVENT} bytes, found {0}")]
    TooLarge(usize),
    /// A field that must be there is not.
    #[error("expected the field {0}, found none")]
    Missing(String),
    /// A field has the wrong type or form.
    #[error("expected {expected} in the field {field}, found {found}")]
    Unexpected {
        /// The field's path.
        field: String,
        /// What it should be.
        expected: &'static str,
        /// What it is, cut short.
        found: String,
    },
    /// Nothing that this tool knows.
    #[error(
        "expected an event of CloudTrail or AWS Config from EventBridge, a CloudTrail record, an invocation by AWS Config, a restore, a release, a look, a scheduled look, a sweep or a preflight, found an object with the keys {0}"
    )]
    Unknown(String),
}

impl EventError {
    /// A field that has another type or form than it should.
    pub fn unexpected(field: impl Into<String>, expected: &'static str, found: &Value) -> Self {
        let shown = match found {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            other => other.to_string().chars().filter(|c| !c.is_control()).take(80).collect(),
        };
        Self::Unexpected {
            field: field.into(),
            expected,
            found: shown,
        }
    }

    /// A parameter that does not have the form its service gives it.
    pub fn parameter(name: &str, expected: &'static str, found: &Value) -> Self {
        Self::unexpected(format!("requestParameters.{name}"), expected, found)
    }

    /// The same, where the field's path begins further out.
    #[must_use]
    pub(super) fn within(self, outer: &str) -> Self {
        match self {
            Self::Missing(field) => Self::Missing(format!("{outer}{field}")),
            Self::Unexpected { field, expected, found } => Self::Unexpected {
                field: format!("{outer}{field}"),
                expected,
                found,
            },
            other => other,
        }
    }
}
