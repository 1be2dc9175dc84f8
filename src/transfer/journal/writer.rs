//! The one writer of a journal.
//!
//! What is durable when: a line is written only after its object is (a download is synced and
//! renamed, an upload acknowledged). It is written at once, so that all but the last few outlive the
//! process however that ends; the file is synced a second after the first unsynced line, and at the
//! end. A power cut thus loses the lines of about a second, and a lost line only means that its job
//! is looked at again. After an error nothing more is written: behind a torn line, no other may
//! stand.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::storage::local::{JournalFile, LocalError};

/// Lines that wait to be written, and that are written with one call: a kill loses no more than both
/// together, and a slow disk slows the run rather than have it run ahead of its journal.
const WAITING: usize = 2;
const BATCH: usize = 2;
/// The longest that a line is not synced.
const UNSYNCED: Duration = Duration::from_secs(1);

/// A line on its way.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: String,
    /// Told once it outlives the process.
    pub(super) written: Option<oneshot::Sender<()>>,
}

/// Takes lines, until it is closed.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) lines: Sender<Line>,
    ended: JoinHandle<Result<(), LocalError>>,
}

impl Writer {
    /// Needs a runtime's context.
    pub(super) fn start(file: Arc<JournalFile>) -> Self {
        let (lines, taken) = mpsc::channel(WAITING);
        let runtime = tokio::runtime::Handle::current();
        // A thread of its own: a disk that hangs must not hang a worker of the engine.
        let ended = tokio::task::spawn_blocking(move || runtime.block_on(write(&file, taken)));
        Self { lines, ended }
    }

    /// Waits until all lines are durable, or says why they are not.
    pub(super) async fn close(self) -> Result<(), LocalError> {
        drop(self.lines);
        match self.ended.await {
            Ok(written) => written,
            Err(error) => {
                let cause = std::io::Error::other(error.to_string());
                Err(LocalError::new("write to the journal", "", cause))
            }
        }
    }
}

async fn write(file: &JournalFile, mut taken: Receiver<Line>) -> Result<(), LocalError> {
    let mut batch: Vec<Line> = Vec::new();
    let mut due: Option<Instant> = None;
    loop {
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = wait => {
                file.sync()?;
                due = None;
            }
            received = taken.recv_many(&mut batch, BATCH) => {
                if received == 0 {
                    break;
                }
                let text: String = batch.iter().map(|line| line.text.as_str()).collect();
                file.append(&text)?;
                for written in batch.drain(..).filter_map(|line| line.written) {
                    // Who stopped waiting does not mind.
                    let _unheard = written.send(());
                }
                due.get_or_insert_with(|| Instant::now() + UNSYNCED);
            }
        }
    }
    file.sync()
}
