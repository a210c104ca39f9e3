//! The Lambda function for AWS CloudTrail.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_trail::service, settings, portcullis_trail::serve).await
}
