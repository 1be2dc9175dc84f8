//! The targets by name, and how much of a run each gets: what is quick gets more.

use fastrand::Rng;

use super::{content_range, journal, listing, manifest, partial, path, uri};

/// How many inputs were checked, or what is wrong.
pub(crate) type Checked = Result<u64, String>;

pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Of all executions, in parts of the sum of all.
    pub(crate) share: u64,
    pub(crate) run: fn(&mut Rng) -> Checked,
}

pub(crate) const ALL: [Target; 13] = [
    Target { name: "paths", share: 6400, run: path::keys },
    Target { name: "uris", share: 1000, run: uri::locations },
    Target { name: "patterns", share: 500, run: uri::patterns },
    Target { name: "content-range", share: 1000, run: content_range::headers },
    Target { name: "csv", share: 200, run: manifest::csv },
    Target { name: "tsv", share: 200, run: manifest::tsv },
    Target { name: "jsonl", share: 200, run: manifest::jsonl },
    Target { name: "keys", share: 200, run: manifest::keys },
    Target { name: "keys0", share: 200, run: manifest::keys0 },
    Target { name: "packed", share: 80, run: manifest::packed },
    Target { name: "partial", share: 300, run: partial::records },
    Target { name: "journal", share: 300, run: journal::lines },
    Target { name: "listing", share: 5, run: listing::pages },
];

pub(crate) fn named(name: &str) -> Result<&'static Target, String> {
    let names = || ALL.map(|target| target.name).join(", ");
    let found = ALL.iter().find(|target| target.name == name);
    found.ok_or_else(|| format!("no target {name:?}: there are {}", names()))
}
