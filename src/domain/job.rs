//! One object to move, as the planning floors hand it to the engine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::attributes::Attributes;
use super::checksum::Checksum;
use super::comparison::Compare;
use super::escape::Escaped;
use super::location::ObjectName;
use super::object::ETag;
use super::relative_path::RelativePath;

/// One job of a run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Counts the jobs of a run from 1, in the order in which they were planned.
    pub number: u64,
    /// Where the job stands in its manifest.
    pub line: Option<u64>,
    pub task: Task,
    /// Nothing is done where these two places are proven the same.
    pub unless_same: Option<Box<Compare>>,
    pub fate: Fate,
    pub standing: Standing,
}

impl Job {
    /// A job that is done in any case, and leaves its source.
    pub fn new(number: u64, line: Option<u64>, task: Task) -> Self {
        let (fate, standing) = (Fate::Kept, Standing::Meant);
        Self { number, line, task, unless_same: None, fate, standing }
    }
}

/// Whether bounds of size and time let a job be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    #[default]
    Meant,
    /// Nothing was there to be judged: where no journal says that this very move was done, nothing
    /// is. What is there by then may be what the bounds leave out.
    Unjudged,
}

/// What becomes of a job's source once its bytes are at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    #[default]
    Kept,
    /// A move: it goes when the destination is complete and verified, and only if it still is what
    /// was moved.
    Removed,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Task {
    Download(Download),
    Upload(Upload),
    Copy(Box<ObjectCopy>),
    /// Nothing moves.
    Compare(Box<Compare>),
    /// A folder marker: the folder is made, no file.
    MakeFolder {
        marker: ObjectName,
        folder: RelativePath,
        /// What a manifest says of the marker, which nobody has looked at yet. `None`: a listing
        /// says that it is there and has no bytes.
        expected: Option<Expected>,
    },
    Remove(Remove),
}

impl Task {
    /// Bytes to move, where that is known before the first request.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Download(download) => download.size,
            Self::Upload(upload) => upload.source.size(),
            Self::Copy(copy) => copy.size,
            Self::Compare(pair) => pair.size,
            Self::MakeFolder { .. } => Some(0),
            Self::Remove(removal) => removal.size,
        }
    }

    /// Exact, for programs.
    pub fn source(&self) -> String {
        match self {
            Self::Download(download) => download.object.uri(),
            Self::Upload(upload) => upload.source.exact(),
            Self::Copy(copy) => copy.source.uri(),
            Self::Compare(pair) => pair.source.exact(),
            Self::MakeFolder { marker, .. } => marker.uri(),
            Self::Remove(removal) => removal.object.uri(),
        }
    }

    /// Exact, for programs. Relative paths are below the run's destination. Empty where there is
    /// none.
    pub fn destination(&self) -> String {
        match self {
            Self::Download(download) => download.target.exact(),
            Self::Upload(upload) => upload.object.uri(),
            Self::Copy(copy) => copy.object.uri(),
            Self::Compare(pair) => pair.destination.exact(),
            Self::MakeFolder { folder, .. } => folder.as_str().to_owned(),
            Self::Remove(_) => String::new(),
        }
    }
}

/// An object to a file.
#[derive(Debug, Clone)]
pub struct Download {
    pub object: ObjectName,
    /// From a listing or a manifest.
    pub size: Option<u64>,
    /// From a listing: which bytes the object has now.
    pub etag: Option<ETag>,
    /// From a listing.
    pub last_modified: Option<SystemTime>,
    pub target: LocalTarget,
    pub expected: Expected,
}

/// Where a download ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalTarget {
    /// Below the run's destination folder, made of a key: never trusted.
    Below(RelativePath),
    /// A path that the user typed: trusted, links included.
    Exact(PathBuf),
    Stdout,
}

impl LocalTarget {
    fn exact(&self) -> String {
        match self {
            Self::Below(path) => path.as_str().to_owned(),
            Self::Exact(path) => path.to_string_lossy().into_owned(),
            Self::Stdout => "-".to_owned(),
        }
    }
}

impl fmt::Display for LocalTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.exact()).fmt(formatter)
    }
}

/// A file to an object.
#[derive(Debug, Clone)]
pub struct Upload {
    pub source: LocalSource,
    pub object: ObjectName,
    pub attributes: Arc<Attributes>,
    pub expected: Expected,
}

/// Where an upload's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalSource {
    /// `size` as it was when the file was found. No symlink is followed below the folder `below`.
    File { path: PathBuf, size: Option<u64>, below: Option<Arc<Path>> },
    /// Standard input; a stream of another length than `expected_size` makes no object.
    Stdin { expected_size: Option<u64> },
}

impl LocalSource {
    fn size(&self) -> Option<u64> {
        match self {
            Self::File { size, .. } => *size,
            Self::Stdin { expected_size } => *expected_size,
        }
    }

    fn exact(&self) -> String {
        match self {
            Self::File { path, .. } => path.to_string_lossy().into_owned(),
            Self::Stdin { .. } => "-".to_owned(),
        }
    }
}

/// An object that goes, or one version of it.
#[derive(Debug, Clone)]
pub struct Remove {
    pub object: ObjectName,
    /// From a listing. `None`: nobody has seen yet that it is there.
    pub size: Option<u64>,
}

/// An object to another one.
#[derive(Debug, Clone)]
pub struct ObjectCopy {
    pub source: ObjectName,
    /// From a listing or a manifest.
    pub size: Option<u64>,
    /// From a listing: which bytes the source has now.
    pub etag: Option<ETag>,
    /// From a listing.
    pub last_modified: Option<SystemTime>,
    pub object: ObjectName,
    /// What is given here replaces what the source has; the rest is kept.
    pub attributes: Arc<Attributes>,
    pub expected: Expected,
}

impl ObjectCopy {
    /// Whether both sides have one name, which means one object only where they are one store.
    pub fn is_in_place(&self) -> bool {
        self.source.bucket == self.object.bucket && self.source.key == self.object.key
    }
}

/// What a manifest says of an object: it must hold, or the job fails before it changes anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Expected {
    pub size: Option<u64>,
    pub etag: Option<ETag>,
    pub checksum: Option<Checksum>,
}

/// A job that was refused before it became one: a bad row, an unsafe key, a second writer of one
/// destination. The others go on.
#[derive(Debug)]
pub struct Refused {
    pub line: Option<u64>,
    /// What the refused one is called, exact: a key, a path, or the text of a row.
    pub name: String,
    /// Groups refusals in the summary.
    pub cause: String,
    /// One line, safe to show.
    pub reason: String,
    /// What a person can do about it.
    pub hint: Option<String>,
    /// Whether the same command may succeed later.
    pub may_pass: bool,
    /// Whether all other jobs would fail in the same way.
    pub ends_run: bool,
}

impl Refused {
    /// Refused for good, and it alone.
    pub fn new(name: impl Into<String>, cause: impl Into<String>, reason: String) -> Self {
        let (name, cause) = (name.into(), cause.into());
        Self { line: None, name, cause, reason, hint: None, may_pass: false, ends_run: false }
    }
}
