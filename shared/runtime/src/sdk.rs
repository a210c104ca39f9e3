use std::collections::HashMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
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

tokio::task_local! {
    static REQUESTS: AtomicU64;
}

/// What something comes to, and how many requests it sent to AWS, retries included: those of events that are handled at the same
/// time are counted apart.
pub async fn counted<T>(future: impl Future<Output = T>) -> (T, u64) {
    let counting = async { (future.await, REQUESTS.with(|sent| sent.load(Ordering::Relaxed))) };
    REQUESTS.scope(AtomicU64::new(0), counting).await
}

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
        // What is sent while no event is handled, such as at the start, is nobody's.
        let _ = REQUESTS.try_with(|sent| sent.fetch_add(1, Ordering::Relaxed));
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
    loader.http_client(http_client(on_loopback())).load().await
}

fn http_client(on_loopback: bool) -> Counted<SharedHttpClient> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
    Counted(if on_loopback {
        http.build_with_resolver(LoopbackResolver)
    } else {
        http.build_https()
    })
}

/// The clients of one service, one a region, each made when it is first asked for. They share their connections.
#[derive(Debug, Clone)]
pub struct Regional<C> {
    config: SdkConfig,
    make: fn(&SdkConfig) -> C,
    made: Arc<Mutex<HashMap<String, C>>>,
}

impl<C: Clone> Regional<C> {
    /// `make` is the service's own `Client::new`.
    pub fn new(config: &SdkConfig, make: fn(&SdkConfig) -> C) -> Self {
        Self {
            config: config.clone(),
            make,
            made: Arc::default(),
        }
    }

    /// The client of a region.
    pub fn of(&self, region: &str) -> C {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(region) {
            return client.clone();
        }
        let config = self.config.to_builder().region(Region::new(region.to_owned()));
        let client = (self.make)(&config.build());
        made.insert(region.to_owned(), client.clone());
        client
    }
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
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_config::{BehaviorVersion, SdkConfig};
    use aws_sdk_dynamodb::Client;
    use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

    use super::{LONGEST_CALL, Regional, http_client, is_loopback, timeouts};

    /// Answers every request of a connection with an empty object.
    fn answer(stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut writer = stream;
        loop {
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line)? > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            reader.read_exact(&mut vec![0; length])?;
            writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")?;
        }
    }

    #[tokio::test]
    async fn the_clients_of_all_regions_share_one_connection_and_each_asks_in_its_own() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counted.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || answer(stream.unwrap()));
            }
        });
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http_client(true))
            .endpoint_url(url)
            .credentials_provider(SharedCredentialsProvider::new(credentials));
        let clients = Regional::new(&config.build(), Client::new);
        for region in ["eu-west-1", "us-east-1", "ap-south-1", "eu-west-1"] {
            let client = clients.of(region);
            assert_eq!(client.config().region().unwrap().as_ref(), region);
            client.list_tables().send().await.unwrap();
        }
        assert_eq!(connections.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_call_ends_before_what_is_kept_for_the_last_resource_does() {
        assert_eq!(timeouts().operation_timeout(), Some(LONGEST_CALL));
        let reserve = u128::try_from(crate::invocation::RESERVE).unwrap();
        assert!(LONGEST_CALL.as_millis() < reserve);
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
