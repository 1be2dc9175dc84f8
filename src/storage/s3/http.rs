//! Connections under the SDK: one pool for all requests, TLS roots, proxies. It must never follow
//! a redirect: that is for `regions`, within the endpoint that was given.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_smithy_http_client::pool::{Client, ConnectionPool};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::connect::ConnectError;
use super::resolve::Resolver;

/// S3 closes idle connections after a few seconds; one that it closed under us costs a retry.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(8);
/// As every AWS tool reads it.
const CA_BUNDLE_VARIABLE: &str = "AWS_CA_BUNDLE";

pub(super) fn client(ca_bundle: Option<&Path>, resolver: Resolver) -> Result<Client, ConnectError> {
    let mut roots = TrustStore::default();
    if let Some(path) = ca_bundle.map(Path::to_owned).or_else(bundle_of_environment) {
        roots = roots.with_pem_certificate(read_certificates(&path)?);
    }
    let context = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .map_err(|error| ConnectError::Http(error.into()))?;
    let pool = ConnectionPool::builder()
        .idle_timeout(IDLE_TIMEOUT)
        .proxy_config(proxies())
        .dns_resolver(resolver)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build_https()
        .map_err(|error| ConnectError::Http(error.into()))?;
    Client::new(&pool).map_err(|error| ConnectError::Http(error.into()))
}

/// As the environment names them. A lone `*` is for every host, numbers included, which the library
/// below does not know.
fn proxies() -> ProxyConfig {
    if are_proxies_off() { ProxyConfig::disabled() } else { ProxyConfig::from_env() }
}

pub(super) fn are_proxies_off() -> bool {
    ["NO_PROXY", "no_proxy"]
        .iter()
        .any(|name| std::env::var(name).is_ok_and(|hosts| hosts.trim() == "*"))
}

fn bundle_of_environment() -> Option<PathBuf> {
    std::env::var_os(CA_BUNDLE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The library below takes PEM bytes as they are and panics on what is none, so they are checked here.
fn read_certificates(path: &Path) -> Result<Vec<u8>, ConnectError> {
    let bytes = std::fs::read(path)
        .map_err(|source| ConnectError::CaBundle { path: path.to_owned(), source })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|why| ConnectError::BadCertificate { path: path.to_owned(), why })?;
    }
    if roots.is_empty() { Err(ConnectError::NoCertificate(path.to_owned())) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_none_is_an_error_and_no_panic() {
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        for text in [
            String::new(),
            "no certificate".to_owned(),
            format!("{begin}!!!!\n{end}"),
            format!("{begin}AAAA\n{end}"),
            begin.to_owned(),
        ] {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), &text).expect("writable");
            assert!(read_certificates(file.path()).is_err(), "{text:?}");
        }
    }
}
