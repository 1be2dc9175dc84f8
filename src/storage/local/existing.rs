//! What is at a destination before anything is written there.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::error::LocalError;

/// What has a name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Existing {
    pub kind: ExistingKind,
    pub size: u64,
    pub modified: SystemTime,
}

impl Existing {
    /// What is at a path that the user typed, links followed.
    pub fn at(path: &Path) -> Result<Option<Self>, LocalError> {
        match fs::metadata(path) {
            Ok(found) => {
                let kind = match found.file_type() {
                    kind if kind.is_file() => ExistingKind::File,
                    kind if kind.is_dir() => ExistingKind::Folder,
                    _ => ExistingKind::Other,
                };
                let modified = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                Ok(Some(Self { kind, size: found.len(), modified }))
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(LocalError::new("look at", path, cause)),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingKind {
    File,
    Folder,
    Symlink,
    Other,
}

impl Existing {
    pub(super) fn of(metadata: &cap_std::fs::Metadata) -> Self {
        let file_type = metadata.file_type();
        let kind = if file_type.is_symlink() {
            ExistingKind::Symlink
        } else if file_type.is_dir() {
            ExistingKind::Folder
        } else if file_type.is_file() {
            ExistingKind::File
        } else {
            ExistingKind::Other
        };
        let modified =
            metadata.modified().map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std);
        Self { kind, size: metadata.len(), modified }
    }
}
