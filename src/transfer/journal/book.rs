//! A journal as a run has it: opened and found to be of the same command, asked for what was done,
//! told what is.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::entry::{destination, source};
use super::index::Index;
use super::writer::{Line, Writer};
use crate::domain::digest::Digest;
use crate::domain::escape::Escaped;
use crate::domain::job::{Job, Task};
use crate::domain::journal::{
    Binding, Difference, Entry, FORMAT, LONGEST_LINE, MAGIC, Outcome, SourceIs, parse, render,
};
use crate::storage::local::error::Shown;
use crate::storage::local::{JournalFile, LocalError};

/// An open journal. Locked as long as this lives.
#[derive(Debug)]
pub struct Journal {
    file: Arc<JournalFile>,
    binding: Binding,
    index: Index,
    /// What relative paths of jobs are below.
    here: PathBuf,
    /// Where the lines end that the index is of.
    end: u64,
    writer: Mutex<Option<Writer>>,
}

/// Why a journal can't be used. Nothing was moved, and nothing written to it.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error("`{}` is no journal of haul: its first line is not one's", Shown(.0))]
    Foreign(PathBuf),
    #[error("the journal `{}` has format {format}, this version of haul knows {FORMAT}", Shown(.path))]
    Version { path: PathBuf, format: u32 },
    #[error("the journal `{}` is of another command: {difference}", Shown(.path))]
    OtherCommand { path: PathBuf, difference: Difference },
    #[error("line {line} of the journal `{}` is damaged, or was edited", Shown(.path))]
    Damaged { path: PathBuf, line: u64 },
    #[error(
        "the journal `{}` is of another manifest: on line {line} it has {recorded}, now there is {found}",
        Shown(.path)
    )]
    OtherRow { path: PathBuf, line: u64, recorded: String, found: String },
    #[error("could not write a line of the journal")]
    Unwritable(#[from] serde_json::Error),
    #[error("the journal is not written any more")]
    Ended,
}

impl Journal {
    /// Opens `path`, or begins it, for the command that `asks`. Blocks; needs a runtime's context.
    pub fn open(path: &Path, asks: Binding) -> Result<Self, JournalError> {
        let here = std::env::current_dir();
        let here = here.map_err(|cause| LocalError::new("find this directory of", path, cause))?;
        let file = JournalFile::open(path)?;
        let mut reading = Reading { path, asks: &asks, index: Index::default(), lines: 0 };
        let tail = file.read(LONGEST_LINE, |offset, line| reading.take(offset, line))?;
        let (lines, index) = (reading.lines, reading.index.finish());
        let mut end = tail.offset;
        if lines == 0 && !could_begin(&tail.bytes) {
            return Err(JournalError::Foreign(path.to_owned()));
        }
        if !tail.bytes.is_empty() {
            // Its job is looked at again.
            file.cut(end)?;
        }
        if lines == 0 {
            let first = render(&asks)?;
            file.append(&first)?;
            file.sync()?;
            end = first.len() as u64;
        }
        tracing::debug!(jobs = index.len(), bytes = index.bytes(), "journal");
        let file = Arc::new(file);
        let writer = Mutex::new(Some(Writer::start(Arc::clone(&file))));
        Ok(Self { file, binding: asks, index, here, end, writer })
    }

    /// The file that it is in, which is no job's source and no job's destination.
    pub fn file(&self) -> &Arc<JournalFile> {
        &self.file
    }

    /// Whether it knows of no job yet.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// What relative paths of jobs are below.
    pub(in crate::transfer) fn here(&self) -> &Path {
        &self.here
    }

    /// The line that says that this very job was done.
    pub(in crate::transfer) fn done(&self, job: &Job) -> Result<Option<Entry>, JournalError> {
        let digest = Digest::of(&job.task, &self.here);
        let key = if self.binding.has_rows() { job.line } else { Some(digest.value()) };
        let Some((_, offset)) = key.and_then(|key| self.index.find(key)) else { return Ok(None) };
        let entry = self.entry(offset)?;
        if entry.digest != Some(digest) {
            return Err(self.other_row(key.unwrap_or_default(), &entry, Some(&job.task)));
        }
        // What failed when only the source was left to remove has been done otherwise.
        let has_arrived = entry.source_is == Some(SourceIs::There);
        Ok(Some(entry).filter(|entry| entry.outcome == Outcome::Done || has_arrived))
    }

    /// Hands a line to the writer. Waits while many wait.
    pub(in crate::transfer) async fn record(&self, entry: &Entry) -> Result<(), JournalError> {
        self.hand_over(entry, None).await
    }

    /// The same, and waits until a kill would not lose it.
    pub(in crate::transfer) async fn record_first(
        &self,
        entry: &Entry,
    ) -> Result<(), JournalError> {
        let (written, told) = oneshot::channel();
        self.hand_over(entry, Some(written)).await?;
        told.await.map_err(|_| JournalError::Ended)
    }

    async fn hand_over(
        &self,
        entry: &Entry,
        written: Option<oneshot::Sender<()>>,
    ) -> Result<(), JournalError> {
        let mut text = render(entry)?;
        if text.len() > LONGEST_LINE {
            // Nobody could read the journal any more.
            text = render(&entry.shortened())?;
        }
        let lines = self.lock().as_ref().map(|writer| writer.lines.clone());
        let lines = lines.ok_or(JournalError::Ended)?;
        lines.send(Line { text, written }).await.map_err(|_| JournalError::Ended)
    }

    /// Waits until all lines are durable, or says why they are not.
    pub(in crate::transfer) async fn close(&self) -> Result<(), LocalError> {
        let writer = self.lock().take();
        match writer {
            Some(writer) => writer.close().await.and_then(|()| self.file.check_it_stays()),
            None => Ok(()),
        }
    }

    /// Begins to hold a manifest's rows against the lines.
    pub fn check_rows(&self) -> RowCheck<'_> {
        RowCheck { journal: self, seen: vec![false; self.index.len()] }
    }

    fn entry(&self, offset: u64) -> Result<Entry, JournalError> {
        let line = self.file.line_at(offset, self.end)?;
        parse(&line).map_err(|_| JournalError::Foreign(self.file.path().to_owned()))
    }

    fn other_row(&self, line: u64, entry: &Entry, found: Option<&Task>) -> JournalError {
        let path = self.file.path().to_owned();
        let recorded = pair(&entry.source, entry.destination.as_deref().unwrap_or_default());
        let found = match found {
            Some(task) => {
                let found = pair(&source(task, &self.here), &destination(task));
                let same = if found == recorded { ", which asks for something else" } else { "" };
                format!("{found}{same}")
            }
            None => "no such row".to_owned(),
        };
        JournalError::OtherRow { path, line, recorded, found }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pair(source: &str, destination: &str) -> String {
    format!("{} -> {}", Escaped(source), Escaped(destination))
}

/// Whether these bytes are what a kill can leave of a first line.
fn could_begin(bytes: &[u8]) -> bool {
    let magic = MAGIC.as_bytes();
    bytes.starts_with(magic) || magic.starts_with(bytes)
}

/// A journal that is being read.
struct Reading<'a> {
    path: &'a Path,
    asks: &'a Binding,
    index: Index,
    lines: u64,
}

impl Reading<'_> {
    fn take(&mut self, offset: u64, line: &[u8]) -> Result<(), JournalError> {
        self.lines += 1;
        let path = || self.path.to_owned();
        if self.lines == 1 {
            if !line.starts_with(MAGIC.as_bytes()) {
                return Err(JournalError::Foreign(path()));
            }
            let damaged = |_| JournalError::Damaged { path: path(), line: 1 };
            let binding: Binding = parse(line).map_err(damaged)?;
            if binding.format != FORMAT {
                return Err(JournalError::Version { path: path(), format: binding.format });
            }
            return match binding.difference(self.asks) {
                Some(difference) => Err(JournalError::OtherCommand { path: path(), difference }),
                None => Ok(()),
            };
        }
        let damaged = |_| JournalError::Damaged { path: path(), line: self.lines };
        let entry: Entry = parse(line).map_err(damaged)?;
        if let Some(key) = entry.key(self.asks).filter(|_| entry.digest.is_some()) {
            self.index.push(key, offset);
        }
        Ok(())
    }
}

/// A manifest's rows, held one after another against a journal.
#[derive(Debug)]
pub struct RowCheck<'a> {
    journal: &'a Journal,
    seen: Vec<bool>,
}

impl RowCheck<'_> {
    /// Whether the journal's line about this row, if it has one, is about the same job.
    pub fn row(&mut self, line: u64, task: &Task) -> Result<(), JournalError> {
        let Some((at, offset)) = self.journal.index.find(line) else { return Ok(()) };
        if let Some(seen) = self.seen.get_mut(at) {
            *seen = true;
        }
        let entry = self.journal.entry(offset)?;
        if entry.digest == Some(Digest::of(task, &self.journal.here)) {
            return Ok(());
        }
        Err(self.journal.other_row(line, &entry, Some(task)))
    }

    /// Whether every job that the journal knows was among the rows.
    pub fn finish(self) -> Result<(), JournalError> {
        let Some(at) = self.seen.iter().position(|seen| !seen) else { return Ok(()) };
        let line = self.journal.index.key(at).unwrap_or_default();
        let Some((_, offset)) = self.journal.index.find(line) else { return Ok(()) };
        let entry = self.journal.entry(offset)?;
        Err(self.journal.other_row(line, &entry, None))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::domain::journal::tests::{binding, entry};

    #[tokio::test]
    async fn a_journal_of_a_later_format_is_told_as_such() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("j");
        let later = Binding { format: FORMAT + 1, ..binding() };
        JournalFile::open(&path)
            .and_then(|file| file.append(&render(&later).expect("JSON")))
            .expect("written");
        let error = Journal::open(&path, binding()).expect_err("later").to_string();
        assert!(error.contains("has format 2, this version of haul knows 1"), "{error}");
    }

    #[tokio::test]
    async fn lines_are_there_as_soon_as_they_are_taken_and_nothing_is_taken_after_the_end() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("j");
        let journal = Journal::open(&path, binding()).expect("made");
        assert!(journal.is_empty());
        for digest in 0..3000 {
            journal.record(&entry(None, digest, Outcome::Done)).await.expect("taken");
        }
        journal.close().await.expect("durable");
        let late = journal.record(&entry(None, 9, Outcome::Done)).await;
        assert!(matches!(late, Err(JournalError::Ended)));
        drop(journal);
        let text = std::fs::read_to_string(&path).expect("there");
        assert_eq!(text.lines().count(), 3001);
        let again = Journal::open(&path, binding()).expect("the same command");
        assert_eq!(again.index.len(), 3000);
    }
}
