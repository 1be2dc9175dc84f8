//! Whom connections believe: the system's certificates and those of a bundle, or, where the user
//! has typed that flag, anyone. It must never be what decides when: `connect` does, and only for
//! the store itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientConfig, WantsClientCert};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    WantsVerifier,
};

use super::connect::ConnectError;

/// As every AWS tool reads it.
const CA_BUNDLE_VARIABLE: &str = "AWS_CA_BUNDLE";
/// All that is offered. Over HTTP/2 every request would share one connection: to one of the
/// addresses of a store, at the pace of one, and lost as one.
const PROTOCOL: &[u8] = b"http/1.1";

/// Servers have to prove who they are.
pub(super) fn checked(ca_bundle: Option<&Path>) -> Result<Arc<ClientConfig>, ConnectError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_bundle.map(Path::to_owned).or_else(bundle_of_environment) {
        add_bundle(&mut roots, &path)?;
    }
    let known = Known { provider: provider(), bundle: roots, verifier: OnceLock::new() };
    Ok(finished(builder()?.dangerous().with_custom_certificate_verifier(Arc::new(known))))
}

/// Whoever answers is taken for the server.
pub(super) fn unchecked() -> Result<Arc<ClientConfig>, ConnectError> {
    let anyone = Arc::new(Anyone);
    Ok(finished(builder()?.dangerous().with_custom_certificate_verifier(anyone)))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, ConnectError> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Http(error.into()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn finished(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Arc<ClientConfig> {
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Arc::new(config)
}

fn bundle_of_environment() -> Option<PathBuf> {
    std::env::var_os(CA_BUNDLE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// All of a bundle, or none: who names one relies on each certificate in it.
fn add_bundle(roots: &mut RootCertStore, path: &Path) -> Result<(), ConnectError> {
    let bytes = std::fs::read(path)
        .map_err(|source| ConnectError::CaBundle { path: path.to_owned(), source })?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let added = certificate
            .map_err(|error| error.to_string())
            .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
        added.map_err(|why| ConnectError::BadCertificate { path: path.to_owned(), why })?;
    }
    if roots.len() == before {
        return Err(ConnectError::NoCertificate(path.to_owned()));
    }
    Ok(())
}

/// Takes the certificates that the system's or a bundle's vouch for. The system's are read with the
/// first handshake: they are in hundreds of files, and a store that speaks plain HTTP needs none.
#[derive(Debug)]
struct Known {
    provider: Arc<CryptoProvider>,
    bundle: RootCertStore,
    /// `None` where nobody is known, who could vouch for others.
    verifier: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl Known {
    fn verifier(&self) -> Result<&WebPkiServerVerifier, rustls::Error> {
        let made = self.verifier.get_or_init(|| {
            let mut roots = self.bundle.clone();
            // One of the system's that nobody can read vouches for nobody.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let builder = WebPkiServerVerifier::builder_with_provider(
                Arc::new(roots),
                Arc::clone(&self.provider),
            );
            builder.build().ok()
        });
        made.as_deref().ok_or(CertificateError::UnknownIssuer.into())
    }
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        status: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier()?.verify_server_cert(certificate, between, name, status, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes every certificate, and does not look whether who shows it has its key.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
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
            assert!(add_bundle(&mut RootCertStore::empty(), file.path()).is_err(), "{text:?}");
        }
    }
}
