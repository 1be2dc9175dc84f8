//! The temp name that belongs to a final name: in every run the same, so that what a killed one
//! left is found again, and held by one process at a time.
//!
//! Whoever holds the lock of the file that *has* the name owns both. It must never be given up
//! before the name is: another process would take over, and empty, what is about to be published.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;

use sha2::{Digest, Sha256};

use super::handle::{self, Found};
use super::spot::Spot;
use super::temp_name::TempName;

/// A file under the temp name of a spot, locked.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) file: File,
    pub(super) name: OsString,
    pub(super) from: From,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Nothing,
    /// An earlier run left it: with some of the bytes, or others.
    EarlierRun,
}

/// Another process may finish, or give up, between our opening and our locking of its file.
const MOST_TRIES: usize = 3;

/// `None` where the name can't be ours: another process is at work on the same file, somebody
/// planted something there, the file system has no locks.
pub(super) fn claim(spot: &Spot) -> io::Result<Option<Claim>> {
    let name = TempName::part(token(spot));
    for _ in 0..MOST_TRIES {
        let (file, from) = match spot.folder().create_new(&name) {
            Ok(file) => (file, From::Nothing),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match handle::open_own(spot.folder().handle(), &name) {
                    Ok(Found::Own(file)) => (file, From::EarlierRun),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Ok(Found::NotOwn) | Err(_) => return Ok(None),
                }
            }
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(_)) => return Ok(given_up(spot, &name, from)),
        }
        // Until it was locked, another process may have published it: then it has a final name.
        match handle::has_name(spot.folder().handle(), &name, &file) {
            Ok(true) => return Ok(Some(Claim { file, name, from })),
            Ok(false) => {}
            Err(_) => return Ok(given_up(spot, &name, from)),
        }
    }
    Ok(None)
}

/// Whose it is can't be told. What was made here is not left for somebody to wonder about.
fn given_up(spot: &Spot, name: &OsStr, from: From) -> Option<Claim> {
    if from == From::Nothing {
        drop(spot.folder().remove(name));
    }
    None
}

/// The same for the same final name in every run.
pub(super) fn token(spot: &Spot) -> u64 {
    let digest = Sha256::digest(spot.name().as_encoded_bytes());
    digest.iter().take(8).fold(0, |token, byte| token << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn spot(folder: &TempDir) -> Spot {
        Spot::exact(&folder.path().join("f")).expect("a place")
    }

    fn claimed(folder: &TempDir) -> Option<Claim> {
        claim(&spot(folder)).expect("looked")
    }

    #[test]
    fn a_name_has_one_owner_and_the_next_run_has_the_same_one() {
        let folder = TempDir::new().expect("a folder");
        let first = claimed(&folder).expect("free");
        assert_eq!(first.from, From::Nothing);
        assert!(claimed(&folder).is_none(), "it is in use");
        let name = first.name.clone();
        drop(first);
        let second = claimed(&folder).expect("left over");
        assert_eq!((second.name, second.from), (name, From::EarlierRun));
    }

    #[test]
    fn what_was_published_meanwhile_is_not_taken_for_a_file_on_its_way() {
        let folder = TempDir::new().expect("a folder");
        let first = claimed(&folder).expect("free");
        let path = folder.path().join(&first.name);
        let late = fs::OpenOptions::new().read(true).write(true).open(&path).expect("opened");
        fs::rename(&path, folder.path().join("f")).expect("renamed");
        drop(first);
        late.try_lock().expect("nobody holds it any more");
        let spot = spot(&folder);
        let name = TempName::part(token(&spot));
        assert!(!handle::has_name(spot.folder().handle(), &name, &late).expect("known"));
    }

    #[cfg(unix)]
    #[test]
    fn a_planted_name_is_neither_followed_nor_shared() {
        let folder = TempDir::new().expect("a folder");
        let victim = folder.path().join("victim");
        fs::write(&victim, "kept").expect("written");
        let name = TempName::part(token(&spot(&folder)));
        let planted = folder.path().join(name);
        std::os::unix::fs::symlink(&victim, &planted).expect("a link");
        assert!(claimed(&folder).is_none());
        fs::remove_file(&planted).expect("removed");
        fs::hard_link(&victim, &planted).expect("a link");
        assert!(claimed(&folder).is_none());
        fs::remove_file(&planted).expect("removed");
        fs::create_dir(&planted).expect("a folder");
        assert!(claimed(&folder).is_none());
        assert_eq!(fs::read(&victim).expect("a file"), b"kept");
    }
}
