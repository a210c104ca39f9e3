//! The Lambda runtime API (2018-06-01), served to one function process.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// What a function answered to one event.
pub type Answer = Result<Value, FunctionError>;

/// A failure as Lambda reports it: the function's own error, or that of its sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// The kind of error. The sandbox's own kinds are Lambda's: `Runtime.ExitError`, `Sandbox.Timedout`.
    pub error_type: String,
    /// What it says.
    pub message: String,
}

impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

impl std::error::Error for FunctionError {}

impl FunctionError {
    pub(crate) fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.to_owned(),
            message: message.into(),
        }
    }

    /// Reads the body of an error report; one that is not a report is shown as it is.
    fn parse(body: &[u8]) -> Self {
        let report: Value = serde_json::from_slice(body).unwrap_or_default();
        match (report["errorType"].as_str(), report["errorMessage"].as_str()) {
            (Some(error_type), Some(message)) => Self::new(error_type, message),
            _ => Self::new("Runtime.MalformedError", String::from_utf8_lossy(body)),
        }
    }
}

/// The bytes of an event; they need not be JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(pub(crate) Bytes);

impl From<Value> for Payload {
    fn from(event: Value) -> Self {
        Self(event.to_string().into())
    }
}

impl From<&Value> for Payload {
    fn from(event: &Value) -> Self {
        Self(event.to_string().into())
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self(text.to_owned().into())
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec().into())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// The runtime API for one function process, on a free port of 127.0.0.1. It ends when this is dropped.
#[derive(Debug)]
pub struct LambdaRuntime {
    address: SocketAddr,
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Pending>,
    server: JoinHandle<()>,
}

/// An event that waits for the function to ask for it.
#[derive(Debug)]
struct Pending {
    request_id: String,
    payload: Bytes,
    deadline: SystemTime,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
struct Shared {
    function_arn: String,
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<Pending>>,
    running: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    polls: watch::Sender<Polls>,
    init_error: watch::Sender<Option<FunctionError>>,
}

/// How often the function asked for an event, and when it first did.
#[derive(Debug, Clone, Copy, Default)]
struct Polls {
    count: u64,
    first: Option<Instant>,
}

impl LambdaRuntime {
    /// Listens, for a function of this ARN.
    pub async fn start(function_arn: impl Into<String>) -> Self {
        let (queue, events) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            function_arn: function_arn.into(),
            queue: tokio::sync::Mutex::new(events),
            running: Mutex::default(),
            polls: watch::Sender::default(),
            init_error: watch::Sender::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port of 127.0.0.1");
        let address = listener.local_addr().expect("the port");
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            queue,
            server,
        }
    }

    /// Where it listens: the value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queues an event; the answer comes once the function has asked for the event and handled it.
    pub fn submit(
        &self,
        request_id: &str,
        payload: impl Into<Payload>,
        deadline: SystemTime,
    ) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        let payload = payload.into().0;
        let pending = Pending {
            request_id: request_id.to_owned(),
            payload,
            deadline,
            answer,
        };
        self.queue.send(pending).expect("the receiver lives in self");
        answered
    }

    /// How often the function has asked for an event.
    pub fn polls(&self) -> u64 {
        self.shared.polls.borrow().count
    }

    /// Waits until the function has asked for an event so often.
    pub async fn polled(&self, times: u64) {
        let mut polls = self.shared.polls.subscribe();
        polls
            .wait_for(|polls| polls.count >= times)
            .await
            .expect("the sender lives in self");
    }

    /// When the function first asked for an event.
    pub fn first_poll(&self) -> Option<Instant> {
        self.shared.polls.borrow().first
    }

    /// Waits until the function reports that it can't start.
    pub async fn init_error(&self) -> FunctionError {
        let mut reported = self.shared.init_error.subscribe();
        let error = reported
            .wait_for(Option::is_some)
            .await
            .expect("the sender lives in self");
        error.clone().expect("waited for")
    }
}

impl Drop for LambdaRuntime {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the set, that is with the server.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(route(&shared, request).await) });
            // A function that is killed breaks its connection: no news to anybody here.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn route(shared: &Shared, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let Some(rest) = path.strip_prefix("/2018-06-01/runtime/") else {
        return problem(StatusCode::NOT_FOUND, "UnknownPath", &path);
    };
    let segments: Vec<&str> = rest.split('/').collect();
    match (request.method(), segments.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => next(shared).await,
        (&Method::POST, ["invocation", id, "response"]) => {
            answer(shared, id, request.into_body(), |body| {
                serde_json::from_slice(body).map_err(|e| {
                    FunctionError::new("Runtime.MalformedResponse", format!("the response is no JSON: {e}"))
                })
            })
            .await
        }
        (&Method::POST, ["invocation", id, "error"]) => {
            answer(shared, id, request.into_body(), |body| Err(FunctionError::parse(body))).await
        }
        (&Method::POST, ["init", "error"]) => match request.into_body().collect().await {
            Ok(body) => {
                shared
                    .init_error
                    .send_replace(Some(FunctionError::parse(&body.to_bytes())));
                accepted()
            }
            Err(e) => problem(StatusCode::BAD_REQUEST, "BrokenBody", &e.to_string()),
        },
        (method, _) => problem(StatusCode::NOT_FOUND, "UnknownPath", &format!("{method} {path}")),
    }
}

/// The long poll: answers when there is an event that somebody still waits for.
async fn next(shared: &Shared) -> Response<Full<Bytes>> {
    shared.polls.send_modify(|polls| {
        polls.count += 1;
        polls.first.get_or_insert_with(Instant::now);
    });
    let pending = loop {
        match shared.queue.lock().await.recv().await {
            Some(pending) if pending.answer.is_closed() => {}
            Some(pending) => break pending,
            None => return problem(StatusCode::INTERNAL_SERVER_ERROR, "Closed", "the runtime is gone"),
        }
    };
    let deadline = pending
        .deadline
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_millis();
    let response = Response::builder()
        .header("lambda-runtime-aws-request-id", &pending.request_id)
        .header("lambda-runtime-deadline-ms", deadline.to_string())
        .header("lambda-runtime-invoked-function-arn", &shared.function_arn)
        .header(
            "lambda-runtime-trace-id",
            "Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0",
        )
        .header("content-type", "application/json")
        .body(Full::new(pending.payload))
        .expect("a valid response");
    shared
        .running
        .lock()
        .unwrap()
        .insert(pending.request_id, pending.answer);
    response
}

/// Hands the function's answer to whoever waits for it.
async fn answer(
    shared: &Shared,
    request_id: &str,
    body: Incoming,
    read: impl FnOnce(&[u8]) -> Answer,
) -> Response<Full<Bytes>> {
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(e) => return problem(StatusCode::BAD_REQUEST, "BrokenBody", &e.to_string()),
    };
    let waiting = shared.running.lock().unwrap().remove(request_id);
    match waiting {
        Some(waiting) => {
            // Nobody may wait any more: the invocation timed out meanwhile.
            let _ = waiting.send(read(&body));
            accepted()
        }
        None => problem(StatusCode::BAD_REQUEST, "InvalidRequestID", request_id),
    }
}

fn accepted() -> Response<Full<Bytes>> {
    reply(StatusCode::ACCEPTED, r#"{"status":"OK"}"#.into())
}

fn problem(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    reply(
        status,
        serde_json::json!({"errorType": error_type, "errorMessage": message}).to_string(),
    )
}

fn reply(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::http;

    const ARN: &str = "arn:aws:lambda:us-east-1:111122223333:function:f";
    const BASE: &str = "/2018-06-01/runtime";

    async fn ask(runtime: &LambdaRuntime, method: &str, path: &str, body: &str) -> Response<Bytes> {
        http::send(
            runtime.address(),
            method,
            &format!("{BASE}/{path}"),
            &[],
            body.to_owned(),
        )
        .await
        .unwrap()
    }

    fn soon() -> SystemTime {
        SystemTime::now() + Duration::from_secs(3)
    }

    #[tokio::test]
    async fn an_event_is_handed_out_with_its_headers_and_answered() {
        let runtime = LambdaRuntime::start(ARN).await;
        let deadline = UNIX_EPOCH + Duration::from_millis(1_234_567_890_123);
        let answered = runtime.submit("id-1", json!({"a": 1}), deadline);

        let next = ask(&runtime, "GET", "invocation/next", "").await;
        assert_eq!(next.status(), 200);
        assert_eq!(next.body().as_ref(), br#"{"a":1}"#);
        let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("lambda-runtime-aws-request-id"), "id-1");
        assert_eq!(header("lambda-runtime-deadline-ms"), "1234567890123");
        assert_eq!(header("lambda-runtime-invoked-function-arn"), ARN);
        assert!(header("lambda-runtime-trace-id").starts_with("Root="));

        let accepted = ask(&runtime, "POST", "invocation/id-1/response", r#"{"ok":true}"#).await;
        assert_eq!(accepted.status(), 202);
        assert_eq!(answered.await.unwrap(), Ok(json!({"ok": true})));

        let twice = ask(&runtime, "POST", "invocation/id-1/response", "{}").await;
        assert_eq!(twice.status(), 400, "an answer counts once");
    }

    #[tokio::test]
    async fn next_waits_for_an_event() {
        let runtime = LambdaRuntime::start(ARN).await;
        assert_eq!((runtime.polls(), runtime.first_poll()), (0, None));
        let (next, ()) = tokio::join!(ask(&runtime, "GET", "invocation/next", ""), async {
            runtime.polled(1).await;
            let answered = runtime.submit("late", vec![0xff, 0xfe], soon());
            tokio::spawn(answered);
        });
        assert_eq!(next.body().as_ref(), [0xff, 0xfe], "bytes need not be JSON");
        assert!(runtime.first_poll().is_some());
    }

    #[tokio::test]
    async fn a_poll_that_was_given_up_takes_no_event() {
        let runtime = LambdaRuntime::start(ARN).await;
        let gone = tokio::time::timeout(Duration::from_millis(50), ask(&runtime, "GET", "invocation/next", "")).await;
        assert!(gone.is_err());
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(runtime.submit("nobody waits for this", "", soon()));
        let _answered = runtime.submit("id", "", soon());
        let next = ask(&runtime, "GET", "invocation/next", "").await;
        assert_eq!(next.headers()["lambda-runtime-aws-request-id"], "id");
    }

    #[tokio::test]
    async fn errors_come_typed() {
        let runtime = LambdaRuntime::start(ARN).await;
        let cases = [
            (
                "error",
                r#"{"errorType":"BadEvent","errorMessage":"no detail"}"#,
                "BadEvent: no detail",
            ),
            ("error", "oops", "Runtime.MalformedError: oops"),
            (
                "response",
                "not json",
                "Runtime.MalformedResponse: the response is no JSON",
            ),
        ];
        for (kind, body, expected) in cases {
            let answered = runtime.submit("id", "", soon());
            ask(&runtime, "GET", "invocation/next", "").await;
            ask(&runtime, "POST", &format!("invocation/id/{kind}"), body).await;
            let error = answered.await.unwrap().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn an_error_of_the_start_is_kept() {
        let runtime = LambdaRuntime::start(ARN).await;
        let body = r#"{"errorType":"Config","errorMessage":"no table"}"#;
        assert_eq!(ask(&runtime, "POST", "init/error", body).await.status(), 202);
        assert_eq!(runtime.init_error().await, FunctionError::new("Config", "no table"));
    }

    #[tokio::test]
    async fn other_paths_are_not_found() {
        let runtime = LambdaRuntime::start(ARN).await;
        assert_eq!(ask(&runtime, "GET", "invocation/id/response", "").await.status(), 404);
        assert_eq!(
            http::send(runtime.address(), "GET", "/", &[], "")
                .await
                .unwrap()
                .status(),
            404
        );
    }
}
