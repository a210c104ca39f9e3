use portcullis_core::settings::Mode;

/// What the stack tells a function through its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The ledger's table.
    pub ledger_table: String,
    /// The topic of the alerts.
    pub topic_arn: String,
    /// The function's own role, whose calls are not acted on.
    pub own_role: String,
    /// The mode that the stack sets, over that of the settings.
    pub mode: Option<Mode>,
    /// The function's name, for the commands in alerts.
    pub function: String,
}

/// What is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A variable is not set.
    #[error("expected the environment variable {0}, found none: the stack's template sets it")]
    Missing(&'static str),
    /// A variable has a value that means nothing.
    #[error("expected `notify` or `enforce` in PORTCULLIS_MODE, found {0:?}")]
    Mode(String),
    /// Settings that only a test may give.
    #[error("PORTCULLIS_SETTINGS is for tests: expected AWS_ENDPOINT_URL to name a loopback address beside it")]
    SettingsForTests,
}

impl Environment {
    /// Reads it from the process.
    pub fn from_process() -> Result<Self, EnvironmentError> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let required = |name| {
            variable(name)
                .filter(|value| !value.is_empty())
                .ok_or(EnvironmentError::Missing(name))
        };
        let mode = match variable("PORTCULLIS_MODE").as_deref() {
            None | Some("") => None,
            Some("notify") => Some(Mode::Notify),
            Some("enforce") => Some(Mode::Enforce),
            Some(other) => return Err(EnvironmentError::Mode(other.to_owned())),
        };
        Ok(Self {
            ledger_table: required("PORTCULLIS_LEDGER_TABLE")?,
            topic_arn: required("PORTCULLIS_TOPIC_ARN")?,
            own_role: required("PORTCULLIS_ROLE_ARN")?,
            mode,
            function: required("AWS_LAMBDA_FUNCTION_NAME")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_that_means_nothing_is_refused() {
        let of = |mode: &'static str| {
            Environment::read(move |name| Some(if name == "PORTCULLIS_MODE" { mode } else { "x" }.into()))
        };
        assert_eq!(of("enforce").unwrap().mode, Some(Mode::Enforce));
        assert_eq!(of("Enforce"), Err(EnvironmentError::Mode("Enforce".into())));
        assert_eq!(
            Environment::read(|_| None),
            Err(EnvironmentError::Missing("PORTCULLIS_LEDGER_TABLE"))
        );
    }
}
