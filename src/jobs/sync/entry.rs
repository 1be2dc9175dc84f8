//! One name of a tree, with what its listing tells: enough to decide without another request.

use std::time::SystemTime;

use crate::domain::object::ETag;

/// What has a name on one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As both sides call it: below the root, with `/`.
    pub(super) name: String,
    /// As its own side calls it, where that differs: a key such as `a//b` is the file `a/b`.
    pub(super) own: Option<String>,
    pub(super) kind: EntryKind,
    /// In bytes.
    pub(super) size: u64,
    pub(super) modified: Option<SystemTime>,
    pub(super) etag: Option<ETag>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// An object or a file.
    Content,
    /// An object without bytes that stands for a folder: its name ends in `/`.
    Marker,
    /// It is there, and nothing that could be moved: a pipe, or a link that is left out.
    Other,
}

impl Entry {
    /// What its own side calls it.
    pub(super) fn own(&self) -> &str {
        self.own.as_deref().unwrap_or(&self.name)
    }
}

#[cfg(test)]
impl Entry {
    /// An entry that differs from others by its name alone.
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            own: None,
            kind: EntryKind::Content,
            size: 0,
            modified: None,
            etag: None,
        }
    }
}
