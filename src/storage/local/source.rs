//! A file that is uploaded: read at offsets, and watched. An object must never be made of two
//! versions of a file, or of part of one.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::beneath;
use super::error::{Change, Kind, LocalError};
use super::positional;

/// A regular file, and how it was when it was opened.
#[derive(Debug)]
pub struct SourceFile {
    file: File,
    path: PathBuf,
    identity: Identity,
    size: u64,
    modified: Option<SystemTime>,
    touched: Touched,
    /// Its names.
    links: u64,
}

impl SourceFile {
    /// Opens `path`, links followed. Never waits for the other end of a pipe.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let file = open_without_waiting(path);
        Self::of(file.map_err(|cause| LocalError::new("open", path, cause))?, path)
    }

    /// The same, for a file found below `root` when no link is to be followed: one that has since
    /// taken the place of the file, or of a folder on the way to it, is not followed either.
    pub fn open_below(root: &Path, path: &Path) -> Result<Self, LocalError> {
        let Ok(relative) = path.strip_prefix(root) else { return Self::open(path) };
        let file = beneath::open(root, relative).map_err(|cause| match Kind::of(&cause) {
            Kind::Symlink => LocalError::refused(Kind::Changed(Change::Replaced), "open", path),
            _ => LocalError::new("open", path, cause),
        });
        Self::of(file?, path)
    }

    fn of(file: File, path: &Path) -> Result<Self, LocalError> {
        let error = |cause| LocalError::new("look at", path, cause);
        let metadata = file.metadata().map_err(error)?;
        if metadata.is_dir() {
            return Err(LocalError::refused(Kind::IsDirectory, "read", path));
        }
        if !metadata.is_file() {
            return Err(LocalError::refused(Kind::Special, "read", path));
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            identity: Identity::of(&metadata),
            size: metadata.len(),
            modified: metadata.modified().ok(),
            touched: touched(&metadata),
            links: links_of(&metadata),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// In bytes, at the time of `open`.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// At the time of `open`. 1970 where the file system keeps no times.
    pub fn modified(&self) -> SystemTime {
        self.modified.unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// The permissions, for those who ask to have them kept.
    pub fn mode(&self) -> Option<u32> {
        self.file.metadata().ok().and_then(|metadata| mode_of(&metadata))
    }

    /// Fills `buffer` from `offset`. A file that ends before is `Changed`.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), LocalError> {
        positional::read_at(&self.file, offset, buffer).map_err(|cause| {
            if cause.kind() == io::ErrorKind::UnexpectedEof {
                self.changed(Change::Truncated)
            } else {
                LocalError::new("read", &self.path, cause)
            }
        })
    }

    /// Whether the file is still as it was at `open`, and still has its name: to be asked before
    /// and after bytes of it are used.
    pub fn check_unchanged(&self) -> Result<(), LocalError> {
        let now = self.file.metadata().map_err(|cause| self.unreadable(cause))?;
        if links_of(&now) == 0 {
            return Err(self.changed(self.deleted_or_replaced()));
        }
        match now.len() {
            size if size < self.size => return Err(self.changed(Change::Truncated)),
            size if size > self.size => return Err(self.changed(Change::Grown)),
            _ if now.modified().ok() != self.modified => {
                return Err(self.changed(Change::Rewritten));
            }
            _ => {}
        }
        if self.goes_on()? {
            let is_longer = self.file.metadata().is_ok_and(|now| now.len() == self.size);
            return Err(self.changed(if is_longer { Change::Longer } else { Change::Grown }));
        }
        match fs::metadata(&self.path) {
            // Some programs put the modification time back after they have written.
            Ok(named) if Identity::of(&named) == self.identity && touched(&now) != self.touched => {
                let is_unlinked = links_of(&now) < self.links;
                Err(self.changed(if is_unlinked { Change::Unlinked } else { Change::Rewritten }))
            }
            Ok(named) if Identity::of(&named) == self.identity => Ok(()),
            Ok(_) => Err(self.changed(Change::Replaced)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(self.changed(Change::Deleted))
            }
            Err(cause) => Err(self.unreadable(cause)),
        }
    }

    /// Whether there are bytes behind its end: the length of what a program or the system makes up as it
    /// is read may be 0, or that of some time ago.
    fn goes_on(&self) -> Result<bool, LocalError> {
        match positional::read_at(&self.file, self.size, &mut [0]) {
            Ok(()) => Ok(true),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(cause) => Err(LocalError::new("read", &self.path, cause)),
        }
    }

    /// Removes the file, if it still is the one that was read: the end of a move.
    pub fn remove(self) -> Result<(), LocalError> {
        self.check_unchanged()?;
        let Self { file, path, .. } = self;
        drop(file);
        fs::remove_file(&path).map_err(|cause| LocalError::new("remove", path, cause))
    }

    /// Tells the system that the file is read from its start to its end. Only a hint.
    pub fn expect_sequential_reads(&self) {
        #[cfg(target_os = "linux")]
        rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::Sequential).ok();
    }

    fn deleted_or_replaced(&self) -> Change {
        if self.path.exists() { Change::Replaced } else { Change::Deleted }
    }

    fn changed(&self, change: Change) -> LocalError {
        LocalError::refused(Kind::Changed(change), "read", &self.path)
    }

    fn unreadable(&self, cause: io::Error) -> LocalError {
        LocalError::new("look at", &self.path, cause)
    }
}

/// To read. What is no regular file has to be left alone then: reads of it may fail where others wait.
#[cfg(unix)]
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // A pipe with no writer would hold the open for ever; on a regular file the flag does nothing.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// As on other systems.
#[cfg(not(unix))]
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    match File::open(path) {
        // What this system says of directories.
        Err(_) if path.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        opened => opened,
    }
}

/// What two names of one file have in common, and two files have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(unix)]
struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// File numbers are not reachable in stable Rust: the time at which a file was made has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg(not(unix))]
struct Identity {
    created: Option<SystemTime>,
}

#[cfg(not(unix))]
impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self { created: metadata.created().ok() }
    }
}

/// When the file, or what is known of it, was changed the last time, in seconds and nanoseconds. No
/// program can set it.
type Touched = Option<(i64, i64)>;

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "not every system has it")]
fn touched(metadata: &Metadata) -> Touched {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn touched(_metadata: &Metadata) -> Touched {
    None
}

#[cfg(unix)]
fn links_of(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links_of(_metadata: &Metadata) -> u64 {
    1
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "not every system has modes")]
fn mode_of(metadata: &Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777)
}

#[cfg(not(unix))]
fn mode_of(_metadata: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    fn source(folder: &TempDir) -> (PathBuf, SourceFile) {
        let path = folder.path().join("f");
        fs::write(&path, "0123456789").expect("written");
        let source = SourceFile::open(&path).expect("opened");
        (path, source)
    }

    fn change(source: &SourceFile) -> Kind {
        source.check_unchanged().expect_err("changed").kind
    }

    #[test]
    fn a_file_is_read_at_offsets() {
        let folder = TempDir::new().expect("a folder");
        let (path, source) = source(&folder);
        assert_eq!((source.size(), source.path()), (10, path.as_path()));
        let mut buffer = [0; 4];
        source.read_at(6, &mut buffer).expect("read");
        assert_eq!(&buffer, b"6789");
        source.check_unchanged().expect("as it was");
        source.expect_sequential_reads();
    }

    #[test]
    fn a_file_that_became_shorter_is_noticed_by_the_read_too() {
        let folder = TempDir::new().expect("a folder");
        let (path, source) = source(&folder);
        fs::OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|file| file.set_len(8))
            .expect("shortened");
        let error = source.read_at(6, &mut [0; 4]).expect_err("changed");
        assert_eq!(error.kind, Kind::Changed(Change::Truncated));
        assert_eq!(change(&source), Kind::Changed(Change::Truncated));
    }

    #[test]
    fn a_file_that_was_written_to_is_noticed() {
        let folder = TempDir::new().expect("a folder");
        let (path, rewritten) = source(&folder);
        let file = fs::OpenOptions::new().write(true).open(&path).expect("opened");
        file.set_modified(rewritten.modified() + Duration::from_millis(7)).expect("a time");
        assert_eq!(change(&rewritten), Kind::Changed(Change::Rewritten));

        #[cfg(unix)]
        {
            let put_back = SourceFile::open(&path).expect("opened");
            // Again and again until the system's clock has moved: its ticks are milliseconds long.
            let noticed = (0..100_000).any(|_| {
                fs::write(&path, "9876543210").expect("written");
                file.set_modified(put_back.modified()).expect("a time");
                put_back.check_unchanged().is_err()
            });
            assert!(noticed);
            assert_eq!(change(&put_back), Kind::Changed(Change::Rewritten));
        }
        let grown = SourceFile::open(&path).expect("opened");
        file.set_len(11).expect("a length");
        assert_eq!(change(&grown), Kind::Changed(Change::Grown));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_lost_its_name_is_noticed() {
        let folder = TempDir::new().expect("a folder");
        let (path, deleted) = source(&folder);
        fs::remove_file(&path).expect("removed");
        assert_eq!(change(&deleted), Kind::Changed(Change::Deleted));

        let (path, replaced) = source(&folder);
        let other = folder.path().join("other");
        fs::write(&other, "0123456789").expect("written");
        fs::rename(&other, &path).expect("renamed");
        assert_eq!(change(&replaced), Kind::Changed(Change::Replaced));

        // Still somewhere, under another name.
        let renamed = SourceFile::open(&path).expect("opened");
        fs::rename(&path, &other).expect("renamed");
        assert_eq!(change(&renamed), Kind::Changed(Change::Deleted));
        fs::write(&path, "0123456789").expect("written");
        assert_eq!(change(&renamed), Kind::Changed(Change::Replaced));
    }

    #[test]
    fn only_what_was_read_is_removed() {
        let folder = TempDir::new().expect("a folder");
        let (path, unchanged) = source(&folder);
        unchanged.remove().expect("removed");
        assert!(!path.exists());
        let (path, grown) = source(&folder);
        fs::write(&path, "0123456789+").expect("written");
        grown.remove().expect_err("refused");
        assert!(path.exists());
    }

    #[test]
    fn only_files_are_sources() {
        let folder = TempDir::new().expect("a folder");
        let kind = |path: &Path| SourceFile::open(path).expect_err("refused").kind;
        assert_eq!(kind(&folder.path().join("none")), Kind::Missing);
        assert_eq!(kind(folder.path()), Kind::IsDirectory);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pipes_sockets_and_devices_are_refused_without_waiting() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = TempDir::new().expect("a folder");
        let kind = |path: &Path| SourceFile::open(path).expect_err("refused").kind;
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        for path in [pipe.as_path(), socket.as_path(), Path::new("/dev/zero")] {
            assert_eq!(kind(path), Kind::Special, "{}", path.display());
        }
    }
}
