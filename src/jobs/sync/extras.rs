//! What only the destination has, remembered until it is known whether anything may be removed.

use std::io;
use std::time::SystemTime;

use super::entry::Entry;
use super::stored::Stored;
use crate::domain::naming::Naming;
use crate::jobs::comparisons::Tree;
use crate::transfer::prune::Leaving;

/// A name that the destination has, and the source has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// Below the destination, as that calls it.
    pub name: String,
    /// As it was listed.
    pub size: u64,
    pub modified: Option<SystemTime>,
    /// So many bytes of the name are folders that the source has, and that stay though they may
    /// become empty.
    pub kept: usize,
}

impl Extra {
    /// `kept`: so many bytes of the entry's name are folders that stay.
    pub(super) fn of(entry: Entry, kept: usize, destination: &Tree) -> Self {
        let Entry { name, size, modified, .. } = entry;
        let Tree::Files { naming: naming @ Naming::Encoded, .. } = destination else {
            return Self { name, size, modified, kept };
        };
        let called = |name: &str| naming.path(name).map(|path| path.as_str().to_owned());
        let folders = name.get(..kept).and_then(|name| name.strip_suffix('/'));
        let kept = folders.and_then(|name| called(name).ok()).map_or(0, |name| name.len() + 1);
        let name = called(&name).unwrap_or(name);
        Self { name, size, modified, kept }
    }
}

impl From<Extra> for Leaving {
    fn from(extra: Extra) -> Self {
        let Extra { name, size, modified, kept } = extra;
        Self { name, size, modified, kept }
    }
}

/// Extras in the order in which they were found.
#[derive(Debug, Default)]
pub struct Extras {
    bytes: u64,
    stored: Stored<Extra>,
}

impl Extras {
    pub(super) fn push(&mut self, extra: &Extra) -> io::Result<()> {
        self.bytes += extra.size;
        self.stored.push(extra)
    }

    pub fn count(&self) -> u64 {
        self.stored.count()
    }

    /// What they come to together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Hands them out, from the first one. What can't be read is an error, and never the end.
    pub fn read(&mut self) -> io::Result<impl Iterator<Item = io::Result<Extra>> + Send> {
        self.stored.read()
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::HELD;
    use super::*;

    #[test]
    fn a_few_and_very_many_are_handed_out_as_they_came() {
        for count in [0, 1, 50_000_u64] {
            let mut extras = Extras::default();
            let extra = |number: u64| Extra {
                name: format!("some/folder/{number}"),
                size: number,
                modified: Some(SystemTime::UNIX_EPOCH),
                kept: 4,
            };
            for number in 0..count {
                extras.push(&extra(number)).expect("taken");
            }
            assert_eq!((extras.count(), extras.bytes()), (count, (0..count).sum()));
            assert!(extras.stored.bytes_in_memory() < HELD, "memory grows");
            for _ in 0..2 {
                let read = extras.read().expect("rewound");
                let read: Vec<Extra> = read.map(|extra| extra.expect("read")).collect();
                assert_eq!(read, (0..count).map(extra).collect::<Vec<_>>());
            }
        }
    }
}
