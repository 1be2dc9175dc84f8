//! The end of a move: its source goes, once the destination is complete and verified, and only if it
//! is still what was moved. Any doubt keeps it, and says so: to have an object twice loses nothing.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use super::context::Work;
use super::error::JobError;
use super::head::{find, find_source, head};
use super::journal::{self, Journal, time_text};
use super::outcome::{Done, Verified};
use super::retry::until_done;
use super::still_done::{
    doubtful, entry_of, is_at_destination, is_content_the_same, is_object_the_same,
    is_opened_the_same, is_source_etag, is_time_doubtful,
};
use super::upload;
use crate::domain::escape::Escaped;
use crate::domain::job::{Download, Fate, LocalSource, LocalTarget, Standing, Task, Upload};
use crate::domain::journal::{Entry, Outcome, SourceIs};
use crate::domain::location::ObjectName;
use crate::domain::object::ObjectFacts;
use crate::storage::error::Kind;
use crate::storage::local::error::Shown;
use crate::storage::local::{Existing, SourceFile, is_by_program};
use crate::storage::object_store::Removal;

const DELETE: &str = "DeleteObject";
/// Longer than the second that times in headers are told in.
const A_SECOND: Duration = Duration::from_millis(1500);

/// The source of a job, as it was when its bytes were read.
#[derive(Debug)]
pub(super) enum Origin {
    Object(ObjectFacts),
    File(Arc<SourceFile>),
}

impl Work {
    /// Notes what is moved, where its removal is to follow: no other job has a use for it.
    pub(super) fn moves(&self, origin: impl FnOnce() -> Origin) {
        if self.job.fate == Fate::Removed {
            *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = Some(origin());
        }
    }

    /// When the object that is moved was written.
    pub(super) fn origin_modified(&self) -> Option<SystemTime> {
        match &*self.origin.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Origin::Object(facts)) => facts.last_modified,
            Some(Origin::File(_)) | None => None,
        }
    }

    fn take_origin(&self) -> Option<Origin> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Before anything is written: sees to it that a write to the source itself, by another name (an
/// access point, another endpoint, a key that the server takes for the same), would show in its
/// time. Two objects that differ now are two; where they look alike, a second has to pass.
pub(super) async fn tell_apart(
    work: &Work,
    source: &ObjectFacts,
    destination: &ObjectName,
) -> Result<(), JobError> {
    let is_alike = match find(work, destination).await {
        Ok(None) => false,
        Ok(Some(found)) => is_alike(&found, source),
        // Who may write may not always look.
        Err(error) if matches!(error.store_kind(), Some(Kind::Denied | Kind::Refused)) => true,
        Err(error) => return Err(error),
    };
    if is_alike && source.last_modified.is_none() {
        let text = format!("{destination} may be the same object, and nothing tells them apart");
        return Err(JobError::Impossible(text));
    }
    if is_alike {
        work.context.or_stopped(tokio::time::sleep(A_SECOND)).await?;
    }
    Ok(())
}

/// Before a file is moved to an object that is there, or an object to a file that is: where a program
/// shows a bucket as a file system, both may be one, and the removal of either that of both. Two that
/// differ in length are two.
pub(super) async fn tell_file_apart(work: &Work) -> Result<(), JobError> {
    let path = match &work.job.task {
        Task::Upload(Upload { source: LocalSource::File { path, .. }, .. })
        | Task::Download(Download { target: LocalTarget::Exact(path), .. }) => path.clone(),
        Task::Download(Download { target: LocalTarget::Below(path), .. }) => {
            work.context.landing()?.path().join(path.to_path())
        }
        _ => return Ok(()),
    };
    if !is_by_program(&path) {
        return Ok(());
    }
    let Some(file) = Existing::at(&path)? else { return Ok(()) };
    let found = match &work.job.task {
        Task::Download(job) => find_source(work, &job.object).await?,
        Task::Upload(job) => find(work, &job.object).await?,
        _ => None,
    };
    if found.is_none_or(|found| found.size != file.size) {
        return Ok(());
    }
    let text = format!(
        "`{}` is on a file system that a program provides, and as long as the object: both may be \
         one, of which a move would leave none",
        Shown(&path)
    );
    Err(JobError::Impossible(text))
}

/// Removes the source of a move that has arrived.
pub(super) async fn remove_source(work: &Arc<Work>, done: &Done) -> Result<(), JobError> {
    let removed = async {
        if let Some(journal) = work.context.journal.get() {
            let entry = journal::arrived(journal.here(), &work.job, done);
            let unwritten = |error: journal::JournalError| JobError::Expectation(error.to_string());
            journal.record_first(&entry).await.map_err(unwritten)?;
        }
        if done.verified == Verified::Length {
            see(work, done).await?;
        }
        remove(work).await
    };
    removed.await.map_err(|error| kept(work, Some(done), error))
}

/// Whether an earlier run moved it, as the journal says, and it still is where it was moved to. What
/// that run left of a source goes now.
pub(super) async fn is_moved(work: &Arc<Work>, journal: &Journal) -> Result<bool, JobError> {
    let Some(entry) = entry_of(work, journal)? else { return Ok(false) };
    if !is_at_destination(work, &entry).await? {
        return Ok(false);
    }
    let origin = match source_now(work, &entry).await? {
        Source::Gone => return Ok(true),
        Source::Same(origin)
            if entry.source_is == Some(SourceIs::There) && work.job.standing == Standing::Meant =>
        {
            origin
        }
        // What is there came after the move, or is not what was moved.
        Source::Same(_) | Source::Other => return Ok(false),
    };
    if may_be_one(work, &entry, &origin).await? {
        return Ok(false);
    }
    work.moves(|| origin);
    remove(work).await.map_err(|error| kept(work, None, error))?;
    let removed = Entry {
        outcome: Outcome::Done,
        source_is: Some(SourceIs::Removed),
        cause: None,
        message: None,
        may_pass: None,
        want: None,
        time: time_text(SystemTime::now()),
        ..entry
    };
    // Where it is not written, the next run finds the source gone.
    let _unwritten = journal.record(&removed).await;
    Ok(true)
}

/// Why a source that was gone when it was to be judged is not moved: it is gone still, or what is
/// there now may be what bounds leave out.
pub(super) async fn unjudged(work: &Work) -> JobError {
    let found = match &work.job.task {
        Task::Upload(Upload { source: LocalSource::File { path, below, .. }, .. }) => {
            upload::open(path, below.as_deref()).map(drop).map_err(JobError::from)
        }
        _ => match source_object(work) {
            Some(object) => head(work, object).await.map(drop),
            None => Ok(()),
        },
    };
    let text = "it was not there when its size and time were to be judged, and is now: it was kept";
    found.err().unwrap_or_else(|| JobError::Impossible(text.to_owned()))
}

/// Whether what is to go may be what was written, by another name: then it is moved anew, under the
/// guards of a first time. An object that still has the time that it was read with is not what was
/// written after it (see `tell_apart`); where no time is told, what looks alike may be one.
async fn may_be_one(work: &Work, entry: &Entry, origin: &Origin) -> Result<bool, JobError> {
    tell_file_apart(work).await?;
    let (Task::Copy(job), Origin::Object(source), None) =
        (&work.job.task, origin, &entry.source_mtime)
    else {
        return Ok(false);
    };
    let found = doubtful(find(work, &job.object).await)?.flatten();
    Ok(found.is_none_or(|found| is_alike(&found, source)))
}

/// The source of a job that an earlier run had moved.
enum Source {
    Gone,
    Same(Origin),
    Other,
}

async fn source_now(work: &Arc<Work>, entry: &Entry) -> Result<Source, JobError> {
    let Some(object) = source_object(work) else { return file_now(work, entry).await };
    let found = match doubtful(find_source(work, object).await)? {
        Some(Some(found)) => found,
        Some(None) => return Ok(Source::Gone),
        None => return Ok(Source::Other),
    };
    let is_same = match &work.job.task {
        Task::Copy(_) => {
            entry.size == Some(found.size) && is_source_etag(found.etag.as_ref(), entry)
        }
        Task::MakeFolder { .. } => found.size == 0,
        _ => is_object_the_same(&found, entry),
    };
    // The same bytes, written again, are another object.
    let time = found.last_modified.map(time_text);
    let is_same = is_same && (entry.source_mtime.is_none() || time == entry.source_mtime);
    Ok(if is_same { Source::Same(Origin::Object(found)) } else { Source::Other })
}

async fn file_now(work: &Arc<Work>, entry: &Entry) -> Result<Source, JobError> {
    let Task::Upload(job) = &work.job.task else { return Ok(Source::Other) };
    let LocalSource::File { path, below, .. } = &job.source else { return Ok(Source::Other) };
    if Existing::at(path)?.is_none() {
        return Ok(Source::Gone);
    }
    let Ok(file) = upload::open(path, below.as_deref()) else { return Ok(Source::Other) };
    let file = Arc::new(file);
    // Of the open file, never by its name: what is compared is what is removed.
    let is_same = is_opened_the_same(&file, entry)
        && (!is_time_doubtful(entry) || is_content_the_same(work, &file, entry).await?);
    Ok(if is_same { Source::Same(Origin::File(file)) } else { Source::Other })
}

fn source_object(work: &Work) -> Option<&ObjectName> {
    match &work.job.task {
        Task::Download(job) => Some(&job.object),
        Task::Copy(job) => Some(&job.source),
        Task::MakeFolder { marker, .. } => Some(marker),
        Task::Upload(_) | Task::Compare(_) | Task::Remove(_) => None,
    }
}

/// Looks at an object that no checksum proves: it must be there, and have the length.
async fn see(work: &Work, done: &Done) -> Result<(), JobError> {
    let object = match &work.job.task {
        Task::Upload(job) => &job.object,
        Task::Copy(job) => &job.object,
        _ => return Ok(()),
    };
    let found = find(work, object).await?;
    let is_there = found.is_some_and(|found| {
        found.size == done.bytes && (done.left.etag.is_none() || found.etag == done.left.etag)
    });
    if is_there {
        return Ok(());
    }
    Err(JobError::Expectation("what is there now is not what was written".to_owned()))
}

async fn remove(work: &Work) -> Result<(), JobError> {
    let lost = || JobError::Internal("nobody knows what was moved".to_owned());
    match work.take_origin().ok_or_else(lost)? {
        Origin::File(file) => Ok(Arc::into_inner(file).ok_or_else(lost)?.remove()?),
        Origin::Object(facts) => {
            remove_object(work, source_object(work).ok_or_else(lost)?, &facts).await
        }
    }
}

/// Looks once more, and then removes the object on the condition that it has the tag still: where
/// the store does not heed that, the look is all there is.
async fn remove_object(
    work: &Work,
    object: &ObjectName,
    moved: &ObjectFacts,
) -> Result<(), JobError> {
    if !is_still_there(work, object, moved).await? {
        return Ok(());
    }
    // A version is never another one, but for the one that is called `null`.
    let is_fixed = object.version.as_deref().is_some_and(|version| version != "null");
    let if_match = moved.etag.clone().filter(|_| !is_fixed);
    let version = object.version.clone();
    let removal = Removal { key: object.key.clone(), version, if_match };
    let error = match delete(work, object, &removal).await {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match error.store_kind() {
        Some(Kind::MissingKey) => Ok(()),
        // Not there any more, where the reply to an earlier try was lost.
        Some(Kind::Changed) if !is_still_there(work, object, moved).await? => Ok(()),
        // It does not know the condition.
        Some(Kind::Refused) if removal.if_match.is_some() => {
            if is_still_there(work, object, moved).await? {
                delete(work, object, &Removal { if_match: None, ..removal }).await?;
            }
            Ok(())
        }
        _ => Err(error),
    }
}

async fn delete(work: &Work, object: &ObjectName, removal: &Removal) -> Result<(), JobError> {
    let context = &work.context;
    let mut in_flight = work.pass(0).await?;
    let tries = work.tries(format!("remove {object}")).under(&mut in_flight);
    let delete = || context.in_time(DELETE, 0, context.source.delete(&object.bucket, removal));
    until_done(tries, delete).await.map(drop)
}

/// Whether the source is there; an error where it is not what was moved.
async fn is_still_there(
    work: &Work,
    object: &ObjectName,
    moved: &ObjectFacts,
) -> Result<bool, JobError> {
    let Some(found) = find_source(work, object).await? else { return Ok(false) };
    if is_unchanged(&found, moved) {
        return Ok(true);
    }
    let text = "it was written to after it was read, or is the destination by another name";
    Err(JobError::Expectation(text.to_owned()))
}

/// Whether nobody has written to the object in between, as far as a store tells. Its time counts,
/// too: the same bytes, written again, are another object.
fn is_unchanged(now: &ObjectFacts, then: &ObjectFacts) -> bool {
    let is_told = then.etag.is_some() || then.last_modified.is_some();
    is_told && is_alike(now, then)
}

/// Whether nothing that a store tells sets them apart.
fn is_alike(one: &ObjectFacts, other: &ObjectFacts) -> bool {
    one.size == other.size && one.etag == other.etag && one.last_modified == other.last_modified
}

/// Says that the source is there still. A run that stops says it once for all.
fn kept(work: &Work, done: Option<&Done>, error: JobError) -> JobError {
    if error.is_stop() {
        return error;
    }
    let destination = work.job.task.destination();
    let is_below = match &work.job.task {
        Task::Download(job) => matches!(job.target, LocalTarget::Below(_)),
        task => matches!(task, Task::MakeFolder { .. }),
    };
    let at = match work.context.landing() {
        Ok(landing) if is_below => landing.path().join(destination).to_string_lossy().into_owned(),
        _ => destination,
    };
    let at = Escaped(&at).to_string();
    let done = done.cloned().map(Box::new);
    JobError::SourceKept { at, done, source: Box::new(error) }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::domain::job::{Expected, Job};
    use crate::domain::location::{Bucket, Key};
    use crate::domain::object::{ETag, StoredChecksum};
    use crate::domain::preserved::Preserved;
    use crate::storage::memory::MemoryStore;
    use crate::transfer::context::{Context, Limits};

    fn facts(etag: Option<&str>, size: u64, modified: Option<u64>) -> ObjectFacts {
        let since = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        ObjectFacts {
            size,
            etag: etag.map(ETag::new),
            version: None,
            last_modified: modified.map(since),
            checksum: StoredChecksum::None,
            preserved: Preserved::default(),
        }
    }

    fn work(fate: Fate) -> Work {
        let (events, _) = mpsc::channel(1);
        let store = Arc::new(MemoryStore::with_bucket("bucket"));
        let (limits, cancel) = (Limits::for_reading(Duration::ZERO), Arc::default());
        let context = Context::new(store, limits, cancel, Arc::default(), events);
        let source = LocalSource::Stdin { expected_size: None };
        let bucket = Bucket::new("bucket").expect("a name");
        let object = ObjectName::new(bucket, Key::new("key").expect("a key"));
        let (attributes, expected) = (Arc::default(), Expected::default());
        let task = Task::Upload(Upload { source, object, attributes, expected });
        let job = Job { fate, ..Job::new(1, None, task) };
        Work::new(Arc::new(context), Arc::new(job), None)
    }

    #[test]
    fn what_is_not_moved_is_not_kept_in_mind() {
        work(Fate::Kept).moves(|| panic!("nobody asks for it"));
        let moved = work(Fate::Removed);
        moved.moves(|| Origin::Object(facts(Some("a"), 5, Some(9))));
        assert!(moved.take_origin().is_some());
    }

    #[test]
    fn an_object_is_unchanged_only_if_tag_length_and_time_say_so() {
        let moved = facts(Some("a"), 5, Some(9));
        assert!(is_unchanged(&moved.clone(), &moved));
        for other in [
            facts(Some("b"), 5, Some(9)),
            facts(Some("a"), 6, Some(9)),
            facts(Some("a"), 5, Some(10)),
            facts(Some("a"), 5, None),
            facts(None, 5, Some(9)),
        ] {
            assert!(!is_unchanged(&other, &moved));
        }
        let untold = facts(None, 5, None);
        assert!(!is_unchanged(&untold.clone(), &untold), "nothing tells");
        assert!(is_alike(&untold.clone(), &untold), "nor sets them apart");
    }
}
