//! Opens a file below a folder with no symlink on the way: for trees whose owner may not be ours,
//! and who may put a link where a folder was a moment ago. It must never look at a path as a whole
//! where links would be followed.

use std::fs::File;
use std::io;
use std::path::{Component, Path};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions};

use super::handle;

/// Opens `relative`, which is below `root`, for reading. `root` is what the user typed, and may be
/// a link itself; what is below it may not. Never waits for the other end of a pipe.
pub(super) fn open(root: &Path, relative: &Path) -> io::Result<File> {
    let root = handle::open_trusted(root)?;
    match open_at_once(&root, relative) {
        Err(error) if is_missing(&error) => open_by_steps(root, relative),
        opened => opened,
    }
}

/// With one call, where the kernel has it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn open_at_once(root: &Dir, relative: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let confined = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(File::from(openat2(root, relative, flags, Mode::empty(), confined)?))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn open_at_once(_root: &Dir, _relative: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the call itself is what the system does not have: kernels before 5.6, and sandboxes that
/// know no newer calls.
fn is_missing(error: &io::Error) -> bool {
    handle::is_unsupported(error) || error.raw_os_error() == Some(EPERM)
}

const EPERM: i32 = 1;

/// One name after another, each in the folder that was opened before it.
fn open_by_steps(root: Dir, relative: &Path) -> io::Result<File> {
    let mut folder = root;
    let mut names = relative.components().peekable();
    while let Some(name) = names.next() {
        let Component::Normal(name) = name else { break };
        if names.peek().is_some() {
            folder = folder.open_dir_nofollow(name)?;
        } else {
            return Ok(folder.open_with(name, &options())?.into_std());
        }
    }
    Err(io::ErrorKind::InvalidInput.into())
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        cap_std::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    options
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    type Way = fn(&Path, &Path) -> io::Result<File>;

    /// What the kernel does, and what is done where it can't.
    const WAYS: [Way; 2] =
        [open, |root, relative| open_by_steps(handle::open_trusted(root)?, relative)];

    #[test]
    fn a_file_below_is_opened_and_a_link_on_the_way_is_not_followed() {
        let outer = TempDir::new().expect("a folder");
        fs::create_dir_all(outer.path().join("in/d/e")).expect("folders");
        fs::write(outer.path().join("in/d/e/f"), "inside").expect("written");
        fs::create_dir_all(outer.path().join("out/e")).expect("folders");
        fs::write(outer.path().join("out/e/f"), "outside").expect("written");
        symlink("in", outer.path().join("typed")).expect("a link");
        symlink("../out", outer.path().join("in/away")).expect("a link");
        symlink("d", outer.path().join("in/within")).expect("a link");
        symlink("f", outer.path().join("in/d/e/last")).expect("a link");
        for way in WAYS {
            for root in ["in", "typed"] {
                let root = outer.path().join(root);
                let mut text = String::new();
                let mut file = way(&root, Path::new("d/e/f")).expect("opened");
                file.read_to_string(&mut text).expect("read");
                assert_eq!(text, "inside");
                for refused in ["away/e/f", "within/e/f", "d/e/last", "../out/e/f", "/etc/passwd"] {
                    way(&root, Path::new(refused)).expect_err(refused);
                }
            }
        }
    }
}
