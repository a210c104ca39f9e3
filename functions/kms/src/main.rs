//! The Lambda function for AWS KMS.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    portcullis_runtime::run(include_str!("../../../portcullis.yaml"), portcullis_kms::serve).await
}
