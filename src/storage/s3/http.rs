//! Connections under the SDK: one pool for all requests, TLS roots, proxies.

use std::path::Path;
use std::time::Duration;

use aws_smithy_http_client::pool::{Client, ConnectionPool};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use super::connect::ConnectError;

/// S3 closes idle connections after a few seconds; one that it closed under us costs a retry.
const IDLE_TIMEOUT: Duration = Duration::from_secs(8);

pub(super) fn client(ca_bundle: Option<&Path>) -> Result<Client, ConnectError> {
    let mut roots = TrustStore::default();
    if let Some(path) = ca_bundle {
        roots = roots.with_pem_certificate(read_certificates(path)?);
    }
    let context = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|error| ConnectError::Http(error.into()))?;
    let pool = ConnectionPool::builder()
        .idle_timeout(IDLE_TIMEOUT)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build_https()
        .map_err(|error| ConnectError::Http(error.into()))?;
    Client::new(&pool).map_err(|error| ConnectError::Http(error.into()))
}

/// The library below takes PEM bytes as they are and panics on what is none, so they are checked here.
fn read_certificates(path: &Path) -> Result<Vec<u8>, ConnectError> {
    let bytes = std::fs::read(path)
        .map_err(|source| ConnectError::CaBundle { path: path.to_owned(), source })?;
    let marker = b"-----BEGIN CERTIFICATE-----";
    if bytes.windows(marker.len()).any(|window| window == marker) {
        Ok(bytes)
    } else {
        Err(ConnectError::NoCertificate(path.to_owned()))
    }
}
