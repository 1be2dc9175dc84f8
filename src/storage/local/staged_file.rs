//! A file on its way: written under a temp name in the folder where it will be, and given its
//! own name only when all of it is there.
//!
//! Invariant 1: bytes reach a final name only through `publish`. Nothing else here, and nothing
//! elsewhere, writes, renames or links to a final name. What is dropped before is removed.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::error::{Kind, LocalError};
use super::handle;
use super::positional;
use super::spot::Spot;
use super::temp_name::TempName;

/// A file that does not have its name yet.
#[derive(Debug)]
pub struct StagedFile {
    // The file before its name: it must be closed when the name is removed.
    file: File,
    temp: TempName,
}

/// How a file gets its name.
#[derive(Debug, Clone, Copy)]
pub struct Publish {
    /// How long the file must be now.
    pub length: u64,
    pub modified: Option<SystemTime>,
    pub sync: SyncMode,
    pub if_exists: IfExists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncMode {
    /// A power cut after `publish` loses nothing.
    #[default]
    Durable,
    /// The system writes when it likes: for files that can be made again for nothing.
    Lazy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfExists {
    #[default]
    Replace,
    /// Fails with `AlreadyExists`, and removes what was staged.
    Keep,
}

/// A file that has its name.
#[derive(Debug)]
#[must_use = "it may hold a warning"]
pub struct Published {
    pub path: PathBuf,
    /// When it was modified, as the system has it.
    pub modified: Option<SystemTime>,
    /// What could not be done beside the content: its modification time.
    pub warning: Option<LocalError>,
}

/// Smaller files are written at once, so that there is nothing to reserve.
const RESERVED_FROM: u64 = 16 << 20;
/// Names that are taken already, before somebody must be taking them on purpose.
const MOST_NAMES: usize = 100;

impl StagedFile {
    /// Makes an empty file beside `spot`, with a name that no other process has.
    pub fn create(spot: Spot) -> Result<Self, LocalError> {
        let mut taken = 0;
        loop {
            let name = TempName::random();
            match spot.folder().create_new(&name) {
                Ok(file) => return Ok(Self::new(file, TempName::new(spot, name))),
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && taken < MOST_NAMES =>
                {
                    taken += 1;
                }
                Err(cause) => return Err(LocalError::new("create", spot.path(), cause)),
            }
        }
    }

    pub(super) fn new(file: File, temp: TempName) -> Self {
        Self { file, temp }
    }

    /// Leaves the file under its temp name.
    pub(super) fn keep(self) -> PathBuf {
        let path = self.temp.path();
        self.temp.keep();
        path
    }

    /// The final name's path, for people.
    pub fn path(&self) -> PathBuf {
        self.temp.spot().path()
    }

    /// Whether to call `publish` where waiting hurts nobody.
    pub fn is_slow_to_publish(&self, length: u64) -> bool {
        self.temp.spot().sync_cost().is_slow(length)
    }

    /// Takes the room for `length` bytes now, so that a full disk is known before a byte was
    /// fetched. The file has that length from then on, whatever of it was written.
    pub fn reserve(&self, length: u64) -> Result<(), LocalError> {
        if length < RESERVED_FROM {
            return Ok(());
        }
        // First of all: a file system that runs out half way has taken the room from all others.
        self.check_free_space(length)?;
        match positional::allocate(&self.file, length) {
            Err(error) if handle::is_unsupported(&error) => Ok(()),
            allocated => allocated.map_err(|cause| self.error("reserve the space of", cause)),
        }
    }

    fn check_free_space(&self, length: u64) -> Result<(), LocalError> {
        match positional::free_space(&self.file) {
            Some(free) if free < length => {
                let text = format!("it needs {length} bytes, and {free} are free");
                let refused = LocalError::refused(Kind::Full, "reserve the space of", self.path());
                Err(refused.with_cause(text))
            }
            _ => Ok(()),
        }
    }

    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), LocalError> {
        positional::write_at(&self.file, offset, bytes).map_err(|cause| self.error("write", cause))
    }

    /// Writes the buffers one after another, with as few calls as the system allows.
    pub fn write_vectored_at(&self, offset: u64, buffers: &[Bytes]) -> Result<(), LocalError> {
        positional::write_vectored_at(&self.file, offset, buffers)
            .map_err(|cause| self.error("write", cause))
    }

    /// Fills `buffer` from `offset`: what was written is read again, to be checked.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), LocalError> {
        positional::read_at(&self.file, offset, buffer).map_err(|cause| self.error("read", cause))
    }

    pub fn set_length(&self, length: u64) -> Result<(), LocalError> {
        self.file.set_len(length).map_err(|cause| self.error("set the length of", cause))
    }

    /// Drops all bytes from `length` on: they were of another version, or never valid.
    pub fn discard_after(&self, length: u64) -> Result<(), LocalError> {
        let now = self.file.metadata().map_err(|cause| self.error("look at", cause))?.len();
        if now > length { self.set_length(length) } else { Ok(()) }
    }

    /// Gives the file the permissions of `mode`, of which no more than `0o777` count: what came
    /// over the network sets no set-user-ID bit. Nothing where there are no modes.
    pub fn set_mode(&self, mode: u32) -> Result<(), LocalError> {
        positional::set_mode(&self.file, mode & 0o777)
            .map_err(|cause| self.error("set the mode of", cause))
    }

    /// Gives the file its name: checks the length, makes the bytes durable, closes, renames, and
    /// makes the name durable. Until the rename, what has the name stays as it was; a failure
    /// before it removes what was staged. Not to be repeated: a second sync after one that failed
    /// would succeed without the bytes.
    pub fn publish(self, publish: Publish) -> Result<Published, LocalError> {
        let length = self.file.metadata().map_err(|cause| self.error("look at", cause))?.len();
        if length != publish.length {
            let text = format!("it has {length} bytes and should have {}", publish.length);
            let refused = LocalError::refused(Kind::WrongLength, "publish", self.path());
            return Err(refused.with_cause(text));
        }
        let warning = publish
            .modified
            .and_then(|modified| self.file.set_modified(modified).err())
            .map(|cause| self.error("set the modification time of", cause));
        let modified = self.file.metadata().and_then(|metadata| metadata.modified()).ok();
        let path = self.path();
        match publish.sync {
            SyncMode::Durable => {
                let begin = Instant::now();
                let folder = Arc::clone(self.temp.spot().folder());
                self.sync()?;
                self.rename(publish.if_exists)?;
                folder.sync()?;
                folder.sync_cost().record(length, begin.elapsed());
            }
            SyncMode::Lazy => self.rename(publish.if_exists)?,
        }
        Ok(Published { path, modified, warning })
    }

    fn sync(&self) -> Result<(), LocalError> {
        match self.file.sync_all() {
            // There is no other way on such a file system to make it durable.
            Err(error) if handle::is_unsupported(&error) => Ok(()),
            synced => synced.map_err(|cause| self.error("write to the disk", cause)),
        }
    }

    fn rename(self, if_exists: IfExists) -> Result<(), LocalError> {
        let path = self.path();
        let Self { file, mut temp } = self;
        // What `close` would report, the sync before has reported: no dirty byte is left by then.
        drop(file);
        temp.become_final(if_exists).map_err(|cause| LocalError::new("publish", path, cause))
    }

    fn error(&self, action: &'static str, cause: io::Error) -> LocalError {
        LocalError::new(action, self.path(), cause)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::domain::relative_path::RelativePath;
    use crate::storage::local::destination::Destination;
    use crate::storage::local::temp_name::is_temp_name;

    fn stage(folder: &TempDir, name: &str) -> StagedFile {
        let destination = Destination::open(folder.path()).expect("a folder");
        let name = RelativePath::new(name).expect("a safe name");
        StagedFile::create(destination.resolve(&name).expect("a place")).expect("a file")
    }

    fn of(length: u64) -> Publish {
        Publish { length, modified: None, sync: SyncMode::Durable, if_exists: IfExists::Replace }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_only_once_it_is_published() {
        let folder = TempDir::new().expect("a folder");
        let staged = stage(&folder, "a");
        staged.write_at(3, b"def").expect("written");
        staged.write_at(0, b"abc").expect("written");
        let before = names(folder.path());
        assert!(before.len() == 1 && is_temp_name(OsStr::new(&before[0])), "{before:?}");
        let published = staged.publish(of(6)).expect("published");
        assert!(published.warning.is_none());
        assert_eq!(published.path, folder.path().join("a"));
        assert_eq!(names(folder.path()), ["a"]);
        assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"abcdef");
    }

    #[test]
    fn what_is_dropped_is_removed_and_the_old_file_stays() {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("a"), "old").expect("written");
        let staged = stage(&folder, "a");
        staged.write_at(0, b"new").expect("written");
        drop(staged);
        assert_eq!(names(folder.path()), ["a"]);
        assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"old");
    }

    #[test]
    fn another_length_is_refused_and_the_old_file_stays() {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("a"), "old").expect("written");
        for written in [2, 4] {
            let staged = stage(&folder, "a");
            staged.set_length(written).expect("a length");
            let error = staged.publish(of(3)).expect_err("refused");
            assert_eq!(error.kind, Kind::WrongLength);
        }
        assert_eq!(names(folder.path()), ["a"]);
        assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"old");
    }

    #[test]
    fn gathered_buffers_are_written_one_after_another() {
        let folder = TempDir::new().expect("a folder");
        let staged = stage(&folder, "a");
        let mut buffers = vec![Bytes::new(), Bytes::from_static(b"ab"), Bytes::new()];
        buffers.extend((0..3000_u32).map(|number| Bytes::from(number.to_string())));
        let expected = buffers.concat();
        staged.write_vectored_at(5, &buffers).expect("written");
        staged.write_vectored_at(0, &[]).expect("nothing to do");
        let mut content = vec![0; expected.len()];
        staged.read_at(5, &mut content).expect("read");
        assert!(content == expected);
    }

    #[test]
    fn bytes_are_discarded_from_a_length_on() {
        let folder = TempDir::new().expect("a folder");
        let staged = stage(&folder, "a");
        staged.write_at(0, b"abcdef").expect("written");
        staged.discard_after(10).expect("nothing to do");
        staged.discard_after(2).expect("discarded");
        let _published = staged.publish(of(2)).expect("published");
        assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"ab");
    }

    #[test]
    fn an_existing_file_is_kept_where_asked() {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("a"), "old").expect("written");
        let keep = Publish { if_exists: IfExists::Keep, ..of(0) };
        let error = stage(&folder, "a").publish(keep).expect_err("refused");
        assert_eq!(error.kind, Kind::AlreadyExists);
        assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"old");
        let _published = stage(&folder, "b").publish(keep).expect("published");
        assert_eq!(names(folder.path()), ["a", "b"]);
    }

    #[test]
    fn a_directory_is_never_replaced() {
        let folder = TempDir::new().expect("a folder");
        for name in ["empty", "full"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        fs::write(folder.path().join("full/x"), "x").expect("written");
        for name in ["empty", "full"] {
            let error = stage(&folder, name).publish(of(0)).expect_err("refused");
            assert_eq!(error.kind, Kind::IsDirectory);
        }
        assert_eq!(names(folder.path()), ["empty", "full"]);
    }

    #[test]
    fn a_name_of_255_bytes_works_and_a_longer_one_is_an_error() {
        let folder = TempDir::new().expect("a folder");
        let long = "n".repeat(255);
        let _published = stage(&folder, &long).publish(of(0)).expect("published");
        assert_eq!(names(folder.path()), [long]);
        let error = stage(&folder, &"n".repeat(256)).publish(of(0)).expect_err("refused");
        assert_eq!(error.kind, Kind::NameTooLong);
        assert_eq!(names(folder.path()).len(), 1);
    }

    #[test]
    fn a_planted_temp_name_is_left_alone() {
        let folder = TempDir::new().expect("a folder");
        fastrand::seed(7);
        let planted = TempName::random();
        fs::write(folder.path().join(&planted), "planted").expect("written");
        fastrand::seed(7);
        let staged = stage(&folder, "a");
        staged.write_at(0, b"x").expect("written");
        let _published = staged.publish(of(1)).expect("published");
        assert_eq!(fs::read(folder.path().join(&planted)).expect("a file"), b"planted");
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn more_than_the_disk_has_is_refused_before_it_is_taken() {
        let folder = TempDir::new().expect("a folder");
        let staged = stage(&folder, "a");
        let error = staged.reserve(1 << 60).expect_err("refused");
        assert!(error.is_full(), "{error}");
        assert_eq!(staged.file.metadata().expect("metadata").len(), 0);
        staged.reserve(RESERVED_FROM).expect("there is room");
        staged.reserve(1).expect("nothing to do");
    }

    #[test]
    fn the_modification_time_is_the_one_given() {
        let folder = TempDir::new().expect("a folder");
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let publish = Publish { modified: Some(modified), sync: SyncMode::Lazy, ..of(0) };
        let _published = stage(&folder, "a").publish(publish).expect("published");
        let metadata = fs::metadata(folder.path().join("a")).expect("metadata");
        assert_eq!(metadata.modified().expect("a time"), modified);
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_follows_the_umask_and_sets_no_special_bit() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode();
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("plain"), "").expect("written");
        let _published = stage(&folder, "a").publish(of(0)).expect("published");
        assert_eq!(mode(&folder.path().join("a")), mode(&folder.path().join("plain")));
        let staged = stage(&folder, "b");
        staged.set_mode(0o4751).expect("a mode");
        let _published = staged.publish(of(0)).expect("published");
        assert_eq!(mode(&folder.path().join("b")) & 0o7777, 0o751);
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_that_has_the_name_is_refused_and_not_written_through() {
        let outside = TempDir::new().expect("a folder");
        let victim = outside.path().join("victim");
        fs::write(&victim, "kept").expect("written");
        let folder = TempDir::new().expect("a folder");
        std::os::unix::fs::symlink(&victim, folder.path().join("a")).expect("a link");
        let destination = Destination::open(folder.path()).expect("a folder");
        let path = RelativePath::new("a").expect("a safe name");
        let error = destination.resolve(&path).expect_err("a link");
        assert_eq!(error.kind, Kind::Symlink);
        assert_eq!(fs::read(&victim).expect("a file"), b"kept");
        assert!(folder.path().join("a").is_symlink());
    }

    #[test]
    fn many_threads_publish_in_one_folder() {
        let folder = TempDir::new().expect("a folder");
        let destination = Destination::open(folder.path()).expect("a folder");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let destination = &destination;
                scope.spawn(move || {
                    for number in 0..25 {
                        let name = format!("d{}/{thread}-{number}", number % 3);
                        let path = RelativePath::new(&name).expect("a safe name");
                        let spot = destination.resolve(&path).expect("a place");
                        let staged = StagedFile::create(spot).expect("a file");
                        staged.write_at(0, name.as_bytes()).expect("written");
                        let length = name.len() as u64;
                        let _published = staged.publish(of(length)).expect("published");
                    }
                });
            }
        });
        let found: Vec<_> =
            (0..3).flat_map(|number| names(&folder.path().join(format!("d{number}")))).collect();
        assert_eq!(found.len(), 100);
        assert!(found.iter().all(|name| !is_temp_name(OsStr::new(name))));
        assert!(destination.sync_cost().average() > Duration::ZERO);
    }
}
