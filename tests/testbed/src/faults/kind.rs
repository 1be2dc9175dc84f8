//! The kinds of fault.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::gate::Gate;
use crate::log::Request;

/// What happens to a request a fault hits.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Run a function on a thread of its own, then serve.
    Callback(Callback),
    /// Hold the request until the test lets it go, then serve.
    Gate(Gate),
    /// Put this object under the request's key, then serve.
    ReplaceObject(Bytes),
    /// Delete the object under the request's key, then serve.
    DeleteObject,
    /// Wait, then serve.
    Delay(Duration),

    /// Answer with an S3 error; nothing is done.
    Status { code: u16, s3_code: String, message: String, retry_after: Option<u32> },
    /// `200 OK` with an `<Error>` body, as Complete and Copy may answer; nothing is done.
    ErrorInOk { s3_code: String },
    /// Answer with exactly this, bodies that are no XML and listings that cannot be included;
    /// nothing is done.
    Reply { status: u16, headers: Vec<(String, String)>, body: Bytes },
    /// `502` with a page of HTML, as a load balancer answers; nothing is done.
    HtmlBody,
    /// Reset the connection without a reply; nothing is done.
    ResetBeforeHeaders,
    /// Reset the connection when that much of the request's body has arrived; nothing is done.
    ResetInRequest { after_bytes: u64 },
    /// Take no more of the request's body than that, and never answer; nothing is done.
    StallInRequest { after_bytes: u64 },
    /// Never answer; the connection stays open and nothing is done.
    StallHeaders,

    /// Do the work, then reset the connection without a reply.
    LostReply,
    /// Do the work, run a function on a thread of its own, then reply.
    CallbackAfter(Callback),

    /// Refuse these of a `DeleteObjects`' keys, behind a 200.
    RefuseKeys { s3_code: String, keys: Vec<String> },
    /// Remove these of a `DeleteObjects`' keys, and do not say so.
    HideKeys { keys: Vec<String> },

    /// Take the request's body in slowly.
    SlowRequest { bytes_per_second: u64 },

    /// Reset the connection when that much of the reply's body has been sent.
    ResetInBody { after_bytes: u64 },
    /// Close the connection in good order before `Content-Length` is reached.
    Truncate { after_bytes: u64 },
    /// Send no more of the body, for ever; the connection stays open.
    Stall { after_bytes: u64 },
    /// Send the body slowly.
    SlowBody { bytes_per_second: u64 },
    /// Flip the lowest bit of one byte of the body.
    FlipBit { at_byte: u64 },
    /// A body, and a `Content-Length`, of only that many bytes; `Content-Range` claims them all.
    ShortConsistent { length: u64 },
    /// That many bytes more than asked for, in the body and in `Content-Length`.
    ExtraBytes { count: usize },
    /// Bytes on the connection behind a whole and correct reply.
    GarbageAfterReply(Bytes),

    /// A `Content-Range` that does not tell the truth.
    WrongContentRange(WrongRange),
    /// No `Content-Range` in a `206`.
    MissingContentRange,
    /// `200` and the whole object for a ranged request.
    WholeObjectForRange,
    /// Another `ETag`, and every byte different: another version of the object, whatever `If-Match`.
    ChangedETag,
    /// No `ETag` in the reply.
    MissingETag,
    /// A header in the reply set to this.
    SetHeader { name: String, value: String },
    /// No header of this name in the reply.
    RemoveHeader { name: String },
    /// Close the connection in good order behind a whole and correct reply, unannounced.
    CloseAfterReply,
}

/// How a `Content-Range` is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongRange {
    /// First and last byte are this much too high.
    Shifted(u64),
    /// The total length is this one.
    Total(u64),
}

/// A function to run when a request arrives.
#[derive(Clone)]
pub struct Callback(Arc<dyn Fn(&Request) + Send + Sync>);

impl FaultKind {
    pub fn callback(run: impl Fn(&Request) + Send + Sync + 'static) -> Self {
        Self::Callback(Callback(Arc::new(run)))
    }

    /// As `callback`, but when the work is done and its reply is not yet sent.
    pub fn callback_after(run: impl Fn(&Request) + Send + Sync + 'static) -> Self {
        Self::CallbackAfter(Callback(Arc::new(run)))
    }

    /// An S3 error with a stock message.
    pub fn status(code: u16, s3_code: &str) -> Self {
        Self::Status {
            code,
            s3_code: s3_code.to_owned(),
            message: format!("Scripted fault: {s3_code}"),
            retry_after: None,
        }
    }

    pub fn internal_error() -> Self {
        Self::status(500, "InternalError")
    }

    pub fn slow_down() -> Self {
        Self::status(503, "SlowDown")
    }

    pub fn access_denied() -> Self {
        Self::status(403, "AccessDenied")
    }

    pub fn expired_token() -> Self {
        Self::status(400, "ExpiredToken")
    }

    pub fn request_timeout() -> Self {
        Self::status(400, "RequestTimeout")
    }

    pub fn request_time_too_skewed() -> Self {
        Self::status(403, "RequestTimeTooSkewed")
    }

    pub fn error_in_ok(s3_code: &str) -> Self {
        Self::ErrorInOk { s3_code: s3_code.to_owned() }
    }

    /// `200` with this XML, whatever it says.
    pub fn xml(body: impl Into<Bytes>) -> Self {
        let content_type = ("content-type".to_owned(), "application/xml".to_owned());
        Self::Reply { status: 200, headers: vec![content_type], body: body.into() }
    }

    pub fn refuse_keys(s3_code: &str, keys: &[&str]) -> Self {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Self::RefuseKeys { s3_code: s3_code.to_owned(), keys }
    }

    pub fn hide_keys(keys: &[&str]) -> Self {
        Self::HideKeys { keys: keys.iter().map(|key| (*key).to_owned()).collect() }
    }

    pub fn set_header(name: &str, value: &str) -> Self {
        let (name, value) = (name.to_owned(), value.to_owned());
        Self::SetHeader { name, value }
    }

    pub fn replace_object(bytes: impl Into<Bytes>) -> Self {
        Self::ReplaceObject(bytes.into())
    }

    /// Whether the request is still served after it.
    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::Callback(_)
            | Self::Gate(_)
            | Self::ReplaceObject(_)
            | Self::DeleteObject
            | Self::Delay(_) => Stage::Before,
            Self::Status { .. }
            | Self::ErrorInOk { .. }
            | Self::Reply { .. }
            | Self::HtmlBody
            | Self::ResetBeforeHeaders
            | Self::ResetInRequest { .. }
            | Self::StallInRequest { .. }
            | Self::StallHeaders => Stage::Instead,
            _ => Stage::Change,
        }
    }
}

/// When a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It does something first; the request goes on.
    Before,
    /// It takes the place of the work.
    Instead,
    /// The work is done, its reply is changed.
    Change,
}

impl Callback {
    pub(crate) fn run(&self, request: &Request) {
        (self.0)(request);
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(..)")
    }
}
