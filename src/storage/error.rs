//! How requests to a store fail: one kind for each way in which the engine reacts differently.

use std::fmt;
use std::time::Duration;

use crate::domain::escape::Escaped;

/// A request that failed, once: nothing below the engine tries again.
#[derive(Debug)]
pub struct StoreError {
    pub kind: Kind,
    /// The S3 operation, such as `GetObject`.
    pub operation: &'static str,
    pub status: Option<u16>,
    /// The store's own code and words, such as `SlowDown`.
    pub code: Option<Box<str>>,
    pub message: Option<Box<str>>,
    pub request_id: Option<Box<str>>,
    /// What the store asked to be given before the next try.
    pub retry_after: Option<Duration>,
}

/// What a failure means for the one who asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Worth another try: 5xx, broken connections, bodies that ended early, time-outs.
    Transient,
    /// The store asks for a lower pace.
    Throttled,
    /// No connection: refused, no route, no such host. Worth another try, and worth telling.
    Unreachable,
    /// The token is too old: another try after the credentials were read again.
    Expired,
    /// The credentials are wrong, or there are none: so they are for every other request.
    BadCredentials,
    /// The clock here and the store's differ by more than a signature may.
    ClockSkew,
    /// These credentials may not do this to this object.
    Denied,
    MissingKey,
    MissingBucket,
    MissingUpload,
    /// `If-Match` did not hold: another object has the key now.
    Changed,
    /// `If-None-Match: *` did not hold: something has the key already.
    Exists,
    /// Another writer was at work on the key: the upload starts again.
    Conflict,
    /// No byte of the range exists; the object's size where the reply told it.
    OutOfRange {
        size: Option<u64>,
    },
    /// In an archive: to be restored first.
    Archived,
    /// The bucket is elsewhere.
    WrongRegion {
        region: Option<String>,
    },
    /// The bytes that arrived there are not those that were sent.
    Corrupted,
    /// The certificate, or the whole protocol, is wrong: no try will change that.
    Tls,
    /// The reply makes no sense: other bytes than asked for, no length, no tag.
    Malformed,
    /// The store can't do this, or refuses the request as it is.
    Refused,
}

impl Kind {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Transient
                | Self::Throttled
                | Self::Unreachable
                | Self::Expired
                | Self::ClockSkew
                | Self::Corrupted
                | Self::Malformed
        )
    }

    /// Whether every other request will fail in the same way, so that there is no point in
    /// thousands of them.
    pub fn is_hopeless(&self) -> bool {
        matches!(self, Self::BadCredentials | Self::MissingBucket | Self::Tls)
    }

    /// Groups failures in the summary.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Transient => "the store or the network failed",
            Self::Throttled => "the store asked for a lower pace",
            Self::Unreachable => "cannot connect",
            Self::Expired => "the credentials have expired",
            Self::BadCredentials => "the credentials were not accepted",
            Self::ClockSkew => "the clock here is wrong",
            Self::Denied => "access denied",
            Self::MissingKey => "no such object",
            Self::MissingBucket => "no such bucket",
            Self::MissingUpload => "the multipart upload is gone",
            Self::Changed => "the object changed during the transfer",
            Self::Exists => "already exists",
            Self::Conflict => "another writer was at work",
            Self::OutOfRange { .. } => "the object is shorter than expected",
            Self::Archived => "archived",
            Self::WrongRegion { .. } => "the bucket is in another region",
            Self::Corrupted => "the store received other bytes",
            Self::Tls => "no secure connection",
            Self::Malformed => "the reply makes no sense",
            Self::Refused => "the store refused the request",
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unreachable => {
                "check the endpoint (--endpoint-url, AWS_ENDPOINT_URL), the network and proxies"
            }
            Self::Expired => "sign in again, then run the same command",
            Self::BadCredentials => {
                "check the profile (--profile, AWS_PROFILE) and keys; --no-sign-request reads public buckets"
            }
            Self::ClockSkew => "set this machine's clock",
            Self::Denied => {
                "the credentials in use lack a permission for this; check the policy, or use another --profile"
            }
            Self::MissingKey => "see which keys there are with haul ls; a prefix ends in a slash",
            Self::MissingBucket => {
                "check the bucket's name, and that the endpoint is the right one"
            }
            Self::Archived => "restore the object first, then run the same command",
            Self::WrongRegion { .. } => "name the bucket's region with --region",
            Self::Tls => "check the certificate; --ca-bundle trusts one of your own",
            _ => return None,
        })
    }
}

impl StoreError {
    pub fn new(operation: &'static str, kind: Kind) -> Self {
        Self {
            kind,
            operation,
            status: None,
            code: None,
            message: None,
            request_id: None,
            retry_after: None,
        }
    }

    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into().into());
        self
    }
}

impl std::error::Error for StoreError {}

/// `GetObject failed: 503 SlowDown: please reduce your request rate (request id 4442587FB7D0A2F9)`.
impl fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} failed:", self.operation)?;
        if let Some(status) = self.status {
            write!(formatter, " {status}")?;
        }
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => {
                write!(formatter, " {}: {}", Escaped(code), Escaped(message))?;
            }
            (Some(text), None) | (None, Some(text)) => write!(formatter, " {}", Escaped(text))?,
            (None, None) => write!(formatter, " {}", self.kind.label())?,
        }
        match &self.request_id {
            Some(id) => write!(formatter, " (request id {})", Escaped(id)),
            None => Ok(()),
        }
    }
}
