//! Whether what a journal says was done is still so, on both sides. A doubt is a no: to move an
//! object once more loses nothing, to leave it out might.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::compare::sum;
use super::context::{Verify, Work};
use super::error::JobError;
use super::head::{find, head};
use super::journal::{Journal, JournalError, time_text};
use super::outcome::Verified;
use super::upload;
use super::verify::USUAL_CRC;
use crate::domain::evidence::Evidence;
use crate::domain::job::{Download, LocalSource, LocalTarget, ObjectCopy, Task};
use crate::domain::journal::Entry;
use crate::domain::object::{ETag, ObjectFacts};
use crate::domain::relative_path::RelativePath;
use crate::storage::local::{Existing, ExistingKind, SourceFile};

/// Looks at both sides: the local one first, since that costs no request.
pub(super) async fn is_still_done(work: &Arc<Work>, journal: &Journal) -> Result<bool, JobError> {
    let Some(entry) = entry_of(work, journal)? else { return Ok(false) };
    match &work.job.task {
        Task::Download(job) => Ok(is_file_the_same(at_target(work, job)?, &entry)
            && is_source_the_same(work, job, &entry).await?),
        Task::Copy(job) => {
            Ok(is_copied_the_same(work, job, &entry).await?
                && is_at_destination(work, &entry).await?)
        }
        Task::Upload(job) => {
            let LocalSource::File { path, below, .. } = &job.source else { return Ok(false) };
            if !is_file_the_same(Existing::at(path)?, &entry) {
                return Ok(false);
            }
            let found = doubtful(find(work, &job.object).await)?.flatten();
            if !found.is_some_and(|found| is_object_the_same(&found, &entry)) {
                return Ok(false);
            }
            if !is_time_doubtful(&entry) {
                return Ok(true);
            }
            let Ok(file) = upload::open(path, below.as_deref()) else { return Ok(false) };
            is_content_the_same(work, &Arc::new(file), &entry).await
        }
        Task::MakeFolder { folder, .. } => is_folder(work, folder),
        // It leaves nothing that could still be true.
        Task::Compare(_) | Task::Remove(_) => Ok(false),
    }
}

/// What the journal says was done of this very job, if that would do now.
pub(super) fn entry_of(work: &Work, journal: &Journal) -> Result<Option<Entry>, JobError> {
    let entry = match journal.done(&work.job) {
        Ok(entry) => entry,
        Err(JournalError::Local(error)) => return Err(error.into()),
        Err(error) => return Err(JobError::Expectation(error.to_string())),
    };
    let requires = work.context.limits.verify == Verify::Require;
    Ok(entry.filter(|entry| !requires || is_proven(entry)))
}

/// Whether the destination is as the job left it.
pub(super) async fn is_at_destination(work: &Work, entry: &Entry) -> Result<bool, JobError> {
    let object = match &work.job.task {
        Task::Download(job) => return Ok(is_file_the_same(at_target(work, job)?, entry)),
        Task::MakeFolder { folder, .. } => return is_folder(work, folder),
        Task::Compare(_) | Task::Remove(_) => return Ok(false),
        Task::Upload(job) => &job.object,
        Task::Copy(job) => &job.object,
    };
    let found = doubtful(find(work, object).await)?.flatten();
    Ok(found.is_some_and(|found| is_object_the_same(&found, entry)))
}

/// Whether the source of a copy is what was copied: told by the listing, or asked for.
async fn is_copied_the_same(
    work: &Work,
    job: &ObjectCopy,
    entry: &Entry,
) -> Result<bool, JobError> {
    let (size, etag) = match (job.size, &job.etag) {
        (Some(size), Some(etag)) => (size, Some(etag.clone())),
        _ => match doubtful(head(work, &job.source).await)? {
            Some(found) => (found.size, found.etag),
            None => return Ok(false),
        },
    };
    Ok(entry.size == Some(size) && is_source_etag(etag.as_ref(), entry))
}

/// Whether this is the tag of what was copied.
pub(super) fn is_source_etag(found: Option<&ETag>, entry: &Entry) -> bool {
    found.is_some() && found.map(ETag::unquoted) == entry.source_etag.as_deref()
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

pub(super) fn is_file_the_same(existing: Option<Existing>, entry: &Entry) -> bool {
    let Some(existing) = existing else { return false };
    existing.kind == ExistingKind::File
        && entry.size == Some(existing.size)
        && entry.mtime.as_deref() == Some(time_text(existing.modified).as_str())
}

/// The same of a file that is open: one that took its name meanwhile has no part in it.
pub(super) fn is_opened_the_same(file: &SourceFile, entry: &Entry) -> bool {
    entry.size == Some(file.size())
        && entry.mtime.as_deref() == Some(time_text(file.modified()).as_str())
}

/// The coarsest clock of a file system, FAT's.
const TICK: SignedDuration = SignedDuration::from_secs(2);

/// Whether the file was modified so shortly before it was read that it could be written to again
/// without another time.
pub(super) fn is_time_doubtful(entry: &Entry) -> bool {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let (Some(modified), Some(ended)) = (entry.mtime.as_deref().and_then(time), time(&entry.time))
    else {
        return true;
    };
    let took = SignedDuration::try_from_secs_f64(entry.seconds).unwrap_or(SignedDuration::MAX);
    ended.duration_since(modified) < took.saturating_add(TICK)
}

/// Reads the file, where its time does not say enough.
pub(super) async fn is_content_the_same(
    work: &Arc<Work>,
    file: &Arc<SourceFile>,
    entry: &Entry,
) -> Result<bool, JobError> {
    let witness = Evidence::Whole(USUAL_CRC.checksum(0)).witness();
    let sums = sum(work, file, witness.into_iter().collect()).await;
    work.gauge.uncount_all();
    let sums = doubtful(sums)?.unwrap_or_default();
    Ok(sums.iter().any(|found| match found {
        Evidence::Whole(found) => Some(found.to_string()) == entry.checksum,
        _ => false,
    }))
}

/// A listing or a version tells without a request which bytes are there. A manifest's `ETag` only
/// says which ones should be.
async fn is_source_the_same(work: &Work, job: &Download, entry: &Entry) -> Result<bool, JobError> {
    if let Some(version) = job.object.version.as_deref()
        // What has the version `null` may be overwritten.
        && version != "null"
        && entry.version.as_deref() == Some(version)
    {
        return Ok(true);
    }
    if let (Some(size), Some(etag)) = (job.size, &job.etag) {
        return Ok(entry.size == Some(size) && is_etag(Some(etag), entry));
    }
    let found = doubtful(head(work, &job.object).await)?;
    Ok(found.is_some_and(|found| is_object_the_same(&found, entry)))
}

pub(super) fn is_object_the_same(found: &ObjectFacts, entry: &Entry) -> bool {
    entry.size == Some(found.size) && is_etag(found.etag.as_ref(), entry)
}

fn is_etag(found: Option<&ETag>, entry: &Entry) -> bool {
    found.is_some() && found.map(ETag::unquoted) == entry.etag.as_deref()
}

/// A look that failed says nothing: the job is done, and fails by itself if it must.
pub(super) fn doubtful<T>(looked: Result<T, JobError>) -> Result<Option<T>, JobError> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(JobError::Stopped) => Err(JobError::Stopped),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::domain::job::{Expected, Job, Upload};
    use crate::domain::location::{Bucket, Key, ObjectName};
    use crate::transfer::journal;
    use crate::transfer::outcome::{Done, Left};

    fn entry(path: &Path, file: &SourceFile) -> Entry {
        let name = (Bucket::new("b").expect("a name"), Key::new("k").expect("a key"));
        let source = LocalSource::File { path: path.to_owned(), size: None, below: None };
        let upload = Upload {
            source,
            object: ObjectName::new(name.0, name.1),
            attributes: Arc::default(),
            expected: Expected::default(),
        };
        let done = Done {
            bytes: file.size(),
            resumed: 0,
            verified: Verified::Length,
            elapsed: Duration::ZERO,
            retries: 0,
            left: Left { modified: Some(file.modified()), ..Left::default() },
        };
        journal::arrived(Path::new("/"), &Job::new(1, None, Task::Upload(upload)), &done)
    }

    /// Else the one would be compared, and the other one be removed.
    #[test]
    fn an_open_file_is_compared_and_not_what_has_its_name() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (path, aside) = (folder.path().join("f"), folder.path().join("aside"));
        fs::write(&path, "old").expect("written");
        let moved = SourceFile::open(&path).expect("there");
        let entry = entry(&path, &moved);
        fs::rename(&path, &aside).expect("renamed");
        fs::write(&path, "newer").expect("written");
        let newer = SourceFile::open(&path).expect("there");
        fs::rename(&aside, &path).expect("renamed");
        let by_name = Existing::at(&path).expect("a look");
        assert!(is_file_the_same(by_name, &entry) && is_opened_the_same(&moved, &entry));
        assert!(!is_opened_the_same(&newer, &entry));
    }
}
