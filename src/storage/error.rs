//! How requests to a store fail: one kind for each way in which the engine reacts differently.

use std::fmt;
use std::time::Duration;

use crate::domain::escape::Escaped;

/// What is said of a version that is missing where the store says nothing.
pub const NO_VERSION: &str = "there is no such version";

/// A request that failed, once: nothing below the engine tries again.
#[derive(Debug, Clone)]
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
    /// No such host, as far as anybody knows. Seldom worth more than a few tries.
    UnknownHost,
    /// The token is too old: the credentials are read again before the next try.
    Expired,
    /// The token is too old, and there is no fresh one to be had.
    SignedOut,
    /// The credentials are wrong, or there are none: so they are for every other request.
    BadCredentials,
    /// The clock here and the store's differ by more than a signature may.
    ClockSkew {
        off: Option<ClockOff>,
    },
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
    /// A part is another one than the store said it took.
    ForeignPart,
    /// No byte of the range exists; the object's size where the reply told it.
    OutOfRange {
        size: Option<u64>,
    },
    /// Denied, to a request without credentials.
    NotPublic,
    /// In an archive: to be restored first.
    Archived,
    /// The bucket is in another region, which is known now: the next try goes there.
    Moved,
    /// The bucket is elsewhere, and cannot be reached from here.
    WrongRegion {
        region: Option<String>,
    },
    /// The bytes that arrived there are not those that were sent.
    Corrupted,
    /// The certificate, or the whole protocol, is wrong: no try will change that.
    Tls,
    /// The proxy wants a name and a password, or lets nobody through.
    ProxyDenied,
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
                | Self::UnknownHost
                | Self::Expired
                | Self::Moved
                | Self::ClockSkew { .. }
                | Self::Corrupted
                | Self::Malformed
        )
    }

    /// Whether the same command may succeed later, if not this request.
    pub fn may_pass(&self) -> bool {
        self.is_transient() || *self == Self::SignedOut
    }

    /// Whether every other request will fail in the same way, so that there is no point in
    /// thousands of them.
    pub fn is_hopeless(&self) -> bool {
        matches!(
            self,
            Self::BadCredentials
                | Self::SignedOut
                | Self::ClockSkew { .. }
                | Self::MissingBucket
                | Self::Tls
                | Self::ProxyDenied
        )
    }

    /// Groups failures in the summary.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Transient => "the store or the network failed",
            Self::Throttled => "the store asked for a lower pace",
            Self::Unreachable | Self::UnknownHost => "cannot connect",
            Self::Expired | Self::SignedOut => "the credentials have expired",
            Self::BadCredentials => "the credentials were not accepted",
            Self::ClockSkew { .. } => "the clock here is wrong",
            Self::Denied | Self::NotPublic => "access denied",
            Self::MissingKey => "no such object",
            Self::MissingBucket => "no such bucket",
            Self::MissingUpload => "the multipart upload is gone",
            Self::Changed => "the object changed during the transfer",
            Self::Exists => "already exists",
            Self::Conflict | Self::ForeignPart => "another writer was at work",
            Self::OutOfRange { .. } => "the object is shorter than expected",
            Self::Archived => "archived",
            Self::Moved | Self::WrongRegion { .. } => "the bucket is in another region",
            Self::Corrupted => "the store received other bytes",
            Self::Tls => "no secure connection",
            Self::ProxyDenied => "the proxy refused",
            Self::Malformed => "the reply makes no sense",
            Self::Refused => "the store refused the request",
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unreachable | Self::UnknownHost => {
                "check the endpoint (--endpoint-url, AWS_ENDPOINT_URL), the network and proxies"
            }
            Self::Expired | Self::SignedOut => "sign in again, then run the same command",
            Self::BadCredentials => {
                "check the profile (--profile, AWS_PROFILE) and keys; --no-sign-request reads public buckets"
            }
            Self::ClockSkew { .. } => "set this machine's clock",
            Self::Denied => {
                "the credentials in use lack a permission for this; check the policy, or use another --profile"
            }
            Self::NotPublic => {
                "this is not public, and --no-sign-request sends no credentials: leave it out"
            }
            Self::MissingKey => {
                "see which keys there are with haul ls, and with --all-versions which versions; a prefix ends in a slash"
            }
            Self::MissingBucket => {
                "check the bucket's name, and that the endpoint is the right one"
            }
            Self::Archived => {
                "bring it back first, which `haul restore` does, then run the same command"
            }
            Self::WrongRegion { .. } => {
                "name the bucket's region with --region, and the endpoint of that region, if any"
            }
            Self::Tls => "check the certificate; --ca-bundle trusts one of your own",
            Self::ProxyDenied => {
                "name and password go into HTTPS_PROXY=http://name:password@host:port; NO_PROXY names hosts that need no proxy"
            }
            _ => return None,
        })
    }
}

/// By how much the clock here differs from the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClockOff {
    Behind(Duration),
    Ahead(Duration),
}

impl ClockOff {
    pub fn by(self) -> Duration {
        match self {
            Self::Behind(by) | Self::Ahead(by) => by,
        }
    }
}

impl fmt::Display for ClockOff {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (by, side) = match self {
            Self::Behind(by) => (by, "behind"),
            Self::Ahead(by) => (by, "ahead of"),
        };
        write!(formatter, "the clock here is {} {side} the store's", amount(*by))
    }
}

/// `17 min`, `3 h`, `2 days`: to the unit that matters.
fn amount(by: Duration) -> String {
    match by.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
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

    /// Groups failures in the summary.
    pub fn label(&self) -> &'static str {
        let is_of_version = self.code.as_deref() == Some("NoSuchVersion")
            || self.message.as_deref() == Some(NO_VERSION);
        if self.kind == Kind::MissingKey && is_of_version {
            "no such version"
        } else {
            self.kind.label()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_told_in_the_unit_that_matters() {
        let told = |off: ClockOff| off.to_string();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(
            told(ClockOff::Behind(minutes(17))),
            "the clock here is 17 min behind the store's"
        );
        assert_eq!(
            told(ClockOff::Ahead(minutes(60 * 30))),
            "the clock here is 30 h ahead of the store's"
        );
        assert_eq!(
            told(ClockOff::Ahead(minutes(60 * 24 * 365))),
            "the clock here is 365 days ahead of the store's"
        );
    }
}
