//! Removes what a destination has too much: files that are still as they were listed, and folders
//! that become empty by it. Like all work below a destination it follows no symlink, and must never
//! remove a folder that it did not empty, nor the destination itself.

use std::io;
use std::time::SystemTime;

use super::destination::{Absent, Destination};
use super::error::{Change, Kind, LocalError};
use super::existing::{Existing, ExistingKind};
use super::handle;
use crate::domain::relative_path::RelativePath;

/// A file as it was listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsListed {
    pub size: u64,
    pub modified: Option<SystemTime>,
}

impl Destination {
    /// Removes a file if it still is what was listed, and each folder above it that is empty then,
    /// but for those in the first `kept` bytes of its path. One that is gone already will do: then
    /// it is not said to be removed.
    pub fn prune(
        &self,
        path: &RelativePath,
        listed: AsListed,
        kept: usize,
    ) -> Result<bool, LocalError> {
        const ACTION: &str = "remove";
        let full = || self.path().join(path.to_path());
        let Some(folder) = self.folder(path.parent(), Absent::Leave)? else { return Ok(false) };
        let existing = match folder.handle().symlink_metadata(path.file_name()) {
            Ok(metadata) => Existing::of(&metadata),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(LocalError::new(ACTION, full(), cause)),
        };
        match existing.kind {
            ExistingKind::File => {}
            ExistingKind::Symlink => {
                return Err(LocalError::refused(Kind::Symlink, ACTION, full()));
            }
            ExistingKind::Folder => {
                return Err(LocalError::refused(Kind::IsDirectory, ACTION, full()));
            }
            ExistingKind::Other => return Err(LocalError::refused(Kind::Special, ACTION, full())),
        }
        if existing.size != listed.size || Some(existing.modified) != listed.modified {
            return Err(LocalError::refused(Kind::Changed(Change::Rewritten), ACTION, full()));
        }
        match folder.remove(path.file_name().as_ref()) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(LocalError::new(ACTION, full(), cause)),
        }
        drop(folder);
        self.remove_empty(path.parent(), kept);
        Ok(true)
    }

    /// Removes a folder, and those above it, as far as they are empty. What is not, or can't go,
    /// stays without a word: the file was what mattered.
    fn remove_empty(&self, folder: &str, kept: usize) {
        let mut path = folder;
        while path.len() > kept {
            let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
            let Ok(Some(parent)) = self.folder(above, Absent::Leave) else { return };
            if handle::remove_folder(parent.handle(), name).is_err() {
                return;
            }
            self.forget(path);
            path = above;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    fn tree(files: &[&str]) -> TempDir {
        let root = TempDir::new().expect("a folder");
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder above")).expect("folders");
            fs::write(path, file).expect("written");
        }
        root
    }

    fn prune(root: &Path, name: &str, kept: usize) -> Result<bool, LocalError> {
        let metadata = fs::symlink_metadata(root.join(name)).expect("it is there");
        let listed = AsListed { size: metadata.len(), modified: metadata.modified().ok() };
        let destination = Destination::open(root).expect("a folder");
        destination.prune(&RelativePath::new(name).expect("a safe name"), listed, kept)
    }

    #[test]
    fn folders_go_only_if_the_last_file_in_them_did() {
        let root = tree(&["a/b/c/f", "a/b/g", "a/x", "top"]);
        fs::create_dir_all(root.path().join("a/empty")).expect("a folder");
        assert!(prune(root.path(), "a/b/c/f", 0).expect("removed"));
        assert!(!root.path().join("a/b/c").exists() && root.path().join("a/b/g").exists());
        assert!(prune(root.path(), "a/b/g", "a/b/".len()).expect("removed"));
        assert!(root.path().join("a/b").is_dir(), "it was to be kept");
        assert!(prune(root.path(), "a/x", 0).expect("removed"));
        assert!(root.path().join("a/empty").is_dir(), "it was empty before");
        assert!(prune(root.path(), "top", 0).expect("removed"));
        assert!(root.path().is_dir());
    }

    #[test]
    fn what_is_no_longer_as_it_was_listed_stays() {
        let root = tree(&["f", "g"]);
        let destination = Destination::open(root.path()).expect("a folder");
        let path = RelativePath::new("f").expect("a safe name");
        let metadata = fs::metadata(root.path().join("f")).expect("there");
        let listed = AsListed { size: 1, modified: metadata.modified().ok() };
        for other in [
            AsListed { size: 2, ..listed },
            AsListed { modified: Some(SystemTime::UNIX_EPOCH), ..listed },
            AsListed { modified: None, ..listed },
        ] {
            let error = destination.prune(&path, other, 0).expect_err("refused");
            assert_eq!(error.kind, Kind::Changed(Change::Rewritten));
        }
        assert!(destination.prune(&path, listed, 0).expect("removed"));
        assert!(!destination.prune(&path, listed, 0).expect("gone already"));
        assert!(root.path().join("g").exists());
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed_and_none_removed() {
        use std::os::unix::fs::symlink;
        let outside = tree(&["d/f"]);
        let root = tree(&["z"]);
        symlink(outside.path().join("d"), root.path().join("d")).expect("a link");
        symlink(outside.path().join("d/f"), root.path().join("f")).expect("a link");
        for name in ["d/f", "f"] {
            let error = prune(root.path(), name, 0).expect_err("refused");
            assert_eq!(error.kind, Kind::Symlink, "{name}");
        }
        assert!(outside.path().join("d/f").exists() && root.path().join("f").is_symlink());
    }
}
