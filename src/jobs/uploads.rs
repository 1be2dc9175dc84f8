//! Local paths become uploads: a file, everything below a directory, or standard input.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::downloads::{Layout, Selection};
use super::planner::{Closed, Plan, Planner};
use crate::domain::attributes::Attributes;
use crate::domain::escape::Escaped;
use crate::domain::job::{Expected, Fate, LocalSource, Refused, Standing, Task, Upload};
use crate::domain::local_pattern::LocalPattern;
use crate::domain::location::{Bucket, Key, LocationError, ObjectName, S3Uri};
use crate::domain::naming::NotEncoded;
use crate::domain::sieve::Sieve;
use crate::storage::local::{
    Existing, ExistingKind, FollowLinks, Found, JournalFile, LocalError, WalkError, exact, walk,
    walk_matching,
};

/// What a local argument means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `size` as it is now, where there is a file.
    File {
        path: PathBuf,
        size: Option<u64>,
    },
    Directory(PathBuf),
    Matching(LocalPattern),
    Stdin {
        expected_size: Option<u64>,
    },
}

/// Where uploads land.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `s3://b`, `s3://b/`, `s3://b/p/`: names are put behind it.
    Prefix(S3Uri),
    Object(ObjectName),
}

impl Target {
    pub fn new(uri: S3Uri) -> Result<Self, LocationError> {
        if uri.is_prefix() { Ok(Self::Prefix(uri)) } else { uri.object().map(Self::Object) }
    }

    /// The object of a file of that name.
    pub fn object_of(&self, relative: &str) -> Result<ObjectName, LocationError> {
        match self {
            Self::Prefix(uri) => below(&uri.bucket, &uri.rest, relative),
            Self::Object(object) => Ok(object.clone()),
        }
    }
}

/// The object of a name below a prefix.
pub(super) fn below(
    bucket: &Bucket,
    prefix: &str,
    relative: &str,
) -> Result<ObjectName, LocationError> {
    Ok(ObjectName::new(bucket.clone(), Key::new(&format!("{prefix}{relative}"))?))
}

/// What uploads have in common.
#[derive(Debug, Clone)]
pub struct Common {
    pub target: Target,
    pub selection: Selection,
    pub attributes: Arc<Attributes>,
    pub links: FollowLinks,
}

impl Common {
    /// The name of a file that was named. It is asked for only where it becomes part of a key.
    fn name_of<'a>(&self, file: &'a str) -> Result<Cow<'a, str>, NotEncoded> {
        match self.target {
            Target::Prefix(_) => self.selection.naming.name(file),
            Target::Object(_) => Ok(Cow::Borrowed(file)),
        }
    }
}

/// What was met and left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub path: PathBuf,
    pub reason: &'static str,
}

/// Plans the uploads of all sources, in order, on a thread that may block. Gives back what was
/// met and left out: pipes, sockets and devices, and the journal that the run itself writes.
pub fn plan(
    mut planner: Planner,
    sources: &[Source],
    common: &Common,
    journal: Option<&JournalFile>,
) -> (Plan, Vec<LeftOut>) {
    let mut left_out = Vec::new();
    for source in sources {
        let handed_over = match source {
            Source::File { path, size } => plan_file(&mut planner, (path, *size), common, journal),
            Source::Directory(path) => {
                let directory = Directory { path, common, journal };
                directory.plan(&mut planner, &mut left_out, walk(path, common.links), |_| true)
            }
            Source::Matching(pattern) => {
                plan_matching(&mut planner, &mut left_out, pattern, (common, journal))
            }
            Source::Stdin { expected_size } => {
                let source = LocalSource::Stdin { expected_size: *expected_size };
                submit(&mut planner, (source, ""), Standing::Meant, common)
            }
        };
        if handed_over == Err(Closed) {
            break;
        }
    }
    (planner.finish(), left_out)
}

fn plan_file(
    planner: &mut Planner,
    (path, size): (&Path, Option<u64>),
    common: &Common,
    journal: Option<&JournalFile>,
) -> Result<(), Closed> {
    let mut standing = Standing::Meant;
    let Some(name) = path.file_name() else {
        return planner.refuse_blocking(refused(path, "cannot be done", "it has no file name"));
    };
    let Some(name) = name.to_str() else {
        return planner.refuse_blocking(refused(
            path,
            "not UTF-8",
            "its name is not UTF-8, which no key can hold",
        ));
    };
    let Sieve { names, bounds } = &common.selection.sieve;
    let name = match common.name_of(name) {
        Ok(name) => name,
        Err(error) => {
            return planner.refuse_blocking(refused(
                path,
                "not an encoded name",
                &error.to_string(),
            ));
        }
    };
    if !names.admits(&name) {
        return Ok(());
    }
    if !bounds.are_open() {
        match Existing::at(path) {
            Ok(Some(found)) if found.kind == ExistingKind::File => {
                if !bounds.admit(Some(found.size), Some(found.modified)) {
                    return Ok(());
                }
            }
            Ok(Some(_)) => {
                let reason =
                    "it has no size before it is read: bounds of size and time can't judge it";
                return planner.refuse_blocking(refused(path, "cannot be done", reason));
            }
            // The journal tells whether it was moved.
            Ok(None) if journal.is_some() && planner.fate() == Fate::Removed => {
                standing = Standing::Unjudged;
            }
            Ok(None) => {
                let reason = "nothing is there";
                return planner.refuse_blocking(refused(path, "not found", reason));
            }
            Err(error) => return planner.refuse_blocking(unreadable(&error)),
        }
    }
    let source = LocalSource::File { path: path.to_owned(), size, below: None };
    submit(planner, (source, &name), standing, common)
}

/// Names that are remembered as left out; more are only as many.
const MOST_LEFT_OUT: usize = 20;

fn plan_matching(
    planner: &mut Planner,
    left_out: &mut Vec<LeftOut>,
    pattern: &LocalPattern,
    (common, journal): (&Common, Option<&JournalFile>),
) -> Result<(), Closed> {
    let path = Path::new(pattern.base());
    let mut any = false;
    let directory = Directory { path, common, journal };
    let files = walk_matching(pattern, common.links);
    directory.plan(planner, left_out, files, |found| {
        let is_matching = pattern.matches(&found.relative);
        any |= is_matching;
        is_matching
    })?;
    // The journal tells whether all of it was moved.
    if any || journal.is_some() && planner.fate() == Fate::Removed {
        return Ok(());
    }
    let typed = Path::new(pattern.as_str());
    planner.refuse_blocking(refused(typed, "not found", "nothing matches"))
}

/// Everything below a directory, on its way to jobs.
struct Directory<'a> {
    path: &'a Path,
    common: &'a Common,
    journal: Option<&'a JournalFile>,
}

impl Directory<'_> {
    fn plan(
        &self,
        planner: &mut Planner,
        left_out: &mut Vec<LeftOut>,
        files: impl Iterator<Item = Result<Found, WalkError>>,
        mut matches: impl FnMut(&Found) -> bool,
    ) -> Result<(), Closed> {
        let Common { selection, links, .. } = self.common;
        let below: Option<Arc<Path>> = (*links == FollowLinks::No).then(|| Arc::from(self.path));
        let mut leave_out = |path, reason| {
            if left_out.len() < MOST_LEFT_OUT {
                left_out.push(LeftOut { path, reason });
            }
        };
        let is_meant = |found: &Found| {
            let name = selection.naming.name(&found.relative);
            // What has no key is told under its own name.
            let name = name.unwrap_or(Cow::Borrowed(&found.relative));
            selection.sieve.admits(&name, Some(found.size), Some(found.modified))
        };
        for found in files {
            planner.check_open()?;
            match found {
                Ok(found) if !matches(&found) => {}
                Ok(found) if !is_meant(&found) => {}
                Ok(found) if self.journal.is_some_and(|journal| journal.is_at(&found.path)) => {
                    leave_out(found.path, "it is the journal of this run");
                }
                Ok(found) => {
                    let path = match selection.layout {
                        Layout::Tree => found.relative.as_str(),
                        Layout::Flat => {
                            found.relative.rsplit('/').next().unwrap_or(&found.relative)
                        }
                    };
                    let name = match selection.naming.name(path) {
                        Ok(name) => name,
                        Err(error) => {
                            let (cause, error) = ("not an encoded name", error.to_string());
                            planner.refuse_blocking(refused(&found.path, cause, &error))?;
                            continue;
                        }
                    };
                    let (size, below) = (Some(found.size), below.clone());
                    let source = LocalSource::File { path: found.path, size, below };
                    submit(planner, (source, &name), Standing::Meant, self.common)?;
                }
                Err(WalkError::Skipped(path, reason)) => leave_out(path, reason),
                Err(WalkError::Failed(error)) => planner.refuse_blocking(unreadable(&error))?,
            }
        }
        Ok(())
    }
}

fn submit(
    planner: &mut Planner,
    (source, name): (LocalSource, &str),
    standing: Standing,
    common: &Common,
) -> Result<(), Closed> {
    match common.target.object_of(name) {
        Ok(object) => {
            let attributes = Arc::clone(&common.attributes);
            let upload = Upload { source, object, attributes, expected: Expected::default() };
            let task = Task::Upload(upload);
            match standing {
                Standing::Meant => planner.submit_blocking(None, task),
                Standing::Unjudged => planner.submit_unjudged_blocking(task),
            }
        }
        Err(error) => {
            let path = match &source {
                LocalSource::File { path, .. } => path.as_path(),
                LocalSource::Stdin { .. } => Path::new("-"),
            };
            planner.refuse_blocking(refused(path, "not a key", &error.to_string()))
        }
    }
}

/// A source that is there no more, or never was.
pub fn unreadable(error: &LocalError) -> Refused {
    Refused {
        hint: error.hint().map(str::to_owned),
        may_pass: error.kind.is_transient(),
        ..Refused::new(exact(&error.path), error.label(), error.to_string())
    }
}

fn refused(path: &Path, cause: &str, reason: &str) -> Refused {
    let name = exact(path);
    let reason = format!("could not upload {}: {reason}", Escaped(&name));
    Refused::new(name, cause, reason)
}
