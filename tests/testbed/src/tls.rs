//! Certificates of every kind, good and bad, made when a test starts. It must never be asked for
//! one that a real client should trust.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The name of who signs.
const AUTHORITY: &str = "the testbed's authority";

/// What a server shows of itself, and its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    authority: String,
}

impl Certificate {
    /// For the loopback interface, signed by an authority of its own.
    pub fn valid() -> Self {
        Self::signed(&params(&["127.0.0.1", "localhost"]))
    }

    /// The same, but its time is over.
    pub fn expired() -> Self {
        let mut params = params(&["127.0.0.1", "localhost"]);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        Self::signed(&params)
    }

    /// The same, but for another host.
    pub fn for_host(name: &str) -> Self {
        Self::signed(&params(&[name]))
    }

    /// Signed by nobody else: its own authority.
    ///
    /// # Panics
    ///
    /// If no key can be made.
    pub fn self_signed() -> Self {
        let key = new_key();
        let certificate = params(&["127.0.0.1", "localhost"]).self_signed(&key);
        let certificate = certificate.expect("a certificate can be made");
        Self {
            authority: certificate.pem(),
            chain: vec![certificate.into()],
            key: key.serialize_der(),
        }
    }

    /// What a client has to trust to trust this one, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    fn signed(params: &CertificateParams) -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // OpenSSL takes a certificate for self-signed whose issuer has the same name.
        authority.distinguished_name.push(DnType::CommonName, AUTHORITY);
        let authority = CertifiedIssuer::self_signed(authority, new_key());
        let authority = authority.expect("an authority can be made");
        let key = new_key();
        let certificate = params.signed_by(&key, &authority).expect("a certificate can be made");
        Self {
            authority: authority.pem(),
            chain: vec![certificate.into()],
            key: key.serialize_der(),
        }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .expect("the key is the certificate's");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names that a certificate can hold");
    // Some clients want every certificate to name the key that signed it.
    params.use_authority_key_identifier_extension = true;
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_authority_have_different_names() {
        let certificate = Certificate::valid();
        let leaf = certificate.chain.first().expect("a certificate");
        let has = |name: &str| leaf.windows(name.len()).filter(|at| *at == name.as_bytes()).count();
        // As the issuer, and not as the subject.
        assert_eq!(has(AUTHORITY), 1);
    }
}
