//! The Lambda function for Amazon EC2.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_ec2::service, settings, portcullis_ec2::serve).await
}
