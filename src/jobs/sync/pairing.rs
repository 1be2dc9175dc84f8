//! What is synced with what, and which names of either side are meant by it. Pure, but for a look at
//! whether a folder is there.

use std::sync::Arc;

use super::entry::{Entry, EntryKind};
use super::rule::{CompareBy, OneSecond};
use crate::domain::attributes::Attributes;
use crate::domain::bounds::Bounds;
use crate::domain::naming::Naming;
use crate::domain::pattern::Filter;
use crate::jobs::comparisons::Tree;
use crate::jobs::guard::NameRule;
use crate::storage::local::{Existing, ExistingKind, is_temp_name};

/// Two trees, and what counts as equal.
#[derive(Debug, Clone)]
pub struct Pairing {
    pub source: Tree,
    pub destination: Tree,
    pub filter: Filter,
    pub bounds: Bounds,
    pub by: CompareBy,
    /// Of what is uploaded.
    pub attributes: Arc<Attributes>,
    /// How the destination's file system tells names apart.
    pub names: NameRule,
    /// Whether what only the destination has is wanted.
    pub extras: Wanted,
    /// Whether what is extra goes before that comes which it is in the way of. A dry run tells both
    /// in any order.
    pub clears_way: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Yes,
    No,
}

impl Pairing {
    /// Whether a name of the source is to be at the destination.
    pub(super) fn is_wanted(&self, source: &Entry) -> bool {
        self.filter.admits(&source.name) && self.bounds.admit(Some(source.size), source.modified)
    }

    /// What it means that a name of the source has the time of its destination.
    pub(super) fn one_second(&self, source: &Entry) -> OneSecond {
        match &self.destination {
            Tree::Files { .. } => OneSecond::Equal,
            Tree::Objects { .. } => OneSecond::of_object(&self.source, source.modified),
        }
    }

    /// Whether a name of the destination is the command's business: the same filters, and nothing
    /// that a source could not have.
    pub(super) fn is_meant(&self, entry: &Entry) -> bool {
        let Self { source, destination, filter, bounds, .. } = self;
        let is_own = || {
            let name = entry.name.rsplit('/').next().unwrap_or_default();
            let has_files = [source, destination]
                .map(|tree| matches!(tree, Tree::Files { naming: Naming::Verbatim, .. }));
            has_files.contains(&true) && is_temp_name(name.as_ref())
        };
        let stands_for_folder = || is_folder(source, &entry.name);
        let may_go = match entry.kind {
            EntryKind::Content => true,
            EntryKind::Marker => !stands_for_folder(),
            EntryKind::Other => false,
        };
        // Nor can any key be a file of such a name, which has a backslash.
        let has_path = match destination {
            Tree::Files { naming, .. } => naming.path(&entry.name).is_ok(),
            Tree::Objects { .. } => true,
        };
        may_go
            && has_path
            && filter.admits(&entry.name)
            && source.may_hold(&entry.name)
            && bounds.admit(Some(entry.size), entry.modified)
            && !is_own()
    }
}

/// Whether a name is a folder of a tree of files.
pub(super) fn is_folder(tree: &Tree, name: &str) -> bool {
    let Tree::Files { root, naming, .. } = tree else { return false };
    let Ok(path) = naming.folder(name) else { return false };
    let existing = Existing::at(&root.join(path.to_path()));
    matches!(existing, Ok(Some(existing)) if existing.kind == ExistingKind::Folder)
}
