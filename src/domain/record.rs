//! Records: what a command that lists says, one at a time, and the sink that takes them.
//!
//! Commands push records without knowing whether they become text or JSON, or where they go.

use std::io;
use std::time::SystemTime;

use super::location::{Bucket, ObjectName};
use super::object::{ListedObject, ListedVersion, ObjectDetails};

/// One line of output.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    Object {
        bucket: &'a Bucket,
        object: &'a ListedObject,
    },
    /// What a key had at some time, or has.
    Version {
        bucket: &'a Bucket,
        version: &'a ListedVersion,
    },
    /// Everything below a prefix, named once; ends in `/`.
    Prefix {
        bucket: &'a Bucket,
        prefix: &'a str,
    },
    Bucket {
        name: &'a str,
        created: Option<SystemTime>,
    },
    /// All that is told of one object.
    Stat {
        object: &'a ObjectName,
        details: &'a ObjectDetails,
    },
    /// Lets whoever has it do one thing with an object.
    Link {
        object: &'a ObjectName,
        method: &'a str,
        url: &'a str,
        expires: Option<SystemTime>,
    },
    /// A bucket that is there now.
    Made {
        bucket: &'a Bucket,
    },
    /// What became of an object that was to come back from an archive.
    Restore {
        object: &'a ObjectName,
        /// `None`: the standard one.
        storage_class: Option<&'a str>,
        outcome: Restored,
    },
    /// What there is below a name, summed up.
    Usage {
        bucket: &'a Bucket,
        /// A prefix, a key, or the pattern that was typed.
        name: &'a str,
        /// `None`: of all classes.
        storage_class: Option<&'a str>,
        usage: Usage,
    },
    /// What an unfinished transfer left behind.
    Unfinished {
        /// The URI of an object, or a path.
        name: &'a str,
        upload_id: Option<&'a str>,
        size: Option<u64>,
        since: Option<SystemTime>,
        outcome: Cleaning,
    },
}

/// Objects, and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Versions, where all of them are counted; without delete markers.
    pub objects: u64,
    pub bytes: u64,
    pub delete_markers: u64,
}

/// Where an archived object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    Asked,
    /// In an archive, and left there.
    WouldAsk,
    /// It was asked for before, and is on its way.
    Restoring,
    /// It can be read, for now.
    Restored,
    /// It is in no archive.
    Readable,
}

/// What became of something that was left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleaning {
    /// It would be removed.
    Found,
    Removed,
    /// Too young to be called left.
    Young,
    /// A process is at work on it.
    InUse,
    /// Nobody could look at it, or remove it.
    Failed,
}

/// Takes records in order.
pub trait RecordSink: Send {
    /// An error is final: whoever lists stops. `OutputError::Closed` is a success all the same.
    fn push(&mut self, record: &Record<'_>) -> Result<(), OutputError>;

    /// Shows what was pushed, where nothing more comes for a while.
    fn flush(&mut self) -> Result<(), OutputError> {
        Ok(())
    }
}

/// Why standard output takes no more.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader has what it wanted and left, as `head` does.
    #[error("nobody reads standard output any more")]
    Closed,
    #[error("could not write to standard output")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error),
        }
    }
}
