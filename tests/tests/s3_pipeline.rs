//! The pipeline as a whole: what one event on one bucket costs and leaves behind.

use std::time::Duration;

use portcullis_testkit::{Actor, CloudTrail, Function, LocalAws, assert_only_reads, assert_rounds, table};
use serde_json::json;

#[tokio::test]
async fn a_bare_bucket_is_made_safe_in_five_rounds() {
    let aws = LocalAws::start().await;
    let stack = aws.deploy().await;
    let function = Function::new("portcullis-s3", &aws)
        .deployment(&stack)
        .mode("enforce")
        .start()
        .await;
    let s3 = aws_sdk_s3::Client::new(&aws.sdk_config());
    let bucket = aws.unique("bare");
    s3.create_bucket().bucket(&bucket).send().await.unwrap();
    let event = CloudTrail::call("s3.amazonaws.com", "CreateBucket")
        .params(json!({"bucketName": bucket}))
        .account(aws.account())
        .actor(Actor::role("ci", "run-17"))
        .event();
    aws.slow(Duration::from_millis(50)).await;
    let first = function.invoke(event).await;
    println!("{}\n{:?}\n{}", table(&first.calls), first.result, first.logs.join("\n"));
    first.result.as_ref().unwrap();
    let messages = aws.messages(&stack.topic_arn).await;
    println!("{}\n{}", messages[0].subject, messages[0].text);
    assert_rounds(&first.calls, 6);
    assert_eq!(messages.len(), 1);
    assert_only_reads(&function.retry(&first).await.calls);
}
