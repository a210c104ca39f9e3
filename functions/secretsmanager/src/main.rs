//! The Lambda function for AWS Secrets Manager.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(
        portcullis_secretsmanager::service,
        settings,
        portcullis_secretsmanager::serve,
    )
    .await
}
