//! Replies the server makes up itself, and what fault scripts do to those of the S3 service.

use bytes::Bytes;
use http::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    RETRY_AFTER,
};
use http::{Response, StatusCode};
use http_body::Body as _;

use super::connection::AfterReply;
use super::reply_body::{Ending, Spoil};
use crate::faults::{FaultKind, WrongRange};

pub(super) type Reply = Response<s3s::Body>;

/// An S3 error as XML.
pub(super) fn s3_error(status: StatusCode, s3_code: &str, message: &str) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
         <RequestId>TESTBED</RequestId></Error>",
        escape(s3_code),
        escape(message)
    );
    reply(status, "application/xml", body)
}

/// The bucket is in another region.
pub(super) fn other_region(region: &str) -> Reply {
    let mut reply = s3_error(
        StatusCode::MOVED_PERMANENTLY,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. \
         Please send all future requests to this endpoint.",
    );
    set(reply.headers_mut(), "x-amz-bucket-region", region);
    reply
}

pub(super) fn expired_token() -> Reply {
    let text = "The provided token has expired.";
    s3_error(StatusCode::BAD_REQUEST, "ExpiredToken", text)
}

/// More requests a second than the server takes.
pub(super) fn slow_down() -> Reply {
    s3_error(StatusCode::SERVICE_UNAVAILABLE, "SlowDown", "Please reduce your request rate.")
}

pub(super) fn too_skewed() -> Reply {
    let text = "The difference between the request time and the current time is too large.";
    s3_error(StatusCode::FORBIDDEN, "RequestTimeTooSkewed", text)
}

/// The reply that takes the place of the work; none where there is none to give.
pub(super) fn instead(kind: &FaultKind) -> Option<Reply> {
    match kind {
        FaultKind::Status { code, s3_code, message, retry_after } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut reply = s3_error(status, s3_code, message);
            if let Some(seconds) = retry_after {
                reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            Some(reply)
        }
        FaultKind::ErrorInOk { s3_code } => {
            Some(s3_error(StatusCode::OK, s3_code, "Scripted fault behind a 200"))
        }
        FaultKind::Reply { status, headers, body } => {
            let mut reply = Response::new(s3s::Body::from(body.clone()));
            *reply.status_mut() = StatusCode::from_u16(*status).unwrap_or_default();
            for (name, value) in headers {
                set(reply.headers_mut(), name, value);
            }
            Some(reply)
        }
        FaultKind::HtmlBody => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body>\r\n\
                        <center><h1>502 Bad Gateway</h1></center></body></html>\r\n";
            Some(reply(StatusCode::BAD_GATEWAY, "text/html", page.to_owned()))
        }
        _ => None,
    }
}

/// Changes the head of a reply as a fault asks, and notes what is to become of its body.
pub(super) fn change(kind: &FaultKind, reply: &mut Reply, spoil: &mut Spoil) {
    match kind {
        FaultKind::ResetInBody { after_bytes } => {
            cut(reply, spoil, *after_bytes, Ending::Reset);
        }
        FaultKind::Truncate { after_bytes } => cut(reply, spoil, *after_bytes, Ending::Closed),
        FaultKind::Stall { after_bytes } => cut(reply, spoil, *after_bytes, Ending::Stalled),
        FaultKind::ShortConsistent { length } => {
            cut(reply, spoil, *length, Ending::Finished);
            reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(*length));
        }
        FaultKind::SlowBody { bytes_per_second } => {
            spoil.bytes_per_second = Some(*bytes_per_second);
        }
        FaultKind::FlipBit { at_byte } => spoil.flipped.push(*at_byte),
        FaultKind::ExtraBytes { count } => lengthen(reply, spoil, *count),
        FaultKind::GarbageAfterReply(bytes) => {
            spoil.after = Some(AfterReply { garbage: bytes.clone(), close: false });
        }
        FaultKind::CloseAfterReply => {
            spoil.after = Some(AfterReply { garbage: Bytes::new(), close: true });
        }
        FaultKind::WrongContentRange(how) => falsify_range(reply.headers_mut(), *how),
        FaultKind::MissingContentRange => drop(reply.headers_mut().remove(CONTENT_RANGE)),
        FaultKind::SetHeader { name, value } => set(reply.headers_mut(), name, value),
        FaultKind::RemoveHeader { name } => {
            reply.headers_mut().remove(name);
            // The server would put it back where it knows the length.
            spoil.is_unmeasured |= name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str());
        }
        FaultKind::MissingETag => drop(reply.headers_mut().remove(ETAG)),
        FaultKind::ChangedETag => {
            let etag = HeaderValue::from_static("\"ffffffffffffffffffffffffffffffff\"");
            reply.headers_mut().insert(ETAG, etag);
            spoil.inverted = true;
        }
        _ => {}
    }
}

/// A body that ends early keeps the length it announced, so that length must be in the head.
fn cut(reply: &mut Reply, spoil: &mut Spoil, after_bytes: u64, ending: Ending) {
    let length = announce_length(reply);
    spoil.end = Some((after_bytes.min(length), ending));
}

fn lengthen(reply: &mut Reply, spoil: &mut Spoil, count: usize) {
    let length = announce_length(reply) + count as u64;
    reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    spoil.extra = Bytes::from(vec![b'!'; count]);
}

fn announce_length(reply: &mut Reply) -> u64 {
    let announced = reply.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    let length = announced.or_else(|| reply.body().size_hint().exact()).unwrap_or(0);
    reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    length
}

fn falsify_range(headers: &mut HeaderMap, how: WrongRange) {
    let Some((first, last, total)) = headers.get(CONTENT_RANGE).and_then(parse_range) else {
        return;
    };
    let range = match how {
        WrongRange::Shifted(by) => format!("bytes {}-{}/{total}", first + by, last + by),
        WrongRange::Total(total) => format!("bytes {first}-{last}/{total}"),
    };
    set(headers, CONTENT_RANGE.as_str(), &range);
}

fn parse_range(value: &HeaderValue) -> Option<(u64, u64, u64)> {
    let (range, total) = value.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, total.parse().ok()?))
}

fn reply(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(s3s::Body::from(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// Names and values come from tests, which see at once when one cannot be sent.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::try_from(name).expect("a header name HTTP can carry");
    let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value HTTP can carry");
    headers.insert(name, value);
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
