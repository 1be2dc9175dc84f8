//! A journal's file: made or opened, locked, read by lines, and only ever appended to.
//!
//! The path is one that the user typed, but the file must be ours alone: what another user, or a
//! link, put there would decide what is not done again. It must never follow a symlink at the
//! name, and never change a byte that was written, but for a torn end, which it cuts off.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::fs::{Dir, OpenOptions};

use super::error::{Kind, LocalError};
use super::handle;
use super::positional;

/// An open and locked journal.
#[derive(Debug)]
pub struct JournalFile {
    file: File,
    path: PathBuf,
}

/// What follows the last whole line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    pub offset: u64,
    pub bytes: Vec<u8>,
}

const BUFFER: usize = 256 << 10;
/// Most lines are shorter, so that one call reads one.
const USUAL_LINE: u64 = 1 << 10;

impl JournalFile {
    /// Opens `path`, or makes it for nobody else to read, and locks it as long as this lives.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let failed = |cause| LocalError::new("open the journal", path, cause);
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = handle::open_trusted(parent.unwrap_or(Path::new("."))).map_err(failed)?;
        let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
        let name = Path::new(name);
        let (file, is_new) = match open_in(&folder, name, Make::New) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                (open_in(&folder, name, Make::Nothing), false)
            }
            made => (made, true),
        };
        let file = match file {
            Ok(file) => file,
            Err(_) if folder.symlink_metadata(name).is_ok_and(|found| found.is_symlink()) => {
                return Err(refused(path, "it is a symlink, and none is followed"));
            }
            Err(cause) => return Err(failed(cause)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if let Some(reason) = not_ours(&metadata) {
            return Err(refused(path, reason));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(refused(path, "another haul is at work with it"));
            }
            Err(TryLockError::Error(cause)) => {
                return Err(LocalError::new("lock the journal", path, cause));
            }
        }
        if is_new {
            handle::sync(&folder).map_err(failed)?;
        }
        Ok(Self { file, path: path.to_owned() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether `path`, links followed, leads to this file, under whatever name.
    #[cfg(unix)]
    pub fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let (Ok(own), Ok(found)) = (self.file.metadata(), fs::metadata(path)) else { return false };
        (own.dev(), own.ino()) == (found.dev(), found.ino())
    }

    /// Whether `path`, links followed, leads to this file.
    #[cfg(not(unix))]
    pub fn is_at(&self, path: &Path) -> bool {
        fs::canonicalize(path)
            .ok()
            .is_some_and(|found| fs::canonicalize(&self.path).ok() == Some(found))
    }

    /// Fails where the file has no name any more: what was written to it is lost with this process.
    #[cfg(unix)]
    pub fn check_it_stays(&self) -> Result<(), LocalError> {
        let found = self.file.metadata().map_err(|cause| self.error("write to", cause))?;
        if std::os::unix::fs::MetadataExt::nlink(&found) > 0 {
            return Ok(());
        }
        let gone = LocalError::refused(Kind::Missing, "keep the journal", &self.path);
        Err(gone.with_cause("it was removed, or replaced, while it was written".to_owned()))
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "the same signature as where it can fail")]
    pub fn check_it_stays(&self) -> Result<(), LocalError> {
        Ok(())
    }

    /// Gives every whole line without its end, and where it starts, in order. A line longer than
    /// `longest` is given as no bytes.
    pub fn read<E: From<LocalError>>(
        &self,
        longest: usize,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), E>,
    ) -> Result<Tail, E> {
        let failed = |cause| E::from(self.error("read", cause));
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        reader.rewind().map_err(failed)?;
        let (mut offset, mut line) = (0, Vec::new());
        loop {
            line.clear();
            let most = longest as u64 + 1;
            let read = (&mut reader).take(most).read_until(b'\n', &mut line).map_err(failed)?;
            let mut length = read as u64;
            let is_whole = line.pop_if(|last| *last == b'\n').is_some();
            if is_whole {
                each(offset, &line)?;
            } else if length == most {
                let (rest, ends) = skip_line(&mut reader).map_err(failed)?;
                length += rest;
                if !ends {
                    return Ok(Tail { offset, bytes: line });
                }
                each(offset, &[])?;
            } else {
                return Ok(Tail { offset, bytes: line });
            }
            offset += length;
        }
    }

    /// The line that starts at `offset`, without its end. `end` is where the last one ends.
    pub fn line_at(&self, offset: u64, end: u64) -> Result<Vec<u8>, LocalError> {
        let mut length = USUAL_LINE;
        loop {
            let rest = end.saturating_sub(offset);
            let mut bytes = vec![0; usize::try_from(length.min(rest)).unwrap_or(usize::MAX)];
            positional::read_at(&self.file, offset, &mut bytes)
                .map_err(|cause| self.error("read", cause))?;
            if let Some(at) = bytes.iter().position(|byte| *byte == b'\n') {
                bytes.truncate(at);
                return Ok(bytes);
            }
            if length >= rest {
                return Err(self.error("read", io::ErrorKind::UnexpectedEof.into()));
            }
            length *= 8;
        }
    }

    /// Cuts off what a kill or a power cut left of a line.
    pub fn cut(&self, length: u64) -> Result<(), LocalError> {
        self.file.set_len(length).map_err(|cause| self.error("write to", cause))
    }

    /// Writes lines at the end, with one call. A kill loses nothing of them; a power cut may,
    /// until `sync`.
    pub fn append(&self, lines: &str) -> Result<(), LocalError> {
        (&self.file).write_all(lines.as_bytes()).map_err(|cause| self.error("write to", cause))
    }

    pub fn sync(&self) -> Result<(), LocalError> {
        match self.file.sync_data() {
            // There is no other way on such a file system to make it durable.
            Err(error) if handle::is_unsupported(&error) => Ok(()),
            synced => synced.map_err(|cause| self.error("sync", cause)),
        }
    }

    fn error(&self, action: &'static str, cause: io::Error) -> LocalError {
        let action = match action {
            "read" => "read the journal",
            "sync" => "sync the journal",
            _ => "write to the journal",
        };
        LocalError::new(action, &self.path, cause)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Make {
    New,
    Nothing,
}

fn open_in(folder: &Dir, name: &Path, make: Make) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(make == Make::New).follow(FollowSymlinks::No);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt as _;
        // A pipe without a reader would hold the open for ever.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    Ok(folder.open_with(name, &options)?.into_std())
}

/// Why a file can't be trusted to say what is done.
#[cfg(unix)]
fn not_ours(metadata: &std::fs::Metadata) -> Option<&'static str> {
    use std::os::unix::fs::MetadataExt as _;
    if !metadata.is_file() {
        Some("it is no regular file")
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        Some("it belongs to another user")
    } else if metadata.nlink() > 1 {
        Some("it has more than one name (a hard link)")
    } else if metadata.mode() & 0o022 != 0 {
        Some("others may write to it; its mode should be 0600")
    } else {
        None
    }
}

#[cfg(not(unix))]
fn not_ours(metadata: &std::fs::Metadata) -> Option<&'static str> {
    (!metadata.is_file()).then_some("it is no regular file")
}

fn refused(path: &Path, reason: &str) -> LocalError {
    let refused = LocalError::refused(Kind::Denied, "use the journal", path);
    refused.with_cause(reason.to_owned())
}

/// Reads to the end of a line, and says how far that was and whether there is one.
fn skip_line(reader: &mut BufReader<&File>) -> io::Result<(u64, bool)> {
    let mut skipped = 0;
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok((skipped, false));
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(bytes.len(), |at| at + 1);
        reader.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok((skipped, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder() -> TempDir {
        TempDir::new().expect("a folder")
    }

    fn lines(file: &JournalFile, longest: usize) -> (Vec<(u64, String)>, Tail) {
        let mut lines = Vec::new();
        let tail = file.read(longest, |offset, line| {
            lines.push((offset, String::from_utf8(line.to_vec()).expect("text")));
            Ok::<_, LocalError>(())
        });
        (lines, tail.expect("read"))
    }

    #[test]
    fn lines_are_read_where_they_were_written() {
        let folder = folder();
        let path = folder.path().join("j");
        let file = JournalFile::open(&path).expect("made");
        let long = "x".repeat(20_000);
        file.append(&format!("one\n{long}\n")).expect("written");
        file.append("three\ntor").expect("written");
        file.sync().expect("synced");
        let (found, tail) = lines(&file, 100_000);
        let wanted = [(0, "one".to_owned()), (4, long.clone()), (20_005, "three".to_owned())];
        assert_eq!(found, wanted);
        assert_eq!(tail, Tail { offset: 20_011, bytes: b"tor".to_vec() });
        for (offset, line) in wanted {
            assert_eq!(file.line_at(offset, tail.offset).expect("a line"), line.as_bytes());
        }
        let (found, _) = lines(&file, 100);
        assert_eq!(found[1], (4, String::new()), "a line that is too long is not held");
        assert_eq!(found[2].1, "three");
        file.cut(tail.offset).expect("cut");
        file.append("four\n").expect("written");
        assert_eq!(lines(&file, 100).0[3], (20_011, "four".to_owned()));
    }

    #[test]
    fn one_process_has_it_at_a_time() {
        let folder = folder();
        let path = folder.path().join("j");
        let first = JournalFile::open(&path).expect("made");
        let error = JournalFile::open(&path).expect_err("it is locked").to_string();
        assert!(error.contains("another haul is at work"), "{error}");
        drop(first);
        JournalFile::open(&path).expect("free again");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_ours_alone_is_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        drop(JournalFile::open(&at("j")).expect("made"));
        let mode = fs::metadata(at("j")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        symlink(at("j"), at("link")).expect("linked");
        symlink(at("nowhere"), at("dangling")).expect("linked");
        fs::create_dir(at("folder")).expect("made");
        let fifo = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), fifo).expect("made");
        fs::write(at("open"), "").expect("written");
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o666)).expect("set");
        fs::write(at("one"), "").expect("written");
        fs::hard_link(at("one"), at("two")).expect("linked");
        for (name, said) in [
            ("link", "symlink"),
            ("dangling", "symlink"),
            ("folder", "directory"),
            ("fifo", "no regular file"),
            ("open", "others may write"),
            ("two", "hard link"),
        ] {
            let error = JournalFile::open(&at(name)).expect_err(name).to_string();
            assert!(error.contains(said), "{name}: {error}");
        }
        assert!(!at("nowhere").exists());
    }
}
