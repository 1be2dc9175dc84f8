//! The run's own journal is no job's. A download to its name would take the run's memory away, and
//! let a second process lock what then has the name; an upload would read it while it grows.

use super::context::Work;
use super::error::JobError;
use super::journal::Journal;
use crate::domain::job::{Download, LocalSource, LocalTarget, Task, Upload};
use crate::storage::local::error::Shown;

/// Fails for a job that would read or replace `journal`.
pub(super) fn refuse(work: &Work, journal: &Journal) -> Result<(), JobError> {
    let path = match &work.job.task {
        Task::Download(Download { target: LocalTarget::Below(path), .. }) => {
            work.context.destination()?.path().join(path.to_path())
        }
        Task::Download(Download { target: LocalTarget::Exact(path), .. })
        | Task::Upload(Upload { source: LocalSource::File { path, .. }, .. }) => path.clone(),
        Task::Remove(_)
        | Task::Download(_)
        | Task::Upload(_)
        | Task::Copy(_)
        | Task::MakeFolder { .. }
        | Task::Compare(_) => {
            return Ok(());
        }
    };
    if journal.file().is_at(&path) {
        let text = format!("`{}` is the journal of this run", Shown(&path));
        return Err(JobError::Impossible(text));
    }
    Ok(())
}
