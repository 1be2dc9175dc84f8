//! System calls relative to one directory handle, each with a single name that has no separator.
//! Never follows a symlink, but for the path that the user typed. What a system lacks is a
//! no-op or a detour here and nowhere else.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Component, Path};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions};

/// Opens a directory that the user typed: links are followed.
#[cfg(unix)]
pub(super) fn open_trusted(path: &Path) -> io::Result<Dir> {
    use rustix::fs::{Mode, OFlags};
    // Not cap-std's own: that one opens with O_PATH, and such a handle can't be synced.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(handle) => Ok(Dir::from_std_file(File::from(handle))),
        // It can't be listed, which is not needed; then it can't be synced either.
        Err(rustix::io::Errno::ACCESS) => Dir::open_ambient_dir(path, cap_std::ambient_authority()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
pub(super) fn open_trusted(path: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(path, cap_std::ambient_authority())
}

/// Opens a folder in a folder, and never anything else: a symlink is not followed, and what is no
/// single name is refused, whoever let it come so far.
#[cfg(unix)]
pub(super) fn open_child(parent: &Dir, name: &str) -> io::Result<Dir> {
    require_single_name(name)?;
    match open_beneath(parent, name) {
        Ok(handle) => Ok(Dir::from_std_file(File::from(handle))),
        Err(rustix::io::Errno::ACCESS) => parent.open_dir_nofollow(name),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
pub(super) fn open_child(parent: &Dir, name: &str) -> io::Result<Dir> {
    require_single_name(name)?;
    parent.open_dir_nofollow(name)
}

/// Removes a folder that is empty.
pub(super) fn remove_folder(parent: &Dir, name: &str) -> io::Result<()> {
    require_single_name(name)?;
    parent.remove_dir(name)
}

fn require_single_name(name: &str) -> io::Result<()> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(single)), None) if single == name => Ok(()),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// The kernel is told to stay below `parent`, too, where it can be told.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn open_beneath(parent: &Dir, name: &str) -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::{Mode, ResolveFlags};
    use rustix::io::Errno;
    let confined = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(parent, name, folder_flags(), Mode::empty(), confined) {
        // Kernels before 5.6, and sandboxes that know no newer calls. One name needs no more.
        Err(Errno::NOSYS | Errno::PERM) => {
            rustix::fs::openat(parent, name, folder_flags(), Mode::empty())
        }
        opened => opened,
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn open_beneath(parent: &Dir, name: &str) -> rustix::io::Result<std::os::fd::OwnedFd> {
    rustix::fs::openat(parent, name, folder_flags(), rustix::fs::Mode::empty())
}

#[cfg(unix)]
fn folder_flags() -> rustix::fs::OFlags {
    use rustix::fs::OFlags;
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// Makes a file that was not there: a file, link or pipe of that name is `AlreadyExists`.
pub(super) fn create_new(folder: &Dir, name: &OsStr) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).follow(FollowSymlinks::No);
    Ok(folder.open_with(name, &options)?.into_std())
}

/// What has a name that only we give.
pub(super) enum Found {
    Own(File),
    /// A link, a pipe, another user's file, or one with a second name: somebody planted it.
    NotOwn,
}

/// Opens a file of an earlier run for reading and writing.
pub(super) fn open_own(folder: &Dir, name: &OsStr) -> io::Result<Found> {
    open_if_own(folder, name, OpenOptions::new().read(true).write(true))
}

/// Makes a file that was not there, for nobody else to read. It may be `NotOwn` all the same: some
/// file systems give every file to one user.
pub(super) fn create_own(folder: &Dir, name: &OsStr) -> io::Result<Found> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    private(&mut options);
    open_if_own(folder, name, &mut options)
}

/// As `open_own`; makes it, for nobody else to read, where it is missing.
pub(super) fn open_or_create_own(folder: &Dir, name: &OsStr) -> io::Result<Found> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    private(&mut options);
    open_if_own(folder, name, &mut options)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    cap_std::fs::OpenOptionsExt::mode(options, 0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut OpenOptions) {}

fn open_if_own(folder: &Dir, name: &OsStr, options: &mut OpenOptions) -> io::Result<Found> {
    match folder.open_with(name, options.follow(FollowSymlinks::No)) {
        Ok(file) => {
            let file = file.into_std();
            Ok(if is_own(&file)? { Found::Own(file) } else { Found::NotOwn })
        }
        Err(_) if folder.symlink_metadata(name).is_ok_and(|found| found.is_symlink()) => {
            Ok(Found::NotOwn)
        }
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn is_own(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
    Ok(metadata.is_file() && metadata.nlink() <= 1 && is_ours)
}

#[cfg(not(unix))]
fn is_own(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.is_file())
}

/// Whether a folder belongs to this user.
#[cfg(unix)]
pub(super) fn is_own_folder(folder: &Dir) -> io::Result<bool> {
    use cap_std::fs::MetadataExt;
    Ok(folder.dir_metadata()?.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where it can fail")]
pub(super) fn is_own_folder(_folder: &Dir) -> io::Result<bool> {
    Ok(true)
}

/// What tells a folder that is open from all others that are.
#[cfg(unix)]
pub(super) fn identity(folder: &Dir) -> io::Result<(u64, u64)> {
    use cap_std::fs::MetadataExt as _;
    let found = folder.dir_metadata()?;
    Ok((found.dev(), found.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(_: &Dir) -> io::Result<(u64, u64)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether an open file is the one that has the name.
pub(super) fn has_name(folder: &Dir, name: &OsStr, file: &File) -> io::Result<bool> {
    is_named(folder, name, &file.metadata()?)
}

/// The same of a file of which this is known.
#[cfg(unix)]
pub(super) fn is_named(folder: &Dir, name: &OsStr, open: &Metadata) -> io::Result<bool> {
    use cap_std::fs::MetadataExt as _;
    use std::os::unix::fs::MetadataExt as _;
    match folder.symlink_metadata(name) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
pub(super) fn is_named(folder: &Dir, name: &OsStr, _open: &Metadata) -> io::Result<bool> {
    Ok(folder.symlink_metadata(name).is_ok())
}

/// Gives a file its name. A file or symlink that has it is replaced, never written through.
pub(super) fn rename(folder: &Dir, from: &OsStr, to: &OsStr) -> io::Result<()> {
    match folder.rename(from, folder, to) {
        // Not every system says of itself that a directory is in the way.
        Err(_) if is_directory(folder, to) => Err(io::ErrorKind::IsADirectory.into()),
        renamed => renamed,
    }
}

/// Gives a file its name only if nothing has it: `AlreadyExists` otherwise.
pub(super) fn rename_new(folder: &Dir, from: &OsStr, to: &OsStr) -> io::Result<()> {
    match rename_without_replacing(folder, from, to) {
        Err(error) if is_unsupported(&error) => {}
        renamed => return renamed,
    }
    link_new(folder, from, to)
}

/// As `rename_new`, where no one call does it.
fn link_new(folder: &Dir, from: &OsStr, to: &OsStr) -> io::Result<()> {
    match folder.hard_link(from, folder, to) {
        Ok(()) => folder.remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // No links here (FAT, some FUSE): between the look and the rename another may come, which
        // no call of such a file system can prevent.
        Err(_) => match folder.symlink_metadata(to) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => rename(folder, from, to),
        },
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_without_replacing(folder: &Dir, from: &OsStr, to: &OsStr) -> io::Result<()> {
    use rustix::fs::{RenameFlags, renameat_with};
    Ok(renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_without_replacing(_folder: &Dir, _from: &OsStr, _to: &OsStr) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the folder's entries durable. Systems and file systems that can't are not an error.
#[cfg(unix)]
pub(super) fn sync(folder: &Dir) -> io::Result<()> {
    match rustix::fs::fsync(folder).map_err(io::Error::from) {
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as where it can fail")]
pub(super) fn sync(_folder: &Dir) -> io::Result<()> {
    Ok(())
}

/// Whether a call failed since the file system does not have it.
pub(super) fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported || is_unsupported_code(error)
}

#[cfg(unix)]
fn is_unsupported_code(error: &io::Error) -> bool {
    use rustix::io::Errno;
    // EBADF is what a handle without the right to list says to fsync.
    Errno::from_io_error(error).is_some_and(|code| {
        [Errno::INVAL, Errno::NOTSUP, Errno::OPNOTSUPP, Errno::NOSYS, Errno::BADF].contains(&code)
    })
}

#[cfg(not(unix))]
fn is_unsupported_code(_error: &io::Error) -> bool {
    false
}

fn is_directory(folder: &Dir, name: &OsStr) -> bool {
    folder.symlink_metadata(name).is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn without_a_call_of_its_own_a_name_is_still_not_taken_twice() {
        let outer = TempDir::new().expect("a folder");
        let folder = open_trusted(outer.path()).expect("opened");
        let (from, to) = (OsStr::new("from"), OsStr::new("to"));
        for round in [1, 2] {
            fs::write(outer.path().join("from"), round.to_string()).expect("written");
            let linked = link_new(&folder, from, to);
            assert_eq!(linked.is_ok(), round == 1, "{linked:?}");
        }
        assert_eq!(fs::read(outer.path().join("to")).expect("a file"), b"1");
        assert!(outer.path().join("from").exists());
    }

    #[test]
    fn only_a_single_name_is_a_child() {
        let outer = TempDir::new().expect("a folder");
        fs::create_dir_all(outer.path().join("in/d/e")).expect("folders");
        let folder = open_trusted(&outer.path().join("in")).expect("opened");
        open_child(&folder, "d").expect("a child");
        for name in ["..", ".", "", "/", "/tmp", "d/e", "d/", "./d", "d/..", "../in"] {
            let refused = open_child(&folder, name).expect_err(name);
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn a_folder_is_synced() {
        let outer = TempDir::new().expect("a folder");
        sync(&open_trusted(outer.path()).expect("opened")).expect("synced");
    }
}
