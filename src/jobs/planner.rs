//! What every source of jobs ends in: numbers them, refuses those that would undo another, and
//! puts them into a bounded channel, so that planning is held back by the engine's pace.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::guard::{Admission, Destination, Guard, NameRule};
use crate::domain::job::{Job, LocalSource, Refused, Task};
use crate::domain::location::ObjectName;
use crate::transfer::gauge::Gauge;

/// What planning produces.
pub type Planned = Result<Job, Refused>;

/// Jobs that wait to be started. So many are seen ahead, so that totals are known early; some 400
/// bytes each.
const AHEAD: usize = 8192;

/// Makes jobs of tasks.
#[derive(Debug)]
pub struct Planner {
    jobs: mpsc::Sender<Planned>,
    gauge: Arc<Gauge>,
    guard: Guard,
    planned: u64,
}

/// What a plan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Plan {
    /// Jobs, those that were refused included.
    pub planned: u64,
    /// Jobs that were the same as one before, and so were left out.
    pub duplicates: u64,
}

/// Nobody takes jobs any more: planning ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl Planner {
    /// `memory`: bytes that remembering destinations may take before it goes to disk.
    pub fn new(gauge: Arc<Gauge>, memory: u64) -> (Self, mpsc::Receiver<Planned>) {
        let (jobs, taken) = mpsc::channel(AHEAD);
        let guard = Guard::new(usize::try_from(memory).unwrap_or(usize::MAX), name_rule());
        (Self { jobs, gauge, guard, planned: 0 }, taken)
    }

    /// Hands one task over. Waits while enough jobs are waiting.
    pub async fn submit(&mut self, line: Option<u64>, task: Task) -> Result<(), Closed> {
        match self.admit(line, task) {
            Some(planned) => self.jobs.send(planned).await.map_err(|_| Closed),
            None => Ok(()),
        }
    }

    /// As `submit`, from a thread that may block.
    pub fn submit_blocking(&mut self, line: Option<u64>, task: Task) -> Result<(), Closed> {
        match self.admit(line, task) {
            Some(planned) => self.jobs.blocking_send(planned).map_err(|_| Closed),
            None => Ok(()),
        }
    }

    pub async fn refuse(&self, refused: Refused) -> Result<(), Closed> {
        self.jobs.send(Err(refused)).await.map_err(|_| Closed)
    }

    pub fn refuse_blocking(&self, refused: Refused) -> Result<(), Closed> {
        self.jobs.blocking_send(Err(refused)).map_err(|_| Closed)
    }

    /// Ends the stream of jobs. From now on the totals are final, though most jobs may wait.
    pub fn finish(self) -> Plan {
        self.gauge.complete_plan();
        Plan { planned: self.planned, duplicates: self.guard.duplicates() }
    }

    fn admit(&mut self, line: Option<u64>, task: Task) -> Option<Planned> {
        self.planned += 1;
        let refuse = |task: &Task, cause: &str, reason: String| {
            Some(Err(Refused {
                line,
                name: task.source(),
                cause: cause.to_owned(),
                reason,
                hint: None,
            }))
        };
        match admission(&mut self.guard, &task) {
            Ok(Admission::Fresh) => {
                self.gauge.plan(task.size());
                Some(Ok(Job { number: self.planned, line, task }))
            }
            Ok(Admission::Duplicate) => None,
            Ok(Admission::Refused(refusal)) => {
                let place = task.destination();
                let reason = format!(
                    "could not write {}: {refusal}",
                    crate::domain::escape::Escaped(&place)
                );
                refuse(&task, "two jobs with one destination", reason)
            }
            Err(error) => {
                let reason = crate::transfer::error::chain(&error);
                refuse(&task, "the plan could not be checked", reason)
            }
        }
    }
}

/// Asks the guard. What makes two jobs the same one is their source; a stream has no second reader.
fn admission(guard: &mut Guard, task: &Task) -> Result<Admission, super::guard::GuardError> {
    match task {
        Task::Download(download) => {
            let source = identity(&download.object);
            match &download.target {
                crate::domain::job::LocalTarget::Below(path) => {
                    guard.admit(Destination::File(path.as_str()), source.as_bytes())
                }
                // Only one job has such a destination.
                _ => Ok(Admission::Fresh),
            }
        }
        Task::Upload(upload) => match &upload.source {
            LocalSource::File { path, .. } => guard.admit(
                Destination::Object(&upload.object.uri()),
                path.as_os_str().as_encoded_bytes(),
            ),
            LocalSource::Stdin { .. } => Ok(Admission::Fresh),
        },
        Task::MakeFolder { marker, folder } => {
            guard.admit(Destination::Folder(folder.as_str()), identity(marker).as_bytes())
        }
    }
}

fn identity(object: &ObjectName) -> String {
    format!("{}\0{}", object.uri(), object.version.as_deref().unwrap_or_default())
}

/// Whether `A` and `a` are one file where downloads land.
fn name_rule() -> NameRule {
    if cfg!(any(windows, target_os = "macos")) { NameRule::CaseFold } else { NameRule::Exact }
}
