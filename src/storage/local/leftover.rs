//! Partial files that no process is at work on: found below a folder, and removed. It must never
//! touch one that is in use, nor anything whose name is not that of a partial file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::WalkDir;

use super::error::LocalError;
use super::handle::{self, Found};
use super::temp_name::{is_temp_name, record_of};
use super::walk::explain;

/// What an earlier run left: the bytes of a file, or what was recorded of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub path: PathBuf,
    /// In bytes, as the file system counts a file's length.
    pub size: u64,
    pub modified: Option<SystemTime>,
}

/// Everything below `root` that has the name of a partial file, in use or not. Links are not
/// followed.
pub fn leftovers(root: &Path) -> impl Iterator<Item = Result<Leftover, LocalError>> + Send + use<> {
    let root = root.to_owned();
    WalkDir::new(&root).sort_by_file_name().into_iter().filter_map(move |entry| match entry {
        Ok(entry) if !entry.file_type().is_file() || !is_temp_name(entry.file_name()) => None,
        Ok(entry) => {
            let path = entry.path().to_owned();
            // One that vanishes meanwhile was in use.
            let metadata = fs::symlink_metadata(&path).ok()?;
            Some(Ok(Leftover { path, size: metadata.len(), modified: metadata.modified().ok() }))
        }
        Err(error) => Some(Err(explain(&root, error))),
    })
}

impl Leftover {
    /// Whether a process is at work on it. Nobody can say where the file system has no locks.
    pub fn is_in_use(&self) -> Result<bool, LocalError> {
        self.with_lock(|_, _| Ok(()), "look at").map(|free| free.is_none())
    }

    /// Removes it. `false` if a process is at work on it: then it stays.
    pub fn remove(&self) -> Result<bool, LocalError> {
        self.with_lock(|folder, name| folder.remove_file(name), "remove").map(|done| done.is_some())
    }

    /// Does `work` while no other process can. `None` if one is at work now.
    fn with_lock(
        &self,
        work: impl FnOnce(&cap_std::fs::Dir, &Path) -> io::Result<()>,
        action: &'static str,
    ) -> Result<Option<()>, LocalError> {
        let error = |cause| LocalError::new(action, &self.path, cause);
        let (Some(above), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(None);
        };
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        let folder = handle::open_trusted(above).map_err(error)?;
        // Whoever holds the bytes holds their record too.
        let locked = record_of(name).unwrap_or_else(|| name.to_owned());
        let owner = match handle::open_own(&folder, &locked) {
            Ok(Found::Own(file)) => Some(file),
            Ok(Found::NotOwn) => return Err(error(io::ErrorKind::PermissionDenied.into())),
            // A record without its bytes: nobody is at work on it.
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(error(cause)),
        };
        if let Some(file) = &owner
            && (file.try_lock().is_err()
                || !handle::has_name(&folder, &locked, file).map_err(error)?)
        {
            return Ok(None);
        }
        match work(&folder, Path::new(name)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Some(())),
            done => done.map(Some).map_err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::storage::local::{Recorded, Spot, StagedFile};

    fn found(folder: &TempDir) -> Vec<Leftover> {
        leftovers(folder.path()).map(|found| found.expect("readable")).collect()
    }

    fn kept(folder: &TempDir, name: &str) {
        let staged = stage(folder, name);
        staged.begin_record("{}");
        staged.write_at(0, b"abc").expect("written");
        staged.record(Recorded { offset: 0, length: 3, crc: 0 });
        assert!(staged.keep().is_some());
    }

    fn stage(folder: &TempDir, name: &str) -> StagedFile {
        StagedFile::create(Spot::exact(&folder.path().join(name)).expect("a place")).expect("made")
    }

    #[test]
    fn what_is_left_is_found_and_removed_and_what_is_in_use_stays() {
        let folder = TempDir::new().expect("a folder");
        kept(&folder, "below/a");
        fs::write(folder.path().join("plain"), "kept").expect("written");
        let at_work = stage(&folder, "b");
        at_work.begin_record("{}");
        let all = found(&folder);
        assert_eq!(all.len(), 4, "{all:?}");
        for leftover in all {
            let is_old = leftover.path.to_string_lossy().contains("below");
            assert_eq!(leftover.is_in_use().expect("known"), !is_old, "{leftover:?}");
            assert_eq!(leftover.remove().expect("looked"), is_old, "{leftover:?}");
        }
        assert_eq!(found(&folder).len(), 2);
        assert_eq!(at_work.keep(), None);
        assert!(found(&folder).is_empty() && folder.path().join("plain").exists());
    }

    #[test]
    fn a_record_whose_bytes_are_gone_is_removed() {
        let folder = TempDir::new().expect("a folder");
        kept(&folder, "a");
        for leftover in found(&folder) {
            if leftover.path.extension().is_some_and(|end| end == "part") {
                fs::remove_file(&leftover.path).expect("removed");
            }
        }
        let [record] = found(&folder).try_into().expect("one is left");
        assert!(record.remove().expect("looked"));
        assert!(found(&folder).is_empty());
    }
}
