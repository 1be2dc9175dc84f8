//! Names of files on their way: short, recognisable, and gone when they are no longer needed.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;

use super::handle;
use super::spot::Spot;
use super::staged_file::IfExists;

/// A name in a spot's folder that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct TempName {
    spot: Spot,
    /// `None` once the file has its final name, or is to stay.
    name: Option<OsString>,
}

const PREFIX: &str = ".haul-";
const DIGITS: usize = 16;
/// The bytes of a file on their way.
const PART: &str = ".part";
/// What is known of them.
const MAP: &str = ".map";

/// A name like that of a file on its way, and two that are the same to some file systems: without
/// regard to case, and to whether a character is composed.
pub(super) const PROBES: [&str; 3] = [
    ".haul-0000000000000000\u{e9}.part",
    ".HAUL-0000000000000000\u{e9}.PART",
    ".haul-0000000000000000e\u{301}.part",
];

/// Whether `name` is one that only files on their way have: left over if no process is at work. In
/// any case: some file systems know no other.
pub fn is_temp_name(name: &OsStr) -> bool {
    let name = name.to_ascii_lowercase();
    let unwrapped = name.to_str().and_then(|name| {
        let name = name.strip_prefix(PREFIX)?;
        name.strip_suffix(PART).or_else(|| name.strip_suffix(MAP))
    });
    PROBES.iter().any(|probe| name == *probe)
        || unwrapped.is_some_and(|digits| {
            digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
}

/// The bytes that a record is about, if `name` is that of a record.
pub(super) fn record_of(name: &OsStr) -> Option<OsString> {
    let stem = name.to_str()?.strip_suffix(MAP)?;
    Some(format!("{stem}{PART}").into())
}

impl TempName {
    pub(super) fn new(spot: Spot, name: OsString) -> Self {
        Self { spot, name: Some(name) }
    }

    /// Short: a folder that takes a file's own name of 255 bytes takes this one too.
    pub(super) fn random() -> OsString {
        Self::part(fastrand::u64(..))
    }

    pub(super) fn part(token: u64) -> OsString {
        format!("{PREFIX}{token:016x}{PART}").into()
    }

    pub(super) fn map(token: u64) -> OsString {
        format!("{PREFIX}{token:016x}{MAP}").into()
    }

    pub(super) fn spot(&self) -> &Spot {
        &self.spot
    }

    /// Leaves the file where it is.
    pub(super) fn keep(mut self) {
        self.name = None;
    }

    /// Whether the name is still that of the open file of which this is known.
    pub(super) fn still_names(&self, open: &Metadata) -> io::Result<bool> {
        match &self.name {
            Some(name) => handle::is_named(self.spot.folder().handle(), name, open),
            None => Ok(false),
        }
    }

    pub(super) fn become_final(&mut self, if_exists: IfExists) -> io::Result<()> {
        let Some(temp) = &self.name else { return Ok(()) };
        let (folder, name) = (self.spot.folder().handle(), self.spot.name());
        match if_exists {
            IfExists::Replace => handle::rename(folder, temp, name)?,
            IfExists::Keep => handle::rename_new(folder, temp, name)?,
        }
        self.name = None;
        Ok(())
    }
}

impl Drop for TempName {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            // Nobody is left to tell; `haul clean` finds what stays.
            drop(self.spot.folder().remove(&name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_names_are_recognised_and_no_others() {
        for name in [TempName::random(), TempName::part(0), TempName::map(u64::MAX)] {
            assert!(is_temp_name(&name), "{}", name.display());
            assert!(is_temp_name(&name.to_ascii_uppercase()), "{}", name.display());
        }
        assert!(is_temp_name(OsStr::new(PROBES[0])));
        for name in [
            ".haul-.part",
            ".haul-0123456789abcdef",
            ".haul-0123456789abcdeg.part",
            ".haul-0123456789abcdef.part.part",
            "haul-0123456789abcdef.part",
            "x.haul-0123456789abcdef.map",
        ] {
            assert!(!is_temp_name(OsStr::new(name)), "{name}");
        }
    }
}
