//! What the adapters have in common: what was read ahead, and errors in our words.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::Tag;
use portcullis_core::Tags;
use portcullis_runtime::AwsError;
pub use portcullis_runtime::unless;

/// How many values a filter takes. Source: EC2 API Reference, `DescribeInstances`.
pub const MANY: usize = 200;

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
    answer.map_err(|error| AwsError::new(operation, &error))
}

pub fn tags(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}
