//! What a run has learnt of its store: whether it ever answered, whether it still does, and how
//! many retries it may yet be asked for. It must never decide what becomes of a job.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Budget;

#[derive(Debug)]
pub(super) struct Health {
    successes: AtomicU64,
    retries: AtomicU64,
    budget: Mutex<Budget>,
    /// Nothing is given back to a budget that nobody took from.
    was_retried: AtomicBool,
    said_unreachable: AtomicBool,
    said_throttled: AtomicBool,
}

impl Health {
    /// For a run that may have so many requests in flight.
    pub(super) fn new(requests: usize) -> Self {
        Self {
            successes: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            budget: Mutex::new(Budget::new(requests, Instant::now())),
            was_retried: AtomicBool::new(false),
            said_unreachable: AtomicBool::new(false),
            said_throttled: AtomicBool::new(false),
        }
    }

    /// A request got what it asked for.
    pub(super) fn succeeded(&self) {
        self.successes.fetch_add(1, Relaxed);
        if self.was_retried.load(Relaxed) {
            self.budget.lock().unwrap_or_else(PoisonError::into_inner).succeeded();
        }
    }

    pub(super) fn successes(&self) -> u64 {
        self.successes.load(Relaxed)
    }

    /// Takes one retry from all that the run may make, and says how long it waits for its turn;
    /// `None` where there is none to be had.
    pub(super) fn take_retry(&self) -> Option<Duration> {
        self.was_retried.store(true, Relaxed);
        let taken = self.budget.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        self.retries.fetch_add(u64::from(taken.is_some()), Relaxed);
        taken
    }

    /// Retries that were taken: of jobs, whatever became of them, and of listings.
    pub(super) fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Whether this is the first time that there was no connection to be had.
    pub(super) fn is_first_unreachable(&self) -> bool {
        !self.said_unreachable.swap(true, Relaxed)
    }

    /// Whether this is the first time that the store asked for a lower pace.
    pub(super) fn is_first_throttled(&self) -> bool {
        !self.said_throttled.swap(true, Relaxed)
    }
}
