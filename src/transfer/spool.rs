//! An object that the plan itself needs, such as a manifest: fetched and checked like any other,
//! into a file without a name.

use std::fs::File;
use std::sync::Arc;

use super::context::{Context, Work};
use super::download::download;
use super::error::JobError;
use crate::domain::job::{Download, Expected, Fate, Job, LocalTarget, Task};
use crate::domain::location::ObjectName;

/// Fetches `object`. The file is gone when it is closed.
pub async fn spool(context: &Arc<Context>, object: ObjectName) -> Result<File, JobError> {
    let failed = |source| JobError::Io { doing: "make a temporary file".to_owned(), source };
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join("object");
    let target = LocalTarget::Exact(path.clone());
    let task = Download {
        object,
        size: None,
        etag: None,
        last_modified: None,
        target,
        expected: Expected::default(),
    };
    let (number, line, fate) = (0, None, Fate::Kept);
    let job = Arc::new(Job { number, line, task: Task::Download(task.clone()), fate });
    let work = Arc::new(Work::aside(Arc::clone(context), job));
    context.gate.driving(download(&work, &task)).await?;
    File::open(&path).map_err(failed)
}
