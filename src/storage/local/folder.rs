//! One open folder: where temp files are made, renamed and their names made durable. What is
//! done here stays in the folder that was opened, whatever happens to its path meanwhile.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use cap_std::fs::Dir;

use super::durability::SyncCost;
use super::error::LocalError;
use super::handle;

/// A handle of a folder, shared by all files that end in it.
#[derive(Debug)]
pub struct Folder {
    handle: Dir,
    path: PathBuf,
    cost: Arc<SyncCost>,
    syncs: Mutex<Syncs>,
    synced: Condvar,
    /// The folder above, as long as this folder's own name may not be durable.
    unsynced_parent: Mutex<Option<Arc<Folder>>>,
    /// Somebody removed it: nothing can be made in it any more.
    is_gone: AtomicBool,
}

/// Syncs of one folder, counted from 1.
#[derive(Debug, Default)]
struct Syncs {
    started: u64,
    finished: u64,
    waiting: usize,
    /// The last one that failed, and what the system said.
    failed: Option<(u64, i32)>,
}

/// Folders that are open, each by what tells it from others and by its path as it was given.
static OPEN: LazyLock<Mutex<HashMap<Named, Weak<Folder>>>> = LazyLock::new(Mutex::default);

type Named = ((u64, u64), PathBuf);

/// From so many on, those that are closed are forgotten.
const MANY: usize = 1024;

impl Folder {
    /// The same folder, where it is open already under this path: so that files which know nothing
    /// of each other, and end in one folder, share its syncs. It stays the folder that was opened:
    /// another one that has its path by now is another one here.
    pub(super) fn shared(handle: Dir, path: &Path) -> Arc<Self> {
        let Ok(identity) = handle::identity(&handle) else {
            return Arc::new(Self::new(handle, path.to_owned(), Arc::default()));
        };
        let named = (identity, path.to_owned());
        let mut open = lock(&OPEN);
        if let Some(folder) = open.get(&named).and_then(Weak::upgrade) {
            return folder;
        }
        if open.len() >= MANY {
            open.retain(|_, folder| folder.strong_count() > 0);
        }
        let folder = Arc::new(Self::new(handle, path.to_owned(), Arc::default()));
        open.insert(named, Arc::downgrade(&folder));
        folder
    }

    pub(super) fn new(handle: Dir, path: PathBuf, cost: Arc<SyncCost>) -> Self {
        Self {
            handle,
            path,
            cost,
            syncs: Mutex::default(),
            synced: Condvar::new(),
            unsynced_parent: Mutex::default(),
            is_gone: AtomicBool::new(false),
        }
    }

    /// This folder was just made in `parent`: what is published in it is durable only when its
    /// own name is.
    #[must_use]
    pub(super) fn made_in(mut self, parent: Arc<Folder>) -> Self {
        self.unsynced_parent = Mutex::new(Some(parent));
        self
    }

    pub(super) fn handle(&self) -> &Dir {
        &self.handle
    }

    /// For people: all work goes through the handle.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Relaxed)
    }

    pub fn sync_cost(&self) -> &Arc<SyncCost> {
        &self.cost
    }

    pub(super) fn create_new(&self, name: &OsStr) -> io::Result<File> {
        let created = handle::create_new(&self.handle, name);
        if created.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            self.is_gone.store(true, Relaxed);
        }
        created
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        self.handle.remove_file(name)
    }

    /// Makes all names in this folder durable that it has at the time of the call, and its own.
    /// Callers that come while a sync runs share the next one.
    pub fn sync(&self) -> Result<(), LocalError> {
        self.sync_names().map_err(|cause| LocalError::new("sync", &self.path, cause))?;
        self.sync_own_name()
    }

    /// Makes the name of this folder durable, and those above it, where that is not done yet.
    pub(super) fn sync_own_name(&self) -> Result<(), LocalError> {
        // Held while the parent is synced: others publish here, and need that name as much.
        let mut parent = lock(&self.unsynced_parent);
        if let Some(above) = parent.as_ref() {
            above.sync()?;
            *parent = None;
        }
        Ok(())
    }

    /// How many folders in a row, from this one up, have a name that may not be durable.
    pub(super) fn new_levels(&self) -> usize {
        lock(&self.unsynced_parent).as_ref().map_or(0, |above| 1 + above.new_levels())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut syncs = lock(&self.syncs);
        // One that runs already may have missed the caller's name.
        let needed = syncs.started + 1;
        while syncs.finished < needed {
            if syncs.started > syncs.finished {
                syncs.waiting += 1;
                syncs = self.synced.wait(syncs).unwrap_or_else(PoisonError::into_inner);
                syncs.waiting -= 1;
                continue;
            }
            syncs.started += 1;
            drop(syncs);
            let result = handle::sync(&self.handle);
            syncs = lock(&self.syncs);
            syncs.finished = syncs.started;
            if let Err(error) = result {
                syncs.failed = Some((syncs.finished, error.raw_os_error().unwrap_or_default()));
            }
            // A call into the system that would wake nobody, for each file of a quiet folder.
            if syncs.waiting > 0 {
                self.synced.notify_all();
            }
        }
        match syncs.failed {
            // A later sync that succeeds says nothing about what an earlier one lost.
            Some((failed, code)) if failed >= needed => Err(io::Error::from_raw_os_error(code)),
            _ => Ok(()),
        }
    }
}

/// Nothing here leaves a value half changed, so that a panic elsewhere does no harm to it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::destination::open_or_make;
    use super::*;

    #[test]
    fn a_folder_is_shared_as_long_as_it_is_the_one_of_its_path() {
        let sandbox = tempfile::tempdir().expect("a folder");
        let path = sandbox.path().join("f");
        let open = || Folder::shared(open_or_make(&path).expect("it opens"), &path);
        let first = open();
        assert!(Arc::ptr_eq(&first, &open()));
        std::fs::rename(&path, sandbox.path().join("elsewhere")).expect("it moves");
        let second = open();
        assert!(!Arc::ptr_eq(&first, &second), "another folder has the path by now");
        assert!(Arc::ptr_eq(&second, &open()));
    }
}
