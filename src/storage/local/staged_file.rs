//! A file on its way: written under a temp name in the folder where it will be, and given its
//! own name only when all of it is there.
//!
//! Invariant 1: bytes reach a final name only through `publish`. Nothing else here, and nothing
//! elsewhere, writes, renames or links to a final name. What is dropped before is removed, unless
//! it is kept for a later run.

use std::ffi::OsStr;
use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use bytes::Bytes;

use super::claim::{Claim, From, claim};
use super::error::{Kind, LocalError};
use super::folder::lock;
use super::handle;
use super::positional;
use super::record::{Earlier, Record, Recorded};
use super::spot::Spot;
use super::temp_name::TempName;

/// A file that does not have its name yet.
#[derive(Debug)]
pub struct StagedFile {
    // Dropped in this order. Bytes without a record only start anew; and the lock that the open
    // file holds goes last, so that nobody takes over a name that is about to be removed.
    record: Mutex<Option<Record>>,
    temp: TempName,
    file: File,
    tenure: Tenure,
}

/// How a file came to its temp name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tenure {
    /// It is the name that belongs to the final one: the next run finds it.
    Own,
    /// That one is taken. Nothing that is left under this name would be found again.
    Random,
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
    /// Makes an empty file beside `spot`, under a name that no other process has.
    pub fn create(spot: Spot) -> Result<Self, LocalError> {
        let (file, _) = Self::open(spot)?;
        file.start_anew()?;
        Ok(file)
    }

    /// The same, or what an earlier run kept for `spot`, with what it says of it.
    pub fn open(spot: Spot) -> Result<(Self, Option<Earlier>), LocalError> {
        let claimed =
            claim(&spot).map_err(|cause| LocalError::new("create", spot.path(), cause))?;
        let Some(Claim { file, name, from }) = claimed else {
            return Ok((Self::with_random_name(spot)?, None));
        };
        let recorded = (from == From::EarlierRun).then(|| Record::read(&spot)).flatten();
        let temp = TempName::new(spot, name);
        let staged = Self { record: Mutex::default(), temp, file, tenure: Tenure::Own };
        match recorded {
            Some((record, earlier)) if !earlier.pieces.is_empty() => {
                *lock(&staged.record) = Some(record);
                Ok((staged, Some(earlier)))
            }
            _ => {
                if from == From::EarlierRun {
                    staged.set_length(0)?;
                }
                Ok((staged, None))
            }
        }
    }

    fn with_random_name(spot: Spot) -> Result<Self, LocalError> {
        let error = |cause| LocalError::new("create", spot.path(), cause);
        for _ in 0..MOST_NAMES {
            let name = TempName::random();
            match spot.folder().create_new(&name) {
                Ok(file) if is_held(&spot, &name, &file) => {
                    let temp = TempName::new(spot, name);
                    let (record, tenure) = (Mutex::default(), Tenure::Random);
                    return Ok(Self { record, temp, file, tenure });
                }
                Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error(cause));
                }
                // Somebody has the name, or is about to remove it.
                Ok(_) | Err(_) => {}
            }
        }
        Err(error(io::ErrorKind::AlreadyExists.into()))
    }

    /// Empties the file and forgets what was recorded of it.
    pub fn start_anew(&self) -> Result<(), LocalError> {
        if lock(&self.record).take().is_some() {
            self.set_length(0)?;
        }
        Ok(())
    }

    /// From now on what is written can be recorded, and kept for a later run. `identity` says, in
    /// one line, of which object the bytes are. Nothing where nothing could be found again.
    pub fn begin_record(&self, identity: &str) {
        if self.tenure == Tenure::Own {
            *lock(&self.record) = Record::begin(self.temp.spot(), identity);
        }
    }

    /// Notes that bytes are written.
    pub fn record(&self, written: Recorded) {
        if let Some(record) = lock(&self.record).as_mut() {
            record.add(written);
        }
    }

    /// Leaves what is recorded for a later run, and says how many bytes that are; nothing where
    /// nothing is.
    pub fn keep(self) -> Option<u64> {
        let record = lock(&self.record).take_if(|record| record.bytes() > 0)?;
        let bytes = record.bytes();
        record.keep();
        self.temp.keep();
        Some(bytes)
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
        let needed = length.saturating_sub(positional::allocated(&self.file));
        match positional::free_space(&self.file) {
            Some(free) if free < needed => {
                let text = format!("it needs {needed} bytes, and {free} are free");
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
        let warning = publish
            .modified
            .and_then(|modified| self.file.set_modified(modified).err())
            .map(|cause| self.error("set the modification time of", cause));
        let open = self.file.metadata().map_err(|cause| self.error("look at", cause))?;
        let (length, modified) = (open.len(), open.modified().ok());
        if length != publish.length {
            let text = format!("it has {length} bytes and should have {}", publish.length);
            let refused = LocalError::refused(Kind::WrongLength, "publish", self.path());
            return Err(refused.with_cause(text));
        }
        let path = self.path();
        match publish.sync {
            SyncMode::Durable => {
                let begin = Instant::now();
                let folder = Arc::clone(self.temp.spot().folder());
                self.sync()?;
                self.rename(&open, publish.if_exists)?;
                folder.sync()?;
                folder.sync_cost().record(length, begin.elapsed());
            }
            SyncMode::Lazy => self.rename(&open, publish.if_exists)?,
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

    fn rename(self, open: &Metadata, if_exists: IfExists) -> Result<(), LocalError> {
        let path = self.path();
        let Self { record, mut temp, file, .. } = self;
        // Were it another file that has the name by now, that one would be published as ours.
        let renamed = match temp.still_names(open) {
            Ok(true) => temp.become_final(if_exists),
            Ok(false) => {
                temp.keep();
                let cause = "somebody removed or replaced it while it was on its way";
                return Err(LocalError::new("publish", path, io::Error::other(cause)));
            }
            Err(cause) => Err(cause),
        };
        drop(temp);
        // Not before, since the lock is our claim on the temp name. What `close` would report, the
        // sync has reported: no dirty byte is left by then.
        drop(file);
        // Last: were it gone before, a kill in between would cost the whole object.
        if let Some(record) = lock(&record).take() {
            record.discard();
        }
        renamed.map_err(|cause| LocalError::new("publish", path, cause))
    }

    fn error(&self, action: &'static str, cause: io::Error) -> LocalError {
        LocalError::new(action, self.path(), cause)
    }
}

/// Locks a file that was just made, for `haul clean` to see that somebody is at work on it. `false`
/// if that was quicker, and is about to remove it. A file system without locks will do.
fn is_held(spot: &Spot, name: &OsStr, file: &File) -> bool {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => true,
        Ok(()) => handle::has_name(spot.folder().handle(), name, file).unwrap_or(true),
    }
}

#[cfg(test)]
#[path = "staged_file_tests.rs"]
mod tests;
