//! The Lambda function for Amazon EC2.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    portcullis_runtime::run(include_str!("../../../portcullis.yaml"), portcullis_ec2::serve).await
}
