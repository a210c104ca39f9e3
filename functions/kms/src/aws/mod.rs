//! Talking to AWS: the only files of this function that do.

mod alias;
mod convert;
mod key;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::Region;
use portcullis_runtime::Serve;

/// The client of one process. Another region gets a client of its own, which shares the connections.
#[derive(Clone)]
struct Clients(Client);

impl Clients {
    fn kms(&self, region: &str) -> Client {
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
        portcullis_runtime::serve::<crate::key::Key>(key::Aws(clients.clone())),
        portcullis_runtime::serve::<crate::alias::Alias>(alias::Aws(clients)),
    ]
}
