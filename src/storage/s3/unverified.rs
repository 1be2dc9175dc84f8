//! Connections for `--no-verify-ssl`: TLS with whoever answers. The SDK's own connector takes no
//! verifier, so this is one of our own, for this case alone. It must never be used to ask for
//! credentials, nor be what anyone gets without having typed the flag.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector as SdkConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::connect::ConnectError;
use super::http::{IDLE_TIMEOUT, are_proxies_off};

/// A client that takes every certificate of the store at `endpoint`, through the proxy that the
/// environment names for it.
pub(super) fn client(
    endpoint: &str,
    connect_timeout: Duration,
) -> Result<SharedHttpClient, ConnectError> {
    let broken = |error: &dyn std::error::Error| ConnectError::Http(error.to_string().into());
    let endpoint = endpoint.parse().map_err(|_| ConnectError::Endpoint(endpoint.to_owned()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(connect_timeout));
    let connector = match Matcher::from_env().intercept(&endpoint).filter(|_| !are_proxies_off()) {
        Some(proxy) => {
            let tunnel = Tunnel::new(proxy.uri().clone(), http);
            let tunnel = match proxy.basic_auth() {
                Some(auth) => tunnel.with_auth(auth.clone()),
                None => tunnel,
            };
            connector(HttpsConnector::from((tunnel, tls)))
        }
        None => connector(HttpsConnector::from((http, tls))),
    };
    Ok(http_client_fn(move |_, _| connector.clone()))
}

fn connector<C>(connect: HttpsConnector<C>) -> SharedHttpConnector
where
    HttpsConnector<C>: Connect + Clone + Send + Sync + 'static,
{
    let client = Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_timer(TokioTimer::new())
        .build(connect);
    SharedHttpConnector::new(Unverified(client))
}

/// The SDK's view of hyper's client.
struct Unverified<C>(Client<C, SdkBody>);

impl<C: Connect + Clone + Send + Sync + 'static> SdkConnector for Unverified<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request =
                request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let reply = client
                .request(request)
                .await
                .map_err(|error| ConnectorError::other(error.into(), None))?;
            HttpResponse::try_from(reply.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl<C> fmt::Debug for Unverified<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Unverified(..)")
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
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
