//! Talking to AWS: the only files of this function that do.

mod access_point;
mod account;
mod bucket;
mod convert;

use aws_sdk_s3::config::Region;
use portcullis_runtime::{AwsError, Serve};

use crate::PublicAccessBlock;

/// The clients of one process. Buckets of another region get a client of their own, which shares the connections.
#[derive(Clone)]
struct Clients {
    s3: aws_sdk_s3::Client,
    control: aws_sdk_s3control::Client,
}

impl Clients {
    fn s3(&self, region: &str) -> aws_sdk_s3::Client {
        if self.s3.config().region().is_some_and(|own| own.as_ref() == region) {
            return self.s3.clone();
        }
        let config = self
            .s3
            .config()
            .to_builder()
            .region(Region::new(region.to_owned()))
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// The block of a bucket, which must be its owner's; none of a bucket that is gone.
    async fn bucket_block(
        &self,
        bucket: &str,
        account: &str,
        region: &str,
    ) -> Result<Option<PublicAccessBlock>, AwsError> {
        let get = self.s3(region).get_public_access_block().bucket(bucket);
        let answer = get.expected_bucket_owner(account).send().await;
        let answer = answer.map_err(|error| AwsError::new("GetPublicAccessBlock", &error));
        let answer = convert::found(&["NoSuchPublicAccessBlockConfiguration", "NoSuchBucket"], answer)?;
        Ok(answer
            .and_then(|answer| answer.public_access_block_configuration)
            .map(|block| convert::block(&block)))
    }

    async fn account_block(&self, account: &str) -> Result<Option<PublicAccessBlock>, AwsError> {
        let answer = self.control.get_public_access_block().account_id(account).send().await;
        let answer = answer.map_err(|error| AwsError::new("GetPublicAccessBlock (account)", &error));
        let answer = convert::found(&["NoSuchPublicAccessBlockConfiguration"], answer)?;
        Ok(answer
            .and_then(|answer| answer.public_access_block_configuration)
            .map(|block| convert::account_block(&block)))
    }
}

/// The guards of this function, with the SDK behind them.
pub async fn serve(config: portcullis_runtime::SdkConfig) -> Vec<Box<dyn Serve>> {
    let clients = Clients {
        s3: aws_sdk_s3::Client::new(&config),
        control: aws_sdk_s3control::Client::new(&config),
    };
    vec![
        portcullis_runtime::serve::<crate::bucket::Bucket>(bucket::Aws(clients.clone())),
        portcullis_runtime::serve::<crate::account::Account>(account::Aws(clients.clone())),
        portcullis_runtime::serve::<crate::access_point::AccessPoint>(access_point::Aws(clients)),
    ]
}
