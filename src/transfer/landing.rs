//! The folder that downloads land in. Opened once, with the first download that needs it: a run
//! that finds nothing to do leaves no empty folder behind.

use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::storage::local::{Destination, LocalError};

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
