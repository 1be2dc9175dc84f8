//! From the SDK's errors to ours: the one classifier. Everything that decides whether and how to
//! go on is here, by type, status and code; never by the words of a message.

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::read::HEAD;
use super::transport::{cause, chain, innermost};
use crate::storage::error::{ClockOff, Kind, StoreError};

/// A signature may be off by a quarter of an hour at S3; the SDK puts right what is more than four
/// minutes, so that nothing below says anything.
const LARGEST_SKEW: Duration = Duration::from_mins(5);

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

/// Classifies what a reply to a request for many objects says of one of them.
pub(super) fn error_of_one(
    operation: &'static str,
    code: Option<&str>,
    message: Option<&str>,
) -> StoreError {
    let kind = match code {
        Some("PreconditionFailed") => Kind::Changed,
        Some(code) => kind_of_code(code).unwrap_or(Kind::Refused),
        None => Kind::Refused,
    };
    let (code, message) = (code.map(Into::into), message.map(Into::into));
    StoreError { code, message, ..StoreError::new(operation, kind) }
}

/// Classifies a body that broke off. The bytes before it count.
pub(super) fn body_error(operation: &'static str, error: &(dyn Error + 'static)) -> StoreError {
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
        Kind::WrongRegion { region } => *region = region_of(reply),
        // The same code, and 400 for a HEAD, stand for other mistakes, too: a region says which.
        Kind::BadCredentials if meta.code() == Some("AuthorizationHeaderMalformed") => {
            if let Some(region) = region_of(reply) {
                kind = Kind::WrongRegion { region: Some(region) };
            }
        }
        Kind::Refused if status == 400 && meta.code().is_none() => {
            if let Some(region) = region_of(reply) {
                kind = Kind::WrongRegion { region: Some(region) };
            } else if is_broken_error(reply) {
                kind = Kind::Malformed;
            }
        }
        // A HEAD is answered without words. Whoever sees a clock that is so far off refuses any
        // signature: `recovery` knows whether it had been put right already.
        Kind::Denied if operation == HEAD && meta.code().is_none() => {
            let off = clock_off(header("date"), SystemTime::now());
            if off.is_some_and(|off| off.by() > LARGEST_SKEW) {
                kind = Kind::ClockSkew { off };
            }
        }
        Kind::ClockSkew { off } => *off = clock_off(header("date"), SystemTime::now()),
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
        message: match (redirection(status, header("location")), meta.code()) {
            (Some(redirection), _) => Some(redirection.into()),
            (None, Some(_)) => meta.message().map(Into::into),
            (None, None) => body_text(reply),
        },
        request_id: meta.request_id().map(Into::into),
        retry_after: header("retry-after").and_then(|asked| retry_after(asked, header("date"))),
    }
}

/// Where a reply says that the bucket is: in a header, or in the error itself.
fn region_of(reply: &HttpResponse) -> Option<String> {
    let in_header = reply.headers().get("x-amz-bucket-region");
    let region = in_header.or_else(|| {
        let body = std::str::from_utf8(reply.body().bytes()?).ok()?;
        Some(body.split_once("<Region>")?.1.split_once("</Region>")?.0)
    })?;
    // Kept also where it can't be one: the error then says what was told.
    Some(region.chars().take(64).collect()).filter(|region: &String| !region.is_empty())
}

/// A redirect, which is never followed: what is sent to one host is for that host.
fn redirection(status: u16, location: Option<&str>) -> Option<String> {
    let location = location.filter(|_| matches!(status, 300..=303 | 305..=308))?;
    // Its path and query may hold what was sent.
    let rest = location.split_once("://").map_or(location, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host: String = authority.rsplit('@').next().unwrap_or_default().chars().take(255).collect();
    Some(format!("a redirect to `{host}`, which is not followed"))
}

/// How long to wait: so many seconds, or until a date, by the clock of who asked for it.
/// RFC 9110, section 10.2.3.
fn retry_after(asked: &str, date: Option<&str>) -> Option<Duration> {
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = date.and_then(http_date).unwrap_or_else(SystemTime::now);
    Some(http_date(asked)?.duration_since(now).unwrap_or_default())
}

fn http_date(text: &str) -> Option<SystemTime> {
    SystemTime::try_from(DateTime::from_str(text, Format::HttpDate).ok()?).ok()
}

fn clock_off(date: Option<&str>, now: SystemTime) -> Option<ClockOff> {
    let there = http_date(date?)?;
    Some(match there.duration_since(now) {
        Ok(behind) => ClockOff::Behind(behind),
        Err(ahead) => ClockOff::Ahead(ahead.duration()),
    })
}

/// Whether a reply is an error as S3 tells it, of which not enough arrived to know which. A 400 alone
/// may be anything, an `InternalError` included; pages of proxies are no XML.
fn is_broken_error(reply: &HttpResponse) -> bool {
    let start = reply.body().bytes().map(<[u8]>::trim_ascii_start).unwrap_or_default();
    start.starts_with(b"<?xml") || start.starts_with(b"<Error")
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
        Some("ConditionalRequestConflict") if is_whole_write(operation) => Kind::Transient,
        None if is_whole_write(operation) && status == 409 => Kind::Transient,
        _ => code.and_then(kind_of_code).unwrap_or_else(|| kind_of_status(operation, status)),
    }
}

/// Whether the request makes an object by itself.
fn is_whole_write(operation: &str) -> bool {
    matches!(operation, "PutObject" | "CopyObject")
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
        "RequestTimeTooSkewed" => Kind::ClockSkew { off: None },
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Kind::Denied,
        "NoSuchKey" | "NoSuchVersion" => Kind::MissingKey,
        "NoSuchBucket" => Kind::MissingBucket,
        "BucketAlreadyOwnedByYou" | "BucketAlreadyExists" => Kind::Exists,
        "BucketNotEmpty" => Kind::Refused,
        "NoSuchUpload" => Kind::MissingUpload,
        "ConditionalRequestConflict" => Kind::Conflict,
        "InvalidPart" => Kind::ForeignPart,
        "InvalidRange" => Kind::OutOfRange { size: None },
        "InvalidObjectState" | "ObjectNotInActiveTierError" => Kind::Archived,
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
        300..=303 | 305..=308 => Kind::WrongRegion { region: None },
        401 => Kind::BadCredentials,
        407 => Kind::ProxyDenied,
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
pub(super) fn unsent(
    operation: &'static str,
    error: &(dyn Error + 'static),
    otherwise: Kind,
) -> StoreError {
    let cause = cause(error, otherwise);
    // Whatever it was that failed, it was on the way to credentials, and not to the store.
    if chain(error).any(<dyn Error>::is::<CredentialsError>)
        && !matches!(cause.kind, Kind::SignedOut | Kind::BadCredentials)
    {
        let message = format!("no usable credentials: {}", cause.message);
        return StoreError::new(operation, Kind::BadCredentials).with_message(message);
    }
    StoreError::new(operation, cause.kind).with_message(cause.message)
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
        assert_eq!(kind_of("CopyObject", Some("InternalError"), 200), Kind::Transient);
        assert_eq!(kind_of("UploadPartCopy", Some("SlowDown"), 200), Kind::Throttled);
    }

    #[test]
    fn a_redirect_names_its_host_and_nothing_else() {
        let told = |location| redirection(307, Some(location)).expect("a redirect");
        assert_eq!(
            told("https://evil.example/b/k?X-Amz-Security-Token=secret"),
            "a redirect to `evil.example`, which is not followed"
        );
        assert!(!told("http://user:secret@evil.example/").contains("secret"));
        assert_eq!(redirection(304, Some("https://evil.example/")), None);
        assert_eq!(redirection(301, None), None);
    }

    #[test]
    fn a_clock_is_off_to_either_side() {
        let date = "Tue, 24 Nov 2026 10:00:00 GMT";
        let there = SystemTime::UNIX_EPOCH + Duration::from_hours(498_754);
        let by = Duration::from_mins(17);
        assert_eq!(clock_off(Some(date), there - by), Some(ClockOff::Behind(by)));
        assert_eq!(clock_off(Some(date), there + by), Some(ClockOff::Ahead(by)));
        assert_eq!(clock_off(Some("yesterday"), there), None);
    }

    #[test]
    fn a_store_says_when_to_come_back_in_seconds_or_by_its_clock() {
        let now = Some("Tue, 24 Nov 2026 10:00:00 GMT");
        let wait = |asked| retry_after(asked, now).map(|wait| wait.as_secs());
        assert_eq!(wait("7"), Some(7));
        assert_eq!(wait("Tue, 24 Nov 2026 10:00:09 GMT"), Some(9));
        assert_eq!(wait("Tue, 24 Nov 2026 09:00:00 GMT"), Some(0), "it is over");
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
        assert_eq!(retry_after("Tue, 24 Nov 2015 10:00:00 GMT", None), Some(Duration::ZERO));
    }

    #[test]
    fn a_failed_condition_means_what_was_asked() {
        assert_eq!(kind_of("GetObject", Some("PreconditionFailed"), 412), Kind::Changed);
        assert_eq!(kind_of("PutObject", Some("PreconditionFailed"), 412), Kind::Exists);
        assert_eq!(kind_of("CompleteMultipartUpload", None, 412), Kind::Exists);
        let conflict = Some("ConditionalRequestConflict");
        assert_eq!(kind_of("PutObject", conflict, 409), Kind::Transient);
        assert_eq!(kind_of("PutObject", None, 409), Kind::Transient);
        assert_eq!(kind_of("PutObject", Some("Unheard"), 409), Kind::Conflict);
        assert_eq!(kind_of("CopyObject", conflict, 409), Kind::Transient);
        assert_eq!(kind_of("CopyObject", Some("PreconditionFailed"), 412), Kind::Changed);
        assert_eq!(kind_of("CopyObject", Some("ObjectNotInActiveTierError"), 403), Kind::Archived);
        assert_eq!(kind_of("CompleteMultipartUpload", conflict, 409), Kind::Conflict);
    }
}
