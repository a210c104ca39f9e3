//! Talking to AWS: the only files of this function that do.

mod account_defaults;
mod image;
mod instance;
mod security_group;
mod snapshot;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Region;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::Tag;
use portcullis_core::Tags;
use portcullis_runtime::{AwsError, Serve};

/// The client of one process. Another region gets a client of its own, which shares the connections.
#[derive(Clone)]
struct Clients(Client);

impl Clients {
    fn ec2(&self, region: &str) -> Client {
        if self.0.config().region().is_some_and(|own| own.as_ref() == region) {
            return self.0.clone();
        }
        let config = self.0.config().to_builder().region(Region::new(region.to_owned()));
        Client::from_conf(config.build())
    }
}

/// The guards of this function, with the SDK behind them.
pub async fn serve(config: portcullis_runtime::SdkConfig) -> Vec<Box<dyn Serve>> {
    let clients = Clients(Client::new(&config));
    vec![
        portcullis_runtime::serve::<crate::account_defaults::AccountDefaults>(account_defaults::Aws(clients.clone())),
        portcullis_runtime::serve::<crate::snapshot::Snapshot>(snapshot::Aws(clients.clone())),
        portcullis_runtime::serve::<crate::image::Image>(image::Aws(clients.clone())),
        portcullis_runtime::serve::<crate::security_group::SecurityGroup>(security_group::Aws(clients.clone())),
        portcullis_runtime::serve::<crate::instance::Instance>(instance::Aws(clients)),
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
