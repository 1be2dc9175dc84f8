//! What the lines of `haul run` write, remove and move away, as far as a line alone tells. Two lines
//! that write to one place may both be meant, but where one of them moves, bytes would be nowhere any
//! more, or others than those that were meant.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Component, Path, PathBuf, absolute};

use super::args::Command;
use super::line::{Bad, Parser};
use crate::domain::escape::Escaped;
use crate::domain::local_pattern::LocalPattern;
use crate::domain::location::S3Uri;
use crate::domain::pattern::Wildcard;

/// The places of all lines so far: some fifty bytes for each.
#[derive(Debug, Default)]
pub(super) struct Places {
    seen: HashMap<u64, Noted>,
    folders: Folders,
}

/// The first use of a place. No second one says more of it: where either moves, the later line is
/// refused.
#[derive(Debug, Clone, Copy)]
struct Noted {
    line: u64,
    what: Use,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Written,
    Removed,
    MovedTo,
    MovedFrom,
}

impl Use {
    fn moves(self) -> bool {
        matches!(self, Self::MovedTo | Self::MovedFrom)
    }

    /// What a line does to a place.
    fn told(self, place: &str) -> String {
        match self {
            Self::Written => format!("writes {place}"),
            Self::Removed => format!("removes {place}"),
            Self::MovedTo => format!("moves something to {place}"),
            Self::MovedFrom => format!("moves {place} away"),
        }
    }
}

impl Places {
    /// A line as a command; one that must not be beside an earlier one is none.
    pub(super) fn parse(
        &mut self,
        parser: &mut Parser,
        (number, line): (u64, &str),
    ) -> Result<Option<Command>, Bad> {
        let command = parser.parse(line)?;
        if let Some(command) = &command {
            let uses = uses(command, &mut self.folders);
            self.take(number, &uses)?;
        }
        Ok(command)
    }

    /// Takes note of what a line does, unless it and an earlier one must not both.
    fn take(&mut self, line: u64, uses: &[(Use, String)]) -> Result<(), Bad> {
        for (what, place) in uses {
            let earlier = self.seen.get(&hash(place));
            if let Some(earlier) = earlier.filter(|earlier| earlier.what.moves() || what.moves()) {
                let place = Escaped(place).to_string();
                let (first, second) = (earlier.what.told(&place), what.told("it"));
                let text = format!(
                    "line {} {first}, and this one {second}: neither waits for the other",
                    earlier.line
                );
                return Err(
                    Bad::new(text).hint("what depends on another line belongs in a second file")
                );
            }
        }
        for (what, place) in uses {
            self.seen.entry(hash(place)).or_insert(Noted { line, what: *what });
        }
        Ok(())
    }
}

fn hash(place: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}

/// What a command does to single places.
fn uses(command: &Command, folders: &mut Folders) -> Vec<(Use, String)> {
    let written = match command {
        Command::Mv(_) => Use::MovedTo,
        Command::Cp(_) | Command::Upload(_) | Command::Download(_) => Use::Written,
        Command::Rm(args) if args.names_objects() => Use::Removed,
        _ => return Vec::new(),
    };
    let Some(typed) = command.typed() else { return Vec::new() };
    let is_raw = typed.takes_keys_literally();
    let paths = typed.paths();
    if written == Use::Removed {
        let places = paths.iter().filter_map(|path| single(path, is_raw, folders));
        return places.map(|place| (written, place)).collect();
    }
    let [sources @ .., destination] = paths else { return Vec::new() };
    let mut uses = Vec::new();
    for source in sources {
        let Some(place) = single(source, is_raw, folders) else { continue };
        uses.extend(landing(source, destination, folders).map(|landing| (written, landing)));
        if written == Use::MovedTo {
            uses.push((Use::MovedFrom, place));
        }
    }
    uses
}

/// The place of one object or file; `None` of those that are many.
fn single(path: &Path, is_raw: bool, folders: &mut Folders) -> Option<String> {
    let text = path.to_str()?;
    if !text.starts_with(S3Uri::SCHEME) {
        let is_pattern = LocalPattern::parse(text).is_some() && !path.exists();
        let is_many = text.ends_with('/') || is_pattern || path.is_dir();
        return if is_many { None } else { folders.place(path) };
    }
    let uri = S3Uri::parse(text).ok()?;
    let is_many = uri.is_prefix() || Wildcard::parse(&uri.rest).is_some();
    (is_raw || !is_many).then(|| object(&uri, ""))
}

/// Where one object or file ends.
fn landing(source: &Path, destination: &Path, folders: &mut Folders) -> Option<String> {
    let (source, text) = (source.to_str()?, destination.to_str()?);
    let name = source.rsplit('/').next()?;
    if text.starts_with(S3Uri::SCHEME) {
        let uri = S3Uri::parse(text).ok()?;
        return Some(object(&uri, if uri.is_prefix() { name } else { "" }));
    }
    if text.ends_with('/') || destination.is_dir() {
        folders.target(&destination.join(name))
    } else {
        folders.target(destination)
    }
}

fn object(uri: &S3Uri, below: &str) -> String {
    format!("{}{}/{}{below}", S3Uri::SCHEME, uri.bucket, uri.rest)
}

/// Where folders are, by the names that lines have for them. Most lines are about files of a few
/// folders, which are looked at once.
#[derive(Debug, Default)]
struct Folders {
    known: HashMap<PathBuf, PathBuf>,
}

/// Names of folders that are remembered: more than a run has, but for one that is made to.
const MOST_FOLDERS: usize = 10_000;

impl Folders {
    /// The same for all names of one file, but for links to it: those are files of their own, which
    /// can be moved away.
    fn place(&mut self, path: &Path) -> Option<String> {
        let path = absolute(path).ok()?;
        let place = match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) => self.real(folder).join(name),
            _ => real(&path),
        };
        place.to_str().map(str::to_owned)
    }

    /// The same for what is written: a link that was typed is followed.
    fn target(&mut self, path: &Path) -> Option<String> {
        if path.is_symlink() {
            return real(&absolute(path).ok()?).to_str().map(str::to_owned);
        }
        self.place(path)
    }

    fn real(&mut self, folder: &Path) -> PathBuf {
        if let Some(known) = self.known.get(folder) {
            return known.clone();
        }
        if self.known.len() >= MOST_FOLDERS {
            self.known.clear();
        }
        let found = real(folder);
        self.known.insert(folder.to_owned(), found.clone());
        found
    }
}

/// A folder without links and `..`, as far as it is there; the rest of it is still to be made.
fn real(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find_map(|above| {
        let real = above.canonicalize().ok()?;
        Some((real, folder.strip_prefix(above).ok()?))
    });
    let Some((mut real, rest)) = there else { return folder.to_owned() };
    for component in rest.components() {
        match component {
            Component::ParentDir => {
                real.pop();
            }
            Component::CurDir => {}
            other => real.push(other),
        }
    }
    real
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str, destination: &str) -> Option<String> {
        let folders = &mut Folders::default();
        single(Path::new(source), false, folders)?;
        landing(Path::new(source), Path::new(destination), folders)
    }

    #[test]
    fn a_place_is_where_one_object_lands() {
        let here = |name: &str| Folders::default().place(Path::new(name)).expect("a path");
        for (source, destination, wanted) in [
            ("s3://b/d/k", "s3://c/p/", Some("s3://c/p/k".to_owned())),
            ("s3://b/d/k", "s3://c", Some("s3://c/k".to_owned())),
            ("s3://b/d/k", "s3://c/p/name", Some("s3://c/p/name".to_owned())),
            ("s3://b/d/k", "./out/", Some(here("out/k"))),
            ("s3://b/d/k", "out/./name", Some(here("out/name"))),
            ("s3://b/d/k", &here("out/name"), Some(here("out/name"))),
            ("s3://b/d/k", "/", Some("/k".to_owned())),
            ("file", "s3://c/p/", Some("s3://c/p/file".to_owned())),
            ("s3://b/d/*", "s3://c/p/", None),
            ("s3://b/d/", "s3://c/p/", None),
            ("s3://b", "s3://c/p/", None),
            ("folder/", "s3://c/p/", None),
            // A directory, whatever it is called by.
            (".", "s3://c/p/", None),
            ("src", "s3://c/p/", None),
            ("src/*.none", "s3://c/p/", None),
        ] {
            assert_eq!(of(source, destination), wanted, "{source} {destination}");
        }
    }

    #[test]
    fn all_spellings_of_a_file_are_one_place() {
        let root = tempfile::tempdir().expect("a folder");
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("real/deep")).expect("a folder");
        let mut folders = Folders::default();
        let mut place = |name: &str| folders.place(&at(name)).expect("a path");
        let wanted = place("real/new/f");
        for name in ["real/./new/f", "real//new/f", "real/deep/../new/f", "real/none/../new/f"] {
            assert_eq!(place(name), wanted, "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("real"), at("link")).expect("a link");
            assert_eq!(place("link/new/f"), wanted);
            assert_eq!(place("link/deep/../new/f"), wanted);
            std::os::unix::fs::symlink(at("real/f"), at("real/name")).expect("a link");
            assert_ne!(place("real/name"), place("real/f"));
            std::fs::write(at("real/f"), "").expect("written");
            let written = folders.target(&at("real/name"));
            assert_eq!(written, folders.target(&at("link/f")));
        }
        let mut place = |name: &str| folders.place(&at(name)).expect("a path");
        assert_ne!(place("real/f"), wanted);
    }

    #[test]
    fn a_literal_key_is_one_place_whatever_is_in_it() {
        for key in ["s3://b/a*", "s3://b/d/", "s3://b/?"] {
            let of = |is_raw| single(Path::new(key), is_raw, &mut Folders::default());
            assert_eq!(of(false), None);
            assert_eq!(of(true).as_deref(), Some(key));
        }
    }

    #[test]
    fn what_an_earlier_line_noted_is_never_weakened() {
        let place = || "s3://b/k".to_owned();
        let kinds = [Use::Written, Use::Removed, Use::MovedTo, Use::MovedFrom];
        for first in kinds {
            for second in kinds {
                let mut places = Places::default();
                places.take(1, &[(first, place())]).expect("it is alone");
                let is_fine = !first.moves() && !second.moves();
                let taken = places.take(2, &[(second, place()), (second, "other".to_owned())]);
                assert_eq!(taken.is_ok(), is_fine, "{first:?} {second:?}");
                // Nothing of a line that is refused is done.
                let other = places.take(3, &[(Use::MovedTo, "other".to_owned())]);
                assert_eq!(other.is_ok(), !is_fine, "{first:?} {second:?}");
                let bad = places.take(4, &[(Use::MovedTo, place())]).expect_err("it moves");
                assert!(bad.reason.starts_with("line 1 "), "{bad:?}");
            }
        }
    }
}
