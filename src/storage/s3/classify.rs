//! From the SDK's errors to ours: the one classifier. Everything that decides whether and how to
//! go on is here, by type, status and code; never by the words of a message.

use std::error::Error;
use std::io;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_smithy_types::byte_stream::error::Error as ByteStreamError;

use crate::storage::error::{Kind, StoreError};

/// Classifies what `send()` gave.
pub(super) fn sdk_error<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            service_error(operation, context.err().meta(), context.raw())
        }
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            let kind = if status >= 500 { Kind::Transient } else { Kind::Malformed };
            let mut failure = StoreError::new(operation, kind).with_message(innermost(error));
            failure.status = Some(status);
            failure
        }
        SdkError::TimeoutError(_) => {
            StoreError::new(operation, Kind::Transient).with_message("no reply in time")
        }
        SdkError::DispatchFailure(_) => unsent(operation, error, Kind::Transient),
        _ => unsent(operation, error, Kind::Refused),
    }
}

/// Classifies a body that broke off. The bytes before it count.
pub(super) fn body_error(operation: &'static str, error: &ByteStreamError) -> StoreError {
    StoreError::new(operation, Kind::Transient)
        .with_message(format!("the body broke off: {}", innermost(error)))
}

fn service_error(
    operation: &'static str,
    meta: &aws_sdk_s3::error::ErrorMetadata,
    reply: &HttpResponse,
) -> StoreError {
    let status = reply.status().as_u16();
    let header = |name: &str| reply.headers().get(name);
    let mut kind = kind_of(operation, meta.code(), status);
    match &mut kind {
        Kind::WrongRegion { region } => *region = header("x-amz-bucket-region").map(str::to_owned),
        // `bytes */1234`
        Kind::OutOfRange { size } => {
            *size = header("content-range").and_then(|text| text.rsplit_once('/')?.1.parse().ok());
        }
        _ => {}
    }
    StoreError {
        kind,
        operation,
        status: Some(status),
        code: meta.code().map(Into::into),
        message: match meta.code() {
            Some(_) => meta.message().map(Into::into),
            None => body_text(reply),
        },
        request_id: meta.request_id().map(Into::into),
        retry_after: header("retry-after")
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs),
    }
}

/// What a proxy or a server that speaks no S3 had to say, in short.
fn body_text(reply: &HttpResponse) -> Option<Box<str>> {
    let body = String::from_utf8_lossy(reply.body().bytes()?).into_owned();
    let text: String =
        body.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    (!text.is_empty()).then(|| text.into())
}

fn kind_of(operation: &str, code: Option<&str>, status: u16) -> Kind {
    match code {
        // An error behind a 200: the code is all there is.
        Some(code) if status < 300 => kind_of_code(code).unwrap_or(Kind::Refused),
        // The whole request goes again; a multipart upload needs a fresh start.
        Some("ConditionalRequestConflict") if operation == "PutObject" => Kind::Transient,
        _ => code.and_then(kind_of_code).unwrap_or_else(|| kind_of_status(operation, status)),
    }
}

fn kind_of_code(code: &str) -> Option<Kind> {
    Some(match code {
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "ServiceUnavailable" => Kind::Throttled,
        "InternalError" | "RequestTimeout" | "RequestTimeoutException" | "OperationAborted" => {
            Kind::Transient
        }
        "ExpiredToken" | "TokenRefreshRequired" | "RequestExpired" | "ExpiredTokenException" => {
            Kind::Expired
        }
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "AuthorizationHeaderMalformed" => Kind::BadCredentials,
        "RequestTimeTooSkewed" => Kind::ClockSkew,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Kind::Denied,
        "NoSuchKey" | "NoSuchVersion" => Kind::MissingKey,
        "NoSuchBucket" => Kind::MissingBucket,
        "NoSuchUpload" => Kind::MissingUpload,
        // A part is gone, or another one, that the store said it had: somebody else's doing.
        "ConditionalRequestConflict" | "InvalidPart" => Kind::Conflict,
        "InvalidRange" => Kind::OutOfRange { size: None },
        "InvalidObjectState" => Kind::Archived,
        "PermanentRedirect" | "TemporaryRedirect" => Kind::WrongRegion { region: None },
        "BadDigest"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "IncompleteBody" => Kind::Corrupted,
        _ => return None,
    })
}

fn kind_of_status(operation: &str, status: u16) -> Kind {
    match status {
        304 | 412 if operation.starts_with("Put") || operation.starts_with("Complete") => {
            Kind::Exists
        }
        412 => Kind::Changed,
        301 | 307 | 308 => Kind::WrongRegion { region: None },
        401 => Kind::BadCredentials,
        403 => Kind::Denied,
        404 => Kind::MissingKey,
        409 => Kind::Conflict,
        416 => Kind::OutOfRange { size: None },
        429 | 503 => Kind::Throttled,
        408 | 500 | 502.. => Kind::Transient,
        // A success without what belongs to it: an empty reply, or a page of a proxy's. And an answer
        // to a question that no read asks.
        200..=299 | 304 => Kind::Malformed,
        _ => Kind::Refused,
    }
}

/// A request that never got a reply: no credentials, no connection, or a broken one.
fn unsent(operation: &'static str, error: &(dyn Error + 'static), otherwise: Kind) -> StoreError {
    let mut kind = otherwise;
    for cause in chain(error) {
        if cause.is::<CredentialsError>() {
            let message = credentials_message(cause);
            return StoreError::new(operation, Kind::BadCredentials).with_message(message);
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            kind = kind_of_io(error, kind);
        }
    }
    StoreError::new(operation, kind).with_message(innermost(error))
}

fn kind_of_io(error: &io::Error, otherwise: Kind) -> Kind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::NotFound => Kind::Unreachable,
        // rustls wraps what is wrong with a certificate or a peer that speaks no TLS in these.
        io::ErrorKind::InvalidData => Kind::Tls,
        _ => otherwise,
    }
}

fn credentials_message(error: &(dyn Error + 'static)) -> String {
    format!("no usable credentials: {}", innermost(error))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| (*error).source())
}

/// The root of a chain of errors: the SDK's outer ones say only "dispatch failure".
fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_before_statuses() {
        assert_eq!(kind_of("GetObject", Some("ExpiredToken"), 400), Kind::Expired);
        assert_eq!(kind_of("GetObject", Some("RequestTimeout"), 400), Kind::Transient);
        assert_eq!(kind_of("GetObject", Some("SlowDown"), 503), Kind::Throttled);
        assert_eq!(kind_of("GetObject", None, 502), Kind::Transient);
        assert_eq!(kind_of("GetObject", Some("Unheard"), 400), Kind::Refused);
        assert_eq!(kind_of("CompleteMultipartUpload", Some("Unheard"), 200), Kind::Refused);
        assert_eq!(kind_of("CompleteMultipartUpload", None, 200), Kind::Malformed);
    }

    #[test]
    fn a_failed_condition_means_what_was_asked() {
        assert_eq!(kind_of("GetObject", Some("PreconditionFailed"), 412), Kind::Changed);
        assert_eq!(kind_of("PutObject", Some("PreconditionFailed"), 412), Kind::Exists);
        assert_eq!(kind_of("CompleteMultipartUpload", None, 412), Kind::Exists);
        let conflict = Some("ConditionalRequestConflict");
        assert_eq!(kind_of("PutObject", conflict, 409), Kind::Transient);
        assert_eq!(kind_of("CompleteMultipartUpload", conflict, 409), Kind::Conflict);
    }
}
