//! The place of one file: an open folder and a name in it. Says where, never writes.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::destination::open_or_make;
use super::durability::SyncCost;
use super::error::{Kind, LocalError};
use super::folder::Folder;
use super::reserved::refuse_reserved;

/// Where a file is to be.
#[derive(Debug, Clone)]
pub struct Spot {
    folder: Arc<Folder>,
    name: OsString,
}

/// As the system counts before it gives up.
const MOST_LINKS: usize = 40;

impl Spot {
    pub(super) fn new(folder: Arc<Folder>, name: OsString) -> Self {
        Self { folder, name }
    }

    /// The place of a path that the user typed: links are followed, the last one too, so that
    /// the file that it leads to is the one replaced. What is missing above it is made.
    pub fn exact(path: &Path) -> Result<Self, LocalError> {
        let refused = |kind| LocalError::refused(kind, "write", path);
        let mut target = path.to_owned();
        for _ in 0..MOST_LINKS {
            if has_trailing_separator(&target) {
                return Err(refused(Kind::IsDirectory));
            }
            match fs::symlink_metadata(&target) {
                Ok(found) if found.is_symlink() => {
                    let link = fs::read_link(&target)
                        .map_err(|cause| LocalError::new("follow", path, cause))?;
                    // An absolute link replaces all of the path.
                    target = target.parent().unwrap_or(Path::new("")).join(link);
                }
                Ok(found) if found.is_dir() => return Err(refused(Kind::IsDirectory)),
                Ok(found) if !found.is_file() => return Err(refused(Kind::Special)),
                Ok(_) => return Self::in_folder_of(&target),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Self::in_folder_of(&target);
                }
                Err(cause) => return Err(LocalError::new("write", path, cause)),
            }
        }
        Err(refused(Kind::LinkLoop))
    }

    fn in_folder_of(path: &Path) -> Result<Self, LocalError> {
        let Some(name) = path.file_name() else {
            return Err(LocalError::refused(Kind::IsDirectory, "write", path));
        };
        refuse_reserved(name, path)?;
        let above = path.parent().unwrap_or(Path::new(""));
        Ok(Self::new(Folder::shared(open_or_make(above)?, above), name.to_owned()))
    }

    /// For people: all work goes through the folder's handle.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    pub fn sync_cost(&self) -> &Arc<SyncCost> {
        self.folder.sync_cost()
    }
}

fn has_trailing_separator(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last().copied();
    last.is_some_and(|byte| std::path::is_separator(byte.into()))
}

/// Something that has no content of its own, and so is written in place: a pipe, a device, or a
/// stream that this process was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialFile(PathBuf);

impl SpecialFile {
    /// The special file at `path`, links followed, if there is one.
    pub fn at(path: &Path) -> Option<Self> {
        let is_special = is_own_stream(path)
            || fs::metadata(path).is_ok_and(|found| is_special_type(found.file_type()));
        is_special.then(|| Self(path.to_owned()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Opens it for writing from its start, or from where it is. A pipe that nobody reads blocks
    /// until somebody does: not for a thread of the runtime.
    pub fn open_for_writing(&self) -> Result<File, LocalError> {
        let opened = match standard_stream(&self.0) {
            Some(stream) => stream,
            None => fs::OpenOptions::new().write(true).open(&self.0),
        };
        opened.map_err(|cause| LocalError::new("open", &self.0, cause))
    }
}

/// The special file at `path`, links followed, if there is one.
pub fn special(path: &Path) -> Option<SpecialFile> {
    SpecialFile::at(path)
}

#[cfg(unix)]
fn is_special_type(file_type: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    file_type.is_fifo()
        || file_type.is_char_device()
        || file_type.is_block_device()
        || file_type.is_socket()
}

#[cfg(not(unix))]
fn is_special_type(file_type: FileType) -> bool {
    !file_type.is_file() && !file_type.is_dir() && !file_type.is_symlink()
}

/// Behind these may be a plain file that somebody else opened, and goes on writing to.
#[cfg(unix)]
fn is_own_stream(path: &Path) -> bool {
    let folders = ["/dev/fd", "/proc/self/fd"];
    path == Path::new("/dev/stdout")
        || path == Path::new("/dev/stderr")
        || folders.iter().any(|folder| path.parent() == Some(Path::new(folder)))
}

#[cfg(not(unix))]
fn is_own_stream(path: &Path) -> bool {
    path.as_os_str().eq_ignore_ascii_case("nul")
}

/// Opened anew, a redirected file would be written from its start, whatever is in it already.
#[cfg(unix)]
fn standard_stream(path: &Path) -> Option<io::Result<File>> {
    use std::os::fd::AsFd;
    let stream = match path.to_str()? {
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => {
            std::io::stdout().as_fd().try_clone_to_owned()
        }
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => {
            std::io::stderr().as_fd().try_clone_to_owned()
        }
        _ => return None,
    };
    Some(stream.map(File::from))
}

#[cfg(not(unix))]
fn standard_stream(_path: &Path) -> Option<io::Result<File>> {
    None
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_typed_path_is_a_place_and_its_folders_are_made() {
        let outer = TempDir::new().expect("a folder");
        let path = outer.path().join("a/b/f");
        let spot = Spot::exact(&path).expect("a place");
        assert_eq!(spot.path(), path);
        assert!(outer.path().join("a/b").is_dir() && !path.exists());
    }

    #[test]
    fn a_directory_is_no_place_for_a_file() {
        let outer = TempDir::new().expect("a folder");
        for path in [outer.path().to_owned(), outer.path().join("new/"), outer.path().join("..")] {
            let error = Spot::exact(&path).expect_err("refused");
            assert_eq!(error.kind, Kind::IsDirectory, "{}", path.display());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_typed_link_is_followed_to_where_it_leads() {
        use std::os::unix::fs::symlink;
        let outer = TempDir::new().expect("a folder");
        let real = outer.path().join("real");
        fs::create_dir(&real).expect("a folder");
        fs::write(real.join("f"), "").expect("written");
        symlink("real/f", outer.path().join("one")).expect("a link");
        symlink(outer.path().join("one"), outer.path().join("two")).expect("a link");
        symlink("real/new", outer.path().join("dangling")).expect("a link");
        symlink("real", outer.path().join("folder")).expect("a link");
        symlink("loop", outer.path().join("loop")).expect("a link");
        let exact = |name: &str| Spot::exact(&outer.path().join(name));
        assert_eq!(exact("two").expect("a place").path(), real.join("f"));
        assert_eq!(exact("dangling").expect("a place").path(), real.join("new"));
        assert_eq!(exact("folder").expect_err("refused").kind, Kind::IsDirectory);
        assert_eq!(exact("loop").expect_err("refused").kind, Kind::LinkLoop);
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_written_in_place() {
        use std::io::Write;
        let outer = TempDir::new().expect("a folder");
        let plain = outer.path().join("plain");
        fs::write(&plain, "").expect("written");
        for path in [plain.as_path(), outer.path(), Path::new("/dev/none/such")] {
            assert_eq!(special(path), None, "{}", path.display());
        }
        let null = special(Path::new("/dev/null")).expect("a device");
        null.open_for_writing().expect("opened").write_all(b"x").expect("written");
        assert!(special(Path::new("/dev/stdout")).is_some());
        assert_eq!(Spot::exact(Path::new("/dev/null")).expect_err("refused").kind, Kind::Special);
    }
}
