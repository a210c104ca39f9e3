//! The Lambda function for Amazon DynamoDB.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_dynamodb::service, settings, portcullis_dynamodb::serve).await
}
