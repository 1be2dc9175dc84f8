//! What one run remembers for the next: small files in the user's own state folder, for nobody
//! else to read, each held by one process at a time. Never a secret, and nothing that may not be
//! lost: without them, work starts anew.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;

use super::error::LocalError;
use super::handle::{self, Found};
use super::positional;

/// `$XDG_STATE_HOME/haul`, or what stands for it on this system.
pub fn state_folder() -> Option<PathBuf> {
    dirs::state_dir().or_else(dirs::data_local_dir).map(|folder| folder.join("haul"))
}

/// A file in the state folder, locked.
#[derive(Debug)]
pub struct StateFile {
    folder: Dir,
    name: OsString,
    path: PathBuf,
    file: File,
}

/// Another process may remove a file between our opening and locking it.
const MOST_TRIES: usize = 3;
/// More was not written by us.
const MOST_BYTES: u64 = 64 << 10;

impl StateFile {
    /// Takes the file `name` of `folder`, made where it is missing. `None` where it can't be ours:
    /// another process holds it, or it, or the folder, is somebody else's.
    pub fn claim(folder: &Path, name: &str) -> Result<Option<Self>, LocalError> {
        let path = folder.join(name);
        let error = |cause| LocalError::new("open", &path, cause);
        make_private(folder).map_err(error)?;
        let folder = handle::open_trusted(folder).map_err(error)?;
        if !handle::is_own_folder(&folder).map_err(error)? {
            return Ok(None);
        }
        let name = OsString::from(name);
        for _ in 0..MOST_TRIES {
            let found = handle::open_or_create_own(&folder, &name).map_err(error)?;
            let Found::Own(file) = found else { return Ok(None) };
            if file.try_lock().is_err() {
                return Ok(None);
            }
            if handle::has_name(&folder, &name, &file).map_err(error)? {
                return Ok(Some(Self { folder, name, path, file }));
            }
        }
        Ok(None)
    }

    /// All of it; nothing where there is more than we ever write.
    pub fn read(&self) -> Result<Vec<u8>, LocalError> {
        let length = self.file.metadata().map_err(|cause| self.error("look at", cause))?.len();
        if length > MOST_BYTES {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        positional::read_at(&self.file, 0, &mut bytes)
            .map_err(|cause| self.error("read", cause))?;
        Ok(bytes)
    }

    /// Replaces the content. Not synced: see above.
    pub fn write(&self, bytes: &[u8]) -> Result<(), LocalError> {
        self.clear()?;
        positional::write_at(&self.file, 0, bytes).map_err(|cause| self.error("write", cause))
    }

    pub fn clear(&self) -> Result<(), LocalError> {
        self.file.set_len(0).map_err(|cause| self.error("write", cause))
    }
}

impl Drop for StateFile {
    /// A file that says nothing is removed, while it is still locked.
    fn drop(&mut self) {
        if self.file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            drop(self.folder.remove_file(&self.name));
        }
    }
}

impl StateFile {
    fn error(&self, action: &'static str, cause: io::Error) -> LocalError {
        LocalError::new(action, &self.path, cause)
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn claim(folder: &TempDir) -> Option<StateFile> {
        StateFile::claim(&folder.path().join("haul/uploads"), "x.json").expect("opened")
    }

    #[test]
    fn what_is_written_is_there_for_the_next_one_and_gone_once_it_is_cleared() {
        let folder = TempDir::new().expect("a folder");
        let first = claim(&folder).expect("free");
        assert!(claim(&folder).is_none(), "it is held");
        first.write(b"longer text").expect("written");
        first.write(b"text").expect("written");
        drop(first);
        let second = claim(&folder).expect("free again");
        assert_eq!(second.read().expect("read"), b"text");
        second.clear().expect("cleared");
        drop(second);
        let folder = folder.path().join("haul/uploads");
        assert_eq!(fs::read_dir(folder).expect("a folder").count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn it_is_for_nobody_else_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TempDir::new().expect("a folder");
        let file = claim(&folder).expect("free");
        file.write(b"text").expect("written");
        let mode = |path: &str| {
            let metadata = fs::metadata(folder.path().join(path)).expect("it is there");
            metadata.permissions().mode() & 0o777
        };
        assert_eq!((mode("haul"), mode("haul/uploads")), (0o700, 0o700));
        assert_eq!(mode("haul/uploads/x.json"), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_planted_link_is_refused() {
        let folder = TempDir::new().expect("a folder");
        drop(claim(&folder).expect("free"));
        let victim = folder.path().join("victim");
        fs::write(&victim, "kept").expect("written");
        let name = folder.path().join("haul/uploads/x.json");
        std::os::unix::fs::symlink(&victim, &name).expect("a link");
        assert!(claim(&folder).is_none());
        fs::remove_file(&name).expect("removed");
        fs::hard_link(&victim, &name).expect("a link");
        assert!(claim(&folder).is_none());
        assert_eq!(fs::read(&victim).expect("a file"), b"kept");
    }
}
