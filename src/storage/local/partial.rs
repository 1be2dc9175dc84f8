//! A staged file that outlives its process: what of it is written is recorded beside it, so that
//! the same job goes on where a kill, a crash or a lost network ended it.
//!
//! A record is a claim, not a proof: after a power cut it may be on the disk and its bytes not.
//! Whoever goes on reads the recorded bytes again and compares their checksum.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use super::error::LocalError;
use super::folder::lock;
use super::handle::{self, Found};
use super::positional;
use super::spot::Spot;
use super::staged_file::{Publish, Published, StagedFile};
use super::temp_name::TempName;

/// A file on its way that can be kept. Dropped, it is removed with its record.
#[derive(Debug)]
pub struct Partial {
    // The bytes before their record: alone, a record says nothing.
    staged: StagedFile,
    map: Option<Map>,
    recorded: Vec<Recorded>,
}

/// Bytes that were written, and their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub offset: u64,
    pub length: u64,
    pub crc: u64,
}

/// The record. Locked as long as it is open: one file on its way has one process.
#[derive(Debug)]
struct Map {
    file: File,
    length: Mutex<u64>,
    name: TempName,
}

/// 10,000 parts have less.
const MOST_BYTES: u64 = 4 << 20;
/// Another process may remove a record between our opening and locking it.
const MOST_TRIES: usize = 3;

impl Partial {
    /// Goes on with what an earlier run kept for `spot`, or begins. `identity` says all that must
    /// be equal for bytes to fit: the object, its version or `ETag`, its size, the checksum's
    /// algorithm.
    ///
    /// Where nothing can be kept (another process is at work on the same file, somebody planted
    /// the name, no locks) it is a plain staged file.
    pub fn open(spot: Spot, identity: &str) -> Result<Self, LocalError> {
        let header = format!("haul-partial 1 {}\n", identity.escape_default());
        let token = token(&spot, &header);
        let Some(mut map) = Map::open(&spot, token)? else { return Self::plain(spot) };
        let name = TempName::part(token);
        let (file, recorded) = match handle::open_own(spot.folder().handle(), &name) {
            Ok(Found::Own(file)) => (file, map.read(&header)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match spot.folder().create_new(&name) {
                    Ok(file) => (file, Vec::new()),
                    Err(cause) => return Err(LocalError::new("create", spot.path(), cause)),
                }
            }
            Ok(Found::NotOwn) | Err(_) => return Self::plain(spot),
        };
        let staged = StagedFile::new(file, TempName::new(spot, name));
        if recorded.is_empty() {
            staged.set_length(0)?;
            map.begin(&header)?;
        }
        Ok(Self { staged, map: Some(map), recorded })
    }

    fn plain(spot: Spot) -> Result<Self, LocalError> {
        Ok(Self { staged: StagedFile::create(spot)?, map: None, recorded: Vec::new() })
    }

    /// What an earlier run wrote, in the order in which it did; to be checked before it is used.
    pub fn recorded(&self) -> &[Recorded] {
        &self.recorded
    }

    pub fn staged(&self) -> &StagedFile {
        &self.staged
    }

    /// Notes that bytes are written. Not synced: see above.
    pub fn record(&self, written: Recorded) -> Result<(), LocalError> {
        let Some(map) = &self.map else { return Ok(()) };
        let Recorded { offset, length, crc } = written;
        map.append(&format!("{offset} {length} {crc:016x}\n"))
    }

    /// Leaves what is written for a later run. Whether it could.
    pub fn keep(self) -> Option<PathBuf> {
        let map = self.map?;
        map.name.keep();
        Some(self.staged.keep())
    }

    /// As `StagedFile::publish`; the record is removed in any case.
    pub fn publish(self, publish: Publish) -> Result<Published, LocalError> {
        self.staged.publish(publish)
    }
}

/// The same for the same file and object in every run.
fn token(spot: &Spot, header: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(spot.name().as_encoded_bytes());
    // No name holds a NUL.
    hash.update([0]);
    hash.update(header);
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |token, byte| token << 8 | u64::from(*byte))
}

impl Map {
    /// `None` if no record can be kept.
    fn open(spot: &Spot, token: u64) -> Result<Option<Self>, LocalError> {
        let name = TempName::map(token);
        for _ in 0..MOST_TRIES {
            let found = handle::open_or_create_own(spot.folder().handle(), &name)
                .map_err(|cause| LocalError::new("create", spot.path(), cause))?;
            let Found::Own(file) = found else { return Ok(None) };
            if file.try_lock().is_err() {
                return Ok(None);
            }
            if handle::has_name(&file) {
                let name = TempName::new(spot.clone(), name);
                return Ok(Some(Self { file, length: Mutex::new(0), name }));
            }
        }
        Ok(None)
    }

    /// What is recorded under `header`: nothing, where there is another, or none.
    fn read(&mut self, header: &str) -> Result<Vec<Recorded>, LocalError> {
        let length = self.file.metadata().map_err(|cause| self.error("read", cause))?.len();
        let mut bytes = vec![0; usize::try_from(length.min(MOST_BYTES)).unwrap_or(0)];
        positional::read_at(&self.file, 0, &mut bytes)
            .map_err(|cause| self.error("read", cause))?;
        let Some(mut lines) = bytes.strip_prefix(header.as_bytes()) else { return Ok(Vec::new()) };
        let mut recorded = Vec::new();
        // What a crash tore off, and all after it, is written over.
        while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
            let Some(line) = parse(&lines[..end]) else { break };
            recorded.push(line);
            lines = &lines[end + 1..];
        }
        let good = (bytes.len() - lines.len()) as u64;
        self.truncate(good)?;
        Ok(recorded)
    }

    fn begin(&mut self, header: &str) -> Result<(), LocalError> {
        self.truncate(0)?;
        self.append(header)
    }

    fn truncate(&mut self, length: u64) -> Result<(), LocalError> {
        self.file.set_len(length).map_err(|cause| self.error("write", cause))?;
        self.length = Mutex::new(length);
        Ok(())
    }

    fn append(&self, line: &str) -> Result<(), LocalError> {
        let mut length = lock(&self.length);
        positional::write_at(&self.file, *length, line.as_bytes())
            .map_err(|cause| self.error("write", cause))?;
        *length += line.len() as u64;
        Ok(())
    }

    fn error(&self, action: &'static str, cause: io::Error) -> LocalError {
        LocalError::new(action, self.name.path(), cause)
    }
}

fn parse(line: &[u8]) -> Option<Recorded> {
    let mut fields = std::str::from_utf8(line).ok()?.split(' ');
    let offset: u64 = fields.next()?.parse().ok()?;
    let length: u64 = fields.next()?.parse().ok()?;
    let crc = fields.next().filter(|digits| digits.len() == 16)?;
    let crc = u64::from_str_radix(crc, 16).ok()?;
    let is_whole = fields.next().is_none() && offset.checked_add(length).is_some();
    is_whole.then_some(Recorded { offset, length, crc })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::storage::local::staged_file::{IfExists, SyncMode};
    use crate::storage::local::temp_name::is_temp_name;

    const FIRST: Recorded = Recorded { offset: 0, length: 3, crc: 7 };
    const SECOND: Recorded = Recorded { offset: 5, length: 2, crc: u64::MAX };

    fn open(folder: &TempDir, identity: &str) -> Partial {
        let spot = Spot::exact(&folder.path().join("f")).expect("a place");
        Partial::open(spot, identity).expect("opened")
    }

    /// A run that wrote two pieces and was stopped.
    fn stopped(folder: &TempDir, identity: &str) {
        let partial = open(folder, identity);
        partial.staged().write_at(0, b"abc").expect("written");
        partial.record(FIRST).expect("recorded");
        partial.staged().write_at(5, b"fg").expect("written");
        partial.record(SECOND).expect("recorded");
        assert!(partial.keep().is_some());
    }

    fn temp_file(folder: &TempDir, extension: &str) -> PathBuf {
        let mut entries = fs::read_dir(folder.path()).expect("a folder").map(|entry| {
            let path = entry.expect("an entry").path();
            assert!(is_temp_name(path.file_name().expect("a name")), "{}", path.display());
            path
        });
        let is_it = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
        entries.find(is_it).expect("a temp file")
    }

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).expect("a folder").count()
    }

    #[test]
    fn the_next_run_goes_on_and_leaves_only_the_file() {
        let folder = TempDir::new().expect("a folder");
        stopped(&folder, "s3://b/k\n\"1\" 7");
        let partial = open(&folder, "s3://b/k\n\"1\" 7");
        assert_eq!(partial.recorded(), [FIRST, SECOND]);
        partial.staged().write_at(3, b"de").expect("written");
        let published = partial.publish(Publish {
            length: 7,
            modified: None,
            sync: SyncMode::Durable,
            if_exists: IfExists::Replace,
        });
        assert_eq!(fs::read(published.expect("published").path).expect("a file"), b"abcdefg");
        assert_eq!(count(folder.path()), 1);
    }

    #[test]
    fn another_version_begins_anew() {
        let folder = TempDir::new().expect("a folder");
        stopped(&folder, "etag 1");
        let partial = open(&folder, "etag 2");
        assert!(partial.recorded().is_empty());
        drop(partial);
        assert_eq!(open(&folder, "etag 1").recorded().len(), 2);
    }

    #[test]
    fn what_is_not_kept_is_removed_with_its_record() {
        let folder = TempDir::new().expect("a folder");
        stopped(&folder, "x");
        drop(open(&folder, "x"));
        assert_eq!(count(folder.path()), 0);
    }

    #[test]
    fn a_torn_line_is_written_over() {
        let folder = TempDir::new().expect("a folder");
        stopped(&folder, "x");
        let map = temp_file(&folder, "map");
        let mut text = fs::read(&map).expect("a record");
        text.truncate(text.len() - 3);
        fs::write(&map, text).expect("written");
        let partial = open(&folder, "x");
        assert_eq!(partial.recorded(), [FIRST]);
        partial.record(SECOND).expect("recorded");
        partial.keep().expect("kept");
        assert_eq!(open(&folder, "x").recorded(), [FIRST, SECOND]);
    }

    #[test]
    fn a_record_without_bytes_counts_for_nothing() {
        let folder = TempDir::new().expect("a folder");
        stopped(&folder, "x");
        fs::remove_file(temp_file(&folder, "part")).expect("removed");
        assert!(open(&folder, "x").recorded().is_empty());
    }

    #[test]
    fn two_at_work_on_one_file_do_not_meet() {
        let folder = TempDir::new().expect("a folder");
        stopped(&folder, "x");
        let first = open(&folder, "x");
        let second = open(&folder, "x");
        assert_eq!((first.recorded().len(), second.recorded().len()), (2, 0));
        second.staged().write_at(0, b"other").expect("written");
        second.record(FIRST).expect("nothing to do");
        assert_eq!(second.keep(), None);
        let mut bytes = [0; 3];
        first.staged().read_at(0, &mut bytes).expect("read");
        assert_eq!(&bytes, b"abc");
        drop(first);
        assert_eq!(count(folder.path()), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_planted_name_is_neither_followed_nor_shared() {
        let folder = TempDir::new().expect("a folder");
        stopped(&folder, "x");
        let part = temp_file(&folder, "part");
        let victim = TempDir::new_in(folder.path()).expect("a folder");
        let victim = victim.path().join("victim");
        fs::write(&victim, "kept").expect("written");
        for plant in [std::os::unix::fs::symlink::<&Path, &Path>, fs::hard_link::<&Path, &Path>] {
            fs::remove_file(&part).expect("removed");
            plant(&victim, &part).expect("planted");
            let partial = open(&folder, "x");
            assert!(partial.recorded().is_empty());
            partial.staged().write_at(0, b"new!").expect("written");
            drop(partial);
            assert_eq!(fs::read(&victim).expect("a file"), b"kept");
        }
    }
}
