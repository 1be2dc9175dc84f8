//! What became of jobs, and of a run.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::event::Skip;
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::object::ETag;

/// A job that is done.
#[derive(Debug, Clone)]
pub struct Done {
    pub bytes: u64,
    /// Of them, those that an earlier run had moved.
    pub resumed: u64,
    pub verified: Verified,
    pub elapsed: Duration,
    /// Requests that were tried again.
    pub retries: u32,
    pub left: Left,
}

/// What a job left on the two sides: enough to tell later, without its bytes, whether it is still
/// so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Left {
    /// Of the object, as it was read or is now stored.
    pub etag: Option<ETag>,
    pub version: Option<Arc<str>>,
    /// Of all bytes, computed here.
    pub checksum: Option<Checksum>,
    /// When the local file was modified.
    pub modified: Option<SystemTime>,
}

/// How far the content of a finished job is proven to be the source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// A checksum of all bytes, made where they were read and compared where they now are.
    EndToEnd(Algorithm),
    /// The store has no checksum to compare with: the length and the pinned ETag are right.
    Length,
}

/// A job that is not done.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Where it stands in its manifest.
    pub line: Option<u64>,
    /// The source, exact.
    pub source: String,
    /// The destination, exact, where there is one.
    pub destination: Option<String>,
    /// Groups failures in the summary: the same text for the same kind of trouble.
    pub cause: String,
    /// The whole story: what was being done, to what, why. One line, safe to show.
    pub message: String,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// Whether the same command may succeed later.
    pub may_pass: bool,
}

/// What a run did.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    pub done: u64,
    pub bytes: u64,
    /// Of the bytes, those that an earlier run had moved.
    pub resumed: u64,
    pub skipped: u64,
    /// Of the skipped ones, those that the journal says were done, and that still are.
    pub done_before: u64,
    pub failed: u64,
    /// Of the failed ones, those whose source does not exist.
    pub missing: u64,
    /// Jobs that were planned or started and then given up, since the run was stopped.
    pub stopped: u64,
    /// Unfinished transfers that the same command continues.
    pub kept: u64,
    pub verified: u64,
    pub retries: u64,
    /// Whoever read standard output went away before the end of the object.
    pub output_closed: bool,
    pub elapsed: Duration,
    pub end: End,
}

/// How a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// Every job was looked at.
    #[default]
    Complete,
    /// `--fail-fast`, `--max-errors`, or a failure that all others would share.
    GaveUp,
    /// A signal, by its number.
    Interrupted(i32),
}

impl Summary {
    pub fn add_done(&mut self, done: &Done) {
        self.done += 1;
        self.bytes += done.bytes;
        self.resumed += done.resumed;
        self.retries += u64::from(done.retries);
        if matches!(done.verified, Verified::EndToEnd(_)) {
            self.verified += 1;
        }
    }

    pub fn add_skipped(&mut self, why: Skip) {
        self.skipped += 1;
        if why == Skip::DoneBefore {
            self.done_before += 1;
        }
    }

    /// Whether everything asked for is done.
    pub fn is_success(&self) -> bool {
        self.failed == 0 && self.stopped == 0 && self.end == End::Complete
    }
}
