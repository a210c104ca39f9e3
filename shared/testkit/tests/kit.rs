//! The kit against a local AWS and a function that does what it is told (`src/bin/fake-function.rs`).

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::time::Duration;

use portcullis_testkit::{
    CloudTrail, Fault, Function, FunctionBuilder, LocalAws, assert_called, assert_only_reads, rounds, table,
};
use serde_json::json;

fn fake(aws: &LocalAws) -> FunctionBuilder {
    Function::new("fake", aws).binary(env!("CARGO_BIN_EXE_fake-function"))
}

#[tokio::test]
async fn a_function_gets_events_and_answers_them() {
    let aws = LocalAws::start().await;
    let function = fake(&aws).start().await;
    assert_eq!(
        function.arn(),
        format!("arn:aws:lambda:us-east-1:{}:function:fake", aws.account())
    );

    let event = CloudTrail::call("s3.amazonaws.com", "CreateBucket").event();
    let first = function.invoke(event.clone()).await;
    let answer = first.result.clone().unwrap();
    assert_eq!(answer["event"], event);
    assert_eq!(answer["arn"], function.arn());
    assert_eq!(answer["id"], first.request_id);
    assert_eq!(first.logs.len(), 1, "{:?}", first.logs);
    assert!(first.calls.is_empty());

    let again = function.retry(&first).await;
    assert_eq!(
        again.result.unwrap(),
        answer,
        "the same event under the same request id"
    );
    assert_eq!(function.logs().len(), 2);

    let cold = function.cold_start().unwrap();
    assert!(cold.to_next > Duration::ZERO && cold.to_first_answer.unwrap() > cold.to_next);
    assert!(!cfg!(target_os = "linux") || function.peak_memory_kib().unwrap() > 100);
}

#[tokio::test]
async fn failures_are_told_as_lambda_tells_them_and_the_next_event_gets_a_new_process() {
    let aws = LocalAws::start().await;
    let function = fake(&aws).timeout(Duration::from_secs(1)).start().await;
    let cases = [
        ("\u{1}not json", "BadEvent: no JSON"),
        (
            r#"{"do":"exit"}"#,
            "Runtime.ExitError: the process ended: exit status: 3",
        ),
        (r#"{"do":"hang"}"#, "Sandbox.Timedout: "),
    ];
    for (event, expected) in cases {
        let error = function.invoke(event).await.result.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        function.invoke("{}").await.result.expect("the next event is handled");
    }
}

#[tokio::test]
async fn a_function_can_be_killed_in_the_middle_and_retried() {
    let aws = LocalAws::start().await;
    let function = fake(&aws).start().await;
    let (killed, ()) = tokio::join!(function.invoke(r#"{"do":"hang"}"#), async {
        while function.logs().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        function.kill().await;
    });
    let error = killed.result.as_ref().unwrap_err().to_string();
    assert!(error.contains("signal: 9"), "{error}");
    assert_eq!(
        killed.logs,
        [r#"handling {"do":"hang"}"#],
        "what it printed is not lost"
    );
    assert!(function.cold_start().is_none(), "no process");
    function.invoke("{}").await.result.expect("a new process");
}

#[tokio::test]
async fn a_function_that_cannot_start_says_why() {
    let aws = LocalAws::start().await;
    let reported = fake(&aws).env("FAKE_START", "error").try_start().await.unwrap_err();
    assert!(reported.to_string().starts_with("Config: no table"), "{reported}");
    let silent = fake(&aws).env("FAKE_START", "exit").try_start().await.unwrap_err();
    assert_eq!(silent.error_type, "Runtime.ExitError");
    assert!(silent.message.contains("cannot go on"), "{silent}");
}

#[tokio::test]
async fn the_environment_is_lambdas_and_nothing_else() {
    let aws = LocalAws::start().await;
    let stack = aws.deploy().await;
    let function = fake(&aws)
        .deployment(&stack)
        .mode("enforce")
        .region("eu-west-1")
        .env("PORTCULLIS_ROLE_ARN", "arn:aws:iam::111122223333:role/other")
        .without_env("TZ")
        .start()
        .await;
    let environment = function.invoke(json!({"do": "environment"})).await.result.unwrap();
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_NAME"], "fake");
    assert_eq!(environment["AWS_ENDPOINT_URL"], aws.endpoint().to_string());
    assert_eq!(environment["AWS_REGION"], "eu-west-1");
    assert_eq!(environment["PORTCULLIS_LEDGER_TABLE"], stack.table);
    assert_eq!(environment["PORTCULLIS_TOPIC_ARN"], stack.topic_arn);
    assert_eq!(environment["PORTCULLIS_MODE"], "enforce");
    assert_eq!(
        environment["PORTCULLIS_ROLE_ARN"],
        "arn:aws:iam::111122223333:role/other"
    );
    for absent in ["TZ", "HOME", "PATH", "CARGO_MANIFEST_DIR"] {
        assert!(environment.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
#[should_panic(expected = "AWS_ENDPOINT_URL_S3: refused: \"https://s3.amazonaws.com\" is not a local AWS")]
async fn a_function_is_not_let_near_aws() {
    let aws = LocalAws::start().await;
    fake(&aws)
        .env("AWS_ENDPOINT_URL_S3", "https://s3.amazonaws.com")
        .start()
        .await;
}

#[tokio::test]
#[should_panic(expected = "cargo build --workspace --bins")]
async fn a_missing_binary_is_named() {
    let aws = LocalAws::start().await;
    Function::new("no-such-function", &aws).start().await;
}

#[tokio::test]
async fn only_the_functions_own_calls_are_listed_and_faulted() {
    let aws = LocalAws::start().await;
    let other = LocalAws::start().await;
    let (function, neighbour) = (fake(&aws).start().await, fake(&other).start().await);
    aws.deploy().await;
    assert!(
        aws.calls().await.is_empty(),
        "the test's own calls are not the function's"
    );

    aws.fault(Fault::on("s3", "ListBuckets").status(503, "SlowDown")).await;
    let list = json!({"do": "list"});
    assert_eq!(
        neighbour.invoke(&list).await.result.unwrap(),
        200,
        "another account's fault"
    );
    let refused = function.invoke(&list).await;
    assert_eq!(refused.result.unwrap(), 503);
    assert!(refused.calls[0].injected);
    let second = function.invoke(&list).await;
    assert_eq!(second.result.unwrap(), 200, "the fault was for one call");
    assert_called(&second.calls, &["s3:ListBuckets"]);
    assert_only_reads(&second.calls);
    assert!(!second.calls[0].injected && second.calls[0].status == Some(200));

    aws.fault(Fault::on_changes("s3").denied().always()).await;
    assert_eq!(
        function.invoke(&list).await.result.unwrap(),
        200,
        "a list changes nothing"
    );
    aws.fault(Fault::on_service("s3").drop_connection().always()).await;
    let dropped = function.invoke(&list).await;
    assert_eq!((dropped.result.unwrap(), dropped.calls[0].status), (json!(0), None));
    aws.clear_faults().await;
    assert_eq!(function.invoke(&list).await.result.unwrap(), 200);
    aws.wait_for_call("s3:ListBuckets", 5).await;
    aws.clear_calls().await;
    assert!(aws.calls().await.is_empty());
    assert_eq!(other.calls().await.len(), 1, "another account's calls stay");
}

#[tokio::test]
async fn slowed_calls_share_a_round_only_if_they_were_sent_together() {
    let aws = LocalAws::start().await;
    let (one, two) = (fake(&aws).start().await, fake(&aws).start().await);
    aws.slow(Duration::from_millis(200)).await;
    let list = json!({"do": "list"});
    tokio::join!(one.invoke(&list), two.invoke(&list));
    one.invoke(&list).await;
    let calls = aws.calls().await;
    assert_eq!((calls.len(), rounds(&calls)), (3, 2), "{}", table(&calls));
}

#[tokio::test]
async fn a_deployment_has_a_ledger_and_a_topic() {
    let aws = LocalAws::start().await;
    let stack = aws.deploy().await;
    assert!(aws.ledger_items(&stack.table).await.is_empty());
    assert!(aws.messages(&stack.topic_arn).await.is_empty());

    let dynamodb = aws_sdk_dynamodb::Client::new(&aws.sdk_config());
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    for sk in ["2", "1"] {
        let put = dynamodb.put_item().table_name(&stack.table);
        put.item("pk", text("r"))
            .item("sk", text(sk))
            .item("todo", text("x"))
            .item("since", text(sk))
            .send()
            .await
            .unwrap();
    }
    let items = aws.ledger_items(&stack.table).await;
    assert_eq!(items[0], json!({"pk": "r", "since": "1", "sk": "1", "todo": "x"}));
    assert_eq!(items.len(), 2);
    let open = dynamodb
        .query()
        .table_name(&stack.table)
        .index_name("todo")
        .key_condition_expression("todo = :t and since > :s")
        .expression_attribute_values(":t", text("x"))
        .expression_attribute_values(":s", text("1"))
        .send()
        .await
        .unwrap();
    assert_eq!(open.count(), 1);
    assert!(open.items()[0].contains_key("pk"));

    let parts = json!({"default": "a bucket was public", "sqs": json!({"version": 1}).to_string()});
    let severity = aws_sdk_sns::types::MessageAttributeValue::builder()
        .data_type("String")
        .string_value("HIGH");
    aws_sdk_sns::Client::new(&aws.sdk_config())
        .publish()
        .topic_arn(&stack.topic_arn)
        .subject("[portcullis] HIGH")
        .message(parts.to_string())
        .message_structure("json")
        .message_attributes("severity", severity.build().unwrap())
        .send()
        .await
        .unwrap();
    let messages = aws.messages(&stack.topic_arn).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].subject, "[portcullis] HIGH");
    assert_eq!(messages[0].text, "a bucket was public");
    assert_eq!(messages[0].json, json!({"version": 1}));
    assert_eq!(messages[0].attributes["severity"], "HIGH");
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let (one, two) = (LocalAws::start().await, LocalAws::start().await);
    assert_ne!(one.account(), two.account());
    let stack = one.deploy().await;
    let tables = aws_sdk_dynamodb::Client::new(&two.sdk_config())
        .list_tables()
        .send()
        .await
        .unwrap();
    assert!(tables.table_names().is_empty());
    assert!(stack.topic_arn.contains(one.account()), "{}", stack.topic_arn);
    assert_ne!(one.unique("b"), one.unique("b"));
}

#[tokio::test]
async fn the_tests_own_clients_reach_every_service() {
    let aws = LocalAws::start().await;
    // S3 Control puts the account id in front of the host, which is an IP address here.
    let block = aws_sdk_s3control::types::PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .build();
    let control = aws_sdk_s3control::Client::new(&aws.sdk_config());
    control
        .put_public_access_block()
        .account_id(aws.account())
        .public_access_block_configuration(block.clone())
        .send()
        .await
        .unwrap();
    let found = control
        .get_public_access_block()
        .account_id(aws.account())
        .send()
        .await
        .unwrap();
    assert_eq!(
        found.public_access_block_configuration.unwrap().block_public_acls(),
        block.block_public_acls()
    );
}
