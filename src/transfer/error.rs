//! Why a job failed, and what that means to a person.

use crate::domain::checksum::Checksum;
use crate::domain::escape::Escaped;
use crate::domain::job::{Fate, Job, Task};
use crate::domain::location::ObjectName;
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::LocalError;

use super::outcome::{Done, Failure};

/// What ended a job. Every variant says what was being done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("could not {doing}")]
    Store { doing: String, source: Box<StoreError> },
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The bytes that came are not those that the store has a checksum of.
    #[error("the downloaded bytes have {found}, the object has {wanted}")]
    Mismatch { found: String, wanted: String },
    /// Bytes that nothing else proves: either they are wrong, or the manifest is.
    #[error("the downloaded bytes have {found}, the manifest says {wanted}")]
    Unlike { found: String, wanted: String },
    /// The store says that it wrote other bytes than it was sent.
    #[error("{sent} was sent, the store has {stored}")]
    Stored { sent: Checksum, stored: Checksum },
    /// `--verify require`, before the file has its name.
    #[error("the store has no checksum that the bytes could be compared with")]
    Unproven,
    /// `--verify require`, after the fact.
    #[error(
        "{0} was written and is there, but the store has no checksum of it that could be compared"
    )]
    UnprovenUpload(ObjectName),
    /// A size, ETag or checksum of the manifest does not hold.
    #[error("{0}")]
    Expectation(String),
    /// A folder marker has bytes, which no folder can hold.
    #[error("its key ends in `/`, but it has {0} bytes")]
    FullMarker(u64),
    /// Another version of the object appeared in the middle, again and again.
    #[error("the object changed during the {doing}, {times} times")]
    KeepsChanging { doing: &'static str, times: u32 },
    /// The store's own copy is not what it was made of.
    #[error("the copy has {copy}, its source {source_has}")]
    Unequal { copy: String, source_has: String },
    /// The end of a move that did not come: what was moved is in both places.
    #[error("it is at {at} in full, but its source could not be removed, and was kept")]
    SourceKept {
        at: String,
        /// What this run did; `None` where an earlier one had.
        done: Option<Box<Done>>,
        source: Box<JobError>,
    },
    #[error("{0}")]
    Impossible(String),
    #[error("could not {doing}")]
    Io { doing: String, source: std::io::Error },
    /// The reader of standard output went away.
    #[error("standard output was closed")]
    OutputClosed,
    /// The run is stopping.
    #[error("stopped")]
    Stopped,
    /// The run stopped while a removal was under way: what was to go may be gone.
    #[error("the run ended before the store's reply came")]
    Unheard,
    #[error("internal error: {0}; please report this")]
    Internal(String),
}

impl JobError {
    /// Whether a fresh start of the whole object may help: its bytes were those of two versions, it
    /// is shorter than it was said to be, or a bit of them was wrong.
    pub fn wants_restart(&self) -> bool {
        match self {
            Self::Store { source, .. } => {
                matches!(source.kind, Kind::Changed | Kind::OutOfRange { .. })
            }
            Self::Mismatch { .. } | Self::Unlike { .. } | Self::Unequal { .. } => true,
            _ => false,
        }
    }

    /// Whether what was moved so far is worth keeping for a later run: nothing is wrong with it,
    /// only with the way to the store.
    pub fn is_resumable(&self) -> bool {
        match self {
            Self::Stopped | Self::Unheard => true,
            Self::Store { source, .. } => matches!(
                source.kind,
                Kind::Transient
                    | Kind::Throttled
                    | Kind::Unreachable
                    | Kind::UnknownHost
                    | Kind::Expired
                    | Kind::BadCredentials
                    | Kind::ClockSkew { .. }
                    | Kind::SignedOut
                    | Kind::Tls
            ),
            _ => false,
        }
    }

    /// Whether only the end of the run ended it.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Stopped | Self::Unheard)
    }

    pub fn store_kind(&self) -> Option<&Kind> {
        match self {
            Self::Store { source, .. } => Some(&source.kind),
            _ => None,
        }
    }

    /// Groups failures in the summary.
    pub fn cause(&self) -> String {
        match self {
            Self::Store { source, .. } => source.label().to_owned(),
            Self::Local(error) => error.label().to_owned(),
            Self::Mismatch { .. } | Self::Stored { .. } => "the checksum does not match".to_owned(),
            Self::Unproven | Self::UnprovenUpload(_) => "no checksum to verify by".to_owned(),
            Self::Expectation(_) | Self::Unlike { .. } => "not what the manifest says".to_owned(),
            Self::FullMarker(_) => "a folder marker with content".to_owned(),
            Self::KeepsChanging { .. } => Kind::Changed.label().to_owned(),
            Self::Unequal { .. } => "the copy is not like its source".to_owned(),
            Self::SourceKept { .. } => "copied, but the source was kept".to_owned(),
            Self::Impossible(_) => "cannot be done".to_owned(),
            Self::Io { .. } => "input or output failed".to_owned(),
            Self::OutputClosed => "standard output was closed".to_owned(),
            Self::Stopped | Self::Unheard => "stopped".to_owned(),
            Self::Internal(_) => "internal error".to_owned(),
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store { source, .. } => source.kind.hint().map(str::to_owned),
            Self::Local(error) => error.hint().map(str::to_owned),
            Self::SourceKept { .. } => Some(KEPT.to_owned()),
            Self::Mismatch { .. } | Self::Stored { .. } => Some(DOUBTED.to_owned()),
            Self::Unproven | Self::UnprovenUpload(_) => Some(UNPROVEN.to_owned()),
            Self::FullMarker(_) => Some(NAME_IT.to_owned()),
            _ => None,
        }
    }

    pub fn may_pass(&self) -> bool {
        match self {
            Self::Store { source, .. } => source.kind.may_pass(),
            Self::Mismatch { .. }
            | Self::Unequal { .. }
            | Self::KeepsChanging { .. }
            | Self::SourceKept { .. }
            | Self::Stopped
            | Self::Unheard => true,
            _ => false,
        }
    }

    /// Whether all other requests will fail in the same way, whatever their bucket.
    pub fn ends_run(&self) -> bool {
        let kind = self.store_kind();
        kind.is_some_and(|kind| kind.is_hopeless() && *kind != Kind::MissingBucket)
    }

    /// What was being done, to what, and why it failed.
    fn message(&self, job: &Job) -> String {
        let doing = match &job.task {
            _ if job.fate == Fate::Removed => "move",
            Task::Download(_) | Task::MakeFolder { .. } => "download",
            Task::Upload(_) => "upload",
            Task::Copy(_) => "copy",
            Task::Compare(_) => "compare",
            Task::Remove(_) => "remove",
        };
        match self {
            Self::Store { .. } | Self::Local(_) | Self::Io { .. } => chain(self),
            _ => format!("could not {doing} {}: {}", Escaped(&job.task.source()), chain(self)),
        }
    }

    /// The error as the summary and the reporter take it.
    pub fn failure(&self, job: &Job) -> Failure {
        Failure {
            line: job.line,
            source: job.task.source(),
            destination: Some(job.task.destination()).filter(|place| !place.is_empty()),
            cause: self.cause(),
            message: self.message(job),
            hint: self.hint(),
            may_pass: self.may_pass(),
        }
    }
}

/// A few servers tell checksums that are none.
const DOUBTED: &str =
    "if the store is known to tell wrong checksums: --verify off checks length and ETag only";
const KEPT: &str =
    "compare both with `haul verify`, and remove the source, or type the command again";
const UNPROVEN: &str = "--verify auto takes length and ETag where there is no checksum";

/// For a key that can be no name below a folder.
pub const NAME_IT: &str =
    "name a file for it: haul download --raw KEY FILE; or write it with --encode-names";

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
