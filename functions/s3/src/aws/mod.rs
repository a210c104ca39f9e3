//! Talking to AWS: the only files of this function that do.

mod access_point;
mod account;
mod bucket;
mod clients;
mod convert;

use std::sync::Arc;

use portcullis_controls::Keys;
use portcullis_runtime::{Handler, Regional};

use self::clients::Clients;
use crate::controls;

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: portcullis_runtime::SdkConfig) -> Vec<Box<dyn Handler>> {
    let clients = Clients {
        s3: Regional::new(&config, aws_sdk_s3::Client::new),
        control: aws_sdk_s3control::Client::new(&config),
        keys: Arc::new(Keys::new(&config)),
    };
    vec![
        portcullis_runtime::serve(controls::BUCKETS, bucket::Aws(clients.clone())),
        portcullis_runtime::serve(controls::ACCOUNTS, account::Aws(clients.clone())),
        portcullis_runtime::serve(controls::ACCESS_POINTS, access_point::Aws(clients)),
    ]
}
