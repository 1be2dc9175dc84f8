//! Everything below a directory, one file at a time, in the order in which a listing would have
//! it. What can't be uploaded is an item of its own, never a silent gap.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use walkdir::{DirEntry, WalkDir};

use super::error::{Kind, LocalError};
use super::temp_name::is_temp_name;
use crate::domain::local_pattern::LocalPattern;

/// A file to upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub path: PathBuf,
    /// Below the root, with `/` between names on every system.
    pub relative: String,
    pub size: u64,
    pub modified: SystemTime,
}

/// What is there and is not a file to upload.
#[derive(Debug)]
pub enum WalkError {
    /// Left out: said, and no failure.
    Skipped(PathBuf, &'static str),
    Failed(LocalError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FollowLinks {
    #[default]
    Yes,
    /// Symlinks are left out. `root` itself is followed in any case: the user typed it.
    No,
}

/// Every file below `root`, in the order of their keys' bytes: a directory sorts as its name with
/// a `/`, so that `a.txt` comes before `a/x` as in a listing. One directory is in memory at a
/// time, with those above it.
pub fn walk(
    root: &Path,
    follow: FollowLinks,
) -> impl Iterator<Item = Result<Found, WalkError>> + Send + use<> {
    let root = root.to_owned();
    in_order(&root, follow).filter_map(move |entry| match entry {
        Ok(entry) => found(&root, &entry),
        Err(error) => Some(Err(WalkError::Failed(explain(&root, error)))),
    })
}

/// As `walk`, but only what a pattern says; no other folder is looked into.
pub fn walk_matching(
    pattern: &LocalPattern,
    follow: FollowLinks,
) -> impl Iterator<Item = Result<Found, WalkError>> + Send + use<> {
    let (pattern, root) = (pattern.clone(), PathBuf::from(pattern.base()));
    let below = root.clone();
    let may_hold = move |entry: &DirEntry| {
        entry.depth() == 0
            || relative(&below, entry.path()).is_none_or(|path| pattern.may_hold(&path))
    };
    let entries = sorted(&root, follow).into_iter().filter_entry(may_hold);
    entries.filter_map(move |entry| match entry {
        Ok(entry) => found(&root, &entry),
        Err(error) => Some(Err(WalkError::Failed(explain(&root, error)))),
    })
}

/// What has a name below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    File(Found),
    /// A pipe, a socket, a device, or a symlink that is not followed.
    Other {
        path: PathBuf,
        relative: String,
    },
    /// Our own, on its way or left over: its name is nobody's.
    Unfinished(PathBuf),
}

/// Why something is left out.
pub const UNFINISHED: &str = "it has the name of a file that haul has not finished";
const NO_FILE: &str = "it is a pipe, a socket or a device";

/// As `walk`, but what is no file to upload has its place in the order, too: the name is taken.
pub fn walk_names(
    root: &Path,
    follow: FollowLinks,
) -> impl Iterator<Item = Result<Named, LocalError>> + Send + use<> {
    let root = root.to_owned();
    in_order(&root, follow).filter_map(move |entry| match entry {
        Ok(entry) => named(&root, &entry),
        Err(error) => Some(Err(explain(&root, error))),
    })
}

fn named(root: &Path, entry: &DirEntry) -> Option<Result<Named, LocalError>> {
    match found(root, entry) {
        Some(Ok(found)) => Some(Ok(Named::File(found))),
        Some(Err(WalkError::Failed(error))) => Some(Err(error)),
        Some(Err(WalkError::Skipped(path, UNFINISHED))) => Some(Ok(Named::Unfinished(path))),
        Some(Err(WalkError::Skipped(..))) | None => {
            let is_taken = !entry.file_type().is_dir();
            // No key has a name that is not UTF-8: nobody will ask for it.
            let relative = relative(root, entry.path()).filter(|_| is_taken)?;
            Some(Ok(Named::Other { path: entry.path().to_owned(), relative }))
        }
    }
}

fn in_order(
    root: &Path,
    follow: FollowLinks,
) -> impl Iterator<Item = walkdir::Result<DirEntry>> + Send + use<> {
    sorted(root, follow).into_iter()
}

fn sorted(root: &Path, follow: FollowLinks) -> WalkDir {
    WalkDir::new(root)
        .follow_links(follow == FollowLinks::Yes)
        .sort_by(move |one, other| compare_as_keys(one, other, follow))
}

/// The item of one entry, if it has one: directories are only what is in them.
fn found(root: &Path, entry: &DirEntry) -> Option<Result<Found, WalkError>> {
    let file_type = entry.file_type();
    if file_type.is_dir() || file_type.is_symlink() {
        return None;
    }
    let is_unfinished = is_temp_name(entry.file_name());
    if is_unfinished || !file_type.is_file() {
        let reason = if is_unfinished { UNFINISHED } else { NO_FILE };
        return Some(Err(WalkError::Skipped(entry.path().to_owned(), reason)));
    }
    Some(describe(root, entry))
}

fn describe(root: &Path, entry: &DirEntry) -> Result<Found, WalkError> {
    let Some(relative) = relative(root, entry.path()) else {
        let refused = LocalError::refused(Kind::NotUnicode, "make a key of", entry.path());
        return Err(WalkError::Failed(refused));
    };
    let found = entry.metadata().map_err(io::Error::from).and_then(|metadata| {
        Ok(Found {
            path: entry.path().to_owned(),
            relative,
            size: metadata.len(),
            modified: metadata.modified()?,
        })
    });
    found.map_err(|cause| WalkError::Failed(LocalError::new("look at", entry.path(), cause)))
}

/// `path` below `root` with `/`; a root that is itself the file has its own name. `None` if a
/// name is not UTF-8.
fn relative(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).unwrap_or(path);
    if below.as_os_str().is_empty() {
        return path.file_name()?.to_str().map(str::to_owned);
    }
    let mut relative = String::with_capacity(below.as_os_str().len());
    for name in below {
        if !relative.is_empty() {
            relative.push('/');
        }
        relative.push_str(name.to_str()?);
    }
    Some(relative)
}

fn compare_as_keys(one: &DirEntry, other: &DirEntry, follow: FollowLinks) -> Ordering {
    let mut names = one.file_name().as_encoded_bytes().iter();
    let mut others = other.file_name().as_encoded_bytes().iter();
    loop {
        match (names.next(), others.next()) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => return a.cmp(b),
            (None, None) => return Ordering::Equal,
            // Only where one name begins with the other does it matter what they are.
            (None, Some(b)) => return end_of(one, follow).cmp(&Some(*b)),
            (Some(a), None) => return Some(*a).cmp(&end_of(other, follow)),
        }
    }
}

/// The byte that follows a name in the keys that it is part of.
fn end_of(entry: &DirEntry, follow: FollowLinks) -> Option<u8> {
    let file_type = entry.file_type();
    let is_followed = file_type.is_symlink() && follow == FollowLinks::Yes;
    (file_type.is_dir() || is_followed && entry.path().is_dir()).then_some(b'/')
}

pub(super) fn explain(root: &Path, error: walkdir::Error) -> LocalError {
    let path = error.path().unwrap_or(root).to_owned();
    if error.loop_ancestor().is_some() {
        return LocalError::refused(Kind::LinkLoop, "follow", path);
    }
    let is_dangling = path.is_symlink();
    let cause = error.into_io_error().unwrap_or_else(|| io::Error::other("unknown"));
    match Kind::of(&cause) {
        // Too many links in a row: they lead to one another.
        Kind::Symlink => LocalError::refused(Kind::LinkLoop, "follow", path),
        Kind::Missing if is_dangling => LocalError::new("follow", path, cause),
        _ => LocalError::new("read", path, cause),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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

    /// What was found, and what was not with the reason.
    fn all(root: &Path, follow: FollowLinks) -> (Vec<String>, Vec<String>) {
        let (mut found, mut not_found) = (Vec::new(), Vec::new());
        for item in walk(root, follow) {
            match item {
                Ok(item) => found.push(item.relative),
                Err(WalkError::Skipped(path, _)) => not_found.push(format!("{path:?}")),
                Err(WalkError::Failed(error)) => not_found.push(format!("{:?}", error.kind)),
            }
        }
        (found, not_found)
    }

    #[test]
    fn files_come_in_the_order_of_their_keys() {
        let root = tree(&["a/x", "a/b/c", "a.txt", "a-", "a0", "b", "ü", "Z"]);
        fs::create_dir(root.path().join("empty")).expect("a folder");
        let (found, not_found) = all(root.path(), FollowLinks::Yes);
        let mut sorted = found.clone();
        sorted.sort();
        assert_eq!(found, sorted);
        assert_eq!(found, ["Z", "a-", "a.txt", "a/b/c", "a/x", "a0", "b", "ü"]);
        assert!(not_found.is_empty());
    }

    #[test]
    fn a_file_says_where_it_is_and_how_large() {
        let root = tree(&["d/f"]);
        let item = walk(root.path(), FollowLinks::Yes).next().expect("an item").expect("a file");
        assert_eq!(item.path, root.path().join("d/f"));
        assert_eq!((item.relative.as_str(), item.size), ("d/f", 3));
        let (found, _) = all(&root.path().join("d/f"), FollowLinks::Yes);
        assert_eq!(found, ["f"]);
    }

    #[test]
    fn our_own_temp_files_are_left_out() {
        let root = tree(&[".haul-0123456789abcdef.part", ".haul-x.part", "haul.part"]);
        let (found, not_found) = all(root.path(), FollowLinks::Yes);
        assert_eq!(found, [".haul-x.part", "haul.part"]);
        assert!(matches!(not_found.as_slice(), [path] if path.contains("abcdef.part")));
    }

    #[test]
    fn a_root_that_is_not_there_is_an_error() {
        let root = tree(&[]);
        let (found, not_found) = all(&root.path().join("none"), FollowLinks::Yes);
        assert_eq!((found.len(), not_found), (0, vec!["Missing".to_owned()]));
    }

    #[cfg(unix)]
    mod unix {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::symlink;

        use super::*;

        #[test]
        fn links_are_followed_or_left_out() {
            let other = tree(&["x", "y/z"]);
            let root = tree(&["a", "l.txt"]);
            symlink(other.path(), root.path().join("l")).expect("a link");
            symlink(other.path().join("x"), root.path().join("m")).expect("a link");
            let (found, not_found) = all(root.path(), FollowLinks::Yes);
            assert_eq!(found, ["a", "l.txt", "l/x", "l/y/z", "m"]);
            assert!(not_found.is_empty());
            let (found, not_found) = all(root.path(), FollowLinks::No);
            assert_eq!(found, ["a", "l.txt"]);
            assert!(not_found.is_empty());
            let typed = other.path().join("typed");
            symlink(root.path(), &typed).expect("a link");
            let (found, _) = all(&typed, FollowLinks::No);
            assert_eq!(found, ["a", "l.txt"]);
        }

        #[test]
        fn names_that_are_taken_by_no_file_have_their_place() {
            let root = tree(&["a", "l.txt", "z", ".haul-0123456789abcdef.part"]);
            symlink("a", root.path().join("l")).expect("a link");
            symlink("nowhere", root.path().join("m")).expect("a link");
            let _socket = std::os::unix::net::UnixListener::bind(root.path().join("s"));
            let names = walk_names(root.path(), FollowLinks::No).map(|named| {
                match named.expect("all can be looked at") {
                    Named::File(found) => found.relative,
                    Named::Other { relative, .. } => format!("({relative})"),
                    Named::Unfinished(_) => "unfinished".to_owned(),
                }
            });
            let names: Vec<_> = names.collect();
            assert_eq!(names, ["unfinished", "a", "(l)", "l.txt", "(m)", "(s)", "z"]);
        }

        #[test]
        fn loops_and_dangling_links_are_errors_and_the_rest_goes_on() {
            let root = tree(&["d/f", "z"]);
            symlink("..", root.path().join("d/loop")).expect("a link");
            symlink("nowhere", root.path().join("dangling")).expect("a link");
            symlink("self", root.path().join("self")).expect("a link");
            let (found, not_found) = all(root.path(), FollowLinks::Yes);
            assert_eq!(found, ["d/f", "z"]);
            assert_eq!(
                not_found,
                ["LinkLoop", "Missing", "LinkLoop"]
                    .map(str::to_owned)
                    .into_iter()
                    .collect::<Vec<_>>()
            );
        }

        #[test]
        fn names_that_no_key_can_hold_and_sockets_are_said() {
            let root = tree(&["a"]);
            let odd = root.path().join(OsStr::from_bytes(b"\xff"));
            if fs::write(&odd, "").is_err() {
                return; // A file system that keeps only UTF-8 can't have the trouble.
            }
            let socket = root.path().join("socket");
            let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
            let (found, not_found) = all(root.path(), FollowLinks::Yes);
            assert_eq!(found, ["a"]);
            assert_eq!(not_found, [format!("{socket:?}"), "NotUnicode".to_owned()]);
        }
    }
}
