//! What every job of a run shares, and what one job's tasks share.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::buffers::Buffers;
use super::cancel::Cancel;
use super::error::JobError;
use super::event::{Event, Skip};
use super::gate::{Gate, Permit};
use super::gauge::{Gauge, JobGauge};
use super::landing::Landing;
use super::outcome::{Comparison, Done, Verified};
use super::output::Output;
use super::part_size::PartChoice;
use super::retry::Tries;
use crate::domain::comparison::Verdict;
use crate::domain::job::Job;
use crate::domain::location::Bucket;
use crate::domain::overwrite::Overwrite;
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::Destination;
use crate::storage::object_store::ObjectStore;

/// How much a run may take, and when it gives up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests in flight.
    pub requests: usize,
    /// Bytes; uploads of huge objects take larger parts.
    pub part_size: u64,
    pub part_choice: PartChoice,
    /// Bytes in memory.
    pub memory: u64,
    /// Tries of one request, the first included.
    pub max_attempts: u32,
    /// The longest silence of a connection.
    pub timeout: Duration,
    pub overwrite: Overwrite,
    pub file_times: FileTimes,
    pub verify: Verify,
    pub tolerance: Tolerance,
    pub scope: Scope,
}

impl Limits {
    /// For requests that move no object.
    pub fn for_reading(timeout: Duration) -> Self {
        Self {
            requests: 8,
            part_size: super::part_size::DEFAULT_PART,
            part_choice: PartChoice::Usual,
            memory: 64 * FRAMES,
            max_attempts: 10,
            timeout,
            overwrite: Overwrite::Always,
            file_times: FileTimes::Now,
            verify: Verify::Auto,
            tolerance: Tolerance::Any,
            scope: Scope::OneBucket,
        }
    }
}

/// When a downloaded file was modified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileTimes {
    /// When the object was.
    LikeObject,
    Now,
}

/// How far content must be proven. Length and tag are checked in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// By whatever checksum the store has.
    Auto,
    /// An object without a usable checksum fails.
    Require,
    /// No checksum is compared, unless nothing else pins the parts to one version.
    Off,
}

/// How many failed jobs end a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    Any,
    /// Draining begins with this many.
    Errors(u64),
    /// The first one stops all others at once.
    FailFast,
}

/// Whether all jobs use one bucket: then a bucket that does not exist ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    OneBucket,
    ManyBuckets,
}

/// The slowest upload of a part that is still taken for alive, in bytes a second. A thin uplink is
/// shared by all requests in flight; what is lost by patience is that a dead one is found late.
const SLOWEST: u64 = 8 * 1024;
/// What a request needs in memory besides its body: frames between the connection and the file.
pub(super) const FRAMES: u64 = 1024 * 1024;

/// Shared by all jobs of a run.
#[derive(Debug)]
pub struct Context {
    pub store: Arc<dyn ObjectStore>,
    pub limits: Limits,
    pub cancel: Arc<Cancel>,
    pub gauge: Arc<Gauge>,
    /// The folder below which downloads land.
    pub landing: Option<Landing>,
    /// Where `-` as a destination writes.
    pub output: Mutex<Option<Output>>,
    gate: Gate,
    pub(super) buffers: Buffers,
    events: mpsc::Sender<Event>,
    is_proven: AtomicBool,
    /// Buckets that were seen to exist: a HEAD does not tell a missing one from a missing key.
    pub(super) seen_buckets: Mutex<HashSet<Bucket>>,
}

impl Context {
    pub fn new(
        store: Arc<dyn ObjectStore>,
        limits: Limits,
        cancel: Arc<Cancel>,
        gauge: Arc<Gauge>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            gate: Gate::new(limits.requests, limits.memory),
            store,
            limits,
            cancel,
            gauge,
            landing: None,
            output: Mutex::new(None),
            buffers: Buffers::default(),
            events,
            is_proven: AtomicBool::new(false),
            seen_buckets: Mutex::default(),
        }
    }

    pub(super) fn destination(&self) -> Result<&Destination, JobError> {
        let landing = self.landing.as_ref();
        let landing = landing
            .ok_or_else(|| JobError::Internal("a download without a destination".to_owned()))?;
        Ok(landing.folder()?)
    }

    /// Tells a fact. Nobody may be listening any more: that changes nothing.
    pub(super) async fn tell(&self, event: Event) {
        let _unheard = self.events.send(event).await;
    }

    /// Runs until done, or until the run stops.
    pub(super) async fn or_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, JobError> {
        tokio::select! {
            biased;
            () = self.cancel.stopped() => Err(JobError::Stopped),
            done = work => Ok(done),
        }
    }

    /// Some request got an answer: the address and the credentials are right.
    pub(super) fn store_is_proven(&self) {
        if !self.is_proven.load(Relaxed) {
            self.is_proven.store(true, Relaxed);
        }
    }

    pub(super) fn is_store_proven(&self) -> bool {
        self.is_proven.load(Relaxed)
    }

    /// Bounds one request that sends `length` bytes: silence, and less than a trickle, are errors.
    pub(super) async fn in_time<T>(
        &self,
        operation: &'static str,
        length: u64,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let limit = self.limits.timeout + Duration::from_secs(length / SLOWEST);
        match tokio::time::timeout(limit, request).await {
            Ok(reply) => reply,
            Err(_) => Err(StoreError::new(operation, Kind::Transient)
                .with_message(format!("no reply within {} s", limit.as_secs()))),
        }
    }
}

/// Shared by the tasks of one job.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) context: Arc<Context>,
    pub(super) job: Arc<Job>,
    pub(super) gauge: Arc<JobGauge>,
    started: Instant,
    retries: AtomicU32,
}

impl Work {
    pub(super) fn new(context: Arc<Context>, job: Arc<Job>) -> Self {
        let gauge = Arc::new(JobGauge::new(Arc::clone(&context.gauge), job.task.size()));
        Self { context, job, gauge, started: Instant::now(), retries: AtomicU32::new(0) }
    }

    /// Of a job that is not one of the run's: its bytes do not count.
    pub(super) fn aside(context: Arc<Context>, job: Arc<Job>) -> Self {
        let gauge = Arc::new(JobGauge::new(Arc::default(), None));
        Self { context, job, gauge, started: Instant::now(), retries: AtomicU32::new(0) }
    }

    /// A permit for one request and `memory` bytes.
    pub(super) async fn pass(&self, memory: u64) -> Result<InFlight, JobError> {
        let permit =
            self.context.or_stopped(self.context.gate.pass(self.job.number, memory)).await?;
        self.context.gauge.request_started();
        Ok(InFlight { permit, gauge: Arc::clone(&self.context.gauge), is_over: false })
    }

    pub(super) fn tries(&self, doing: String) -> Tries<'_> {
        Tries::new(&self.context, doing).of_job(&self.job, &self.retries)
    }

    pub(super) fn done(&self, bytes: u64, verified: Verified) -> Outcome {
        Outcome::Done(Done {
            bytes,
            verified,
            elapsed: self.started.elapsed(),
            retries: self.retries.load(Relaxed),
        })
    }

    pub(super) fn compared(&self, verdict: Verdict, bytes: u64) -> Outcome {
        let (elapsed, retries) = (self.started.elapsed(), self.retries.load(Relaxed));
        Outcome::Compared(Comparison { verdict, bytes, elapsed, retries })
    }
}

/// A request in flight: the gate's permit and its place in the gauge.
#[derive(Debug)]
pub(super) struct InFlight {
    permit: Permit,
    gauge: Arc<Gauge>,
    is_over: bool,
}

impl InFlight {
    /// The request is over; its bytes are still in memory.
    pub(super) fn end_request(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.gauge.request_ended();
            self.permit.end_request();
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.is_over {
            self.gauge.request_ended();
        }
    }
}

/// What became of a job that did not fail.
#[derive(Debug)]
pub(super) enum Outcome {
    Done(Done),
    Compared(Comparison),
    Skipped(Skip),
}
