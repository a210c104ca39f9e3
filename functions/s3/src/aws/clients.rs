//! The clients of one process, and what several types read with them.

use std::sync::Arc;

use portcullis_controls::Keys;
use portcullis_runtime::{AwsError, Regional};

use super::convert;
use crate::PublicAccessBlock;

/// The clients of one process. A bucket is asked for in its own region.
#[derive(Clone)]
pub struct Clients {
    pub s3: Regional<aws_sdk_s3::Client>,
    pub control: aws_sdk_s3control::Client,
    pub keys: Arc<Keys>,
}

impl Clients {
    /// The block of a bucket, which must be its owner's; none of a bucket that is gone.
    pub async fn bucket_block(
        &self,
        bucket: &str,
        account: &str,
        region: &str,
    ) -> Result<Option<PublicAccessBlock>, AwsError> {
        let get = self.s3.of(region).get_public_access_block().bucket(bucket);
        let answer = get.expected_bucket_owner(account).send().await;
        let answer = convert::done("GetPublicAccessBlock", answer);
        let answer = convert::unless(&["NoSuchPublicAccessBlockConfiguration", "NoSuchBucket"], answer)?;
        Ok(answer
            .and_then(|answer| answer.public_access_block_configuration)
            .map(|block| convert::block(&block)))
    }

    pub async fn account_block(&self, account: &str) -> Result<Option<PublicAccessBlock>, AwsError> {
        let answer = self.control.get_public_access_block().account_id(account).send().await;
        let answer = convert::done("GetPublicAccessBlock (account)", answer);
        let answer = convert::unless(&["NoSuchPublicAccessBlockConfiguration"], answer)?;
        Ok(answer
            .and_then(|answer| answer.public_access_block_configuration)
            .map(|block| convert::account_block(&block)))
    }
}
