//! The Lambda function for Amazon SQS.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_sqs::service, settings, portcullis_sqs::serve).await
}
