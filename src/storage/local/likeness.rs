//! Whether a file system takes two names for one, which neither its kind nor the system's says: a
//! stick, a share or a single folder may be another than the rest. So it is asked, with an empty
//! file that is gone at once.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::temp_name::PROBES;

/// What a file system does with names that people take for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Likeness {
    /// `a` and `A`.
    pub case: Alike,
    /// One character, composed and decomposed.
    pub forms: Alike,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alike {
    Same,
    Different,
}

/// Asks the file system of `folder`, or of the nearest folder above it that is there. What lies
/// behind another mount below is not seen.
pub fn likeness(folder: &Path) -> io::Result<Likeness> {
    let absolute = std::path::absolute(folder)?;
    let nearest = absolute.ancestors().find(|folder| folder.is_dir());
    let nearest = nearest.ok_or(io::ErrorKind::NotFound)?;
    for _ in 0..TRIES {
        if let Some(likeness) = ask(nearest)? {
            return Ok(likeness);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

const TRIES: usize = 10;

/// `None` if another process asked at the same time, and removed the file that both use. It has one
/// name, so that the next run removes what a kill has left.
fn ask(folder: &Path) -> io::Result<Option<Likeness>> {
    let [name, other_case, other_form] = PROBES.map(|name| folder.join(name));
    match File::create_new(&name) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let looked = look(&other_case).and_then(|case| Ok((case, look(&other_form)?)));
    let removed = fs::remove_file(&name);
    let (case, forms) = looked?;
    match removed {
        Ok(()) => Ok(Some(Likeness { case, forms })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn look(path: &Path) -> io::Result<Alike> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(Alike::Same),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Alike::Different),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_nearest_folder_is_asked_and_left_as_it_was() {
        let root = TempDir::new().expect("a folder");
        // What a kill has left.
        fs::write(root.path().join(PROBES[0]), "").expect("written");
        let here = likeness(root.path()).expect("it can be written");
        let below = likeness(&root.path().join("not/yet/there")).expect("it can be written");
        assert_eq!(here, below);
        assert_eq!(fs::read_dir(root.path()).expect("a folder").count(), 0);
        // What the answer must be is what two files come to.
        for (one, other, alike) in [("a", "A", here.case), ("\u{e9}", "e\u{301}", here.forms)] {
            fs::write(root.path().join(one), "").expect("written");
            let is_there = root.path().join(other).exists();
            assert_eq!(is_there, alike == Alike::Same, "{one} {other}");
        }
    }
}
