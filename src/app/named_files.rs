//! Files that options name and that are read as a whole: which of them are standard input, and which
//! could keep a line of many waiting for ever.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ArgMatches;

use crate::storage::local::is_stdin;

/// The arguments that name such files.
const READ: [&str; 6] = [
    "manifest",
    "include_from",
    "exclude_from",
    "sse_c_key_file",
    "source_sse_c_key_file",
    "ca_bundle",
];

/// Of those, the ones that take `-` for a file of that name.
const PLAIN: [&str; 3] = ["sse_c_key_file", "source_sse_c_key_file", "ca_bundle"];

/// How many of a command's keys and certificates come through standard input.
pub(super) fn plain_in_stdin(of: &ArgMatches) -> usize {
    let is_named = |path: &PathBuf| path.as_os_str() != "-" && is_stdin(path);
    PLAIN.iter().flat_map(|id| files(of, id)).filter(is_named).count()
}

/// A pipe, a terminal or another device that the command would read.
pub(super) fn that_may_wait(of: &ArgMatches) -> Option<PathBuf> {
    READ.iter().flat_map(|id| files(of, id)).find(|path| waits(path))
}

/// What does not exist, or is a folder, is told by whoever opens it.
fn waits(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

fn files(of: &ArgMatches, id: &str) -> Vec<PathBuf> {
    let values = of.try_get_raw(id).ok().flatten();
    values.into_iter().flatten().map(PathBuf::from).collect()
}
