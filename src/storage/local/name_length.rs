//! Whether files can have their names: whether these are short enough for the file system that is to
//! hold them, which is asked, since each has its own limit, and mean nothing else. Makes nothing.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::error::{Kind, LocalError};
use super::reserved::refuse_reserved;
use crate::domain::relative_path::RelativePath;

/// In bytes. Every file system takes these, and needs not be asked.
const SURELY_FIT: usize = 100;

/// Refuses a path below `folder`, which need not be there yet, with a name in it that is too long,
/// or that of a file that is none.
pub fn check_names(folder: &Path, path: &RelativePath) -> Result<(), LocalError> {
    let full = || folder.join(path.to_path());
    refuse_reserved(path.file_name().as_ref(), &full())?;
    path.as_str().split('/').try_for_each(|name| check(name.as_ref(), folder, full))
}

/// The same for a path that the user typed.
pub fn check_name(path: &Path) -> Result<(), LocalError> {
    let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else { return Ok(()) };
    check(name, folder, || path.to_owned())
}

fn check(
    name: &OsStr,
    folder: &Path,
    full: impl FnOnce() -> std::path::PathBuf,
) -> Result<(), LocalError> {
    if name.len() <= SURELY_FIT {
        return Ok(());
    }
    // Folders that are missing will be made on the same file system.
    let folder = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new(""));
    match fs::symlink_metadata(folder.join(name)) {
        Err(cause) if Kind::of(&cause) == Kind::NameTooLong => {
            Err(LocalError::new("write", full(), cause))
        }
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_name_that_is_too_long_is_told_before_its_folder_is_made() {
        let outer = TempDir::new().expect("a folder");
        let (fits, long) = ("n".repeat(200), "n".repeat(300));
        for (name, is_good) in [
            (fits.clone(), true),
            (long.clone(), false),
            (format!("{long}/f"), false),
            (format!("{fits}/{fits}/{fits}"), true),
        ] {
            let path = RelativePath::new(&name).expect("a safe name");
            for folder in ["", "new", "new/er"] {
                let checked = check_names(&outer.path().join(folder), &path);
                assert_eq!(checked.is_ok(), is_good, "{folder}/{name}");
            }
        }
        let error = check_name(&outer.path().join("new").join(long)).expect_err("too long");
        assert_eq!(error.kind, Kind::NameTooLong);
        check_name(&outer.path().join(fits)).expect("short enough");
    }
}
