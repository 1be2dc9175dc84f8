//! One side of a sync as a stream of entries: a listing or a walk, read on a thread of its own, so
//! that neither side waits for the other. How it ended is an item, too: a side that breaks off
//! never looks like one that is at its end.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::vec::IntoIter;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::entry::{Entry, EntryKind};
use super::join::Which;
use super::sort::Sorter;
use super::task::impossible;
use crate::domain::escape::Escaped;
use crate::domain::job::Refused;
use crate::domain::location::{ObjectName, S3Uri};
use crate::domain::naming::Naming;
use crate::domain::object::ListedObject;
use crate::domain::pattern::{Filter, Wildcard};
use crate::domain::relative_path::RelativePath;
use crate::jobs::comparisons::Tree;
use crate::jobs::downloads::{full_marker, unsafe_name};
use crate::jobs::listed::unlisted;
use crate::jobs::uploads::{LeftOut, unreadable};
use crate::storage::local::{
    Existing, FollowLinks, Kind as LocalKind, Named, UNFINISHED, walk_names,
};
use crate::storage::object_store::{Depth, ListRequest};
use crate::transfer::context::Context;
use crate::transfer::error::JobError;
use crate::transfer::listing::Pages;

/// What is to be read, and how.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) tree: Tree,
    pub(super) which: Which,
    /// Whether the other side is a folder, and what files are called there.
    pub(super) other: Other,
    pub(super) order: Order,
    /// What is left out needs no name that the other side could have.
    pub(super) filter: Filter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    Objects,
    Files(Naming),
}

/// In which order entries are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    AsListed,
    /// Sorted here, with so many bytes in memory.
    Sorted {
        room: usize,
    },
}

#[derive(Debug)]
pub(super) enum Item {
    Entry(Entry),
    Refused(Refused),
    LeftOut(LeftOut),
    End(Ending),
    /// What has come so far is not in order. Nothing was handed out, and nothing will be.
    Disorder,
    /// The run is stopping.
    Stopped,
}

/// How a side ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// Whether all that is there was read.
    pub(super) is_whole: bool,
    /// Whether there may be any number of names behind the last one, of which nothing is known.
    pub(super) is_torn: bool,
    /// Whether anything was there, the marker of the folder itself included.
    pub(super) any: bool,
}

/// Entries that are handed over together, and how many times so many wait.
const BATCH: usize = 512;
const BATCHES: usize = 8;
/// Names that a listing of the destination is ahead before the first one is handed out. A store
/// that sorts in another way, or not at all, shows it in so many: later, names would be taken for
/// missing before it is noticed, and be transferred for nothing.
const HELD_BACK: usize = 4096;

/// A side that is being read.
#[derive(Debug)]
pub(super) struct Side {
    batches: mpsc::Receiver<Vec<Item>>,
    current: IntoIter<Item>,
    /// Owned, so that it ends with this side.
    _reader: JoinSet<()>,
}

impl Side {
    pub(super) fn open(context: &Arc<Context>, reading: Reading) -> Self {
        let (sender, batches) = mpsc::channel(BATCHES);
        let mut reader = JoinSet::new();
        let (context, runtime) = (Arc::clone(context), Handle::current());
        reader.spawn_blocking(move || {
            let sorter = match reading.order {
                Order::AsListed => None,
                Order::Sorted { room } => Some(Sorter::new(room)),
            };
            let is_doubted = reading.which == Which::Destination
                && reading.order == Order::AsListed
                && matches!(reading.tree, Tree::Objects { .. });
            let held_back = if is_doubted { HELD_BACK } else { 0 };
            let mut outlet = Outlet { sender, batch: Vec::new(), sorter, held_back };
            // Nobody takes any more: then there is nobody to tell.
            let _gone = match &reading.tree {
                Tree::Files { root, links, naming } => {
                    reading.walk(root, (*links, *naming), &mut outlet)
                }
                Tree::Objects { uri, wildcard } => {
                    reading.list(&context, &runtime, (uri, wildcard.as_ref()), &mut outlet)
                }
            };
        });
        Self { batches, current: Vec::new().into_iter(), _reader: reader }
    }

    /// What comes next. Nothing may be asked for behind the end.
    pub(super) async fn next(&mut self) -> Item {
        loop {
            if let Some(item) = self.current.next() {
                return item;
            }
            let Some(batch) = self.batches.recv().await else {
                // It broke off without a word, and must not pass for complete.
                self.current = vec![broken()].into_iter();
                let text = "internal error: a side could not be read; please report this";
                return Item::Refused(Refused::new("", "internal error", text.to_owned()));
            };
            self.current = batch.into_iter();
        }
    }
}

fn broken() -> Item {
    Item::End(Ending { is_whole: false, is_torn: true, any: true })
}

/// Nobody takes entries any more.
#[derive(Debug)]
struct Gone;

/// Where entries go: on, or into order first.
struct Outlet {
    sender: mpsc::Sender<Vec<Item>>,
    batch: Vec<Item>,
    sorter: Option<Sorter>,
    /// So many items have to wait for each other.
    held_back: usize,
}

impl Outlet {
    fn check_open(&self) -> Result<(), Gone> {
        if self.sender.is_closed() { Err(Gone) } else { Ok(()) }
    }

    fn push(&mut self, item: Item) -> Result<(), Gone> {
        match (item, &mut self.sorter) {
            (Item::Entry(entry), Some(sorter)) => match sorter.push(entry) {
                Ok(()) => Ok(()),
                Err(error) => self.give_up(&error),
            },
            (item, _) => self.send(item),
        }
    }

    fn send(&mut self, item: Item) -> Result<(), Gone> {
        if self.held_back > 0
            && let (Some(Item::Entry(last)), Item::Entry(entry)) = (self.batch.last(), &item)
            && entry.name < last.name
        {
            self.batch.clear();
            self.batch.push(Item::Disorder);
            self.flush()?;
            return Err(Gone);
        }
        self.batch.push(item);
        if self.batch.len() < self.held_back.max(BATCH) { Ok(()) } else { self.flush() }
    }

    /// Hands over what there is, unless it is held back.
    fn pass_on(&mut self) -> Result<(), Gone> {
        if self.held_back > 0 || self.batch.is_empty() { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Gone> {
        self.held_back = 0;
        let batch = std::mem::take(&mut self.batch);
        self.sender.blocking_send(batch).map_err(|_| Gone)
    }

    fn finish(&mut self, ending: Ending) -> Result<(), Gone> {
        if let Some(sorter) = self.sorter.take() {
            match sorter.finish() {
                Ok(sorted) => {
                    for entry in sorted {
                        match entry {
                            Ok(entry) => self.send(Item::Entry(entry))?,
                            Err(error) => return self.give_up(&error),
                        }
                    }
                }
                Err(error) => return self.give_up(&error),
            }
        }
        self.send(Item::End(ending))?;
        self.flush()
    }

    /// What could not be sorted is worth nothing.
    fn give_up(&mut self, error: &io::Error) -> Result<(), Gone> {
        self.send(Item::Refused(no_room(error)))?;
        self.send(broken())?;
        self.flush()?;
        Err(Gone)
    }
}

fn not_below(uri: &S3Uri, key: &str) -> Refused {
    let reason = format!("could not list {uri}: {} is not below it", Escaped(key));
    Refused::new(key, "the reply makes no sense", reason)
}

/// The disk for what does not fit into memory.
pub(super) fn no_room(error: &io::Error) -> Refused {
    let folder = std::env::temp_dir();
    let reason = format!("could not keep names in {}: {error}", folder.to_string_lossy());
    let hint = Some("set TMPDIR to a folder with room".to_owned());
    Refused { hint, may_pass: true, ..Refused::new("", "the plan could not be kept", reason) }
}

impl Reading {
    fn walk(
        &self,
        root: &Path,
        (links, naming): (FollowLinks, Naming),
        outlet: &mut Outlet,
    ) -> Result<(), Gone> {
        let mut ending = Ending { is_whole: true, is_torn: false, any: false };
        // A destination that is not there is made when the first file is.
        if self.which == Which::Destination && matches!(Existing::at(root), Ok(None)) {
            return outlet.finish(ending);
        }
        for named in walk_names(root, links) {
            outlet.check_open()?;
            ending.any = true;
            match named {
                Ok(Named::File(found)) => {
                    let (name, kind) = match naming.name(&found.relative) {
                        Ok(name) => (name.into_owned(), EntryKind::Content),
                        Err(error) if self.which == Which::Source => {
                            // Its object may have a name that is not known here.
                            ending.is_whole = false;
                            outlet.push(Item::Refused(impossible(&found.relative, &error)))?;
                            continue;
                        }
                        // No key is that file: it stays.
                        Err(_) => (found.relative, EntryKind::Other),
                    };
                    outlet.push(Item::Entry(Entry {
                        name,
                        own: None,
                        kind,
                        size: found.size,
                        modified: Some(found.modified),
                        etag: None,
                    }))?;
                }
                // At the destination it may be this run's own.
                Ok(Named::Unfinished(_)) if self.which == Which::Destination => {}
                Ok(Named::Unfinished(path)) => {
                    outlet.push(Item::LeftOut(LeftOut { path, reason: UNFINISHED }))?;
                }
                Ok(Named::Other { path, relative }) => {
                    if self.filter.admits(&relative) && !path.is_symlink() {
                        let reason = "it is a pipe, a socket or a device";
                        outlet.push(Item::LeftOut(LeftOut { path, reason }))?;
                    }
                    outlet.push(Item::Entry(Entry {
                        name: relative,
                        own: None,
                        kind: EntryKind::Other,
                        size: 0,
                        modified: None,
                        etag: None,
                    }))?;
                }
                // No key has such a name, so it hides none, and nothing would take its place.
                Err(error)
                    if error.kind == LocalKind::NotUnicode && self.which == Which::Destination =>
                {
                    let reason = "its name is not UTF-8, which no key can hold";
                    outlet.push(Item::LeftOut(LeftOut { path: error.path, reason }))?;
                }
                Err(error) => {
                    ending.is_whole &= error.kind == LocalKind::NotUnicode;
                    outlet.push(Item::Refused(unreadable(&error)))?;
                }
            }
        }
        outlet.finish(ending)
    }

    fn list(
        &self,
        context: &Arc<Context>,
        runtime: &Handle,
        (uri, wildcard): (&S3Uri, Option<&Wildcard>),
        outlet: &mut Outlet,
    ) -> Result<(), Gone> {
        let mut ending = Ending { is_whole: true, is_torn: false, any: false };
        let base = wildcard.map_or(uri.rest.len(), Wildcard::base_length);
        let prefix = wildcard.map_or(uri.rest.as_str(), Wildcard::prefix);
        let request = ListRequest::new(uri.bucket.clone(), prefix, Depth::Everything);
        let mut pages = match self.which {
            Which::Source => Pages::new(context, request),
            Which::Destination => Pages::of_destination(context, request),
        };
        loop {
            outlet.check_open()?;
            let page = match runtime.block_on(pages.next()) {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(JobError::Stopped) => {
                    outlet.send(Item::Stopped)?;
                    return outlet.flush();
                }
                Err(error) => {
                    (ending.is_whole, ending.is_torn) = (false, true);
                    outlet.push(Item::Refused(unlisted(uri, &error)))?;
                    break;
                }
            };
            for object in page.objects {
                let key = object.key.as_str();
                if !key.starts_with(prefix) {
                    // Cut at the same place, it would pass for another key.
                    ending.is_whole = false;
                    outlet.push(Item::Refused(not_below(uri, key)))?;
                    continue;
                }
                if wildcard.is_some_and(|wildcard| !wildcard.matches(key)) {
                    continue;
                }
                ending.any = true;
                // The marker of the folder itself is nothing, unless it has bytes that could be
                // lost; and no file can take its place.
                let is_folder_itself = key.len() <= base;
                let has_no_file = self.other == Other::Files(Naming::Verbatim);
                let is_nothing =
                    object.size == 0 || has_no_file && self.which == Which::Destination;
                if !(is_folder_itself && is_nothing)
                    && let Some(item) = self.listed(uri, base, object)
                {
                    outlet.push(item)?;
                }
            }
            // What is known already is not held back.
            outlet.pass_on()?;
        }
        outlet.finish(ending)
    }

    /// A key as the other side would call it; `None` for one that is left out and could have no
    /// name there.
    fn listed(&self, uri: &S3Uri, base: usize, object: ListedObject) -> Option<Item> {
        let relative = object.key.as_str().get(base..)?.to_owned();
        let is_folder = object.key.is_folder_marker() && matches!(self.other, Other::Files(_));
        let kind =
            if is_folder && object.size == 0 { EntryKind::Marker } else { EntryKind::Content };
        let mut entry = Entry {
            name: relative,
            own: None,
            kind,
            size: object.size,
            modified: object.last_modified,
            etag: object.etag,
        };
        if self.other == Other::Files(Naming::Verbatim) && self.which == Which::Source {
            let name = ObjectName::new(uri.bucket.clone(), object.key);
            let is_wanted = self.filter.admits(&entry.name);
            if is_folder && object.size > 0 {
                return is_wanted.then(|| Item::Refused(full_marker(&name, object.size)));
            }
            match RelativePath::new(&entry.name) {
                Ok(path) => {
                    let slash = if is_folder { "/" } else { "" };
                    let path = format!("{}{slash}", path.as_str());
                    if path != entry.name {
                        entry.own = Some(std::mem::replace(&mut entry.name, path));
                    }
                }
                Err(error) => {
                    return is_wanted.then(|| Item::Refused(unsafe_name(name.uri(), &error)));
                }
            }
        }
        Some(Item::Entry(entry))
    }
}
