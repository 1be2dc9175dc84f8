//! Entries in whatever order become entries in the order of their names, in bounded memory: sorted
//! runs go to a file without a name, and are merged when they are read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use super::coded::Coded as _;
use super::entry::Entry;

/// What an entry takes in memory beside its name.
const ENTRY: usize = 160;
/// What is read of a run at once.
const WINDOW: usize = 32 * 1024;

/// Takes entries in any order.
#[derive(Debug)]
pub(super) struct Sorter {
    /// Bytes in memory before a run goes to disk.
    room: usize,
    held: Vec<Entry>,
    bytes: usize,
    file: Option<File>,
    /// Where each run ends in the file.
    ends: Vec<u64>,
}

impl Sorter {
    pub(super) fn new(room: usize) -> Self {
        Self { room, held: Vec::new(), bytes: 0, file: None, ends: Vec::new() }
    }

    pub(super) fn push(&mut self, entry: Entry) -> io::Result<()> {
        self.bytes += ENTRY + entry.name.len() + entry.own.as_ref().map_or(0, String::len);
        self.held.push(entry);
        if self.bytes > self.room { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        sort(&mut self.held);
        let mut bytes = Vec::new();
        let mut end = self.ends.last().copied().unwrap_or(0);
        for entry in self.held.drain(..) {
            entry.write(&mut bytes);
            if bytes.len() >= WINDOW {
                file.write_all(&bytes)?;
                end += bytes.len() as u64;
                bytes.clear();
            }
        }
        file.write_all(&bytes)?;
        self.ends.push(end + bytes.len() as u64);
        self.file = Some(file);
        self.bytes = 0;
        Ok(())
    }

    /// All of them, in order; those of one name in the order in which they came.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        let Some(file) = self.file.take() else {
            sort(&mut self.held);
            return Ok(Sorted::Held(self.held.into_iter()));
        };
        self.file = Some(file);
        if !self.held.is_empty() {
            self.spill()?;
        }
        let Some(file) = self.file else { return Ok(Sorted::Held(Vec::new().into_iter())) };
        let file = Arc::new(Mutex::new(file));
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let mut merge = Merge { runs: Vec::new(), heads: BinaryHeap::new() };
        for (start, end) in starts.zip(&self.ends) {
            let piece = Piece { file: Arc::clone(&file), at: start, end: *end };
            merge.runs.push(BufReader::with_capacity(WINDOW, piece));
            merge.advance(merge.runs.len() - 1)?;
        }
        Ok(Sorted::Merged(merge))
    }
}

/// Stable.
fn sort(entries: &mut [Entry]) {
    entries.sort_by(|one, other| one.name.cmp(&other.name));
}

/// Entries in order.
#[derive(Debug)]
pub(super) enum Sorted {
    Held(std::vec::IntoIter<Entry>),
    Merged(Merge),
}

impl Iterator for Sorted {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Held(entries) => entries.next().map(Ok),
            Self::Merged(merge) => merge.next(),
        }
    }
}

/// The runs of a file, each with its first entry that was not handed out.
#[derive(Debug)]
pub(super) struct Merge {
    runs: Vec<BufReader<Piece>>,
    heads: BinaryHeap<Reverse<Head>>,
}

#[derive(Debug)]
struct Head {
    entry: Entry,
    run: usize,
}

impl Merge {
    fn next(&mut self) -> Option<io::Result<Entry>> {
        let Reverse(Head { entry, run }) = self.heads.pop()?;
        Some(self.advance(run).map(|()| entry))
    }

    fn advance(&mut self, run: usize) -> io::Result<()> {
        let Some(reader) = self.runs.get_mut(run) else { return Ok(()) };
        if !reader.fill_buf()?.is_empty() {
            let entry = Entry::read(reader)?;
            self.heads.push(Reverse(Head { entry, run }));
        }
        Ok(())
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.entry.name, self.run).cmp(&(&other.entry.name, other.run))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// A part of a file that others read as well.
#[derive(Debug)]
struct Piece {
    file: Arc<Mutex<File>>,
    at: u64,
    end: u64,
}

impl Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        if most == 0 {
            return Ok(0);
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(&mut buffer[..most])?;
        self.at += read as u64;
        // The file ends before what was written: then what is missing must not pass for the end.
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(read) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(names: &[String], room: usize) -> Vec<(String, u64)> {
        let mut sorter = Sorter::new(room);
        for (number, name) in (0..).zip(names) {
            sorter.push(Entry { size: number, ..Entry::named(name) }).expect("taken");
        }
        let entries = sorter.finish().expect("sorted");
        entries.map(|entry| entry.map(|entry| (entry.name, entry.size)).expect("read")).collect()
    }

    proptest! {
        #[test]
        fn runs_on_disk_and_entries_in_memory_come_in_the_same_order(
            names in prop::collection::vec("[a-c/]{0,3}", 0..60), room in 0..5000_usize,
        ) {
            let mut wanted: Vec<(String, u64)> = names.iter().cloned().zip(0..).collect();
            wanted.sort();
            prop_assert_eq!(sorted(&names, room), wanted);
        }
    }

    #[test]
    fn many_runs_of_more_than_a_window_are_merged() {
        let names: Vec<String> =
            (0..40_000_u64).map(|n| format!("{:05}/{n}", n * 7919 % 40_000)).collect();
        let found = sorted(&names, 300_000);
        assert_eq!(found.len(), names.len());
        assert!(found.is_sorted());
    }
}
