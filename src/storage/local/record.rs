//! What is known of a file on its way, kept beside it, so that the same job goes on where a kill,
//! a crash or a lost network ended it.
//!
//! A record is a claim, not a proof: after a power cut it may be on the disk and its bytes not.
//! Whoever goes on reads the recorded bytes again and compares their checksum. Nothing here may
//! fail a transfer: without a record it only starts anew next time.

use std::fs::File;
use std::io;

use super::claim;
use super::handle::{self, Found};
use super::positional;
use super::spot::Spot;
use super::temp_name::TempName;

/// Bytes that were written, and their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub offset: u64,
    pub length: u64,
    pub crc: u64,
}

/// What an earlier run wrote; to be checked before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Of which object, in the words of whoever began the record.
    pub identity: String,
    /// In the order in which they were written.
    pub pieces: Vec<Recorded>,
}

/// An open record. Its owner holds the lock of the file that it is about.
#[derive(Debug)]
pub(super) struct Record {
    file: File,
    end: End,
    name: TempName,
}

/// Where the next line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    at: u64,
    /// That are recorded.
    bytes: u64,
    /// A line could not be written whole: what followed it would not be read.
    is_broken: bool,
}

const HEAD: &str = "haul-partial 1 ";
/// As many parts have a line of some 40 bytes each as the largest object has of the usual size.
const MOST_BYTES: u64 = 64 << 20;

impl Record {
    /// Begins a record for `spot`, in the place of any other. `None` where none can be kept.
    pub(super) fn begin(spot: &Spot, identity: &str) -> Option<Self> {
        let name = TempName::map(claim::token(spot));
        let folder = spot.folder();
        // Anew, and not the one that is there: another process may be about to remove that.
        drop(folder.remove(&name));
        let found = handle::create_own(folder.handle(), &name);
        // From here on it is removed unless it is used: it may have been made before something failed.
        let name = TempName::new(spot.clone(), name);
        // Where files belong to somebody else as soon as they are made, none is found again.
        let Ok(Found::Own(file)) = found else { return None };
        let end = End { at: 0, bytes: 0, is_broken: false };
        let mut record = Self { file, end, name };
        let line = format!("{HEAD}{identity}\n");
        record.append(&line).ok()?;
        Some(record)
    }

    /// The record of an earlier run, if it says anything.
    pub(super) fn read(spot: &Spot) -> Option<(Self, Earlier)> {
        let name = TempName::map(claim::token(spot));
        let Ok(Found::Own(file)) = handle::open_own(spot.folder().handle(), &name) else {
            return None;
        };
        // From here on it is removed unless it is used.
        let name = TempName::new(spot.clone(), name);
        let length = file.metadata().ok()?.len().min(MOST_BYTES);
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        positional::read_at(&file, 0, &mut bytes).ok()?;
        let (earlier, good) = parse(&bytes)?;
        // What a crash tore off, and all after it, is written over.
        file.set_len(good).ok()?;
        let bytes = earlier.pieces.iter().map(|piece| piece.length).sum();
        let end = End { at: good, bytes, is_broken: false };
        Some((Self { file, end, name }, earlier))
    }

    /// Notes that bytes are written. Not synced: see above.
    pub(super) fn add(&mut self, written: Recorded) {
        let Recorded { offset, length, crc } = written;
        let line = format!("{offset} {length} {crc:016x}\n");
        match self.append(&line) {
            Ok(()) if !self.end.is_broken => self.end.bytes += length,
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "the record of a partial file ends here"),
        }
    }

    /// How many bytes it records, those of an earlier run included.
    pub(super) fn bytes(&self) -> u64 {
        self.end.bytes
    }

    /// Removes the record, if it still has its name: once its file has its own, another process may
    /// have begun the next one.
    pub(super) fn discard(self) {
        let named = self.file.metadata().and_then(|open| self.name.still_names(&open));
        if matches!(named, Ok(false)) {
            self.name.keep();
        }
    }

    /// Leaves the record for a later run.
    pub(super) fn keep(self) {
        self.name.keep();
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let End { at, bytes, is_broken } = self.end;
        if is_broken {
            return Ok(());
        }
        self.end.is_broken = true;
        positional::write_at(&self.file, at, line.as_bytes())?;
        self.end = End { at: at + line.len() as u64, bytes, is_broken: false };
        Ok(())
    }
}

/// What a record says, and the length of what of it can be read. `None` if it is no record.
pub fn parse(bytes: &[u8]) -> Option<(Earlier, u64)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let identity = std::str::from_utf8(&bytes[..end]).ok()?.strip_prefix(HEAD)?.to_owned();
    let mut lines = &bytes[end + 1..];
    let mut pieces = Vec::new();
    while let Some(end) = lines.iter().position(|byte| *byte == b'\n') {
        let Some(piece) = parse_piece(&lines[..end]) else { break };
        pieces.push(piece);
        lines = &lines[end + 1..];
    }
    Some((Earlier { identity, pieces }, (bytes.len() - lines.len()) as u64))
}

fn parse_piece(line: &[u8]) -> Option<Recorded> {
    let mut fields = std::str::from_utf8(line).ok()?.split(' ');
    // Digits only: `parse` alone would take `+5`, which nothing here writes.
    let is_digits = |field: &&str| field.bytes().all(|byte| byte.is_ascii_hexdigit());
    let offset: u64 = fields.next().filter(is_digits)?.parse().ok()?;
    let length: u64 = fields.next().filter(is_digits)?.parse().ok()?;
    let crc = fields.next().filter(|digits| digits.len() == 16 && is_digits(digits))?;
    let crc = u64::from_str_radix(crc, 16).ok()?;
    let is_whole = fields.next().is_none() && length > 0 && offset.checked_add(length).is_some();
    is_whole.then_some(Recorded { offset, length, crc })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECORD: &[u8] = b"haul-partial 1 {}\n0 3 0000000000000007\n5 2 ffffffffffffffff\n";
    const FIRST: Recorded = Recorded { offset: 0, length: 3, crc: 7 };
    const SECOND: Recorded = Recorded { offset: 5, length: 2, crc: u64::MAX };

    #[test]
    fn a_torn_or_foreign_line_ends_what_is_read() {
        let (earlier, good) = parse(RECORD).expect("a record");
        assert_eq!((earlier.identity.as_str(), good), ("{}", RECORD.len() as u64));
        assert_eq!(earlier.pieces, [FIRST, SECOND]);
        let torn = &RECORD[..RECORD.len() - 3];
        assert_eq!(parse(torn).expect("a record").0.pieces, [FIRST]);
        for line in [
            "5 2",
            "5 2 1",
            "5 0 ffffffffffffffff",
            "5 2 ffffffffffffffff 1",
            "+5 2 ffffffffffffffff",
            "5 +2 ffffffffffffffff",
            "5 2 +fffffffffffffff",
            "",
            "x",
        ] {
            let text =
                format!("haul-partial 1 {{}}\n0 3 0000000000000007\n{line}\n1 1 {:016x}\n", 1);
            assert_eq!(parse(text.as_bytes()).expect("a record").0.pieces, [FIRST], "{line:?}");
        }
        for head in ["haul-partial 2 {}\n", "haul-partial 1 {}", "", "\n"] {
            assert_eq!(parse(head.as_bytes()), None, "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), keep in 0..60_usize) {
            let bytes = [&RECORD[..keep.min(RECORD.len())], &bytes].concat();
            if let Some((earlier, good)) = parse(&bytes) {
                prop_assert!(good <= bytes.len() as u64);
                prop_assert!(earlier.pieces.iter().all(|piece| piece.length > 0));
            }
        }
    }
}
