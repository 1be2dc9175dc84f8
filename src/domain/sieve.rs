//! Which objects and files are meant: by name, by size and by time.

use std::time::SystemTime;

use super::bounds::Bounds;
use super::object::{ListedObject, ListedVersion, VersionKind};
use super::pattern::Filter;

/// All filters of a command. What one of them leaves out is left out.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    pub names: Filter,
    pub bounds: Bounds,
}

impl Sieve {
    /// Of a name that filters see, and of what has it. What has no known size or time is within no
    /// bound of it.
    pub fn admits(&self, name: &str, size: Option<u64>, modified: Option<SystemTime>) -> bool {
        self.names.admits(name) && self.bounds.admit(size, modified)
    }

    pub fn admits_listed(&self, name: &str, object: &ListedObject) -> bool {
        self.admits(name, Some(object.size), object.last_modified)
    }

    /// A version is judged by what it is itself. A delete marker has no size that could be judged.
    pub fn admits_version(&self, name: &str, version: &ListedVersion) -> bool {
        let ListedVersion { object, kind, .. } = version;
        let size = (*kind == VersionKind::Object).then_some(object.size);
        self.admits(name, size, object.last_modified)
    }
}
