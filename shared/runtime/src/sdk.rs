use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Answers loopback for every name.
///
/// S3 Control puts the account id in front of the endpoint's host, and `111122223333.127.0.0.1` resolves nowhere. It is
/// used only where `AWS_ENDPOINT_URL` names a loopback address, so it can't lead a call astray.
#[derive(Debug, Clone)]
pub struct LoopbackResolver;

impl ResolveDns for LoopbackResolver {
    fn resolve_dns<'a>(&'a self, _name: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]))
    }
}

/// How many requests went to AWS since the process began, retries included. Lambda hands a process one event at a time, so
/// the difference over an event is that event's.
pub fn requests() -> u64 {
    REQUESTS.load(Ordering::Relaxed)
}

static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// A client that counts what it sends.
#[derive(Debug)]
struct Counted<T>(T);

impl HttpClient for Counted<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Counted(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for Counted<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        REQUESTS.fetch_add(1, Ordering::Relaxed);
        self.0.call(request)
    }
}

/// The SDK's configuration, made once a process; clients made from it share its connections.
pub async fn sdk_config() -> SdkConfig {
    // Pinned, so that an upgrade of the SDK does not change how calls are retried.
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(
        TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(6))
            .build(),
    );
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
    let http = if on_loopback() {
        http.build_with_resolver(LoopbackResolver)
    } else {
        http.build_https()
    };
    loader.http_client(Counted(http)).load().await
}

/// Whether all calls go to this machine.
pub fn on_loopback() -> bool {
    std::env::var("AWS_ENDPOINT_URL").is_ok_and(|url| is_loopback(&url))
}

/// Whether it is `http://<loopback address>:<port>` and nothing else.
fn is_loopback(url: &str) -> bool {
    let address = url
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/').parse::<SocketAddr>());
    matches!(address, Some(Ok(address)) if address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_a_loopback_address_is_loopback() {
        assert!(is_loopback("http://127.0.0.1:5000"));
        for url in [
            "http://127.0.0.1:80@example.com",
            "http://localhost:1",
            "https://127.0.0.1:1",
            "http://10.0.0.1:80",
            "",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
