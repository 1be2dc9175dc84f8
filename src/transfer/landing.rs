//! The folder that downloads land in. Opened once, with the first download that needs it: a run
//! that finds nothing to do leaves no empty folder behind.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::domain::relative_path::RelativePath;
use crate::storage::local::{Destination, Existing, LocalError, check_names};

#[derive(Debug)]
pub struct Landing {
    path: PathBuf,
    opened: OnceLock<Destination>,
    opening: Mutex<()>,
}

impl Landing {
    pub fn new(path: PathBuf) -> Self {
        Self { path, opened: OnceLock::new(), opening: Mutex::new(()) }
    }

    /// As it was typed.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What has the name `path` below it now. Makes nothing.
    pub(super) fn existing(&self, path: &RelativePath) -> Result<Option<Existing>, LocalError> {
        match self.opened.get() {
            Some(folder) => folder.existing(path),
            None if self.path.as_os_str().is_empty() || self.path.is_dir() => {
                self.folder()?.existing(path)
            }
            None => Ok(None),
        }
    }

    /// Whether the file system takes names as long as these. Makes nothing.
    pub(super) fn check_names(&self, path: &RelativePath) -> Result<(), LocalError> {
        check_names(&self.path, path)
    }

    /// The folder, made where it is missing.
    pub(super) fn folder(&self) -> Result<&Destination, LocalError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        let _one_at_a_time = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        match self.opened.get() {
            Some(opened) => Ok(opened),
            None => Destination::open(&self.path).map(|folder| self.opened.get_or_init(|| folder)),
        }
    }
}
