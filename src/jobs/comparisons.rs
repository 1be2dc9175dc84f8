//! Two trees, or two single places, become pairs to compare: first every name of the source, which
//! is looked up on the other side, then every name of the destination that no source had. Order
//! does not matter, which some servers do not keep, and memory grows by what the guard remembers
//! of a name alone. A source that could not be read to its end makes nothing extra.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::runtime::Handle;

use super::downloads::full_marker;
use super::listed::{nothing_found, unlisted};
use super::named::{self, Named};
use super::planner::{Closed, Plan, Planner};
use super::uploads::{below, unreadable};
use crate::domain::comparison::{Compare, Place, Presence, Unproven};
use crate::domain::escape::Escaped;
use crate::domain::job::{Expected, Job, LocalSource, LocalTarget, Refused, Task};
use crate::domain::location::{ObjectName, S3Uri};
use crate::domain::naming::Naming;
use crate::domain::pattern::Wildcard;
use crate::domain::sieve::Sieve;
use crate::storage::local::{Existing, FollowLinks, Kind as LocalKind, WalkError, walk};
use crate::storage::object_store::{Depth, ListRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::listing::Pages;

/// What is compared with what.
#[derive(Debug, Clone)]
pub enum Pairing {
    Single { source: Place, destination: Place },
    Trees { source: Tree, destination: Tree },
}

/// Everything below a prefix or a folder.
#[derive(Debug, Clone)]
pub enum Tree {
    Objects {
        uri: S3Uri,
        /// Of sources only.
        wildcard: Option<Wildcard>,
    },
    Files {
        root: PathBuf,
        links: FollowLinks,
        naming: Naming,
    },
}

/// What all pairs have in common.
#[derive(Debug, Clone)]
pub struct Common {
    pub sieve: Sieve,
    pub unproven: Unproven,
}

/// What a plan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub plan: Plan,
    pub extras: Extras,
}

/// Whether names that only the destination has were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extras {
    LookedFor,
    /// The source is not known to its end, so that nothing can be called extra.
    NotLookedFor,
}

/// Plans all pairs, on a thread that may block.
pub fn plan(
    context: &Arc<Context>,
    runtime: &Handle,
    mut planner: Planner,
    pairing: &Pairing,
    common: &Common,
) -> Compared {
    let extras = match pairing {
        Pairing::Single { source, destination } => {
            if runtime.block_on(common.is_meant(context, source)) {
                let pair = common.pair(source.clone(), destination.clone(), None);
                // Nobody takes it: then the run is over.
                planner.submit_blocking(None, Task::Compare(Box::new(pair))).ok();
            }
            Extras::LookedFor
        }
        Pairing::Trees { source, destination } => {
            let trees = Trees { context, runtime, source, destination, common };
            match trees.plan(&mut planner) {
                Ok(Completeness::Cut) => Extras::NotLookedFor,
                // The run says itself that it ended early.
                Ok(Completeness::Whole) | Err(Closed) => Extras::LookedFor,
            }
        }
    };
    Compared { plan: planner.finish(), extras }
}

/// The comparison that shows whether a transfer's job is done, its local side below `base`; `None`
/// for jobs that leave nothing to compare. Rows of manifests, and later of journals, go through
/// here.
pub fn of_job(job: Job, base: &std::path::Path, unproven: Unproven) -> Option<Job> {
    let (source, destination, size, expected) = match job.task {
        Task::Download(task) => {
            let path = match task.target {
                LocalTarget::Below(path) => base.join(path.to_path()),
                LocalTarget::Exact(path) => path,
                LocalTarget::Stdout => return None,
            };
            (Place::Object(task.object), Place::File(path), task.size, task.expected)
        }
        Task::Upload(task) => {
            let LocalSource::File { path, size, .. } = task.source else { return None };
            (Place::File(path), Place::Object(task.object), size, task.expected)
        }
        Task::Copy(task) => {
            let sides = (Place::Object(task.source), Place::Object(task.object));
            (sides.0, sides.1, task.size, task.expected)
        }
        Task::Compare(_) => return Some(job),
        Task::MakeFolder { .. } | Task::Remove(_) => return None,
    };
    let presence = Presence::Open;
    let pair = Compare { source, destination, size, presence, expected, unproven };
    Some(Job { task: Task::Compare(Box::new(pair)), ..job })
}

impl Common {
    /// Of a source that was named. What can't be looked at is compared: that tells why.
    async fn is_meant(&self, context: &Context, source: &Place) -> bool {
        let Sieve { names, bounds } = &self.sieve;
        match source {
            Place::Object(object) => {
                let judged = named::judge(context, object, object.key.file_name(), &self.sieve);
                !matches!(judged.await, Ok(Named::LeftOut))
            }
            Place::File(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let is_within = || match Existing::at(path) {
                    Ok(Some(found)) => bounds.admit(Some(found.size), Some(found.modified)),
                    Ok(None) | Err(_) => true,
                };
                names.admits(&name) && is_within()
            }
        }
    }

    fn pair(&self, source: Place, destination: Place, size: Option<u64>) -> Compare {
        Compare {
            source,
            destination,
            size,
            presence: Presence::Open,
            expected: Expected::default(),
            unproven: self.unproven,
        }
    }
}

/// How far a tree is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Whole,
    Cut,
}

struct Trees<'a> {
    context: &'a Arc<Context>,
    runtime: &'a Handle,
    source: &'a Tree,
    destination: &'a Tree,
    common: &'a Common,
}

/// One name of a tree.
struct Found {
    relative: String,
    size: u64,
    modified: Option<SystemTime>,
}

impl Found {
    fn is_within(&self, sieve: &Sieve) -> bool {
        sieve.bounds.admit(Some(self.size), self.modified)
    }

    /// No file can have such a name. Without one it is the folder that all the others are below.
    fn is_called_a_folder(&self) -> bool {
        self.relative.is_empty() || self.relative.ends_with('/')
    }
}

impl Trees<'_> {
    fn plan(&self, planner: &mut Planner) -> Result<Completeness, Closed> {
        let mut any = false;
        let source = self.each(self.source, planner, |planner, found| {
            any = true;
            self.pair(planner, &found)
        })?;
        if source == Completeness::Cut {
            return Ok(source);
        }
        if let Tree::Objects { uri, .. } = self.source
            && !any
            && !uri.rest.is_empty()
        {
            // Mistyped, most likely: then all there is on the other side would be extra.
            planner.refuse_blocking(nothing_found(uri))?;
            return Ok(Completeness::Cut);
        }
        self.each(self.destination, planner, |planner, found| self.extra(planner, &found))?;
        Ok(Completeness::Whole)
    }

    fn pair(&self, planner: &mut Planner, found: &Found) -> Result<(), Closed> {
        if !self.common.sieve.names.admits(&found.relative) || self.is_marker(found) {
            return Ok(());
        }
        if !found.is_within(&self.common.sieve) {
            return self.leave_out(planner, found);
        }
        let is_file_there =
            matches!(self.destination, Tree::Files { naming: Naming::Verbatim, .. });
        if is_file_there && found.is_called_a_folder() {
            if let Ok(Place::Object(object)) = self.source.place(&found.relative) {
                return planner.refuse_blocking(full_marker(&object, found.size));
            }
            return Ok(());
        }
        match (self.source.place(&found.relative), self.destination.place(&found.relative)) {
            (Ok(source), Ok(destination)) => {
                let pair = self.common.pair(source, destination, Some(found.size));
                planner.submit_blocking(None, Task::Compare(Box::new(pair)))
            }
            (Err(reason), _) | (_, Err(reason)) => {
                planner.refuse_blocking(no_name(&found.relative, &reason))
            }
        }
    }

    /// What is too small or too old for the source's side is not extra on the other one.
    fn leave_out(&self, planner: &mut Planner, found: &Found) -> Result<(), Closed> {
        let places = (self.source.place(&found.relative), self.destination.place(&found.relative));
        let (Ok(source), Ok(destination)) = places else { return Ok(()) };
        let pair = self.common.pair(source, destination, None);
        planner.leave_out_blocking(&Task::Compare(Box::new(pair)))
    }

    /// The planner knows which destinations a source had.
    fn extra(&self, planner: &mut Planner, found: &Found) -> Result<(), Closed> {
        let name = &found.relative;
        let sieve = &self.common.sieve;
        let is_meant = sieve.names.admits(name) && self.source.may_hold(name);
        let is_meant = is_meant && found.is_within(sieve);
        if !is_meant || self.is_marker(found) {
            return Ok(());
        }
        match (self.source.place(name), self.destination.place(name)) {
            (Err(_), Ok(Place::Object(object))) if name.is_empty() => {
                planner.refuse_blocking(full_marker(&object, found.size))
            }
            (Ok(source), Ok(destination)) => {
                let presence = Presence::OnlyAtDestination;
                let pair = self.common.pair(source, destination, Some(0));
                let pair = Compare { presence, ..pair };
                planner.submit_blocking(None, Task::Compare(Box::new(pair)))
            }
            (Err(reason), _) | (_, Err(reason)) => planner.refuse_blocking(no_name(name, &reason)),
        }
    }

    /// A folder's marker is nothing that a file could be compared with.
    fn is_marker(&self, found: &Found) -> bool {
        let has_files = [self.source, self.destination]
            .into_iter()
            .any(|tree| matches!(tree, Tree::Files { .. }));
        has_files && found.relative.ends_with('/') && found.size == 0
    }

    fn each(
        &self,
        tree: &Tree,
        planner: &mut Planner,
        mut visit: impl FnMut(&mut Planner, Found) -> Result<(), Closed>,
    ) -> Result<Completeness, Closed> {
        match tree {
            Tree::Files { root, links, naming } => {
                let mut completeness = Completeness::Whole;
                for item in walk(root, *links) {
                    planner.check_open()?;
                    match item {
                        Ok(item) => match naming.name(&item.relative) {
                            Ok(name) => {
                                let (relative, size) = (name.into_owned(), item.size);
                                let modified = Some(item.modified);
                                visit(planner, Found { relative, size, modified })?;
                            }
                            Err(error) => planner
                                .refuse_blocking(no_name(&item.relative, &error.to_string()))?,
                        },
                        Err(WalkError::Skipped(..)) => {}
                        Err(WalkError::Failed(error)) => {
                            // No key has such a name, so it hides none.
                            if error.kind != LocalKind::NotUnicode {
                                completeness = Completeness::Cut;
                            }
                            planner.refuse_blocking(unreadable(&error))?;
                        }
                    }
                }
                Ok(completeness)
            }
            Tree::Objects { uri, wildcard } => self.list((uri, wildcard), planner, visit),
        }
    }

    fn list(
        &self,
        (uri, wildcard): (&S3Uri, &Option<Wildcard>),
        planner: &mut Planner,
        mut visit: impl FnMut(&mut Planner, Found) -> Result<(), Closed>,
    ) -> Result<Completeness, Closed> {
        let base = wildcard.as_ref().map_or(uri.rest.len(), Wildcard::base_length);
        let prefix = wildcard.as_ref().map_or(uri.rest.as_str(), Wildcard::prefix);
        let bucket = uri.bucket.clone();
        let mut pages =
            Pages::new(self.context, ListRequest::new(bucket, prefix, Depth::Everything));
        loop {
            planner.check_open()?;
            let page = match self.runtime.block_on(pages.next()) {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(Completeness::Whole),
                Err(JobError::Stopped) => return Err(Closed),
                Err(error) => {
                    planner.refuse_blocking(unlisted(uri, &error))?;
                    return Ok(Completeness::Cut);
                }
            };
            for object in page.objects {
                let key = object.key.as_str();
                let is_meant = wildcard.as_ref().is_none_or(|wildcard| wildcard.matches(key));
                let relative = key.get(base..).unwrap_or_default();
                // The marker of the folder itself is nothing, unless it has bytes.
                if is_meant && (!relative.is_empty() || object.size > 0) {
                    let (size, modified) = (object.size, object.last_modified);
                    let found = Found { relative: relative.to_owned(), size, modified };
                    visit(planner, found)?;
                }
            }
        }
    }
}

impl Tree {
    /// What a name is called here. Of objects it is verbatim; no path leads out of the folder.
    pub(super) fn place(&self, relative: &str) -> Result<Place, String> {
        match self {
            Self::Objects { uri, wildcard } => {
                let base = wildcard.as_ref().map_or(uri.rest.len(), Wildcard::base_length);
                let prefix = uri.rest.get(..base).unwrap_or_default();
                let object = below(&uri.bucket, prefix, relative);
                object.map(Place::Object).map_err(|error| error.to_string())
            }
            Self::Files { root, naming, .. } => match naming.path(relative) {
                Ok(path) => Ok(Place::File(root.join(path.to_path()))),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    /// Whether a name would be part of the tree if it were there.
    pub(super) fn may_hold(&self, relative: &str) -> bool {
        let Self::Objects { uri, wildcard: Some(wildcard) } = self else { return true };
        let prefix = uri.rest.get(..wildcard.base_length()).unwrap_or_default();
        wildcard.matches(&format!("{prefix}{relative}"))
    }
}

/// The place of a single object in a folder or below a prefix.
pub fn named_after(
    object: &ObjectName,
    folder: &std::path::Path,
    naming: Naming,
) -> Result<Place, String> {
    match naming.path(object.key.file_name()) {
        Ok(path) => Ok(Place::File(folder.join(path.to_path()))),
        Err(error) => Err(error.to_string()),
    }
}

fn no_name(name: &str, reason: &str) -> Refused {
    let reason = format!("could not compare {}: {reason}", Escaped(name));
    Refused::new(name, "unsafe name", reason)
}
