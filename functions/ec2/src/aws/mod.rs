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
use aws_sdk_ec2::config::Region;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::Tag;
use portcullis_core::Tags;
use portcullis_runtime::{AwsError, Serve};

/// How many values a filter takes. Source: EC2 API Reference, `DescribeInstances`.
const MANY: usize = 200;

/// The clients of one process. Another region gets clients of its own, which share the connections.
#[derive(Clone)]
struct Clients {
    ec2: Client,
    elb: aws_sdk_elasticloadbalancingv2::Client,
    kms: aws_sdk_kms::Client,
}

impl Clients {
    fn ec2(&self, region: &str) -> Client {
        if self.ec2.config().region().is_some_and(|own| own.as_ref() == region) {
            return self.ec2.clone();
        }
        let config = self.ec2.config().to_builder().region(Region::new(region.to_owned()));
        Client::from_conf(config.build())
    }

    fn elb(&self, region: &str) -> aws_sdk_elasticloadbalancingv2::Client {
        if self.elb.config().region().is_some_and(|own| own.as_ref() == region) {
            return self.elb.clone();
        }
        let config = self.elb.config().to_builder();
        let config = config.region(aws_sdk_elasticloadbalancingv2::config::Region::new(region.to_owned()));
        aws_sdk_elasticloadbalancingv2::Client::from_conf(config.build())
    }

    fn kms(&self, region: &str) -> aws_sdk_kms::Client {
        if self.kms.config().region().is_some_and(|own| own.as_ref() == region) {
            return self.kms.clone();
        }
        let config = self.kms.config().to_builder();
        let config = config.region(aws_sdk_kms::config::Region::new(region.to_owned()));
        aws_sdk_kms::Client::from_conf(config.build())
    }
}

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
pub async fn serve(config: portcullis_runtime::SdkConfig) -> Vec<Box<dyn Serve>> {
    let clients = Clients {
        ec2: Client::new(&config),
        elb: aws_sdk_elasticloadbalancingv2::Client::new(&config),
        kms: aws_sdk_kms::Client::new(&config),
    };
    let keys = Arc::new(keys::Keys {
        clients: clients.clone(),
        known: Ahead::default(),
    });
    let instances = instance::Aws {
        clients: clients.clone(),
        ahead: Ahead::default(),
        open: Ahead::default(),
        turn: tokio::sync::Mutex::default(),
    };
    let volumes = volume::Aws {
        clients: clients.clone(),
        ahead: Ahead::default(),
        keys: Arc::clone(&keys),
    };
    let snapshots = snapshot::Aws {
        clients: clients.clone(),
        keys: Arc::clone(&keys),
    };
    let images = image::Aws {
        clients: clients.clone(),
        keys: Arc::clone(&keys),
    };
    let templates = launch_template::Aws {
        clients: clients.clone(),
        keys,
    };
    vec![
        portcullis_runtime::serve::<crate::account_defaults::AccountDefaults>(account_defaults::Aws(clients.clone())),
        portcullis_runtime::serve::<crate::snapshot::Snapshot>(snapshots),
        portcullis_runtime::serve::<crate::image::Image>(images),
        portcullis_runtime::serve::<crate::security_group::SecurityGroup>(security_group::Aws(clients)),
        portcullis_runtime::serve::<crate::launch_template::LaunchTemplate>(templates),
        portcullis_runtime::serve::<crate::volume::Volume>(volumes),
        portcullis_runtime::serve::<crate::instance::Instance>(instances),
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
