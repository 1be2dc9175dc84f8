//! The record of what clients asked and got.
//!
//! Must never slow a benchmark: with the log off only the totals are counted.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::request::Parts;

use crate::request::{Operation, Target, range_start};
use crate::settings::Logging;

/// One request, as seen by the server so far.
#[derive(Clone, Debug)]
pub struct Request {
    /// Counts from 1 over the testbed's life.
    pub number: u64,
    /// Which connection it came over, counted from 1.
    pub connection: u64,
    pub operation: Operation,
    pub method: String,
    /// Path and query as received.
    pub path: String,
    pub bucket: Option<String>,
    pub key: Option<String>,
    pub part_number: Option<u32>,
    pub upload_id: Option<String>,
    pub range: Option<String>,
    pub headers: Vec<(String, String)>,
    /// None while the request is being answered, or if it never was.
    pub status: Option<u16>,
    /// Body bytes taken from the connection.
    pub bytes_received: u64,
    /// Body bytes handed to the connection.
    pub bytes_sent: u64,
}

/// Sums over the testbed's life, kept also when the log is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub requests: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    /// Of the requests, those refused because there were too many a second.
    pub refused: u64,
    pub connections: u64,
    /// Connections that are open now.
    pub open_connections: u64,
    /// The most that were open at once, since the log was last cleared.
    pub max_open_connections: u64,
    /// Requests being answered now.
    pub in_flight: u64,
    /// The most requests that were being answered at once, since the log was last cleared.
    pub max_in_flight: u64,
}

impl Request {
    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// First byte asked for by a `bytes=a-…` range.
    pub fn range_start(&self) -> Option<u64> {
        range_start(self.range.as_deref()?)
    }
}

#[derive(Debug)]
pub(crate) struct Log {
    logging: Logging,
    kept: Mutex<Vec<Arc<Record>>>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    refused: AtomicU64,
    connections: AtomicU64,
    open_connections: AtomicU64,
    max_open_connections: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
}

/// A request while it lives; its head is fixed, its figures grow.
#[derive(Debug)]
pub(crate) struct Record {
    head: Request,
    status: AtomicU16,
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
}

/// Held as long as the request is being answered.
#[derive(Debug)]
pub(crate) struct InFlight {
    log: Arc<Log>,
    record: Arc<Record>,
}

/// Held as long as a connection is open.
#[derive(Debug)]
pub(crate) struct Connected {
    /// Counts from 1 over the testbed's life.
    pub(crate) number: u64,
    log: Arc<Log>,
}

impl Log {
    pub(crate) fn new(logging: Logging) -> Self {
        Self { logging, kept: Mutex::default(), counters: Counters::default() }
    }

    pub(crate) fn connected(self: &Arc<Self>) -> Connected {
        let counters = &self.counters;
        let number = counters.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let now = counters.open_connections.fetch_add(1, Ordering::Relaxed) + 1;
        counters.max_open_connections.fetch_max(now, Ordering::Relaxed);
        Connected { number, log: Arc::clone(self) }
    }

    pub(crate) fn begin(
        self: &Arc<Self>,
        connection: u64,
        target: &Target,
        head: &Parts,
    ) -> InFlight {
        let number = self.counters.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let now = self.counters.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.counters.max_in_flight.fetch_max(now, Ordering::Relaxed);
        let record = Arc::new(Record {
            head: self.describe((number, connection), target, head),
            status: AtomicU16::new(0),
            bytes_received: AtomicU64::new(0),
            bytes_sent: AtomicU64::new(0),
        });
        if self.logging == Logging::Kept {
            self.lock().push(Arc::clone(&record));
        }
        InFlight { log: Arc::clone(self), record }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.lock().iter().map(|record| record.snapshot()).collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
        let counters = &self.counters;
        let now = counters.in_flight.load(Ordering::Relaxed);
        counters.max_in_flight.store(now, Ordering::Relaxed);
        let open = counters.open_connections.load(Ordering::Relaxed);
        counters.max_open_connections.store(open, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, operation: Operation) -> usize {
        self.lock().iter().filter(|record| record.head.operation == operation).count()
    }

    pub(crate) fn totals(&self) -> Totals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            requests: load(&self.counters.requests),
            bytes_received: load(&self.counters.bytes_received),
            bytes_sent: load(&self.counters.bytes_sent),
            refused: load(&self.counters.refused),
            connections: load(&self.counters.connections),
            open_connections: load(&self.counters.open_connections),
            max_open_connections: load(&self.counters.max_open_connections),
            in_flight: load(&self.counters.in_flight),
            max_in_flight: load(&self.counters.max_in_flight),
        }
    }

    fn describe(&self, ids: (u64, u64), target: &Target, head: &Parts) -> Request {
        let headers = match self.logging {
            Logging::Off => Vec::new(),
            Logging::Kept => head
                .headers
                .iter()
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.as_str().to_owned(), value)
                })
                .collect(),
        };
        Request {
            number: ids.0,
            connection: ids.1,
            operation: target.operation,
            method: head.method.as_str().to_owned(),
            path: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            bucket: target.bucket.clone(),
            key: target.key.clone(),
            part_number: target.part_number,
            upload_id: target.upload_id.clone(),
            range: target.range.clone(),
            headers,
            status: None,
            bytes_received: 0,
            bytes_sent: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Record>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    pub(crate) fn snapshot(&self) -> Request {
        let status = self.status.load(Ordering::Relaxed);
        Request {
            status: (status != 0).then_some(status),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            ..self.head.clone()
        }
    }
}

impl InFlight {
    pub(crate) fn number(&self) -> u64 {
        self.record.head.number
    }

    pub(crate) fn snapshot(&self) -> Request {
        self.record.snapshot()
    }

    pub(crate) fn answered(&self, status: u16) {
        self.record.status.store(status, Ordering::Relaxed);
    }

    /// As one of too many; its status is told like any other.
    pub(crate) fn refused(&self) {
        self.log.counters.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.record.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.log.counters.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.record.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.log.counters.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.log.counters.open_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.log.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
