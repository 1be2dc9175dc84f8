//! What every job of a run shares, and what one job's tasks share.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;

use super::buffers::Buffers;
use super::cancel::Cancel;
use super::error::JobError;
use super::event::{Event, Skip};
use super::gate::{Class, Concurrency, Gate, Permit};
use super::gauge::{Gauge, JobGauge};
use super::health::Health;
use super::hedge::Hedge;
use super::journal::{Course, Journal};
use super::landing::Landing;
use super::moving::Origin;
use super::outcome::{Comparison, Done, Left, Verified};
use super::output::Output;
use super::part_size::PartChoice;
use super::plan::Discovery;
use super::resume::Resume;
use super::retry::Tries;
use super::uplink::Uplink;
use crate::domain::checksum::{Checksum, Crc};
use crate::domain::comparison::Verdict;
use crate::domain::endpoint;
use crate::domain::job::{Fate, Job, Task};
use crate::domain::location::Bucket;
use crate::domain::object::ETag;
use crate::domain::overwrite::Overwrite;
use crate::domain::range::Span;
use crate::storage::error::Kind;
use crate::storage::local::Destination;
use crate::storage::meter::Meter;
use crate::storage::object_store::{ObjectStore, Removed};

/// How much a run may take, and when it gives up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests in flight.
    pub concurrency: Concurrency,
    /// Bytes; uploads of huge objects take larger parts.
    pub part_size: u64,
    pub part_choice: PartChoice,
    /// Objects of more bytes are copied in parts.
    pub copy_whole: u64,
    /// Bytes in memory.
    pub memory: u64,
    /// Bytes a second, both ways together; `None`: as many as there may be.
    pub bandwidth: Option<u64>,
    /// Tries of one request, the first included.
    pub max_attempts: u32,
    /// The longest silence of a connection.
    pub timeout: Duration,
    pub overwrite: Overwrite,
    pub file_times: FileTimes,
    pub preserve: Preserve,
    pub resume: Resume,
    pub verify: Verify,
    pub tolerance: Tolerance,
    pub scope: Scope,
}

impl Limits {
    /// For requests that move no object.
    pub fn for_reading(timeout: Duration) -> Self {
        Self {
            concurrency: Concurrency::Fixed(16),
            part_size: super::part_size::DEFAULT_PART,
            part_choice: PartChoice::Usual,
            copy_whole: super::part_size::MAX_PART,
            memory: 64 * FRAMES,
            bandwidth: None,
            // Somebody looks at the screen meanwhile: ten would take up to a minute.
            max_attempts: 7,
            timeout,
            overwrite: Overwrite::Always,
            file_times: FileTimes::Now,
            preserve: Preserve::Nothing,
            resume: Resume::Off,
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

/// What of a file is kept in the metadata of its object, and given back to the file that becomes of
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preserve {
    Nothing,
    TimeAndMode,
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

/// How bytes get from one object to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The store copies them by itself.
    OnServer,
    /// Through the memory here: the two sides know nothing of each other.
    Here,
}

/// How far a refusal speaks: whether what one request is told will be told to all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A bucket that does not exist ends the run.
    OneBucket,
    /// So do credentials and servers that are of no use, but no bucket does.
    ManyBuckets,
    /// Nothing that a store says ends the run: other jobs have other stores.
    ManyStores,
}

/// What a request needs in memory besides its body: frames between the connection and the file.
pub(super) const FRAMES: u64 = 1024 * 1024;

/// Shared by all jobs of a run.
#[derive(Debug)]
pub struct Context {
    /// What is written to.
    pub store: Arc<dyn ObjectStore>,
    /// What is read from and listed: the same, but for copies from elsewhere.
    pub source: Arc<dyn ObjectStore>,
    /// How copies between objects go.
    pub way: Way,
    pub limits: Limits,
    pub cancel: Arc<Cancel>,
    pub gauge: Arc<Gauge>,
    /// The folder below which downloads land.
    pub landing: Option<Landing>,
    /// Where a run remembers what the next one may continue.
    pub state_folder: Option<PathBuf>,
    /// Names of the records of uploads that were there when the first one was looked for.
    pub(super) left_records: Arc<OnceLock<HashSet<String>>>,
    /// Whether sources that are archived are left out, and no failures.
    pub skips_archived: bool,
    /// What of each object `-` gets; `None`: all of it.
    pub span: Option<Span>,
    /// Where `-` as a destination writes.
    pub output: Mutex<Option<Output>>,
    /// What became of each job, here and in earlier runs.
    pub journal: OnceLock<Journal>,
    pub(super) gate: Gate,
    pub(super) health: Arc<Health>,
    pub(super) hedge: Arc<Mutex<Hedge>>,
    pub(super) discovery: Arc<Discovery>,
    pub(super) buffers: Buffers,
    pub(super) uplink: Arc<Uplink>,
    pub(super) events: mpsc::Sender<Event>,
    /// Whether it was said that tags are not kept.
    pub(super) are_tags_told: Arc<AtomicBool>,
    /// Buckets that were seen to exist: a HEAD does not tell a missing one from a missing key.
    pub(super) seen_buckets: Mutex<HashSet<Bucket>>,
    /// Jobs that have failed.
    pub(super) failed: Arc<AtomicU64>,
    /// Jobs under way.
    pub(super) under_way: Arc<AtomicUsize>,
    /// The line of a file of commands that the run is.
    pub(super) line: Option<u64>,
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
            gate: Gate::new(limits.concurrency, limits.memory, limits.bandwidth),
            health: Arc::new(Health::new(limits.concurrency.most())),
            hedge: Arc::default(),
            discovery: Arc::default(),
            buffers: Buffers::new(limits.memory),
            source: Arc::clone(&store),
            way: Way::OnServer,
            store,
            limits,
            cancel,
            gauge,
            landing: None,
            state_folder: None,
            left_records: Arc::default(),
            skips_archived: false,
            span: None,
            output: Mutex::new(None),
            journal: OnceLock::new(),
            uplink: Arc::new(Uplink::new()),
            events,
            are_tags_told: Arc::default(),
            seen_buckets: Mutex::default(),
            failed: Arc::default(),
            under_way: Arc::default(),
            line: None,
        }
    }

    /// Whether one name means one object, wherever it is read or written.
    pub fn is_one_store(&self) -> bool {
        endpoint::is_same(self.source.endpoint(), self.store.endpoint())
    }

    /// Whether a failure is none: what was to be read is archived, and to be left out then.
    pub(super) fn skips(&self, error: &JobError) -> bool {
        self.skips_archived && error.store_kind() == Some(&Kind::Archived)
    }

    pub(super) fn destination(&self) -> Result<&Destination, JobError> {
        Ok(self.landing()?.folder()?)
    }

    pub(super) fn landing(&self) -> Result<&Landing, JobError> {
        let landing = self.landing.as_ref();
        landing.ok_or_else(|| JobError::Internal("a download without a destination".to_owned()))
    }

    /// Tells a fact. Nobody may be listening any more: that changes nothing.
    pub(super) async fn tell(&self, event: Event) {
        let _unheard = self.events.send(event).await;
    }

    /// Runs until done, or until the run stops.
    pub async fn or_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, JobError> {
        tokio::select! {
            biased;
            () = self.cancel.stopped() => Err(JobError::Stopped),
            done = work => Ok(done),
        }
    }

    /// A permit for one request; those with the lowest `turn` are served first.
    pub(super) async fn pass(
        &self,
        class: Class,
        turn: u64,
        memory: u64,
    ) -> Result<InFlight, JobError> {
        let permit = self.or_stopped(self.gate.pass(class, turn, memory)).await?;
        self.gauge.request_started();
        Ok(InFlight { permit, gauge: Arc::clone(&self.gauge), is_over: false })
    }

    /// Some request got an answer: the address and the credentials are right.
    pub(super) fn store_is_proven(&self) {
        self.health.succeeded();
    }

    pub(super) fn is_store_proven(&self) -> bool {
        self.health.successes() > 0
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
    left: Mutex<Left>,
    /// What is moved, as it was when its bytes were read.
    pub(super) origin: Mutex<Option<Origin>>,
    /// Bytes left for a later run.
    kept: OnceLock<u64>,
}

impl Work {
    /// `size`: what the job's gauge shows from the start.
    pub(super) fn new(context: Arc<Context>, job: Arc<Job>, size: Option<u64>) -> Self {
        let gauge = Arc::new(JobGauge::new(Arc::clone(&context.gauge), size));
        Self::with_gauge(context, job, gauge)
    }

    /// Of a job that is not one of the run's: its bytes do not count.
    pub(super) fn aside(context: Arc<Context>, job: Arc<Job>) -> Self {
        let gauge = Arc::new(JobGauge::new(Arc::default(), None));
        Self::with_gauge(context, job, gauge)
    }

    fn with_gauge(context: Arc<Context>, job: Arc<Job>, gauge: Arc<JobGauge>) -> Self {
        Self {
            context,
            job,
            gauge,
            started: Instant::now(),
            retries: AtomicU32::new(0),
            left: Mutex::default(),
            origin: Mutex::default(),
            kept: OnceLock::new(),
        }
    }

    /// Of a job that was started before, with so many requests that were tried again.
    #[must_use]
    pub(super) fn after(self, retries: u32) -> Self {
        Self { retries: AtomicU32::new(retries), ..self }
    }

    /// Notes which object was read, or written.
    pub(super) fn left_object(&self, etag: Option<&ETag>, version: Option<&Arc<str>>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.etag = etag.cloned();
        left.version = version.cloned();
    }

    /// Notes which object was copied.
    pub(super) fn left_source(&self, etag: Option<&ETag>) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.source_etag = etag.cloned();
    }

    /// Counts requests that were tried again on its behalf.
    pub(super) fn retried(&self, times: u32) {
        self.retries.fetch_add(times, Relaxed);
    }

    /// Notes what its bytes come to.
    pub(super) fn left_checksum(&self, checksum: Checksum) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).checksum = Some(checksum);
    }

    /// Notes when the local file was modified.
    pub(super) fn left_file(&self, modified: Option<SystemTime>) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).modified = modified;
    }

    /// What it took so far.
    pub(super) fn course(&self) -> Course {
        Course {
            elapsed: self.started.elapsed(),
            retries: self.retries.load(Relaxed),
            kept: self.kept.get().copied(),
        }
    }

    /// What was moved so far, so many bytes, was left for a later run.
    pub(super) fn kept(&self, bytes: u64) {
        let _first = self.kept.set(bytes);
    }

    /// A permit for one request that moves a whole object, or nothing, and `memory` bytes.
    pub(super) async fn pass(&self, memory: u64) -> Result<InFlight, JobError> {
        self.pass_as(Class::Object, memory).await
    }

    /// A permit for one of several parts of an object, and its `memory` bytes.
    pub(super) async fn pass_part(&self, memory: u64) -> Result<InFlight, JobError> {
        self.pass_as(Class::Part, memory).await
    }

    async fn pass_as(&self, class: Class, memory: u64) -> Result<InFlight, JobError> {
        self.context.pass(class, self.job.number, memory).await
    }

    /// What is computed of the bytes that are written.
    pub(super) fn crc(&self) -> Crc {
        let attributes = match &self.job.task {
            Task::Upload(job) => &job.attributes,
            Task::Copy(job) => &job.attributes,
            _ => return Crc::USUAL,
        };
        attributes.crc.unwrap_or(Crc::USUAL)
    }

    pub(super) fn tries(&self, doing: String) -> Tries<'_> {
        Tries::new(&self.context, doing).of_job(&self.job, &self.retries)
    }

    pub(super) fn done(&self, bytes: u64, verified: Verified) -> Outcome {
        self.done_from(0, bytes, verified)
    }

    /// The same, where `resumed` of the bytes were there before this run.
    pub(super) fn done_from(&self, resumed: u64, bytes: u64, verified: Verified) -> Outcome {
        let Course { elapsed, retries, .. } = self.course();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if self.job.fate == Fate::Removed {
            left.source_modified = self.origin_modified();
        }
        Outcome::Done(Done { bytes, resumed, verified, elapsed, retries, left })
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
    /// The request carries so many bytes.
    pub(super) fn sends(&mut self, bytes: u64) {
        self.permit.sends(bytes);
    }

    /// The request is over; its bytes are still in memory.
    pub(super) fn end_request(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.gauge.request_ended();
            self.permit.end_request();
        }
    }

    /// Lets others have its turn while it waits, and waits for the next one.
    pub(super) async fn rest(&mut self, wait: Duration) {
        if self.is_over {
            return tokio::time::sleep(wait).await;
        }
        self.is_over = true;
        self.gauge.request_ended();
        self.permit.rest(wait).await;
        self.gauge.request_started();
        self.is_over = false;
    }

    /// So many requests were in flight with it when it passed.
    pub(super) fn among(&self) -> Option<usize> {
        self.permit.among()
    }

    /// Counts bytes of all requests of this class as they move.
    pub(super) fn meter(&self) -> &Arc<Meter> {
        self.permit.meter()
    }

    pub(super) fn class(&self) -> Class {
        self.permit.class()
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
    Removed(Removed),
    Skipped(Skip),
}
