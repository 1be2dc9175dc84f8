//! Entries on disk: shard after shard, each sorted, in a file that has no name and is gone with
//! the process.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use super::name::{Entry, Holder, Name, SHARDS};

const BUFFER: usize = 64 << 10;

/// How many entries a look-up reads at once: a page.
const WINDOW: usize = 256;

/// A finished file of entries.
#[derive(Debug)]
pub(super) struct Run {
    file: File,
    /// Where each shard starts, counted in entries, and where the last one ends.
    starts: Vec<u64>,
}

impl Run {
    pub(super) fn len(&self) -> u64 {
        self.starts[SHARDS]
    }

    /// The memory that it takes beside the file.
    pub(super) fn bytes_in_memory(&self) -> usize {
        self.starts.capacity() * size_of::<u64>()
    }

    /// Looks a name up where interpolation says that it is. Names are spread evenly, so that the
    /// first read nearly always shows it, or that it is not there.
    pub(super) fn find(&self, name: Name) -> io::Result<Option<Holder>> {
        let first = self.starts[name.shard];
        let mut page = [0; Entry::BYTES * WINDOW];
        let mut low = 0;
        let mut high = usize::try_from(self.starts[name.shard + 1] - first).unwrap_or(usize::MAX);
        let mut start = name.place(high).saturating_sub(WINDOW / 2);
        while low < high {
            start = start.clamp(low, high.saturating_sub(WINDOW).max(low));
            let end = high.min(start + WINDOW);
            let page = &mut page[..(end - start) * Entry::BYTES];
            read_exact_at(&self.file, page, (first + start as u64) * Entry::BYTES as u64)?;
            let entries = page.as_chunks::<{ Entry::BYTES }>().0;
            let after = entries.partition_point(|entry| !name.is_before(entry_of(entry)));
            if after == 0 {
                high = start;
                start = start.saturating_sub(WINDOW);
                continue;
            }
            let last = entry_of(&entries[after - 1]);
            if last.is_of(name) {
                return Ok(Some(last.holder()));
            }
            if after < entries.len() {
                return Ok(None);
            }
            low = end;
            start = end;
        }
        Ok(None)
    }

    /// One run with the entries of both, which have no name in common.
    pub(super) fn merge(&self, other: &Self, directory: &Path) -> io::Result<Self> {
        let mut writer = RunWriter::create(directory)?;
        let (mut ours, mut theirs) = (Entries::of(self)?, Entries::of(other)?);
        for shard in 0..SHARDS {
            ours.enter(shard)?;
            theirs.enter(shard)?;
            loop {
                let source = match (ours.next, theirs.next) {
                    (Some(our), Some(their)) if our <= their => &mut ours,
                    (Some(_), None) => &mut ours,
                    (_, Some(_)) => &mut theirs,
                    (None, None) => break,
                };
                if let Some(bits) = source.next {
                    writer.push(bits)?;
                }
                source.advance()?;
            }
            writer.end_shard();
        }
        writer.finish()
    }
}

/// Writes a run shard by shard.
#[derive(Debug)]
pub(super) struct RunWriter {
    file: BufWriter<File>,
    starts: Vec<u64>,
    written: u64,
}

impl RunWriter {
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BUFFER, tempfile::tempfile_in(directory)?);
        let mut starts = Vec::with_capacity(SHARDS + 1);
        starts.push(0);
        Ok(Self { file, starts, written: 0 })
    }

    /// Entries come sorted.
    pub(super) fn push(&mut self, bits: u128) -> io::Result<()> {
        self.written += 1;
        self.file.write_all(&bits.to_le_bytes())
    }

    pub(super) fn end_shard(&mut self) {
        self.starts.push(self.written);
    }

    pub(super) fn finish(self) -> io::Result<Run> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Run { file, starts: self.starts })
    }
}

/// Goes through a run in its order.
struct Entries<'a> {
    run: &'a Run,
    file: BufReader<&'a File>,
    left: u64,
    next: Option<u128>,
}

impl<'a> Entries<'a> {
    fn of(run: &'a Run) -> io::Result<Self> {
        let mut file = &run.file;
        file.rewind()?;
        Ok(Self { run, file: BufReader::with_capacity(BUFFER, file), left: 0, next: None })
    }

    fn enter(&mut self, shard: usize) -> io::Result<()> {
        self.left = self.run.starts[shard + 1] - self.run.starts[shard];
        self.advance()
    }

    fn advance(&mut self) -> io::Result<()> {
        self.next = None;
        if self.left > 0 {
            self.left -= 1;
            let mut bytes = [0; Entry::BYTES];
            self.file.read_exact(&mut bytes)?;
            self.next = Some(u128::from_le_bytes(bytes));
        }
        Ok(())
    }
}

fn entry_of(bytes: &[u8; Entry::BYTES]) -> Entry {
    Entry::from_bits(u128::from_le_bytes(*bytes))
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    file.seek(io::SeekFrom::Start(offset))?;
    file.read_exact(buffer)
}

#[cfg(test)]
mod tests {
    use super::super::name::{Keys, Kind};
    use super::*;

    fn name(keys: &Keys, number: u32) -> Name {
        let mut trail = keys.trail(Kind::Path);
        trail.step(&number.to_le_bytes());
        trail.name()
    }

    fn holder(keys: &Keys, number: u32) -> Holder {
        match number % 3 {
            0 => Holder::Folder,
            _ => Holder::Job(keys.source(&number.to_le_bytes())),
        }
    }

    /// All in few shards, so that a shard has many windows.
    fn run(keys: &Keys, numbers: impl Iterator<Item = u32>, shards: usize) -> Run {
        let mut sorted = vec![Vec::new(); SHARDS];
        for number in numbers {
            let name = name(keys, number);
            sorted[name.shard % shards].push(Entry::new(name, holder(keys, number)).bits());
        }
        let mut writer = RunWriter::create(&std::env::temp_dir()).expect("a temporary file");
        for mut shard in sorted {
            shard.sort_unstable();
            shard.into_iter().try_for_each(|bits| writer.push(bits)).expect("writes");
            writer.end_shard();
        }
        writer.finish().expect("writes")
    }

    fn expect(run: &Run, keys: &Keys, number: u32, shards: usize, there: bool) {
        let mut name = name(keys, number);
        name.shard %= shards;
        let want = there.then(|| holder(keys, number));
        assert_eq!(run.find(name).expect("reads"), want, "{number}");
    }

    #[test]
    fn what_was_written_is_found_and_nothing_else() {
        let keys = Keys::default();
        for (count, shards) in [(0, SHARDS), (1, SHARDS), (5000, SHARDS), (20_000, 2)] {
            let run = run(&keys, 0..count, shards);
            assert_eq!(run.len(), u64::from(count));
            for number in 0..count + 1000 {
                expect(&run, &keys, number, shards, number < count);
            }
        }
    }

    #[test]
    fn uneven_names_are_found_too() {
        let keys = Keys::default();
        let numbers = (0..60_000).filter(|&number| name(&keys, number).place(10) < 2);
        let run = run(&keys, numbers, 1);
        for number in 0..60_000 {
            let there = name(&keys, number).place(10) < 2;
            expect(&run, &keys, number, 1, there);
        }
    }

    #[test]
    fn merged_runs_have_the_entries_of_both() {
        let keys = Keys::default();
        let even = run(&keys, (0..3000).filter(|number| number % 2 == 0), SHARDS);
        let some = run(&keys, (0..900).filter(|number| number % 2 == 1), SHARDS);
        let both = even.merge(&some, &std::env::temp_dir()).expect("merges");
        assert_eq!(both.len(), even.len() + some.len());
        for number in 0..4000 {
            let there = if number % 2 == 0 { number < 3000 } else { number < 900 };
            expect(&both, &keys, number, SHARDS, there);
        }
    }
}
