//! One HTTP request over one connection: enough to steer the local AWS and to test the runtime server.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long an answer may take; a long poll sets its own limit around this.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends one request and collects its answer; an error is a sentence that names the request.
pub async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Response<Bytes>, String> {
    let failed = |why: &dyn std::fmt::Display| format!("{method} http://{address}{path}: {why}");
    let exchange = async {
        let stream = TcpStream::connect(address).await.map_err(|e| failed(&e))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| failed(&e))?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, address.to_string())
            .header(CONNECTION, "close");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).map_err(|e| failed(&e))?;
        let answer = async {
            let (parts, body) = sender.send_request(request).await.map_err(|e| failed(&e))?.into_parts();
            let body = body.collect().await.map_err(|e| failed(&e))?.to_bytes();
            Ok(Response::from_parts(parts, body))
        };
        // The connection is driven beside the exchange, not in a task of its own: dropping this future closes it.
        tokio::pin!(answer, connection);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            closed = &mut connection => match closed {
                Ok(()) => answer.await,
                Err(e) => Err(failed(&e)),
            },
        }
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .unwrap_or_else(|_| Err(failed(&"no answer within a minute")))
}
