//! Answers of AWS, with errors in our words.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::error::AwsError;

/// An answer, or the error that says what it means for the pipeline: of a service whose error codes mean what their names say.
pub fn done<T, E, R>(operation: &'static str, answer: Result<T, SdkError<E, R>>) -> Result<T, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    answer.map_err(|error| AwsError::new(operation, &error))
}

/// An answer, or none where one of these codes says that there is no such thing. Another "not found" is a failure: what it says may
/// not be about what was asked for.
pub fn unless<T>(codes: &[&str], answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if codes.contains(&error.code.as_str()) => Ok(None),
        Err(error) => Err(error),
    }
}
