//! The part of the memory that is on disk: a few runs, each much smaller than the one before it.

use std::io;
use std::path::{Path, PathBuf};

use super::name::{Entry, Holder, Name, SHARDS};
use super::run::{Run, RunWriter};
use super::table::Table;

/// A run is merged into the one before it unless it is smaller by more than this. So there are at
/// most a handful, and an entry is written again only when it moves to a run several times larger.
const RATIO: u64 = 4;

/// What a table held when it was full.
#[derive(Debug)]
pub(super) struct Spill {
    directory: PathBuf,
    runs: Vec<Run>,
}

impl Spill {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, runs: Vec::new() }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn len(&self) -> u64 {
        self.runs.iter().map(Run::len).sum()
    }

    pub(super) fn bytes_in_memory(&self) -> usize {
        self.runs.iter().map(Run::bytes_in_memory).sum()
    }

    pub(super) fn bytes_on_disk(&self) -> u64 {
        self.len() * Entry::BYTES as u64
    }

    /// The newest runs first: names that come together are often near each other.
    pub(super) fn find(&self, name: Name) -> io::Result<Option<Holder>> {
        for run in self.runs.iter().rev() {
            if let Some(holder) = run.find(name)? {
                return Ok(Some(holder));
            }
        }
        Ok(None)
    }

    /// Empties the table. After an error its entries are lost: nothing may be admitted any more.
    pub(super) fn absorb(&mut self, table: &mut Table) -> io::Result<()> {
        let mut writer = RunWriter::create(&self.directory)?;
        for shard in 0..SHARDS {
            for bits in table.take_sorted(shard) {
                writer.push(bits)?;
            }
            writer.end_shard();
        }
        self.runs.push(writer.finish()?);
        while let [.., larger, smaller] = self.runs.as_slice() {
            if larger.len() > smaller.len() * RATIO {
                break;
            }
            let merged = larger.merge(smaller, &self.directory)?;
            self.runs.truncate(self.runs.len() - 2);
            self.runs.push(merged);
        }
        Ok(())
    }
}
