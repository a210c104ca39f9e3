//! The Lambda function for AWS KMS.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_kms::service, settings, portcullis_kms::serve).await
}
