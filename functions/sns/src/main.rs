//! The Lambda function for Amazon SNS.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_sns::service, settings, portcullis_sns::serve).await
}
