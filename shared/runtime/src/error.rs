use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use portcullis_core::{EventError, Outcome};

/// What a failed AWS call means for the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The resource, or the fact asked for, does not exist.
    NotFound,
    /// Somebody else is changing the same thing: read again and retry.
    Conflict,
    /// Not allowed, by whatever policy.
    Denied,
    /// The resource is not in a state in which it can be changed: later it will be.
    NotReady,
    /// The request itself was refused: trying again won't help.
    Rejected,
    /// Throttled, timed out, broken off, or an error of the service.
    Transient,
}

impl Kind {
    /// Whether a retry of the whole event may help.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Transient | Self::Conflict)
    }
}

/// What the error codes of one service mean.
pub type ErrorCodes = [(&'static str, Kind)];

/// A call to AWS that failed after the SDK's own retries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {code}: {message}")]
pub struct AwsError {
    /// The API operation.
    pub operation: &'static str,
    /// The service's error code, or what happened on the way.
    pub code: String,
    /// The service's message.
    pub message: String,
    /// What it means for the pipeline.
    pub kind: Kind,
}

impl AwsError {
    /// Classifies what the SDK returned, by what error codes mean in all services.
    pub fn new<E, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        Self::with_codes(operation, error, &[])
    }

    /// The same, with the codes that only one service has, or that mean something else there.
    pub fn with_codes<E, R>(operation: &'static str, error: &SdkError<E, R>, codes: &ErrorCodes) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let (code, message) = match error {
            SdkError::ServiceError(service) => {
                let error = service.err();
                // An answer without a code is one that the SDK could not read.
                let message = error
                    .message()
                    .map_or_else(|| DisplayErrorContext(error).to_string(), ToOwned::to_owned);
                (error.code().unwrap_or("unreadable answer").to_owned(), message)
            }
            other => {
                let cause = std::error::Error::source(other)
                    .map(ToString::to_string)
                    .unwrap_or_default();
                (other.to_string(), cause)
            }
        };
        let kind = match error {
            SdkError::ServiceError(_) => kind_of(&code, codes),
            SdkError::ConstructionFailure(_) => Kind::Rejected,
            _ => Kind::Transient,
        };
        Self {
            operation,
            code,
            message,
            kind,
        }
    }

    /// A policy as it was answered. Services keep none that is not a JSON object, so one that isn't is a broken answer, and
    /// must not be judged.
    pub fn policy(operation: &'static str, answered: Option<String>) -> Result<Option<String>, Self> {
        let Some(text) = answered else { return Ok(None) };
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) {
            Ok(_) => Ok(Some(text)),
            Err(error) => Err(Self {
                operation,
                code: "unreadable answer".into(),
                message: format!("expected a policy as a JSON object: {error}"),
                kind: Kind::Transient,
            }),
        }
    }

    /// Whether it says that there is none of what was asked for.
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }
}

/// What an error code means: as its service says, or else as such names mean in all of them. Source: the error sections of the API
/// references, "Common Errors" of each among them.
fn kind_of(code: &str, codes: &ErrorCodes) -> Kind {
    const CONFLICT: [&str; 5] = [
        "AlreadyExistsException",
        "ConflictException",
        "PreconditionFailed",
        "PreconditionFailedException",
        "ResourceConflictException",
    ];
    const DENIED: [&str; 3] = ["AccessDenied", "AccessDeniedException", "AuthorizationError"];
    const REJECTED: [&str; 3] = ["ValidationException", "NotImplemented", "MethodNotAllowed"];
    const REJECTED_BEGIN: [&str; 3] = ["Invalid", "Malformed", "UnsupportedOperation"];
    if let Some((_, kind)) = codes.iter().find(|(own, _)| *own == code) {
        return *kind;
    }
    match code {
        _ if CONFLICT.contains(&code) => Kind::Conflict,
        _ if DENIED.contains(&code) => Kind::Denied,
        _ if code.starts_with("NoSuch") || code.starts_with("NotFound") || code.ends_with("NotFound") => Kind::NotFound,
        _ if code.ends_with("NotFoundException") || code.ends_with("NotFoundError") => Kind::NotFound,
        _ if REJECTED.contains(&code) || REJECTED_BEGIN.iter().any(|begin| code.starts_with(begin)) => Kind::Rejected,
        _ => Kind::Transient,
    }
}

/// Why an invocation failed. Lambda retries it, and keeps it in the dead-letter queue if that does not help.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// The event can't be understood.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The settings are wrong: nobody knows what is exempt, so nothing is done.
    #[error(transparent)]
    Settings(#[from] portcullis_core::settings::SettingsError),
    /// The parameter with the settings can't be read.
    #[error("the settings can't be read, so nothing was judged: {0}")]
    SettingsUnread(AwsError),
    /// The queue holds what only an operator may ask for, or what only the stack's own schedules and AWS Config send.
    #[error(
        "expected an event in the queue, found a request: whoever may ask invokes the function, under a permission of his own"
    )]
    NotFromQueue,
    /// Messages of a queue came to a function that has none.
    #[error(
        "expected the environment variable PORTCULLIS_QUEUE_URL beside messages of a queue, found none: the stack's template sets it"
    )]
    NoQueue,
    /// Handling the event ended in a panic: a mistake of ours.
    #[error("handling the event panicked; the log has the message")]
    Panicked,
    /// The invocation's time was over before the event was handled.
    #[error("the invocation's time was over before the event was handled")]
    OutOfTime,
    /// The event is about something that this function must not touch.
    #[error("expected an event of account {expected}, found one of account {found}")]
    ForeignAccount {
        /// The function's account.
        expected: String,
        /// The event's.
        found: String,
    },
    /// The event is about a resource that the function of another region looks after.
    #[error("expected an event of region {expected}, found one of region {found}")]
    ForeignRegion {
        /// The function's region.
        expected: String,
        /// The event's.
        found: String,
    },
    /// The resource can't be read.
    #[error("the state can't be read, so nothing was judged: {0}")]
    Observe(AwsError),
    /// The call that made the resource is so young that AWS may not show it yet.
    #[error(
        "expected {resource}, which {event} made at {time}, and found none yet: it is looked at again by the retry"
    )]
    NotVisibleYet {
        /// The resource's ARN.
        resource: String,
        /// The call that made it.
        event: String,
        /// When it was made.
        time: String,
    },
    /// The ledger can't be read or written, so nothing was changed.
    #[error("the ledger can't be used: {0}")]
    Ledger(AwsError),
    /// The ledger holds something that this version can't read.
    #[error("expected a record of the ledger, found {0}")]
    LedgerRecord(String),
    /// Somebody else is at the same resource.
    #[error("{resource} is being worked on until {until} (Unix milliseconds); this event is retried")]
    Busy {
        /// The resource's ARN.
        resource: String,
        /// When the other's lease ends.
        until: i64,
    },
    /// Somebody changed the resource while it was being changed here.
    #[error("{0} was changed by somebody else meanwhile, several times in a row")]
    LostRace(String),
    /// Changed, but it can't be read what came of it: the record stays open, so that the retry looks again.
    #[error("{resource}: the change was made, but can't be verified yet: {why}")]
    Unverified {
        /// The resource's ARN.
        resource: String,
        /// What stands in the way, or is still to be seen.
        why: String,
    },
    /// AWS is doing something to the resource, so that it takes no change now: nothing was recorded or tried.
    #[error("{resource} can't be changed now, for {why}; it is looked at again")]
    NotReady {
        /// The resource's ARN.
        resource: String,
        /// What AWS is doing.
        why: String,
    },
    /// Changed, but the alert could not be sent: the record stays open, so that the retry sends it.
    #[error("the alert can't be sent: {0}")]
    Notify(AwsError),
    /// What waits could not be scheduled: the record stays open, so that the retry schedules it.
    #[error("what waits can't be scheduled: {0}")]
    Schedule(AwsError),
    /// Some finding could not be put right; it was told.
    #[error("{resource}: {} could not be put right: {why}", controls.join(", "))]
    NotRemediated {
        /// The resource's ARN.
        resource: String,
        /// The controls' ids.
        controls: Vec<String>,
        /// What came of all controls, those included that were put right.
        outcomes: Vec<Outcome>,
        /// What went wrong.
        why: String,
    },
    /// What settings require can't even be named.
    #[error("nothing was looked at: {0}")]
    Preflight(String),
    /// What a hold's end was asked for could not be done.
    #[error("the hold on {what} can't be ended: {why}")]
    Release {
        /// The resource or the record.
        what: String,
        /// What was expected and found.
        why: String,
    },
    /// AWS Config got no answer, or only a part of it.
    #[error("the rule {rule} of AWS Config can't be answered in full: {why}")]
    Evaluations {
        /// The rule's name.
        rule: String,
        /// What went wrong.
        why: String,
    },
    /// A restore was refused.
    #[error("{record} can't be restored: {why}")]
    Restore {
        /// The ledger's record.
        record: String,
        /// What was expected and found.
        why: String,
        /// The facts behind it. Whoever asked gets them; a log must not, for a policy may hold what is secret.
        facts: Option<Box<str>>,
    },
}

impl Failure {
    /// What whoever invoked the function is answered: more than the log says.
    pub fn answer(&self) -> String {
        match self {
            Self::Restore { facts: Some(facts), .. } => format!("{self}: {facts}"),
            other => other.to_string(),
        }
    }

    /// Whether it is what the next try is for, and nobody has to know: what fails each time is a dead letter in the end.
    pub fn is_for_the_retry(&self) -> bool {
        matches!(
            self,
            Self::NotVisibleYet { .. } | Self::Busy { .. } | Self::NotReady { .. } | Self::Unverified { .. }
        )
    }

    /// A short name for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Event(_) => "EventRefused",
            Self::Settings(_) | Self::SettingsUnread(_) => "SettingsUnusable",
            Self::NotFromQueue => "NotFromQueue",
            Self::NoQueue => "NoQueue",
            Self::Panicked => "Panicked",
            Self::OutOfTime => "OutOfTime",
            Self::ForeignAccount { .. } => "ForeignAccount",
            Self::ForeignRegion { .. } => "ForeignRegion",
            Self::Observe(_) => "ObserveFailed",
            Self::NotVisibleYet { .. } => "NotVisibleYet",
            Self::Ledger(_) | Self::LedgerRecord(_) => "LedgerFailed",
            Self::Busy { .. } => "ResourceBusy",
            Self::LostRace(_) => "LostRace",
            Self::Unverified { .. } => "Unverified",
            Self::NotReady { .. } => "NotReady",
            Self::Notify(_) => "NotifyFailed",
            Self::Schedule(_) => "ScheduleFailed",
            Self::Release { .. } => "ReleaseRefused",
            Self::NotRemediated { .. } => "NotRemediated",
            Self::Preflight(_) => "PreflightRefused",
            Self::Evaluations { .. } => "EvaluationsFailed",
            Self::Restore { .. } => "RestoreRefused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_is_no_json_is_a_broken_answer() {
        let policy = |text: &str| AwsError::policy("GetBucketPolicy", Some(text.into()));
        assert_eq!(policy(r#"{"Statement":[]}"#), Ok(Some(r#"{"Statement":[]}"#.into())));
        for broken in ["", "<html>", "[]", "{"] {
            assert_eq!(
                policy(broken).map_err(|error| error.kind),
                Err(Kind::Transient),
                "{broken}"
            );
        }
        assert_eq!(AwsError::policy("GetBucketPolicy", None), Ok(None));
    }

    #[test]
    fn codes_have_the_meaning_of_their_names() {
        for (code, kind) in [
            ("NoSuchBucketPolicy", Kind::NotFound),
            ("ServerSideEncryptionConfigurationNotFoundError", Kind::NotFound),
            ("NotFoundException", Kind::NotFound),
            ("InvalidVolume.NotFound", Kind::NotFound),
            ("ConflictException", Kind::Conflict),
            ("AlreadyExistsException", Kind::Conflict),
            ("AccessDenied", Kind::Denied),
            ("AccessDeniedException", Kind::Denied),
            ("AuthorizationError", Kind::Denied),
            ("SlowDown", Kind::Transient),
            ("InternalError", Kind::Transient),
            ("ThrottlingException", Kind::Transient),
            ("InvalidArgument", Kind::Rejected),
            ("MalformedPolicy", Kind::Rejected),
            ("MalformedPolicyDocumentException", Kind::Rejected),
            ("MalformedXML", Kind::Rejected),
            ("ValidationException", Kind::Rejected),
            ("UnsupportedOperation", Kind::Rejected),
            ("UnsupportedOperationException", Kind::Rejected),
        ] {
            assert_eq!(kind_of(code, &[]), kind, "{code}");
        }
    }

    #[test]
    fn a_service_s_own_codes_come_first() {
        let own = [("InvalidState", Kind::NotReady)];
        assert_eq!(kind_of("InvalidState", &own), Kind::NotReady);
        assert_eq!(kind_of("InvalidState", &[]), Kind::Rejected);
        assert_eq!(kind_of("InvalidArgument", &own), Kind::Rejected);
    }
}
