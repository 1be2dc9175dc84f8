//! A folder of a test's own, files whose bytes follow from their name and size, and trees that
//! can be compared. It must never make the same bytes for two names: a mix-up would go unseen.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use walkdir::WalkDir;

/// Unfinished downloads, and what is recorded of them, are named like this, in the directory of
/// their destination.
const UNFINISHED: (&str, [&str; 2]) = (".haul-", [".part", ".map"]);
const BLOCK: usize = 64 << 10;

/// What is in a folder: each file's relative path (`/` on every system) and what is in it.
pub(crate) type Tree = BTreeMap<String, Print>;

/// Size and SHA-256 of a file: equal prints are equal bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Print {
    size: u64,
    digest: [u8; 32],
}

pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        // Below `target/`, which is on a disk: `/tmp` may be small, or memory.
        let folder =
            tempfile::Builder::new().prefix("sandbox-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self { folder: folder.expect("a temporary folder can be made") }
    }

    /// The absolute path of something in the sandbox, whether it exists or not.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, relative: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        make_parent(&path);
        fs::write(&path, bytes).expect("the sandbox is writable");
        path
    }

    /// Writes a file of `size` bytes that follow from its relative path and its size.
    pub(crate) fn fill(&self, relative: &str, size: u64) -> PathBuf {
        let path = self.path(relative);
        make_parent(&path);
        let file = File::create(&path).expect("the sandbox is writable");
        let mut file = BufWriter::new(file);
        write_content(&mut file, relative, size);
        file.flush().expect("the sandbox is writable");
        path
    }

    pub(crate) fn folder(&self, relative: impl AsRef<Path>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(&path).expect("the sandbox is writable");
        path
    }

    pub(crate) fn read(&self, relative: impl AsRef<Path>) -> Vec<u8> {
        let path = self.path(relative);
        fs::read(&path).unwrap_or_else(|error| panic!("could not read {}: {error}", path.display()))
    }

    /// What is below a folder; a folder that does not exist is empty.
    pub(crate) fn tree(&self, relative: impl AsRef<Path>) -> Tree {
        let root = self.path(relative);
        let files = entries(&root).into_iter().filter(|path| path.is_file());
        files.map(|path| (relative_name(&root, &path), print(&path))).collect()
    }

    /// Requires two folders to hold the same files with the same bytes.
    #[track_caller]
    pub(crate) fn same(&self, left: impl AsRef<Path>, right: impl AsRef<Path>) {
        let (left, right) = (self.tree(left), self.tree(right));
        assert!(!left.is_empty(), "there is nothing to compare");
        let differing: Vec<_> = left
            .keys()
            .chain(right.keys().filter(|name| !left.contains_key(*name)))
            .filter(|name| left.get(*name) != right.get(*name))
            .map(|name| format!("{name}: {:?} ≠ {:?}", left.get(name), right.get(name)))
            .collect();
        assert!(
            differing.is_empty(),
            "{} files differ, the first:\n{}",
            differing.len(),
            differing[..differing.len().min(5)].join("\n")
        );
    }

    /// Requires that no unfinished download is left anywhere below a folder.
    #[track_caller]
    pub(crate) fn no_leftovers(&self, relative: impl AsRef<Path>) {
        let paths = self.leftovers(relative);
        assert!(paths.is_empty(), "unfinished files are left: {paths:?}");
    }

    /// Unfinished downloads anywhere below a folder.
    pub(crate) fn leftovers(&self, relative: impl AsRef<Path>) -> Vec<PathBuf> {
        let (start, ends) = UNFINISHED;
        let unfinished = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(start) && ends.iter().any(|end| name.ends_with(end))
        };
        let mut paths = entries(&self.path(relative));
        paths.retain(unfinished);
        paths
    }

    /// Removes a folder, where a test would otherwise fill the disk.
    pub(crate) fn remove(&self, relative: impl AsRef<Path>) {
        fs::remove_dir_all(self.path(relative)).expect("the folder is there");
    }
}

/// The bytes that `Sandbox::fill` writes.
pub(crate) fn content(name: &str, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_content(&mut bytes, name, size);
    bytes
}

impl fmt::Debug for Print {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, ..] = self.digest;
        write!(f, "{} bytes, {first:02x}{second:02x}{third:02x}…", self.size)
    }
}

fn write_content(target: &mut impl Write, name: &str, size: u64) {
    let mut hasher = DefaultHasher::new();
    (name, size).hash(&mut hasher);
    let mut random = fastrand::Rng::with_seed(hasher.finish());
    let mut block = vec![0; BLOCK];
    random.fill(&mut block);
    // One random block, numbered: quick to make for a gigabyte, and no two blocks are equal.
    let mut left = size;
    for number in 0_u64.. {
        if left == 0 {
            break;
        }
        block[..8].copy_from_slice(&(number ^ hasher.finish()).to_le_bytes());
        let length = left.min(BLOCK as u64);
        let piece = &block[..usize::try_from(length).expect("a block fits into memory")];
        target.write_all(piece).expect("the sandbox is writable");
        left -= length;
    }
}

fn make_parent(path: &Path) {
    let parent = path.parent().expect("a file has a folder");
    fs::create_dir_all(parent).expect("the sandbox is writable");
}

fn entries(root: &Path) -> Vec<PathBuf> {
    if !root.exists() {
        return Vec::new();
    }
    let entries = WalkDir::new(root).min_depth(1);
    entries.into_iter().map(|entry| entry.expect("the sandbox is readable").into_path()).collect()
}

fn relative_name(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).expect("it was found below");
    relative.to_string_lossy().replace('\\', "/")
}

fn print(path: &Path) -> Print {
    let mut file = File::open(path).expect("the sandbox is readable");
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let length = file.read(&mut buffer).expect("the sandbox is readable");
        if length == 0 {
            break;
        }
        hasher.update(&buffer[..length]);
        size += length as u64;
    }
    let digest = hasher.finalize().into();
    Print { size, digest }
}
