//! The Lambda function for Amazon RDS.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_rds::service, settings, portcullis_rds::serve).await
}
