//! What became of jobs, and of a run.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::event::Skip;
use crate::domain::checksum::{Algorithm, Checksum};
use crate::domain::comparison::{Proof, Verdict};
use crate::domain::evidence::Basis;
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
    /// Of the object that was copied.
    pub source_etag: Option<ETag>,
    /// Of the object that is moved: when it was written, as it was read.
    pub source_modified: Option<SystemTime>,
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
    /// A checksum of each part that the object was once uploaded in, compared likewise.
    ByParts(Algorithm),
    /// Nothing more was compared, or could be: the length and the pinned ETag are right.
    Length,
    /// A folder: there are no bytes.
    NoContent,
}

impl Verified {
    /// For programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::EndToEnd(algorithm) => algorithm.name(),
            Self::ByParts(algorithm) => algorithm.name_of_parts(),
            Self::Length => "length",
            Self::NoContent => "no_content",
        }
    }

    /// The stronger of two: what was compared once stays so.
    #[must_use]
    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::Length { other } else { self }
    }
}

/// Two sides that were looked at.
#[derive(Debug, Clone)]
pub struct Comparison {
    pub verdict: Verdict,
    /// Bytes of the source, where there is one.
    pub bytes: u64,
    pub elapsed: Duration,
    /// Requests that were tried again.
    pub retries: u32,
}

/// Comparisons of a run, by what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Comparisons {
    pub same: SameBy,
    pub missing: u64,
    pub extra: u64,
    pub size: u64,
    pub content: u64,
    pub not_comparable: u64,
}

/// Those that are the same, by what was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SameBy {
    pub whole: u64,
    pub parts: u64,
    pub etag: u64,
    /// Of no bytes at all.
    pub empty: u64,
    pub read: u64,
}

impl SameBy {
    pub fn total(&self) -> u64 {
        self.whole + self.parts + self.etag + self.empty + self.read
    }
}

impl Comparisons {
    pub const NONE: Self = Self {
        same: SameBy { whole: 0, parts: 0, etag: 0, empty: 0, read: 0 },
        missing: 0,
        extra: 0,
        size: 0,
        content: 0,
        not_comparable: 0,
    };

    fn add(&mut self, verdict: &Verdict) {
        let count = match verdict {
            Verdict::Same(Proof::Stored(Basis::Whole(_))) => &mut self.same.whole,
            Verdict::Same(Proof::Stored(Basis::Parts(_))) => &mut self.same.parts,
            Verdict::Same(Proof::Stored(Basis::ETag)) => &mut self.same.etag,
            Verdict::Same(Proof::Stored(Basis::Empty)) => &mut self.same.empty,
            Verdict::Same(Proof::Read) => &mut self.same.read,
            Verdict::Missing => &mut self.missing,
            Verdict::Extra => &mut self.extra,
            Verdict::Size { .. } => &mut self.size,
            Verdict::Content { .. } => &mut self.content,
            Verdict::NotComparable { .. } => &mut self.not_comparable,
        };
        *count += 1;
    }

    pub fn differences(&self) -> u64 {
        self.missing + self.extra + self.size + self.content + self.not_comparable
    }

    pub fn total(&self) -> u64 {
        self.same.total() + self.differences()
    }
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

impl Failure {
    /// One that is no job's.
    pub fn of_run(cause: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            line: None,
            source: String::new(),
            destination: None,
            cause: cause.into(),
            message: message.into(),
            hint: None,
            may_pass: false,
        }
    }
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
    /// How many bytes of them there are.
    pub kept_bytes: u64,
    /// Of the done ones, those that were verified end to end.
    pub verified: u64,
    /// Those that were verified by the checksums of their parts.
    pub verified_by_parts: u64,
    /// Those of which only length and ETag were checked.
    pub length_only: u64,
    /// Objects, and versions, that the store says are gone, and files that a sync took away.
    pub removed: u64,
    /// Buckets that are gone.
    pub buckets: u64,
    /// Of those that were given up, objects that may be gone: nobody heard the store's reply.
    pub unconfirmed: u64,
    pub compared: Comparisons,
    /// Requests that were tried again, of all jobs and listings.
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
        match done.verified {
            Verified::EndToEnd(_) => self.verified += 1,
            Verified::ByParts(_) => self.verified_by_parts += 1,
            Verified::Length => self.length_only += 1,
            Verified::NoContent => {}
        }
    }

    /// Takes what a run after this one came to.
    pub fn add(&mut self, next: &Self) {
        self.done += next.done;
        self.bytes += next.bytes;
        self.resumed += next.resumed;
        self.skipped += next.skipped;
        self.failed += next.failed;
        self.missing += next.missing;
        self.stopped += next.stopped;
        self.verified += next.verified;
        self.verified_by_parts += next.verified_by_parts;
        self.length_only += next.length_only;
        self.output_closed |= next.output_closed;
        self.elapsed += next.elapsed;
        // Of the run's context, and so of all runs so far.
        self.retries = next.retries;
        self.end = next.end;
    }

    /// Takes what a run beside this one came to, which compared nothing. How long both took and how
    /// they ended is for whoever knows of both.
    pub fn join(&mut self, beside: &Self) {
        let Self {
            done,
            bytes,
            resumed,
            skipped,
            done_before,
            failed,
            missing,
            stopped,
            kept,
            kept_bytes,
            verified,
            verified_by_parts,
            length_only,
            removed,
            buckets,
            unconfirmed,
            compared: _,
            retries: _,
            output_closed,
            elapsed: _,
            end: _,
        } = *beside;
        self.done += done;
        self.bytes += bytes;
        self.resumed += resumed;
        self.skipped += skipped;
        self.done_before += done_before;
        self.failed += failed;
        self.missing += missing;
        self.stopped += stopped;
        self.kept += kept;
        self.kept_bytes += kept_bytes;
        self.verified += verified;
        self.verified_by_parts += verified_by_parts;
        self.length_only += length_only;
        self.removed += removed;
        self.buckets += buckets;
        self.unconfirmed += unconfirmed;
        self.output_closed |= output_closed;
    }

    pub fn add_compared(&mut self, comparison: &Comparison) {
        // What is not there was not compared with anything.
        if comparison.verdict != Verdict::Missing {
            self.bytes += comparison.bytes;
        }
        self.compared.add(&comparison.verdict);
    }

    pub fn add_skipped(&mut self, why: Skip) {
        self.skipped += 1;
        if why == Skip::DoneBefore {
            self.done_before += 1;
        }
    }

    /// Notes how many bytes of an unfinished job were kept, if it was.
    pub(super) fn add_kept(&mut self, bytes: Option<u64>) {
        self.kept += u64::from(bytes.is_some());
        self.kept_bytes += bytes.unwrap_or(0);
    }

    /// Jobs that came to an end other than a failure.
    pub(super) fn went_well(&self) -> u64 {
        self.done + self.skipped + self.compared.total() + self.removed
    }

    /// Whether everything asked for is done.
    pub fn is_success(&self) -> bool {
        self.failed == 0
            && self.stopped == 0
            && self.compared.differences() == 0
            && self.end == End::Complete
    }
}
