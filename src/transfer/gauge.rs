//! Quantities of a run: atomics that the engine moves and the screen samples.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Of the whole run.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Bytes moved that count: those that a retry sends again are taken off first.
    bytes: AtomicU64,
    /// Of those bytes, the ones that an earlier run had moved: they say nothing of the pace.
    resumed: AtomicU64,
    /// Requests whose reply, body included, is not complete.
    requests: AtomicU64,
    planned_objects: AtomicU64,
    planned_bytes: AtomicU64,
    /// Objects planned whose size is not known yet.
    unsized_objects: AtomicU64,
    is_plan_complete: AtomicBool,
    /// Totals that are known before the jobs are: those of a manifest that gives sizes.
    promised_objects: AtomicU64,
    promised_bytes: AtomicU64,
    numbers: AtomicU64,
    /// Whether many plans add to it: then none of them knows the totals.
    plans: Plans,
}

/// How many plans make the jobs of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Plans {
    #[default]
    One,
    Many,
}

/// What a gauge says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    pub bytes: u64,
    pub resumed: u64,
    pub requests: u64,
    pub planned_objects: u64,
    pub planned_bytes: u64,
    pub unsized_objects: u64,
    /// Of the planned ones, those that a manifest promised, until all its rows are read: bad rows are
    /// among them.
    pub promised_objects: u64,
    /// Whether more jobs may still be planned; until then the totals only grow.
    pub is_plan_complete: bool,
}

impl Gauge {
    pub fn new(plans: Plans) -> Self {
        Self { plans, ..Self::default() }
    }

    pub fn plans(&self) -> Plans {
        self.plans
    }

    /// A number that no other job of the run has, from 1.
    pub fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed) + 1
    }

    pub fn sample(&self) -> Sample {
        let is_complete = self.is_plan_complete.load(Relaxed);
        let promised = |promise: &AtomicU64| if is_complete { 0 } else { promise.load(Relaxed) };
        let (objects, bytes) = (promised(&self.promised_objects), promised(&self.promised_bytes));
        Sample {
            bytes: self.bytes.load(Relaxed),
            resumed: self.resumed.load(Relaxed),
            requests: self.requests.load(Relaxed),
            planned_objects: self.planned_objects.load(Relaxed).max(objects),
            planned_bytes: self.planned_bytes.load(Relaxed).max(bytes),
            unsized_objects: self.unsized_objects.load(Relaxed),
            promised_objects: objects,
            is_plan_complete: is_complete || objects > 0,
        }
    }

    pub fn plan(&self, size: Option<u64>) {
        self.planned_objects.fetch_add(1, Relaxed);
        match size {
            Some(size) => self.planned_bytes.fetch_add(size, Relaxed),
            None => self.unsized_objects.fetch_add(1, Relaxed),
        };
    }

    /// The size of an object that was planned without one.
    pub fn discover(&self, size: u64) {
        self.planned_bytes.fetch_add(size, Relaxed);
        self.unsized_objects.fetch_sub(1, Relaxed);
    }

    /// What all jobs together will come to, known before they are planned.
    pub fn promise(&self, objects: u64, bytes: u64) {
        if self.plans == Plans::Many {
            return;
        }
        self.promised_bytes.store(bytes, Relaxed);
        self.promised_objects.store(objects, Relaxed);
    }

    /// One plan is whole. Where it is the only one, the totals are final.
    pub fn complete_plan(&self) {
        if self.plans == Plans::One {
            self.complete_plans();
        }
    }

    /// No more jobs are planned by anybody.
    pub fn complete_plans(&self) {
        self.is_plan_complete.store(true, Relaxed);
    }

    pub fn request_started(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    pub fn request_ended(&self) {
        self.requests.fetch_sub(1, Relaxed);
    }
}

/// Of one job. Moves the run's gauge with it.
#[derive(Debug)]
pub struct JobGauge {
    run: std::sync::Arc<Gauge>,
    bytes: AtomicU64,
    resumed: AtomicU64,
    size: AtomicU64,
}

/// The value of `size` while it is not known.
const UNKNOWN: u64 = u64::MAX;

impl JobGauge {
    pub fn new(run: std::sync::Arc<Gauge>, size: Option<u64>) -> Self {
        let size = AtomicU64::new(size.unwrap_or(UNKNOWN));
        Self { run, bytes: AtomicU64::new(0), resumed: AtomicU64::new(0), size }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Of the bytes, those that this run moved.
    pub fn moved(&self) -> u64 {
        self.bytes().saturating_sub(self.resumed.load(Relaxed))
    }

    pub fn size(&self) -> Option<u64> {
        Some(self.size.load(Relaxed)).filter(|size| *size != UNKNOWN)
    }

    pub fn discover(&self, size: u64) {
        if self.size.swap(size, Relaxed) == UNKNOWN {
            self.run.discover(size);
        }
    }

    pub fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
        self.run.bytes.fetch_add(bytes, Relaxed);
    }

    /// Counts bytes that an earlier run moved.
    pub fn resume(&self, bytes: u64) {
        self.resumed.fetch_add(bytes, Relaxed);
        self.run.resumed.fetch_add(bytes, Relaxed);
        self.count(bytes);
    }

    /// Takes back all bytes: the object starts again, or is given up.
    pub fn uncount_all(&self) {
        let bytes = self.bytes.swap(0, Relaxed);
        self.run.bytes.fetch_sub(bytes, Relaxed);
        let resumed = self.resumed.swap(0, Relaxed);
        self.run.resumed.fetch_sub(resumed, Relaxed);
    }

    /// Takes back bytes that will be moved again, or that were moved for nothing.
    pub fn uncount(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Relaxed);
        self.run.bytes.fetch_sub(bytes, Relaxed);
    }
}
