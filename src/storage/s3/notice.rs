//! What the store does by itself and a person ought to know of. It must never hold a secret.

use std::fmt;
use std::sync::Arc;

use crate::domain::escape::Escaped;
use crate::domain::location::Bucket;
use crate::storage::error::ClockOff;

/// A fact that changes how the store is reached. Each is told once, but for credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    CredentialsRenewed,
    /// They can't be read now, for this reason, and are asked for again.
    CredentialsAwaited(String),
    RegionFound {
        bucket: Bucket,
        region: String,
    },
    /// Requests are signed with the store's time from now on.
    ClockOff(ClockOff),
    CertificatesUnchecked,
}

/// Whoever wants to hear of it. Called from the middle of requests: it must not wait.
#[derive(Clone, Default)]
pub struct Listener(Option<Arc<dyn Fn(Notice) + Send + Sync>>);

/// Whoever listens, the store is the same.
impl PartialEq for Listener {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Listener {}

impl Listener {
    pub fn new(hear: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    pub(super) fn tell(&self, notice: Notice) {
        if let Some(hear) = &self.0 {
            hear(notice);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Listener(..)")
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CredentialsRenewed => {
                formatter.write_str("the credentials had expired and were read again")
            }
            Self::CredentialsAwaited(why) => {
                write!(formatter, "waiting for credentials: {}; trying again", Escaped(why))
            }
            Self::RegionFound { bucket, region } => write!(
                formatter,
                "{bucket} is in {}; --region {0} would save a request",
                Escaped(region)
            ),
            Self::ClockOff(off) => {
                write!(formatter, "{off}; requests are signed with the store's time")
            }
            Self::CertificatesUnchecked => formatter.write_str(
                "--no-verify-ssl: anyone between here and the store can read and change everything",
            ),
        }
    }
}
