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
    lost: Mutex<Lost>,
}

/// Jobs that were tried in vain, and no request succeeded meanwhile.
#[derive(Debug, Default)]
struct Lost {
    in_a_row: u32,
    /// Requests that had succeeded when the last one was lost.
    successes: u64,
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
            lost: Mutex::default(),
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

    /// A job was tried in vain: how many in a row by now.
    pub(super) fn lost_in_a_row(&self) -> u32 {
        let successes = self.successes();
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if successes > std::mem::replace(&mut lost.successes, successes) {
            lost.in_a_row = 0;
        }
        lost.in_a_row += 1;
        lost.in_a_row
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
