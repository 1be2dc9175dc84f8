//! Whether what a journal says was done is still so, on both sides. A doubt is a no: to move an
//! object once more loses nothing, to leave it out might.

use super::context::{Verify, Work};
use super::download;
use super::error::JobError;
use super::journal::{Journal, JournalError, time_text};
use super::outcome::Verified;
use super::upload::look;
use crate::domain::job::{Download, LocalSource, LocalTarget, Task};
use crate::domain::journal::Entry;
use crate::domain::object::{ETag, ObjectFacts};
use crate::domain::relative_path::RelativePath;
use crate::storage::local::{Existing, ExistingKind};

/// Looks at both sides: the local one first, since that costs no request.
pub(super) async fn is_still_done(work: &Work, journal: &Journal) -> Result<bool, JobError> {
    let entry = match journal.done(&work.job) {
        Ok(Some(entry)) => entry,
        Ok(None) => return Ok(false),
        Err(JournalError::Local(error)) => return Err(error.into()),
        Err(error) => return Err(JobError::Expectation(error.to_string())),
    };
    if work.context.limits.verify == Verify::Require && !is_proven(&entry) {
        return Ok(false);
    }
    match &work.job.task {
        Task::Download(job) => Ok(is_file_the_same(at_target(work, job)?, &entry)
            && is_source_the_same(work, job, &entry).await?),
        Task::Upload(job) => {
            let LocalSource::File { path, .. } = &job.source else { return Ok(false) };
            if !is_file_the_same(Existing::at(path)?, &entry) {
                return Ok(false);
            }
            let found = doubtful(look(work, &job.object).await)?.flatten();
            Ok(found.is_some_and(|found| is_object_the_same(&found, &entry)))
        }
        Task::MakeFolder { folder, .. } => is_folder(work, folder),
        // It leaves nothing that could still be true.
        Task::Compare(_) => Ok(false),
    }
}

/// Whether more than the length was compared when it was done.
fn is_proven(entry: &Entry) -> bool {
    entry.verified.as_deref().is_some_and(|verified| verified != Verified::Length.name())
}

fn at_target(work: &Work, job: &Download) -> Result<Option<Existing>, JobError> {
    Ok(match &job.target {
        LocalTarget::Below(path) => work.context.destination()?.existing(path)?,
        LocalTarget::Exact(path) => Existing::at(path)?,
        LocalTarget::Stdout => None,
    })
}

fn is_folder(work: &Work, folder: &RelativePath) -> Result<bool, JobError> {
    let existing = work.context.destination()?.existing(folder)?;
    Ok(existing.is_some_and(|it| it.kind == ExistingKind::Folder))
}

fn is_file_the_same(existing: Option<Existing>, entry: &Entry) -> bool {
    let Some(existing) = existing else { return false };
    existing.kind == ExistingKind::File
        && entry.size == Some(existing.size)
        && entry.mtime.as_deref() == Some(time_text(existing.modified).as_str())
}

/// A listing, a manifest's `ETag` or a version tells without a request which bytes are meant.
async fn is_source_the_same(work: &Work, job: &Download, entry: &Entry) -> Result<bool, JobError> {
    if let Some(version) = job.object.version.as_deref()
        // What has the version `null` may be overwritten.
        && version != "null"
        && entry.version.as_deref() == Some(version)
    {
        return Ok(true);
    }
    if let (Some(size), Some(etag)) = (job.size, job.etag.as_ref().or(job.expected.etag.as_ref())) {
        return Ok(entry.size == Some(size) && is_etag(Some(etag), entry));
    }
    let found = doubtful(download::head(work, &job.object).await)?;
    Ok(found.is_some_and(|found| is_object_the_same(&found, entry)))
}

fn is_object_the_same(found: &ObjectFacts, entry: &Entry) -> bool {
    entry.size == Some(found.size) && is_etag(found.etag.as_ref(), entry)
}

fn is_etag(found: Option<&ETag>, entry: &Entry) -> bool {
    found.is_some() && found.map(ETag::unquoted) == entry.etag.as_deref()
}

/// A look that failed says nothing: the job is done, and fails by itself if it must.
fn doubtful<T>(looked: Result<T, JobError>) -> Result<Option<T>, JobError> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(JobError::Stopped) => Err(JobError::Stopped),
        Err(_) => Ok(None),
    }
}
