//! The Lambda function for Amazon EFS.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_efs::service, settings, portcullis_efs::serve).await
}
