//! The promise that nothing here leaves the machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// The address of a local AWS: plain HTTP on a loopback IP address. Nothing else parses.
///
/// A host name, even `localhost`, is refused: with an IP address the S3 client puts the bucket into the path by itself,
/// with a name it would put it in front of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint(SocketAddr);

/// An endpoint was named that is not a loopback address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLoopback(String);

impl Endpoint {
    /// The endpoint at a port of 127.0.0.1.
    pub fn local(port: u16) -> Self {
        Self((Ipv4Addr::LOCALHOST, port).into())
    }

    /// Where to connect to.
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl fmt::Display for NotLoopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "refused: {:?} is not a local AWS; expected http://127.0.0.1:PORT, since tests touch only loopback",
            self.0
        )
    }
}

impl std::error::Error for NotLoopback {}

impl FromStr for Endpoint {
    type Err = NotLoopback;

    fn from_str(url: &str) -> Result<Self, NotLoopback> {
        url.strip_prefix("http://")
            .map(|rest| rest.strip_suffix('/').unwrap_or(rest))
            .and_then(|rest| rest.parse::<SocketAddr>().ok())
            .filter(|address| address.ip().is_loopback() && address.port() != 0)
            .map(Self)
            .ok_or_else(|| NotLoopback(url.to_owned()))
    }
}

/// Answers loopback for every name: S3 Control puts the account id in front of the host
/// (`123456789012.127.0.0.1`), which no DNS knows.
#[derive(Debug, Clone)]
struct Loopback;

impl ResolveDns for Loopback {
    fn resolve_dns<'a>(&'a self, _name: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]))
    }
}

/// An HTTP client for the SDK that reaches nothing but loopback by name, and trusts no certificate.
pub(crate) fn http_client() -> SharedHttpClient {
    let nothing_trusted = tls::TlsContext::builder()
        .with_trust_store(tls::TrustStore::empty())
        .build()
        .expect("an empty trust store is valid");
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .tls_context(nothing_trusted)
        .build_with_resolver(Loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_endpoints() {
        for url in [
            "http://127.0.0.1:5000",
            "http://127.0.0.1:5000/",
            "http://127.9.8.7:1",
            "http://[::1]:5000",
        ] {
            let endpoint: Endpoint = url.parse().expect(url);
            assert_eq!(endpoint.to_string(), url.trim_end_matches('/'));
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        for url in [
            "https://s3.amazonaws.com",
            "http://10.0.0.1:5000",
            "http://localhost:5000",
            "http://127.0.0.1.example.com:80",
            "http://127.0.0.1:80@example.com:80",
            "http://127.0.0.1:0",
            "http://127.0.0.1",
            "https://127.0.0.1:5000",
            "127.0.0.1:5000",
            "",
        ] {
            let refused = url.parse::<Endpoint>().expect_err(url).to_string();
            assert!(refused.contains(&format!("{url:?} is not a local AWS")), "{refused}");
        }
    }
}
