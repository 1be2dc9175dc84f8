//! Admits jobs one after the other, and refuses those that would undo an admitted one.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::name::{Holder, Keys, Kind, Name, Trail};
use super::path::{self, NameRule};
use super::spill::Spill;
use super::table::Table;

/// Where a job writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A file, its path separated by `/`. Relative paths are all relative to one folder.
    File(&'a str),
    /// A folder, which a folder marker asks for.
    Folder(&'a str),
    /// An object, by its URI. Keys are verbatim, and one may stand beside `key/more`.
    Object(&'a str),
}

/// What is to become of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Nobody has its destination. Now it has.
    Fresh,
    /// A job with this destination and this source is admitted already. Once is enough.
    Duplicate,
    /// It would undo an admitted job. Nothing is remembered of it.
    Refused(Refusal),
}

/// Why a job is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A job with another source writes there.
    #[error("another job with a different source has the same destination")]
    SameDestination,
    /// `x` after `x/y`.
    #[error("the destination is a folder into which another job writes")]
    FileIsFolder,
    /// `x/y` after `x`.
    #[error("the destination needs {file:?} as a folder, and another job writes it as a file")]
    FolderIsFile {
        /// The path that cannot be both.
        file: String,
    },
}

/// Why the guard can no longer tell. No job may start that it has not admitted.
#[derive(Debug, Error)]
pub enum GuardError {
    /// Memory is full and the disk does not take what was in it.
    #[error("could not write the destinations seen so far to a temporary file in {directory:?}")]
    Write {
        /// Where the file was to be.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was written does not come back.
    #[error("could not read the destinations seen so far from a temporary file in {directory:?}")]
    Read {
        /// Where the file is.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It failed before.
    #[error("the destinations seen so far are lost since an earlier error")]
    Lost,
}

/// Remembers the destinations of all jobs of a run, and the folders on their way.
///
/// It keeps hashes under keys that are drawn anew each time, not names: 90 bits of a destination
/// and 48 of its source. With ten million destinations the odds are 1 in 2.5 × 10¹³ that any two
/// different ones look the same, so that one job is refused without cause; and where two jobs with
/// different sources do have one destination, the odds are 1 in 2.8 × 10¹⁴ that the second one is
/// taken for a duplicate. It never admits both.
///
/// A row or folder takes at most 25.6 bytes. What would go over the budget goes to a temporary
/// file without a name.
#[derive(Debug)]
pub struct Guard {
    rule: NameRule,
    budget: usize,
    keys: Keys,
    table: Table,
    spill: Spill,
    health: Health,
    last_folder: LastFolder,
    duplicates: u64,
    /// The destination in its one spelling. Kept, so that its memory is used again.
    normal: String,
    /// The folders on the way of a destination, outermost first. Kept likewise.
    folders: Vec<Name>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Sound,
    Lost,
}

/// The folder of the last file, which is admitted: rows often stay in one folder for long.
#[derive(Debug)]
struct LastFolder {
    normal: String,
    trail: Trail,
}

impl Guard {
    /// `budget` is in bytes. Under a hundred KiB it goes to disk all the time.
    pub fn new(budget: usize, rule: NameRule) -> Self {
        let keys = Keys::default();
        let last_folder = LastFolder { normal: String::new(), trail: keys.trail(Kind::Path) };
        Self {
            rule,
            budget,
            keys,
            table: Table::new(),
            spill: Spill::new(std::env::temp_dir()),
            health: Health::Sound,
            last_folder,
            duplicates: 0,
            normal: String::new(),
            folders: Vec::new(),
        }
    }

    /// Says where temporary files go: at first, that is the system's place for them.
    #[must_use]
    pub fn with_spill_directory(mut self, directory: PathBuf) -> Self {
        self.spill = Spill::new(directory);
        self
    }

    /// Decides on a job. `source` is all that makes two jobs with one destination the same job:
    /// bucket, key and version, or a path.
    pub fn admit(
        &mut self,
        destination: Destination<'_>,
        source: &[u8],
    ) -> Result<Admission, GuardError> {
        if self.health == Health::Lost {
            return Err(GuardError::Lost);
        }
        let admission = match destination {
            Destination::File(path) => self.admit_file(path, source),
            Destination::Folder(path) => self.admit_folder(path),
            Destination::Object(uri) => self.admit_object(uri, source),
        };
        match &admission {
            Ok(Admission::Duplicate) => self.duplicates += 1,
            Ok(Admission::Fresh | Admission::Refused(_)) => {}
            Err(_) => self.health = Health::Lost,
        }
        admission
    }

    /// How many jobs were duplicates.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many destinations and folders are remembered.
    pub fn entries(&self) -> u64 {
        self.table.len() + self.spill.len()
    }

    /// The memory that it takes now.
    pub fn memory_bytes(&self) -> usize {
        self.table.bytes() + self.spill.bytes_in_memory()
    }

    /// The most memory that its table ever took, its growing included.
    pub fn peak_memory_bytes(&self) -> usize {
        self.table.peak_bytes() + self.spill.bytes_in_memory()
    }

    /// The disk space that it takes now.
    pub fn spilled_bytes(&self) -> u64 {
        self.spill.bytes_on_disk()
    }

    fn admit_file(&mut self, path: &str, source: &[u8]) -> Result<Admission, GuardError> {
        self.with_normal(path, |guard, normal| {
            let (folder, file) = path::split(normal);
            if let Some(refusal) = guard.enter_folder(folder, path)? {
                return Ok(Admission::Refused(refusal));
            }
            let mut trail = guard.last_folder.trail.clone();
            trail.step(file.as_bytes());
            guard.admit_job(trail.name(), source)
        })
    }

    fn admit_folder(&mut self, path: &str) -> Result<Admission, GuardError> {
        self.with_normal(path, |guard, normal| {
            if let Some(refusal) = guard.enter_folder(normal, path)? {
                return Ok(Admission::Refused(refusal));
            }
            // That a folder is needed is one thing, that a job makes it is another: without this
            // entry, a marker after a file in its folder would be taken for its own duplicate.
            let mut trail = guard.last_folder.trail.clone();
            trail.step(NO_FILE);
            guard.admit_job(trail.name(), b"")
        })
    }

    fn admit_object(&mut self, uri: &str, source: &[u8]) -> Result<Admission, GuardError> {
        let mut trail = self.keys.trail(Kind::Object);
        trail.step(uri.as_bytes());
        self.admit_job(trail.name(), source)
    }

    fn with_normal(
        &mut self,
        path: &str,
        admit: impl FnOnce(&mut Self, &str) -> Result<Admission, GuardError>,
    ) -> Result<Admission, GuardError> {
        let mut normal = std::mem::take(&mut self.normal);
        path::normalise(path, self.rule, &mut normal);
        let admission = admit(self, &normal);
        self.normal = normal;
        admission
    }

    fn admit_job(&mut self, name: Name, source: &[u8]) -> Result<Admission, GuardError> {
        let digest = self.keys.source(source);
        Ok(match self.find(name)? {
            None => {
                self.remember(name, Holder::Job(digest))?;
                Admission::Fresh
            }
            Some(Holder::Job(known)) if known == digest => Admission::Duplicate,
            Some(Holder::Job(_)) => Admission::Refused(Refusal::SameDestination),
            Some(Holder::Folder) => Admission::Refused(Refusal::FileIsFolder),
        })
    }

    /// Sees to it that all folders down to this one are remembered, and makes it the last one.
    ///
    /// A job that is refused leaves nothing behind: when one of its folders is a job's file, or its
    /// own name is taken, then everything above that is remembered already.
    fn enter_folder(&mut self, folder: &str, path: &str) -> Result<Option<Refusal>, GuardError> {
        if folder == self.last_folder.normal {
            return Ok(None);
        }
        let mut trail = self.keys.trail(Kind::Path);
        if folder.starts_with('/') {
            trail.step(b"/");
        }
        self.folders.clear();
        for part in path::components(folder) {
            trail.step(part.as_bytes());
            self.folders.push(trail.name());
        }
        // From the innermost outwards, because nearly always its parent is known.
        let mut known = self.folders.len();
        while known > 0 {
            match self.find(self.folders[known - 1])? {
                Some(Holder::Folder) => break,
                Some(Holder::Job(_)) => {
                    let file = path::ancestor(path, known);
                    return Ok(Some(Refusal::FolderIsFile { file }));
                }
                None => known -= 1,
            }
        }
        for index in known..self.folders.len() {
            self.remember(self.folders[index], Holder::Folder)?;
        }
        folder.clone_into(&mut self.last_folder.normal);
        self.last_folder.trail = trail;
        Ok(None)
    }

    fn find(&self, name: Name) -> Result<Option<Holder>, GuardError> {
        if let Some(holder) = self.table.get(name) {
            return Ok(Some(holder));
        }
        self.spill.find(name).map_err(|source| {
            let directory = self.spill.directory().to_owned();
            GuardError::Read { directory, source }
        })
    }

    fn remember(&mut self, name: Name, holder: Holder) -> Result<(), GuardError> {
        let growth = self.table.growth(name);
        let too_much = self.memory_bytes() + growth > self.budget;
        if growth > 0 && too_much && self.table.len() > 0 {
            self.spill.absorb(&mut self.table).map_err(|source| {
                let directory = self.spill.directory().to_owned();
                GuardError::Write { directory, source }
            })?;
        }
        self.table.insert(name, holder);
        Ok(())
    }
}

/// A step that no name of a file makes, because it is not UTF-8.
const NO_FILE: &[u8] = &[0xfe];

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: usize = 1 << 30;

    fn guard(rule: NameRule) -> Guard {
        Guard::new(PLENTY, rule)
    }

    fn file(guard: &mut Guard, path: &str, source: &str) -> Admission {
        guard.admit(Destination::File(path), source.as_bytes()).expect("no disk is needed")
    }

    fn folder_is_file(file: &str) -> Admission {
        Admission::Refused(Refusal::FolderIsFile { file: file.to_owned() })
    }

    const SAME: Admission = Admission::Refused(Refusal::SameDestination);
    const FILE_IS_FOLDER: Admission = Admission::Refused(Refusal::FileIsFolder);

    #[test]
    fn a_destination_has_one_source() {
        let mut guard = guard(NameRule::Exact);
        assert_eq!(file(&mut guard, "a/b", "1"), Admission::Fresh);
        assert_eq!(file(&mut guard, "a/b", "1"), Admission::Duplicate);
        assert_eq!(file(&mut guard, "a/b", "2"), SAME);
        assert_eq!(file(&mut guard, "./a//b", "2"), SAME);
        assert_eq!(file(&mut guard, "/a/b", "2"), Admission::Fresh);
        assert_eq!(file(&mut guard, "A/b", "2"), Admission::Fresh);
        assert_eq!((guard.duplicates(), guard.entries()), (1, 6));
    }

    #[test]
    fn a_file_is_no_folder_and_a_folder_no_file() {
        let mut guard = guard(NameRule::Exact);
        assert_eq!(file(&mut guard, "x/Y/z", "1"), Admission::Fresh);
        assert_eq!(file(&mut guard, "x", "2"), FILE_IS_FOLDER);
        assert_eq!(file(&mut guard, "x/Y", "2"), FILE_IS_FOLDER);
        assert_eq!(file(&mut guard, "./x/Y//z/q/r", "2"), folder_is_file("x/Y/z"));
        assert_eq!(file(&mut guard, "/x", "2"), Admission::Fresh);
        assert_eq!(file(&mut guard, "/x/a/b", "2"), folder_is_file("/x"));
        // Refused jobs leave nothing behind.
        assert_eq!(file(&mut guard, "x/a", "3"), Admission::Fresh);
        assert_eq!(guard.entries(), 5);
    }

    #[test]
    fn where_case_does_not_matter_it_makes_no_two_names() {
        let mut guard = guard(NameRule::CaseFold);
        assert_eq!(file(&mut guard, "Straße/É", "1"), Admission::Fresh);
        assert_eq!(file(&mut guard, "STRASSE/É", "1"), Admission::Fresh);
        assert_eq!(file(&mut guard, "straße/é", "2"), SAME);
        assert_eq!(file(&mut guard, "STRAßE", "2"), FILE_IS_FOLDER);
        assert_eq!(file(&mut guard, "sTraße/É/Ü", "2"), folder_is_file("sTraße/É"));
    }

    #[test]
    fn folder_markers_agree_with_files_below_them_and_with_each_other() {
        let mut guard = guard(NameRule::Exact);
        let mut marker = |path, source: &[u8]| {
            guard.admit(Destination::Folder(path), source).expect("no disk is needed")
        };
        assert_eq!(marker("a/", b"1"), Admission::Fresh);
        assert_eq!(marker("a", b"2"), Admission::Duplicate);
        assert_eq!(marker("", b"1"), Admission::Fresh);
        assert_eq!(file(&mut guard, "a", "1"), FILE_IS_FOLDER);
        assert_eq!(file(&mut guard, "a/b/c", "1"), Admission::Fresh);
        let mut marker =
            |path| guard.admit(Destination::Folder(path), b"1").expect("no disk is needed");
        assert_eq!(marker("a/b/"), Admission::Fresh);
        assert_eq!(marker("a/b/c/"), folder_is_file("a/b/c"));
        assert_eq!(marker("a/b/c/d/"), folder_is_file("a/b/c"));
    }

    #[test]
    fn objects_have_no_folders_and_verbatim_keys() {
        let mut guard = guard(NameRule::CaseFold);
        let mut object =
            |uri| guard.admit(Destination::Object(uri), uri.as_bytes()).expect("no disk is needed");
        for uri in ["s3://b/x", "s3://b/x/y", "s3://b/X", "s3://b//x", "s3://b/x/", "s3://b/./x"] {
            assert_eq!(object(uri), Admission::Fresh, "{uri}");
            assert_eq!(object(uri), Admission::Duplicate, "{uri}");
        }
        let again = guard.admit(Destination::Object("s3://b/x"), b"other").expect("no disk");
        assert_eq!(again, SAME);
        assert_eq!(file(&mut guard, "s3://b/x", "1"), Admission::Fresh);
    }

    #[test]
    fn a_disk_that_fails_is_an_error_from_then_on() {
        let nowhere = std::env::temp_dir().join("no such folder").join("at all");
        let mut guard = Guard::new(0, NameRule::Exact).with_spill_directory(nowhere);
        let mut outcomes =
            (0..2000).map(|n| guard.admit(Destination::File(&format!("f{n}")), b"source"));
        let error = outcomes.by_ref().find_map(Result::err).expect("the disk was needed");
        assert!(matches!(error, GuardError::Write { .. }), "{error}");
        assert!(matches!(outcomes.next(), Some(Err(GuardError::Lost))));
    }

    #[test]
    fn a_path_of_very_many_folders_takes_no_time() {
        let mut guard = guard(NameRule::Exact);
        let deep = "a/".repeat(100_000);
        assert_eq!(file(&mut guard, &format!("{deep}x"), "1"), Admission::Fresh);
        assert_eq!(
            file(&mut guard, &format!("{deep}x/y"), "1"),
            folder_is_file(&format!("{deep}x"))
        );
    }

    /// Names that come as a listing gives them: some hundred files a folder, folders in folders.
    fn typical(number: u32) -> String {
        format!("data/{}/{}/part-{number}.bin", number / 30_000, number / 300)
    }

    #[test]
    fn an_entry_takes_at_most_32_bytes_while_it_grows_and_after() {
        let mut guard = guard(NameRule::Exact);
        for number in 0..400_000 {
            let path = typical(number);
            assert_eq!(file(&mut guard, &path, &path), Admission::Fresh);
            if guard.entries() >= 100_000 {
                let each = guard.peak_memory_bytes() as u64 * 10 / guard.entries();
                assert!(each < 280, "{each} tenths of a byte at {} entries", guard.entries());
            }
        }
    }

    #[test]
    fn the_budget_holds_and_nothing_is_forgotten_on_disk() {
        let budget = 600_000;
        let mut guard = Guard::new(budget, NameRule::Exact);
        for number in 0..120_000 {
            let path = typical(number);
            assert_eq!(file(&mut guard, &path, &path), Admission::Fresh);
            assert!(guard.memory_bytes() <= budget, "{} bytes", guard.memory_bytes());
        }
        assert!(guard.spilled_bytes() > 1_000_000, "{}", guard.spilled_bytes());
        assert!(guard.peak_memory_bytes() <= budget + 50_000, "{}", guard.peak_memory_bytes());
        for number in (0..120_000).step_by(7) {
            let path = typical(number);
            assert_eq!(file(&mut guard, &path, &path), Admission::Duplicate);
            assert_eq!(file(&mut guard, &path, "other"), SAME);
            assert_eq!(file(&mut guard, &format!("{path}/x"), ""), folder_is_file(&path));
        }
        assert_eq!(file(&mut guard, "data/0", ""), FILE_IS_FOLDER);
    }
}
