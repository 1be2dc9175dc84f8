//! How a testbed was built, and the credentials it accepts now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::server::Clock;
use crate::store::Algorithm;

/// Fixed when the testbed starts, but for the credentials.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) region: String,
    pub(crate) credentials: RwLock<BTreeMap<String, String>>,
    /// Keys whose time is over.
    pub(crate) expired: RwLock<BTreeSet<String>>,
    pub(crate) anonymous: Anonymous,
    pub(crate) etags: Etags,
    /// What the server computes for uploads that bring no checksum.
    pub(crate) default_checksum: Option<Algorithm>,
    pub(crate) range_checksum: RangeChecksum,
    pub(crate) min_part_size: u64,
    pub(crate) page_size: usize,
    pub(crate) network: Network,
    /// None: the real time.
    pub(crate) clock: Option<Clock>,
    pub(crate) logging: Logging,
}

/// What a network and a service at its other end would make of the requests; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Network {
    /// From a request's head to its reply's, at least.
    pub(crate) first_byte_delay: Duration,
    /// The same for a page of a listing, where that is longer.
    pub(crate) listing_delay: Duration,
    /// Bytes a second of one reply's body.
    pub(crate) get_bandwidth: Option<u64>,
    /// Bytes a second of one request's body.
    pub(crate) put_bandwidth: Option<u64>,
    /// Bytes a second of all bodies, each way.
    pub(crate) total_bandwidth: Option<u64>,
    /// Requests a second beyond which they are refused.
    pub(crate) request_rate: Option<u64>,
}

impl Network {
    /// What is under way between a client and a server that is so far away, of one request's body.
    /// On one machine the system would take in most of a part at once, long before its time.
    pub(crate) fn window(&self) -> Option<u32> {
        let bytes = u128::from(self.put_bandwidth?) * self.first_byte_delay.as_millis() / 1000;
        u32::try_from(bytes).ok().filter(|bytes| *bytes > 0)
    }
}

/// Whether unsigned requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anonymous {
    Denied,
    Allowed,
}

/// What an `ETag` is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Etags {
    Md5,
    /// Unique, and no digest of anything.
    Opaque,
}

/// What a reply to a ranged GET says of the whole object's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeChecksum {
    Absent,
    /// As some servers do, and no client may compare with it.
    OfWholeObject,
}

/// Whether requests are kept for tests to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Logging {
    Kept,
    Off,
}

impl Settings {
    pub(crate) fn secret_of(&self, access_key: &str) -> Option<String> {
        let credentials = self.credentials.read().unwrap_or_else(PoisonError::into_inner);
        credentials.get(access_key).cloned()
    }

    pub(crate) fn is_expired(&self, access_key: &str) -> bool {
        self.expired.read().unwrap_or_else(PoisonError::into_inner).contains(access_key)
    }
}
