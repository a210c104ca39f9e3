//! Talking to AWS: the only files of this function that do.

mod account_defaults;
mod balanced;
mod image;
mod instance;
mod keys;
mod launch_template;
mod security_group;
mod snapshot;
mod volume;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::Tag;
use portcullis_core::Tags;
use portcullis_runtime::{AwsError, Handler, Regional};

/// How many values a filter takes. Source: EC2 API Reference, `DescribeInstances`.
const MANY: usize = 200;

/// What was read of many in one call, by their names.
struct Ahead<T>(Mutex<HashMap<String, T>>);

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Ahead<T> {
    fn all(&self) -> MutexGuard<'_, HashMap<String, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, read: impl IntoIterator<Item = (String, T)>) {
        self.all().extend(read);
    }

    /// Once only: whoever looks again reads again.
    fn take(&self, name: &str) -> Option<T> {
        self.all().remove(name)
    }

    /// Of what never changes.
    fn known(&self, name: &str) -> Option<T> {
        self.all().get(name).cloned()
    }

    fn clear(&self) {
        self.all().clear();
    }
}

/// The guards of this function, with the SDK behind them.
pub async fn serve(config: portcullis_runtime::SdkConfig) -> Vec<Box<dyn Handler>> {
    let ec2 = Regional::new(&config, Client::new);
    let keys = Arc::new(keys::Keys {
        kms: Regional::new(&config, aws_sdk_kms::Client::new),
        known: Ahead::default(),
    });
    let snapshots = snapshot::Aws {
        ec2: ec2.clone(),
        keys: Arc::clone(&keys),
    };
    let images = image::Aws {
        ec2: ec2.clone(),
        keys: Arc::clone(&keys),
    };
    let templates = launch_template::Aws {
        ec2: ec2.clone(),
        keys: Arc::clone(&keys),
    };
    let volumes = volume::Aws {
        ec2: ec2.clone(),
        ahead: Ahead::default(),
        keys,
    };
    let instances = instance::Aws {
        ec2: ec2.clone(),
        elb: Regional::new(&config, aws_sdk_elasticloadbalancingv2::Client::new),
        ahead: Ahead::default(),
        open: Ahead::default(),
        turn: tokio::sync::Mutex::default(),
    };
    vec![
        portcullis_runtime::serve(account_defaults::Aws(ec2.clone())),
        portcullis_runtime::serve(snapshots),
        portcullis_runtime::serve(images),
        portcullis_runtime::serve(security_group::Aws(ec2)),
        portcullis_runtime::serve(templates),
        portcullis_runtime::serve(volumes),
        portcullis_runtime::serve(instances),
    ]
}

/// An answer, with an error in our words.
fn done<T, E, R>(operation: &'static str, answer: Result<T, SdkError<E, R>>) -> Result<T, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    answer.map_err(|error| AwsError::new(operation, &error))
}

/// The same, or none where one of these codes says that there is nothing to do any more.
fn unless<T>(codes: &[&str], answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if codes.contains(&error.code.as_str()) => Ok(None),
        Err(error) => Err(error),
    }
}

fn tags(tags: &[Tag]) -> Tags {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.iter().filter_map(pair).collect()
}
