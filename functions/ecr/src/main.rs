//! The Lambda function for Amazon ECR.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_ecr::service, settings, portcullis_ecr::serve).await
}
