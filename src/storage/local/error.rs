//! How work on files fails: one kind for each way in which the engine, or a person, reacts
//! differently. Never tells apart by text what the system tells by number.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::escape::Escaped;

/// Work on a file that failed: nothing here tries again.
///
/// The cause is part of the text, so it is not given again as `source()`.
#[derive(Debug)]
pub struct LocalError {
    pub kind: Kind,
    /// What was being done, to follow "could not": `create`, `write`, `publish`.
    pub action: &'static str,
    pub path: PathBuf,
    pub cause: io::Error,
}

/// What a failure means for the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No space, or no quota, left: so it is for every other file there.
    Full,
    /// Larger than the file system, or `ulimit -f`, lets a file be.
    TooLarge,
    Denied,
    ReadOnly,
    IsDirectory,
    /// A file is where a folder is needed.
    NotADirectory,
    /// A symlink below a destination: following it could lead out.
    Symlink,
    AlreadyExists,
    Missing,
    /// The file is no longer the one that was opened.
    Changed(Change),
    /// A pipe, a socket or a device where a file is needed.
    Special,
    TooManyOpenFiles,
    NameTooLong,
    /// A name that is not UTF-8, which no key can hold.
    NotUnicode,
    /// A name that this system gives another meaning.
    ReservedName,
    /// A name that only files on their way have.
    OwnName,
    /// A folder that holds itself, by way of a symlink.
    LinkLoop,
    /// Other bytes were counted than the file has.
    WrongLength,
    Io,
}

/// What became of a file that was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    Truncated,
    Grown,
    /// There is more to read than its length says.
    Longer,
    Rewritten,
    /// One of its hard links went, which to the system is as good as a write to it.
    Unlinked,
    Deleted,
    Replaced,
}

impl LocalError {
    /// For a call that the system refused.
    pub fn new(action: &'static str, path: impl Into<PathBuf>, cause: io::Error) -> Self {
        Self { kind: Kind::of(&cause), action, path: path.into(), cause }
    }

    /// For what was refused here: the kind's own words are the cause.
    pub fn refused(kind: Kind, action: &'static str, path: impl Into<PathBuf>) -> Self {
        Self { kind, action, path: path.into(), cause: io::Error::other(kind.reason()) }
    }

    #[must_use]
    pub(super) fn with_cause(mut self, text: String) -> Self {
        self.cause = io::Error::other(text);
        self
    }

    pub fn is_full(&self) -> bool {
        self.kind == Kind::Full
    }

    /// Groups failures in the summary.
    pub fn label(&self) -> &'static str {
        self.kind.label()
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self.kind {
            // As the shell's `<(…)` is one.
            Kind::Special if self.action == "read" => {
                Some("what comes out of a pipe goes up by `haul upload - s3://bucket/key < PIPE`")
            }
            // What stands in the way of a source is the source.
            Kind::NotADirectory if self.is_of_source() => {
                Some("a part of this path is a file: leave out the slash behind it")
            }
            Kind::IsDirectory if self.is_of_source() => None,
            kind => kind.hint(),
        }
    }

    /// Whether it was to be read, so that nothing needs its place.
    fn is_of_source(&self) -> bool {
        matches!(self.action, "open" | "read" | "look at")
    }
}

/// "could not create `out/x`: Permission denied (os error 13)".
impl fmt::Display for LocalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "could not {} `{}`: {}", self.action, Shown(&self.path), self.cause)
    }
}

impl std::error::Error for LocalError {}

/// A path for programs: exact where it is UTF-8, else as [`Shown`] has it.
pub fn exact(path: &Path) -> String {
    path.to_str().map_or_else(|| Shown(path).to_string(), str::to_owned)
}

/// A path as it may be shown to a person, bytes that are not UTF-8 included (`\xff`).
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a>(pub &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_os_str().as_encoded_bytes().utf8_chunks() {
            Escaped(chunk.valid()).fmt(formatter)?;
            write!(formatter, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

impl Kind {
    pub fn of(cause: &io::Error) -> Self {
        use io::ErrorKind as E;
        match cause.kind() {
            E::StorageFull | E::QuotaExceeded => Self::Full,
            E::FileTooLarge => Self::TooLarge,
            E::PermissionDenied => Self::Denied,
            E::ReadOnlyFilesystem => Self::ReadOnly,
            E::IsADirectory => Self::IsDirectory,
            E::NotADirectory => Self::NotADirectory,
            E::AlreadyExists => Self::AlreadyExists,
            E::NotFound => Self::Missing,
            E::InvalidFilename => Self::NameTooLong,
            _ => Self::of_code(cause),
        }
    }

    #[cfg(unix)]
    fn of_code(cause: &io::Error) -> Self {
        use rustix::io::Errno;
        match Errno::from_io_error(cause) {
            Some(Errno::MFILE | Errno::NFILE) => Self::TooManyOpenFiles,
            Some(Errno::LOOP) => Self::Symlink,
            Some(Errno::NXIO) => Self::Special,
            _ => Self::Io,
        }
    }

    #[cfg(not(unix))]
    fn of_code(cause: &io::Error) -> Self {
        // ERROR_TOO_MANY_OPEN_FILES, and ERROR_INVALID_NAME.
        match cause.raw_os_error() {
            Some(4) => Self::TooManyOpenFiles,
            Some(123) => Self::ReservedName,
            _ => Self::Io,
        }
    }

    /// Whether the same work may succeed later, with nothing done about it.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::TooManyOpenFiles)
    }

    /// Groups failures in the summary.
    pub fn label(self) -> &'static str {
        match self {
            Self::Full => "no space left on the disk",
            Self::TooLarge => "too large for the file system",
            Self::Denied => "permission denied",
            Self::ReadOnly => "the file system is read-only",
            Self::IsDirectory => "a directory is in the way",
            Self::NotADirectory => "a file is where a directory is needed",
            Self::Symlink => "a symlink is in the way",
            Self::AlreadyExists => "already exists",
            Self::Missing => "no such file",
            Self::Changed(Change::Longer) => "the file has no length of its own",
            Self::Changed(_) => "the file changed during the transfer",
            Self::Special => "not a regular file",
            Self::TooManyOpenFiles => "too many open files",
            Self::NameTooLong => "the name is too long for the file system",
            Self::NotUnicode => "the name is not UTF-8",
            Self::ReservedName => "the name is reserved by the system",
            Self::OwnName => "haul gives such names to files on their way",
            Self::LinkLoop => "a loop of symlinks",
            Self::WrongLength => "the file has another length than its bytes counted",
            Self::Io => "the disk failed",
        }
    }

    /// What a person can do about it.
    pub fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Full => "make room on the disk (or raise the quota), then run the same command",
            Self::TooLarge => "use another file system, or raise `ulimit -f`",
            Self::Denied => "check who owns the directory, and its mode",
            Self::Symlink => {
                "remove the link, or name the directory that it leads to as the destination"
            }
            Self::NotADirectory | Self::IsDirectory => {
                "two names need one place: remove what is in the way, or use another destination"
            }
            Self::Changed(Change::Longer) => {
                "send what is read there as a stream: cat FILE | haul upload - s3://bucket/key"
            }
            Self::Changed(_) => "run the same command when nothing writes to the file",
            Self::TooManyOpenFiles => "raise `ulimit -n`, or lower --concurrency",
            Self::NotUnicode => "rename the file: a key is UTF-8",
            Self::NameTooLong => "give it a shorter name: haul download --raw KEY FILE",
            _ => return None,
        })
    }

    /// The words that follow the colon, where the system has none.
    fn reason(self) -> &'static str {
        match self {
            Self::Symlink => "it is a symlink, and none is followed below the destination",
            Self::IsDirectory => "it is a directory",
            Self::NotADirectory => "a file is there, and a directory is needed",
            Self::Special => "it is a pipe, a socket or a device",
            Self::Changed(change) => change.reason(),
            Self::NotUnicode => "its name is not UTF-8",
            Self::LinkLoop => "a symlink leads back to a directory above it",
            _ => self.label(),
        }
    }
}

impl Change {
    fn reason(self) -> &'static str {
        match self {
            Self::Truncated => "it became shorter while it was read",
            Self::Grown => "it became longer while it was read",
            Self::Longer => "there is more in it than its length says",
            Self::Rewritten => "it was written to while it was read",
            Self::Unlinked => "another of its names was removed while it was read",
            Self::Deleted => "it was deleted while it was read",
            Self::Replaced => "another file took its name while it was read",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_was_done_to_what_and_why() {
        let cause = io::Error::from_raw_os_error(13);
        let error = LocalError::new("create", "out/x\u{1b}", cause);
        assert_eq!(
            error.to_string(),
            "could not create `out/x\\u{1b}`: Permission denied (os error 13)"
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf_8_are_shown_escaped() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xff/\xc3\xbc"));
        assert_eq!(Shown(path).to_string(), "a\\xff/ü");
        assert_eq!(exact(path), "a\\xff/ü");
        assert_eq!(exact(Path::new("a\u{1b}")), "a\u{1b}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn each_number_of_the_system_has_its_kind() {
        for (code, kind) in [
            (28, Kind::Full),
            (122, Kind::Full),
            (27, Kind::TooLarge),
            (13, Kind::Denied),
            (1, Kind::Denied),
            (30, Kind::ReadOnly),
            (21, Kind::IsDirectory),
            (20, Kind::NotADirectory),
            (40, Kind::Symlink),
            (24, Kind::TooManyOpenFiles),
            (23, Kind::TooManyOpenFiles),
            (36, Kind::NameTooLong),
            (5, Kind::Io),
        ] {
            assert_eq!(Kind::of(&io::Error::from_raw_os_error(code)), kind, "{code}");
        }
    }
}
