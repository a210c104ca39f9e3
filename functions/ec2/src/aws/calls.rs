//! What the adapters have in common: what was read ahead, and errors in our words.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::Tag;
use portcullis_core::Tags;
pub use portcullis_runtime::unless;
use portcullis_runtime::{AwsError, ErrorCodes, Kind};

/// How many values a filter takes. Source: EC2 API Reference, `DescribeInstances`.
pub const MANY: usize = 200;

/// What EC2's own codes mean. Source: EC2 API Reference, "Error codes".
const CODES: &ErrorCodes = &[
    ("IncorrectInstanceState", Kind::NotReady),
    ("IncorrectState", Kind::NotReady),
    ("UnauthorizedOperation", Kind::Denied),
];

/// What was read of many in one call, by their names.
pub struct Ahead<T>(Mutex<HashMap<String, T>>);

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Ahead<T> {
    fn all(&self) -> MutexGuard<'_, HashMap<String, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn put(&self, read: impl IntoIterator<Item = (String, T)>) {
        self.all().extend(read);
    }

    /// Once only: whoever looks again reads again.
    pub fn take(&self, name: &str) -> Option<T> {
        self.all().remove(name)
    }

    /// Of what never changes.
    pub fn known(&self, name: &str) -> Option<T> {
        self.all().get(name).cloned()
    }

    pub fn clear(&self) {
        self.all().clear();
    }
}

/// An answer, with an error in our words.
pub fn done<T, E, R>(operation: &'static str, answer: Result<T, SdkError<E, R>>) -> Result<T, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    answer.map_err(|error| AwsError::with_codes(operation, &error, CODES))
}

pub fn tags(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::error::ErrorMetadata;

    use super::*;

    #[test]
    fn the_codes_of_ec2_have_their_meaning() {
        for (code, kind) in [
            ("IncorrectInstanceState", Kind::NotReady),
            ("IncorrectState", Kind::NotReady),
            ("UnauthorizedOperation", Kind::Denied),
            ("InvalidVolume.NotFound", Kind::NotFound),
            ("UnsupportedOperation", Kind::Rejected),
            ("RequestLimitExceeded", Kind::Transient),
        ] {
            let error = ErrorMetadata::builder().code(code).build();
            let answer = done("StopInstances", Err::<(), _>(SdkError::service_error(error, ())));
            assert_eq!(answer.map_err(|error| error.kind), Err(kind), "{code}");
        }
    }
}
