//! A manifest read to its end before anything moves: for `--strict`, and for a journal that must be
//! of the same rows. It must never leave the manifest anywhere but at its start.

use std::fs::File;
use std::io::{self, Read, Seek as _};

use super::error::CommandError;
use super::options::Only;
use crate::domain::escape::Escaped;
use crate::jobs::manifest::{self, Compression, Format, ManifestError, Rows};
use crate::jobs::manifested::{self, Common};

/// A manifest that was opened.
pub(super) struct Opened {
    pub(super) read: Box<dyn Read + Send>,
    /// The same again, where that is possible: for the totals.
    pub(super) again: Option<File>,
    pub(super) format: Format,
    pub(super) compression: Compression,
    pub(super) only: Option<Only>,
}

impl Opened {
    /// Begins to read the rows.
    pub(super) fn rows(&self, read: Box<dyn Read + Send>) -> Result<Rows, ManifestError> {
        match self.only {
            Some(Only::Failed) => manifest::open_failed(read, self.compression),
            None => manifest::open(read, self.format, self.compression),
        }
    }

    /// Lets `look` see all rows, on a thread that may block. A manifest that can be read only once
    /// is kept in a file meanwhile.
    pub(super) async fn rehearse(
        mut self,
        look: impl FnOnce(Rows) -> Result<(), CommandError> + Send + 'static,
    ) -> Result<Self, CommandError> {
        let looking = tokio::task::spawn_blocking(move || {
            let (mut file, is_kept) = match self.again.take() {
                Some(again) => (again, false),
                None => (self.keep().map_err(unreadable)?, true),
            };
            let copy = file.try_clone().map_err(unreadable)?;
            look(self.rows(Box::new(copy)).map_err(CommandError::usage)?)?;
            file.rewind().map_err(unreadable)?;
            if !is_kept {
                self.again = Some(file);
            }
            Ok(self)
        });
        looking.await.map_err(CommandError::failed)?
    }

    /// Reads it into a file without a name, and from there from now on.
    fn keep(&mut self) -> io::Result<File> {
        let mut kept = tempfile::tempfile()?;
        io::copy(&mut self.read, &mut kept)?;
        kept.rewind()?;
        self.read = Box::new(kept.try_clone()?);
        Ok(kept)
    }
}

fn unreadable(error: io::Error) -> CommandError {
    CommandError::usage(anyhow::Error::new(error).context("could not read the manifest"))
}

/// Refuses the whole manifest if one of its rows would be. `memory`: bytes that remembering
/// destinations may take before it goes to disk.
pub(super) async fn refuse_bad_rows(
    opened: Opened,
    common: &Common,
    memory: u64,
) -> Result<Opened, CommandError> {
    let common = common.clone();
    opened
        .rehearse(move |rows| {
            let Some((first, count)) = manifested::first_refusal(rows, &common, memory) else {
                return Ok(());
            };
            let line = first.line.map_or_else(String::new, |line| format!(" (line {line})"));
            let more = if count > 1 { format!(", and {} more", count - 1) } else { String::new() };
            let reason = Escaped(&first.reason);
            let text = format!("the manifest is refused as a whole: {reason}{line}{more}");
            Err(CommandError::misuse(text)
                .hint("without --strict the good rows are done, and the bad ones are told"))
        })
        .await
}

/// Refuses the whole manifest if one row reads what another one writes to. Told row by row it would
/// come too late: by then the first one may have written there.
pub(super) async fn refuse_chains(
    opened: Opened,
    common: &Common,
    memory: u64,
) -> Result<Opened, CommandError> {
    let common = common.clone();
    opened
        .rehearse(move |rows| {
            let Some(first) = manifested::first_chained(rows, &common, memory) else {
                return Ok(());
            };
            let line = first.line.map_or_else(String::new, |line| format!(" (line {line})"));
            let reason = Escaped(&first.reason);
            let text = format!("the manifest is refused as a whole: {reason}{line}");
            Err(CommandError::misuse(text)
                .hint("put such rows into manifests of their own, one after the other"))
        })
        .await
}
