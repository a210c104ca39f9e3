//! The Lambda function for Amazon S3.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_s3::service, settings, portcullis_s3::serve).await
}
