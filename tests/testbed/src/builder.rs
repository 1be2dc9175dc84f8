//! How a testbed is made.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use crate::operations::Backend;
use crate::server::{Clock, Front, Place, Running};
use crate::settings::{Anonymous, Etags, Logging, Network, RangeChecksum, Settings};
use crate::store::{Algorithm, Store};
use crate::testbed::Testbed;
use crate::tls::Certificate;

/// Settings of a testbed before it starts. The defaults are S3's own where S3 has any.
#[derive(Clone, Debug)]
pub struct Builder {
    address: SocketAddr,
    region: String,
    credentials: (String, String),
    anonymous: Anonymous,
    etags: Etags,
    default_checksum: Option<Algorithm>,
    range_checksum: RangeChecksum,
    min_part_size: u64,
    page_size: usize,
    network: Network,
    logging: Logging,
    clock: Option<i64>,
    certificate: Option<Certificate>,
    threads: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            region: "us-east-1".to_owned(),
            credentials: ("AKIDTEST".to_owned(), "SECRET".to_owned()),
            anonymous: Anonymous::Denied,
            etags: Etags::Md5,
            default_checksum: Some(Algorithm::Crc64Nvme),
            range_checksum: RangeChecksum::Absent,
            min_part_size: 5 << 20,
            page_size: 1000,
            network: Network::default(),
            logging: Logging::Kept,
            clock: None,
            certificate: None,
            threads: 2,
        }
    }
}

impl Builder {
    /// Where to listen; port 0 takes a free one.
    #[must_use]
    pub fn addr(mut self, address: impl Into<SocketAddr>) -> Self {
        self.address = address.into();
        self
    }

    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    #[must_use]
    pub fn credentials(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.credentials = (id.into(), secret.into());
        self
    }

    /// Answers unsigned requests too.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.anonymous = Anonymous::Allowed;
        self
    }

    /// Whether `ETags` are MD5s, as S3's mostly are. MD5 costs most of an upload's CPU time, so
    /// benchmarks turn it off and get unique `ETags` that are no digests.
    #[must_use]
    pub fn md5_etags(mut self, on: bool) -> Self {
        self.etags = if on { Etags::Md5 } else { Etags::Opaque };
        self
    }

    /// What the server computes for uploads that bring no checksum; S3 computes CRC64NVME, older
    /// servers nothing.
    #[must_use]
    pub fn default_checksum(mut self, algorithm: Option<Algorithm>) -> Self {
        self.default_checksum = algorithm;
        self
    }

    /// Sends the whole object's checksum with a range, as some servers do.
    #[must_use]
    pub fn checksum_on_range(mut self) -> Self {
        self.range_checksum = RangeChecksum::OfWholeObject;
        self
    }

    /// The smallest size of a part that is not the last; S3's is 5 MiB.
    #[must_use]
    pub fn min_part_size(mut self, bytes: u64) -> Self {
        self.min_part_size = bytes;
        self
    }

    /// The most entries of one page of a listing; S3's is 1,000.
    #[must_use]
    pub fn page_size(mut self, entries: usize) -> Self {
        self.page_size = entries;
        self
    }

    /// Replies to no request earlier than this after its head; its body is taken in meanwhile.
    #[must_use]
    pub fn first_byte_delay(mut self, delay: Duration) -> Self {
        self.network.first_byte_delay = delay;
        self
    }

    /// Replies to no request for a page of a listing earlier than this.
    #[must_use]
    pub fn listing_delay(mut self, delay: Duration) -> Self {
        self.network.listing_delay = delay;
        self
    }

    /// Holds each request's body, and each reply's, to this many bytes a second.
    #[must_use]
    pub fn per_request_bandwidth(self, bytes_per_second: u64) -> Self {
        self.get_bandwidth(bytes_per_second).put_bandwidth(bytes_per_second)
    }

    /// Holds the body of each reply to this many bytes a second.
    #[must_use]
    pub fn get_bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.network.get_bandwidth = Some(bytes_per_second);
        self
    }

    /// Holds the body of each request to this many bytes a second.
    #[must_use]
    pub fn put_bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.network.put_bandwidth = Some(bytes_per_second);
        self
    }

    /// Holds all bodies together to this many bytes a second, each way.
    #[must_use]
    pub fn total_bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.network.total_bandwidth = Some(bytes_per_second);
        self
    }

    /// Answers `503 SlowDown` beyond this many requests a second; a tenth of a second's worth may
    /// come at once.
    #[must_use]
    pub fn request_rate(mut self, requests_per_second: u64) -> Self {
        self.network.request_rate = Some(requests_per_second);
        self
    }

    /// Keeps no log: for benchmarks of a million requests.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.logging = Logging::Off;
        self
    }

    /// Serves https and not http, and shows this certificate.
    #[must_use]
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// A clock that is so many seconds ahead of the real time, or behind it: replies are dated by
    /// it, and requests dated otherwise are refused, as S3 does.
    #[must_use]
    pub fn clock(mut self, seconds_ahead: i64) -> Self {
        self.clock = Some(seconds_ahead);
        self
    }

    /// Threads that serve; two by default.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Starts the server on threads of its own.
    pub fn spawn(self) -> io::Result<Testbed> {
        let settings = Settings {
            region: self.region,
            credentials: RwLock::new(BTreeMap::from([self.credentials.clone()])),
            expired: RwLock::new(BTreeSet::new()),
            anonymous: self.anonymous,
            etags: self.etags,
            default_checksum: self.default_checksum,
            range_checksum: self.range_checksum,
            min_part_size: self.min_part_size,
            page_size: self.page_size.max(1),
            network: self.network,
            clock: self.clock.map(|ahead| Clock(time::Duration::seconds(ahead))),
            logging: self.logging,
        };
        let backend = Backend { store: Arc::new(Store::default()), settings: Arc::new(settings) };
        let front = Arc::new(Front::new(backend));
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        let tls = self.certificate.as_ref().map(Certificate::acceptor);
        let place = Place { address: self.address, tls, window: self.network.window() };
        let running = Running::start(Arc::clone(&front), place, self.threads)?;
        Ok(Testbed::new(front, running, scheme, self.credentials))
    }

    /// The same, for async callers.
    #[expect(
        clippy::unused_async,
        reason = "reads like any server; the work is a bind and a spawn"
    )]
    pub async fn start(self) -> io::Result<Testbed> {
        self.spawn()
    }
}
