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

/// The longest that a call may take with all its attempts. With six of them it could outlast what a sweep keeps for its last
/// resource, and Lambda would end it in the middle.
pub const LONGEST_CALL: Duration = Duration::from_secs(12);

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(LONGEST_CALL / 2)
        .operation_timeout(LONGEST_CALL)
        .build()
}

/// The SDK's configuration, made once a process; clients made from it share its connections.
pub async fn sdk_config() -> SdkConfig {
    // Pinned, so that an upgrade of the SDK does not change how calls are retried.
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts());
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
    use super::{LONGEST_CALL, is_loopback, timeouts};

    #[test]
    fn a_call_ends_before_what_is_kept_for_the_last_resource_does() {
        assert_eq!(timeouts().operation_timeout(), Some(LONGEST_CALL));
        for reserve in [crate::sweep::RESERVE, crate::config::RESERVE] {
            assert!(LONGEST_CALL.as_millis() < u128::try_from(reserve).unwrap_or_default());
        }
    }

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
