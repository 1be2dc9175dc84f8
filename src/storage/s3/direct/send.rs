//! A request on its way past the SDK: signed, sent, and what came of it.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_s3::error::BoxError;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use hyper::body::Incoming;
use hyper::header::{HeaderValue, ToStrError};
use hyper::{Request, Response};
use hyper_util::client::legacy::connect::CaptureConnection;

use super::draft::Draft;
use super::endpoint::{Endpoint, Endpoints};
use super::replay::Replay;
use crate::domain::location::Bucket;
use crate::storage::error::Kind;
use crate::storage::object_store::{Body, Result};
use crate::storage::s3::bodies::{Outgoing, sending};
use crate::storage::s3::classify::unsent;
use crate::storage::s3::connect::Payload;
use crate::storage::s3::connector::Connector;
use crate::storage::s3::credentials::SharedCredentials;

/// What a request needs that is the same for all of a store.
pub(in crate::storage::s3) struct Direct {
    pub(in crate::storage::s3) connector: Connector,
    /// None: requests are not signed.
    pub(in crate::storage::s3) credentials: Option<SharedCredentials>,
    pub(in crate::storage::s3) payload: Payload,
    pub(in crate::storage::s3) endpoints: Endpoints,
}

/// A request that was sent, and what came of it.
pub(in crate::storage::s3) struct Sent {
    pub(in crate::storage::s3) reply: std::result::Result<Response<Incoming>, ConnectorError>,
    pub(super) connection: CaptureConnection,
    pub(super) credentials: Option<Credentials>,
}

impl Sent {
    /// For the SDK, to be read by it.
    pub(in crate::storage::s3) fn replay(self) -> Replay {
        Replay::new(self)
    }
}

/// A header of a reply, if it has it.
///
/// # Errors
///
/// It is no plain text: for the SDK to read.
pub(in crate::storage::s3) fn header<'a, B>(
    reply: &'a Response<B>,
    name: &str,
) -> std::result::Result<Option<&'a str>, ToStrError> {
    reply.headers().get(name).map(HeaderValue::to_str).transpose()
}

impl Direct {
    /// Sends a request. `None`: it is one that only the SDK knows how to send.
    pub(in crate::storage::s3) async fn send(
        &self,
        operation: &'static str,
        (bucket, region): (&Bucket, &str),
        draft: Draft,
        body: Option<Body>,
    ) -> Result<Option<Sent>> {
        let Some(endpoint) = self.endpoints.of(bucket, region).await else { return Ok(None) };
        let credentials = match &self.credentials {
            Some(shared) => {
                let provided = shared.provide().await;
                Some(provided.map_err(|error| unsent(operation, &error, Kind::Refused))?)
            }
            None => None,
        };
        let Some(mut request) = draft.request(&endpoint) else { return Ok(None) };
        if let Some(credentials) = &credentials {
            let signable = match (&body, self.payload) {
                (None, _) => SignableBody::Bytes(&[]),
                (Some(_), Payload::Unsigned) => SignableBody::UnsignedPayload,
                (Some(body), Payload::Signed) => SignableBody::Bytes(&body.bytes),
            };
            let now = SystemTime::now();
            if add_signature(&mut request, &endpoint, credentials, signable, now).is_err() {
                return Ok(None);
            }
        }
        let body = body.map_or_else(SdkBody::empty, |Body { bytes, taken, .. }| {
            sending(Outgoing { bytes, taken })
        });
        let (connection, reply) = self.connector.send(request.map(|()| body));
        Ok(Some(Sent { reply: reply.await, connection, credentials }))
    }
}

/// The URI of a request is signed as it is: S3 wants it neither encoded twice nor normalised.
fn add_signature(
    request: &mut Request<()>,
    endpoint: &Endpoint,
    credentials: &Credentials,
    body: SignableBody<'_>,
    now: SystemTime,
) -> std::result::Result<(), BoxError> {
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = Identity::from(credentials.clone());
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&endpoint.region)
        .name(&endpoint.service)
        .time(now)
        .settings(settings)
        .build()?;
    let mut headers = Vec::with_capacity(request.headers().len());
    for (name, value) in request.headers() {
        headers.push((name.as_str(), value.to_str()?));
    }
    let uri = request.uri().to_string();
    let signable = SignableRequest::new(request.method().as_str(), uri, headers.into_iter(), body)?;
    let (signature, _) = sign(signable, &params.into())?.into_parts();
    signature.apply_to_request_http1x(request);
    Ok(())
}
