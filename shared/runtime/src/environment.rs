use portcullis_core::settings::Mode;
use portcullis_core::{Arn, ArnError};

/// What the stack tells a function through its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The ledger's table.
    pub ledger_table: String,
    /// The topic of the alerts.
    pub topic_arn: String,
    /// What its heartbeat is a tag on: the topic, unless the stack says something else.
    pub heartbeat: String,
    /// The function's own role.
    pub own_role: String,
    /// The same, and the role of the state machine that works on for it, where the stack has one: what they do is not acted on.
    pub own_roles: Vec<String>,
    /// The account that the function is in: that of its role.
    pub account: String,
    /// The mode of the stack, which bounds that of the settings; notify where it says none.
    pub mode: Mode,
    /// The function's name, for the commands in alerts.
    pub function: String,
    /// The names of the stack's other functions.
    pub other_functions: Vec<String>,
    /// The group of the schedules by which it has itself invoked again.
    pub schedule_group: String,
    /// The role under which EventBridge Scheduler does so.
    pub schedule_role: String,
    /// The queue that keeps what schedules send and could not be handled.
    pub dead_letters: String,
    /// The queue of events; none where it is only invoked, as on a desk.
    pub queue: Option<QueueUrls>,
    /// The SSM parameter whose settings override the packed ones.
    pub settings_parameter: Option<String>,
}

/// The URLs of a function's own queue, and of the one that keeps what could not be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUrls {
    /// The queue of events.
    pub url: String,
    /// The dead-letter queue.
    pub dead_letters: String,
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
    /// A role that is none.
    #[error("expected the ARN of the function's role in PORTCULLIS_ROLE_ARN: {0}")]
    Role(#[from] ArnError),
    /// What only a test may set.
    #[error("{0} is for tests: expected AWS_ENDPOINT_URL to name a loopback address beside it")]
    ForTests(&'static str),
    /// A lifetime that is none.
    #[error("expected milliseconds in PORTCULLIS_SETTINGS_LIFETIME, found {0:?}")]
    Lifetime(String),
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
            None | Some("" | "notify") => Mode::Notify,
            Some("enforce") => Mode::Enforce,
            Some(other) => return Err(EnvironmentError::Mode(other.to_owned())),
        };
        let own_role = required("PORTCULLIS_ROLE_ARN")?;
        Ok(Self {
            ledger_table: required("PORTCULLIS_LEDGER_TABLE")?,
            heartbeat: required("PORTCULLIS_HEARTBEAT").or_else(|_| required("PORTCULLIS_TOPIC_ARN"))?,
            topic_arn: required("PORTCULLIS_TOPIC_ARN")?,
            account: own_role.parse::<Arn>()?.account,
            own_roles: [Some(own_role.clone()), variable("PORTCULLIS_MACHINE_ROLE_ARN")]
                .into_iter()
                .flatten()
                .filter(|role| !role.is_empty())
                .collect(),
            own_role,
            mode,
            function: required("AWS_LAMBDA_FUNCTION_NAME")?,
            other_functions: variable("PORTCULLIS_OTHER_FUNCTIONS")
                .iter()
                .flat_map(|names| names.split(','))
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            schedule_group: required("PORTCULLIS_SCHEDULE_GROUP")?,
            schedule_role: required("PORTCULLIS_SCHEDULE_ROLE_ARN")?,
            dead_letters: required("PORTCULLIS_DEAD_LETTERS_ARN")?,
            queue: match (
                required("PORTCULLIS_QUEUE_URL"),
                required("PORTCULLIS_QUEUE_DEAD_LETTERS_URL"),
            ) {
                (Ok(url), Ok(dead_letters)) => Some(QueueUrls { url, dead_letters }),
                (Err(_), Err(_)) => None,
                (Err(missing), _) | (_, Err(missing)) => return Err(missing),
            },
            settings_parameter: variable("PORTCULLIS_SETTINGS_PARAMETER").filter(|name| !name.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changed: &'static str, value: &'static str) -> Result<Environment, EnvironmentError> {
        Environment::read(move |name| Some(if name == changed { value } else { given(name) }.to_owned()))
    }

    fn given(name: &str) -> &'static str {
        match name {
            "PORTCULLIS_MODE" => "enforce",
            "PORTCULLIS_ROLE_ARN" => "arn:aws:iam::111122223333:role/portcullis",
            _ => "x",
        }
    }

    #[test]
    fn a_mode_that_means_nothing_is_refused() {
        assert_eq!(with("", "").map(|read| read.mode), Ok(Mode::Enforce));
        assert_eq!(with("PORTCULLIS_MODE", "").map(|read| read.mode), Ok(Mode::Notify));
        assert_eq!(
            with("PORTCULLIS_MODE", "Enforce"),
            Err(EnvironmentError::Mode("Enforce".into()))
        );
        let none = Environment::read(|_| None);
        assert!(matches!(none, Err(EnvironmentError::Missing(_))));
    }

    #[test]
    fn the_roles_that_are_its_own_are_those_that_the_stack_names() {
        let (own, machine) = (
            "arn:aws:iam::111122223333:role/portcullis",
            "arn:aws:iam::111122223333:role/machine",
        );
        let read = |value| with("PORTCULLIS_MACHINE_ROLE_ARN", value).map(|read| read.own_roles);
        assert_eq!(read(machine), Ok(vec![own.to_owned(), machine.to_owned()]));
        assert_eq!(read(""), Ok(vec![own.to_owned()]));
    }

    #[test]
    fn the_account_is_that_of_the_role() {
        assert_eq!(with("", "").map(|read| read.account).as_deref(), Ok("111122223333"));
        assert!(matches!(
            with("PORTCULLIS_ROLE_ARN", "a-role"),
            Err(EnvironmentError::Role(_))
        ));
    }
}
