//! The folder that the user typed, and the only way to names below it: the second wall between a
//! hostile key and the rest of the disk. Each folder is opened from the handle of the one above,
//! and no symlink is followed, so that neither a planted link nor one that is swapped in leads
//! out.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use cap_std::fs::Dir;

use super::durability::SyncCost;
use super::error::{Kind, LocalError};
use super::existing::Existing;
use super::folder::{Folder, lock};
use super::reserved::refuse_reserved;
use super::spot::Spot;
use super::{handle, limits};
use crate::domain::relative_path::RelativePath;

/// A folder that files are downloaded to.
#[derive(Debug)]
pub struct Destination {
    root: Arc<Folder>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    Make,
    Leave,
}

impl Destination {
    /// Opens `path`, which the user typed: links are followed, and what is missing is made.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let handle = open_or_make(path)?;
        let root = Folder::shared(handle, path);
        let cache = Cache::new(limits::open_files());
        Ok(Self { root, cache: Mutex::new(cache) })
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn sync_cost(&self) -> &Arc<SyncCost> {
        self.root.sync_cost()
    }

    /// The place of `path`, its folders made where they are missing.
    pub fn resolve(&self, path: &RelativePath) -> Result<Spot, LocalError> {
        let name = path.file_name();
        refuse_reserved(name.as_ref(), &self.path().join(path.to_path()))?;
        let folder = self.folder(path.parent(), Absent::Make)?.unwrap_or_else(|| self.root.clone());
        let refused = |kind| Err(LocalError::refused(kind, "write", folder.path().join(name)));
        match folder.handle().symlink_metadata(name) {
            // It would be replaced, not written through; but nobody who put it there expects that.
            Ok(found) if found.is_symlink() => refused(Kind::Symlink),
            // The rename would say so too: after all bytes came for nothing.
            Ok(found) if found.is_dir() => refused(Kind::IsDirectory),
            Err(cause) if Kind::of(&cause) == Kind::NameTooLong => {
                Err(LocalError::new("write", folder.path().join(name), cause))
            }
            _ => Ok(Spot::new(folder, name.into())),
        }
    }

    /// Makes a folder, durable, with those above it. One that is there already will do.
    pub fn make_folder(&self, path: &RelativePath) -> Result<(), LocalError> {
        match self.folder(path.as_str(), Absent::Make)? {
            Some(folder) => folder.sync(),
            None => Ok(()),
        }
    }

    /// What has the name `path` now. Makes nothing; a symlink is not looked through.
    pub fn existing(&self, path: &RelativePath) -> Result<Option<Existing>, LocalError> {
        let Some(folder) = self.folder(path.parent(), Absent::Leave)? else { return Ok(None) };
        match folder.handle().symlink_metadata(path.file_name()) {
            Ok(metadata) => Ok(Some(Existing::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LocalError::new("look at", self.path().join(path.to_path()), error)),
        }
    }

    /// Removes a file, or the symlink itself that has its name. Nothing there is no error.
    pub fn remove(&self, path: &RelativePath) -> Result<(), LocalError> {
        let Some(folder) = self.folder(path.parent(), Absent::Leave)? else { return Ok(()) };
        match folder.remove(path.file_name().as_ref()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LocalError::new("remove", self.path().join(path.to_path()), error))
            }
            _ => Ok(()),
        }
    }

    /// No longer keeps a folder open: it was removed.
    pub(super) fn forget(&self, path: &str) {
        lock(&self.cache).folders.remove(path);
    }

    /// The folder `path`, which is empty for the root. `None` if it is absent, and left so.
    pub(super) fn folder(
        &self,
        path: &str,
        absent: Absent,
    ) -> Result<Option<Arc<Folder>>, LocalError> {
        let (mut folder, mut done) = self.nearest_open(path);
        while done < path.len() {
            let start = if done == 0 { 0 } else { done + 1 };
            let end = path[start..].find('/').map_or(path.len(), |length| start + length);
            match self.child(&folder, &path[start..end], absent)? {
                Some(child) => folder = Arc::new(child),
                None => return Ok(None),
            }
            done = end;
            let evicted = lock(&self.cache).insert(&path[..done], folder.clone());
            // Nobody may come back to make the name of an evicted folder durable.
            if let Some(evicted) = evicted {
                evicted.sync_own_name()?;
            }
        }
        Ok(Some(folder))
    }

    /// The deepest folder on the way to `path` that is open already, and the length of its path.
    fn nearest_open(&self, path: &str) -> (Arc<Folder>, usize) {
        let mut cache = lock(&self.cache);
        let mut length = path.len();
        while length > 0 {
            if let Some(folder) = cache.get(&path[..length]) {
                return (folder, length);
            }
            length = path[..length].rfind('/').unwrap_or(0);
        }
        (self.root.clone(), 0)
    }

    fn child(
        &self,
        parent: &Arc<Folder>,
        name: &str,
        absent: Absent,
    ) -> Result<Option<Folder>, LocalError> {
        let path = parent.path().join(name);
        let opened = |handle, path| Folder::new(handle, path, self.sync_cost().clone());
        match handle::open_child(parent.handle(), name) {
            Ok(handle) => return Ok(Some(opened(handle, path))),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(why_not_a_folder(parent, name, error));
            }
            Err(_) if absent == Absent::Leave => return Ok(None),
            Err(_) => {}
        }
        refuse_reserved(name.as_ref(), &path)?;
        // Each new folder keeps those above it open until its name is durable.
        if parent.new_levels() >= MOST_NEW_LEVELS {
            parent.sync_own_name()?;
        }
        match parent.handle().create_dir(name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(LocalError::new("create the directory", path, error));
            }
            // Made by us or, a moment ago, by another: in both cases its name may not be durable.
            _ => {}
        }
        let handle = handle::open_child(parent.handle(), name)
            .map_err(|error| why_not_a_folder(parent, name, error))?;
        Ok(Some(opened(handle, path).made_in(parent.clone())))
    }
}

const MOST_NEW_LEVELS: usize = 8;

/// Folders that are open since files end in them. As many file descriptors, at most.
#[derive(Debug)]
struct Cache {
    folders: HashMap<Box<str>, Cached>,
    capacity: usize,
    clock: u64,
}

#[derive(Debug)]
struct Cached {
    folder: Arc<Folder>,
    used: u64,
}

impl Cache {
    const MOST: usize = 64;

    /// Most of what may be open is for files and connections.
    fn new(open_files: Option<u64>) -> Self {
        let share = open_files.and_then(|limit| usize::try_from(limit / 16).ok());
        let capacity = share.unwrap_or(Self::MOST).clamp(2, Self::MOST);
        Self { folders: HashMap::with_capacity(capacity), capacity, clock: 0 }
    }

    fn get(&mut self, path: &str) -> Option<Arc<Folder>> {
        let cached = self.folders.get_mut(path)?;
        if cached.folder.is_gone() {
            self.folders.remove(path);
            return None;
        }
        self.clock += 1;
        cached.used = self.clock;
        Some(cached.folder.clone())
    }

    /// Keeps `folder`, and gives back the one that had to make room.
    fn insert(&mut self, path: &str, folder: Arc<Folder>) -> Option<Arc<Folder>> {
        let mut evicted = None;
        if self.folders.len() >= self.capacity && !self.folders.contains_key(path) {
            let oldest = self.folders.iter().min_by_key(|(_, cached)| cached.used);
            if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                evicted = self.folders.remove(&oldest).map(|cached| cached.folder);
            }
        }
        self.clock += 1;
        let before = self.folders.insert(path.into(), Cached { folder, used: self.clock });
        evicted.or(before.map(|cached| cached.folder))
    }
}

/// A symlink or a file in the way says the same to the system; people need to know which.
fn why_not_a_folder(parent: &Folder, name: &str, error: io::Error) -> LocalError {
    let path = parent.path().join(name);
    let action = "open the directory";
    match parent.handle().symlink_metadata(name) {
        Ok(found) if found.is_symlink() => LocalError::refused(Kind::Symlink, action, path),
        Ok(found) if !found.is_dir() => LocalError::refused(Kind::NotADirectory, action, path),
        _ => LocalError::new(action, path, error),
    }
}

/// Opens a folder that the user typed, made with its parents where they are missing, and durable.
pub(super) fn open_or_make(path: &Path) -> Result<Dir, LocalError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match handle::open_trusted(path) {
        Ok(handle) => return Ok(handle),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(LocalError::new("open the directory", path, error)),
    }
    let missing: Vec<&Path> = path.ancestors().take_while(|above| is_missing(above)).collect();
    let refused = |cause| LocalError::new("create the directory", path, cause);
    fs::create_dir_all(path).map_err(refused)?;
    for made in missing {
        let above = made.parent().filter(|above| !above.as_os_str().is_empty());
        let above = handle::open_trusted(above.unwrap_or(Path::new("."))).map_err(refused)?;
        handle::sync(&above).map_err(refused)?;
    }
    handle::open_trusted(path).map_err(|cause| LocalError::new("open the directory", path, cause))
}

fn is_missing(path: &Path) -> bool {
    !path.as_os_str().is_empty() && fs::metadata(path).is_err()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use crate::storage::local::ExistingKind;
    use crate::storage::local::staged_file::{IfExists, Publish, StagedFile, SyncMode};

    fn path(name: &str) -> RelativePath {
        RelativePath::new(name).expect("a safe name")
    }

    /// Makes an empty file, as the engine does.
    fn put(destination: &Destination, path: &RelativePath) -> Result<PathBuf, LocalError> {
        let publish = Publish {
            length: 0,
            modified: None,
            sync: SyncMode::Lazy,
            if_exists: IfExists::Replace,
        };
        Ok(StagedFile::create(destination.resolve(path)?)?.publish(publish)?.path)
    }

    #[test]
    fn missing_folders_are_made_above_and_below() {
        let outer = TempDir::new().expect("a folder");
        let root = outer.path().join("new/er");
        let destination = Destination::open(&root).expect("made");
        for name in ["a", "x/y/a", "x/y/b", "x/z/a"] {
            assert_eq!(put(&destination, &path(name)).expect("made"), root.join(name));
            assert!(root.join(name).is_file());
        }
        let deep = "d/".repeat(100) + "f";
        put(&destination, &path(&deep)).expect("made");
        assert!(root.join(deep).is_file());
    }

    #[test]
    fn more_folders_than_are_kept_open_all_work() {
        let outer = TempDir::new().expect("a folder");
        let destination = Destination::open(outer.path()).expect("a folder");
        let capacity = lock(&destination.cache).capacity;
        for round in 0..2 {
            for number in 0..capacity * 2 {
                put(&destination, &path(&format!("{number}/{round}"))).expect("made");
            }
        }
        assert_eq!(lock(&destination.cache).folders.len(), capacity);
        for (open_files, capacity) in [(Some(64), 4), (Some(1), 2), (Some(1 << 20), 64), (None, 64)]
        {
            assert_eq!(Cache::new(open_files).capacity, capacity);
        }
    }

    #[test]
    fn a_file_above_a_name_is_an_error_of_its_own() {
        let outer = TempDir::new().expect("a folder");
        let destination = Destination::open(outer.path()).expect("a folder");
        put(&destination, &path("x")).expect("made");
        let error = destination.resolve(&path("x/y")).expect_err("refused");
        assert_eq!(error.kind, Kind::NotADirectory);
        assert_eq!(error.path, outer.path().join("x"));
        let error = Destination::open(&outer.path().join("x")).expect_err("refused");
        assert_eq!(error.kind, Kind::NotADirectory);
        let error = Destination::open(&outer.path().join("x/y")).expect_err("refused");
        assert_eq!(error.kind, Kind::NotADirectory);
    }

    // Elsewhere a folder can't be removed while it is open.
    #[cfg(unix)]
    #[test]
    fn a_folder_that_was_removed_meanwhile_fails_one_file_only() {
        let outer = TempDir::new().expect("a folder");
        let destination = Destination::open(outer.path()).expect("a folder");
        put(&destination, &path("d/a")).expect("made");
        fs::remove_dir_all(outer.path().join("d")).expect("removed");
        let error = put(&destination, &path("d/b")).expect_err("gone");
        assert_eq!(error.kind, Kind::Missing);
        put(&destination, &path("d/c")).expect("made again");
    }

    #[test]
    fn what_exists_is_told_and_nothing_is_made() {
        let outer = TempDir::new().expect("a folder");
        let destination = Destination::open(outer.path()).expect("a folder");
        fs::create_dir(outer.path().join("d")).expect("a folder");
        fs::write(outer.path().join("d/f"), "abc").expect("written");
        let kind = |name| {
            let existing = destination.existing(&path(name)).expect("looked");
            existing.map(|existing| (existing.kind, existing.size))
        };
        assert_eq!(kind("d/f"), Some((ExistingKind::File, 3)));
        assert_eq!(kind("d").map(|(kind, _)| kind), Some(ExistingKind::Folder));
        assert_eq!(kind("d/g"), None);
        assert_eq!(kind("e/g/h"), None);
        assert!(!outer.path().join("e").exists());
        assert!(destination.existing(&path("d/f/x")).is_err());
    }

    #[test]
    fn a_folder_is_made_once_or_twice() {
        let outer = TempDir::new().expect("a folder");
        let destination = Destination::open(outer.path()).expect("a folder");
        for _ in 0..2 {
            destination.make_folder(&path("a/b")).expect("made");
        }
        assert!(outer.path().join("a/b").is_dir());
        put(&destination, &path("f")).expect("made");
        let error = destination.make_folder(&path("f")).expect_err("refused");
        assert_eq!(error.kind, Kind::NotADirectory);
    }

    #[test]
    fn a_file_is_removed_and_a_folder_is_not() {
        let outer = TempDir::new().expect("a folder");
        let destination = Destination::open(outer.path()).expect("a folder");
        put(&destination, &path("d/f")).expect("made");
        for name in ["d/f", "d/f", "e/f"] {
            destination.remove(&path(name)).expect("nothing is there");
        }
        destination.remove(&path("d")).expect_err("refused");
        assert_eq!(fs::read_dir(outer.path().join("d")).expect("a folder").count(), 0);
    }

    #[cfg(unix)]
    mod links {
        use std::os::unix::fs::symlink;

        use proptest::prelude::*;

        use super::*;

        #[test]
        fn a_link_below_is_refused_by_name_and_nothing_is_made_behind_it() {
            let outer = TempDir::new().expect("a folder");
            fs::create_dir_all(outer.path().join("outside/d")).expect("folders");
            let root = outer.path().join("in");
            let destination = Destination::open(&root).expect("made");
            symlink(outer.path().join("outside"), root.join("link")).expect("a link");
            symlink("nowhere", root.join("dangling")).expect("a link");
            for (name, link) in [
                ("link/f", "link"),
                ("link/d/f", "link"),
                ("link/new/f", "link"),
                ("dangling/f", "dangling"),
            ] {
                let error = destination.resolve(&path(name)).expect_err("refused");
                assert_eq!((error.kind, error.path), (Kind::Symlink, root.join(link)));
                assert!(destination.existing(&path(name)).is_err());
            }
            let entries = fs::read_dir(outer.path().join("outside")).expect("a folder").count();
            assert_eq!(entries, 1);
            assert!(!root.join("nowhere").exists());
            let existing = destination.existing(&path("link")).expect("looked").expect("a link");
            assert_eq!(existing.kind, ExistingKind::Symlink);
        }

        #[test]
        fn a_link_that_the_user_typed_is_followed() {
            let outer = TempDir::new().expect("a folder");
            fs::create_dir(outer.path().join("real")).expect("a folder");
            symlink("real", outer.path().join("link")).expect("a link");
            for (root, name) in [("link", "a"), ("link/sub", "b")] {
                let destination = Destination::open(&outer.path().join(root)).expect("opened");
                put(&destination, &path(name)).expect("made");
            }
            assert!(outer.path().join("real/a").is_file());
            assert!(outer.path().join("real/sub/b").is_file());
        }

        #[test]
        fn a_folder_swapped_for_a_link_leads_nowhere_else() {
            let outer = TempDir::new().expect("a folder");
            let outside = outer.path().join("outside");
            fs::create_dir(&outside).expect("a folder");
            let root = outer.path().join("in");
            let destination = Destination::open(&root).expect("made");
            let spot = destination.resolve(&path("d/f")).expect("a place");
            fs::rename(root.join("d"), root.join("was")).expect("renamed");
            symlink(&outside, root.join("d")).expect("a link");
            drop(StagedFile::create(spot).expect("made in the folder that was opened"));
            put(&destination, &path("d/g")).expect("made in the folder that was opened");
            assert!(root.join("was/g").is_file());
            assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
        }

        proptest! {
            #[test]
            fn no_name_leads_out(names in prop::collection::vec(
                "([./\\\\a]{1,6}|up|out|/|\\.\\.|\\PC){1,5}(/f)?", 1..6,
            )) {
                let outer = TempDir::new().expect("a folder");
                fs::create_dir(outer.path().join("outside")).expect("a folder");
                let root = outer.path().join("in");
                let destination = Destination::open(&root).expect("made");
                symlink("..", root.join("up")).expect("a link");
                symlink("../outside", root.join("out")).expect("a link");
                for name in &names {
                    if let Ok(path) = RelativePath::new(name) {
                        // Some are refused; what counts is what is there afterwards.
                        put(&destination, &path).ok();
                        destination.make_folder(&path).ok();
                    }
                }
                let inside = fs::read_dir(outer.path().join("outside")).expect("a folder").count();
                let beside = fs::read_dir(outer.path()).expect("a folder").count();
                prop_assert_eq!((inside, beside), (0, 2), "{:?}", names);
            }
        }
    }
}
