//! What one run remembers for the next: small files in the user's own state folder, for nobody
//! else to read, each held by one process at a time. Never a secret, and nothing that may not be
//! lost: without them, work starts anew.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use etcetera::BaseStrategy as _;

use super::error::{Kind, LocalError};
use super::handle::{self, Found};
use super::positional;

/// `$XDG_STATE_HOME/haul`, or what stands for it on this system.
pub fn state_folder() -> Option<PathBuf> {
    let places = etcetera::choose_base_strategy().ok()?;
    Some(places.state_dir().unwrap_or_else(|| places.cache_dir()).join("haul"))
}

/// A file in the state folder, locked.
#[derive(Debug)]
pub struct StateFile {
    folder: Dir,
    name: OsString,
    path: PathBuf,
    file: File,
}

/// What became of asking for a file that an earlier run left.
#[derive(Debug)]
pub enum Left {
    Held(StateFile),
    /// By another process.
    InUse,
    /// There is none, or none that is ours.
    Nothing,
}

/// Another process may remove a file between our opening and locking it.
const MOST_TRIES: usize = 3;
/// More was not written by us.
const MOST_BYTES: u64 = 64 << 10;

impl StateFile {
    /// Takes the file `name` of `folder`, made where it is missing. `None` where it can't be ours:
    /// another process holds it, or it, or the folder, is somebody else's.
    pub fn claim(folder: &Path, name: &str) -> Result<Option<Self>, LocalError> {
        make_private(folder).map_err(|cause| LocalError::new("open", folder.join(name), cause))?;
        Ok(match Self::hold(folder, name, handle::open_or_create_own)? {
            Left::Held(file) => Some(file),
            Left::InUse | Left::Nothing => None,
        })
    }

    /// Takes the file `name` of `folder` if it is there.
    pub fn claim_left(folder: &Path, name: &str) -> Result<Left, LocalError> {
        match Self::hold(folder, name, handle::open_own) {
            Err(error) if error.kind == Kind::Missing => Ok(Left::Nothing),
            held => held,
        }
    }

    fn hold(
        folder: &Path,
        name: &str,
        open: impl Fn(&Dir, &OsStr) -> io::Result<Found>,
    ) -> Result<Left, LocalError> {
        let path = folder.join(name);
        let error = |cause| LocalError::new("open", &path, cause);
        let folder = handle::open_trusted(folder).map_err(error)?;
        if !handle::is_own_folder(&folder).map_err(error)? {
            return Ok(Left::Nothing);
        }
        let name = OsString::from(name);
        for _ in 0..MOST_TRIES {
            let found = open(&folder, &name).map_err(error)?;
            let Found::Own(file) = found else { return Ok(Left::Nothing) };
            if file.try_lock().is_err() {
                return Ok(Left::InUse);
            }
            if handle::has_name(&folder, &name, &file).map_err(error)? {
                return Ok(Left::Held(Self { folder, name, path, file }));
            }
        }
        Ok(Left::InUse)
    }

    /// The names of all files in `folder`, which may not be there.
    pub fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    /// What a file in `folder` says, held by another process or not. For what is looked at only.
    pub fn peek(folder: &Path, name: &str) -> Option<Vec<u8>> {
        let handle = handle::open_trusted(folder).ok()?;
        let Found::Own(file) = handle::open_own(&handle, OsStr::new(name)).ok()? else {
            return None;
        };
        read_all(&file).ok()
    }

    /// All of it; nothing where there is more than we ever write.
    pub fn read(&self) -> Result<Vec<u8>, LocalError> {
        read_all(&self.file).map_err(|cause| self.error("read", cause))
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

fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > MOST_BYTES {
        return Ok(Vec::new());
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    positional::read_at(file, 0, &mut bytes)?;
    Ok(bytes)
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
        let path = folder.path().join("haul/uploads");
        let left = || StateFile::claim_left(&path, "x.json").expect("looked at");
        assert!(matches!(left(), Left::InUse));
        drop(second);
        assert!(matches!(left(), Left::Held(_)), "it was there");
        claim(&folder).expect("free again").clear().expect("cleared");
        assert!(matches!(left(), Left::Nothing));
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
