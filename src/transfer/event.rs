//! Facts of a run, in the order in which they happened: a few a job. Quantities that change with
//! every byte are in `gauge`.

use std::sync::Arc;
use std::time::Duration;

use super::gauge::JobGauge;
use super::outcome::{Comparison, Done, Failure};
use crate::domain::job::Job;

/// What the engine tells whoever listens. The channel is bounded: a slow listener slows the run
/// rather than growing memory.
#[derive(Debug)]
pub enum Event {
    /// The job has its first permit. Its gauge moves from now on.
    Started {
        job: Arc<Job>,
        gauge: Arc<JobGauge>,
    },
    /// One request will be tried again; without a job, one that plans jobs.
    Retrying {
        job: Option<Arc<Job>>,
        retry: Retry,
    },
    Done {
        job: Arc<Job>,
        done: Done,
    },
    /// Two sides were looked at, and what was found.
    Compared {
        job: Arc<Job>,
        comparison: Comparison,
    },
    /// The store says that an object is gone.
    Removed {
        job: Arc<Job>,
        /// The delete marker that has taken its place.
        marker: Option<Arc<str>>,
    },
    /// Nothing was to be done.
    Skipped {
        job: Arc<Job>,
        why: Skip,
    },
    /// It failed, and will be started once more when all others have ended: no end of the job.
    Postponed {
        job: Arc<Job>,
        failure: Failure,
    },
    Failed {
        job: Option<Arc<Job>>,
        failure: Failure,
    },
    /// The destination had it and the source did not.
    Pruned(Pruned),
    /// All jobs have been planned: the gauge's totals are final.
    PlanComplete,
    /// Said once a run, such as that it is stopping and why.
    Notice(String),
}

/// What a sync takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// Exact: a URI, or a path below the run's destination.
    pub name: String,
    pub size: u64,
    pub is_done: IsDone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IsDone {
    Yes,
    /// `--dry-run`.
    Planned,
}

/// One more try.
#[derive(Debug, Clone)]
pub struct Retry {
    /// The try that failed, from 1.
    pub attempt: u32,
    pub wait: Duration,
    /// Part number from 1, for a part of a larger object.
    pub part: Option<u32>,
    pub reason: String,
}

/// Why a job had nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// `--overwrite never`, and something is there.
    Exists,
    /// `--overwrite newer` or `changed`, and what is there will do.
    UpToDate,
    /// The same row stood in the manifest before.
    Duplicate,
    /// The journal says that it was done, and both sides are as they were then.
    DoneBefore,
    /// `--skip-archived`, and the store says that it is in an archive.
    Archived,
    /// `--dry-run`.
    DryRun,
}
