//! Talking to AWS: the only files of this function that do.

mod alias;
mod convert;
mod key;

use aws_sdk_kms::Client;
use portcullis_runtime::{Handler, Regional};

use crate::controls;

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: portcullis_runtime::SdkConfig) -> Vec<Box<dyn Handler>> {
    let kms = Regional::new(&config, Client::new);
    vec![
        portcullis_runtime::serve(controls::KEYS, key::Aws(kms.clone())),
        portcullis_runtime::serve(controls::ALIASES, alias::Aws(kms)),
    ]
}
