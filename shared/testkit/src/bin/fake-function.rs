//! A function for the tests of the kit itself: it speaks the Lambda runtime API, and does what its event says.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a fixture: a panic is how it fails, printing what it is for"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    match std::env::var("FAKE_START").as_deref() {
        Ok("error") => {
            send(
                &api,
                "POST",
                "/2018-06-01/runtime/init/error",
                "",
                r#"{"errorType":"Config","errorMessage":"no table"}"#,
            );
            return;
        }
        Ok("exit") => {
            println!("cannot go on");
            return;
        }
        _ => {}
    }
    loop {
        let (head, event) = send(&api, "GET", "/2018-06-01/runtime/invocation/next", "", "");
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(&format!("{name}: ")))
                .unwrap_or_default()
                .to_owned()
        };
        let id = header("lambda-runtime-aws-request-id");
        let Ok(event) = serde_json::from_slice::<Value>(&event) else {
            let body = r#"{"errorType":"BadEvent","errorMessage":"no JSON"}"#;
            send(
                &api,
                "POST",
                &format!("/2018-06-01/runtime/invocation/{id}/error"),
                "",
                body,
            );
            continue;
        };
        println!("handling {event}");
        let answer = match event["do"].as_str().unwrap_or_default() {
            "exit" => std::process::exit(3),
            "hang" => {
                std::thread::sleep(Duration::from_mins(10));
                continue;
            }
            "list" => json!(list_buckets()),
            "environment" => std::env::vars().map(|(name, value)| (name, json!(value))).collect(),
            _ => json!({"id": id, "arn": header("lambda-runtime-invoked-function-arn"), "event": event}),
        };
        send(
            &api,
            "POST",
            &format!("/2018-06-01/runtime/invocation/{id}/response"),
            "",
            &answer.to_string(),
        );
    }
}

/// Calls S3 once, with the keys and the endpoint of the environment; the HTTP status, or 0 if there was no answer.
fn list_buckets() -> u16 {
    let variable = |name: &str| std::env::var(name).unwrap();
    let headers = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={}/20260101/{}/s3/aws4_request, SignedHeaders=host, Signature=0\r\n",
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_REGION")
    );
    let (head, _) = send(
        variable("AWS_ENDPOINT_URL").trim_start_matches("http://"),
        "GET",
        "/",
        &headers,
        "",
    );
    head.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// One HTTP exchange over one connection: the head and the body of the answer.
fn send(address: &str, method: &str, path: &str, headers: &str, body: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    // A connection that breaks leaves what came until then.
    let _ = stream.read_to_end(&mut answer);
    let head = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap_or(answer.len());
    let body = answer.split_off((head + 4).min(answer.len()));
    (String::from_utf8_lossy(&answer).into_owned(), body)
}
