//! From what became of a job to its line.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::domain::digest::Digest;
use crate::domain::job::{Download, Expected, Fate, Job, LocalSource, LocalTarget, Task, Upload};
use crate::domain::journal::{Entry, Outcome, SourceIs, Want};
use crate::transfer::event::Skip;
use crate::transfer::outcome::{Done, Failure};

/// How a job came to its end.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::transfer) struct Course {
    pub(in crate::transfer) elapsed: Duration,
    /// Requests that were tried again.
    pub(in crate::transfer) retries: u32,
    /// It is unfinished, and a later run goes on behind so many bytes.
    pub(in crate::transfer) kept: Option<u64>,
}

/// A time as it stands in a journal: exact, so that equal texts are equal times.
pub fn time_text(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map(|time| time.to_string()).unwrap_or_default()
}

pub(in crate::transfer) fn done(here: &Path, job: &Job, done: &Done) -> Entry {
    let course = Course { elapsed: done.elapsed, retries: done.retries, kept: None };
    let left = &done.left;
    Entry {
        outcome: Outcome::Done,
        version: left.version.as_deref().map(str::to_owned),
        size: Some(done.bytes),
        etag: left.etag.as_ref().map(ToString::to_string),
        checksum: left.checksum.as_ref().map(ToString::to_string),
        mtime: left.modified.map(time_text),
        source_etag: left.source_etag.as_ref().map(ToString::to_string),
        source_mtime: left.source_modified.map(time_text),
        verified: Some(done.verified.name().to_owned()),
        source_is: (job.fate == Fate::Removed).then_some(SourceIs::Removed),
        ..of(here, job, course)
    }
}

/// Of a move whose bytes have arrived: its source is to go now, and where this is the last line, it
/// has not.
pub(in crate::transfer) fn arrived(here: &Path, job: &Job, it: &Done) -> Entry {
    Entry { source_is: Some(SourceIs::There), ..done(here, job, it) }
}

/// Of a move whose source could not be removed.
pub(in crate::transfer) fn source_kept(
    here: &Path,
    job: &Job,
    done: &Done,
    failure: &Failure,
) -> Entry {
    let course = Course { elapsed: done.elapsed, retries: done.retries, kept: None };
    // The version of one that failed is the one that was asked for: it may be fed back.
    let Entry { version, cause, message, may_pass, want, .. } = failed(here, job, failure, course);
    let outcome = Outcome::Failed;
    Entry { outcome, version, cause, message, may_pass, want, ..arrived(here, job, done) }
}

pub(in crate::transfer) fn skipped(here: &Path, job: &Job, why: Skip, course: Course) -> Entry {
    let reason = match why {
        Skip::Exists => "exists",
        Skip::UpToDate => "up_to_date",
        Skip::Duplicate => "duplicate",
        Skip::Archived => "archived",
        Skip::DryRun => "dry_run",
        Skip::DoneBefore => "done_before",
    };
    Entry { outcome: Outcome::Skipped, reason: Some(reason.to_owned()), ..of(here, job, course) }
}

pub(in crate::transfer) fn failed(
    here: &Path,
    job: &Job,
    failure: &Failure,
    course: Course,
) -> Entry {
    let want = match &job.task {
        Task::Download(download) => wanted(&download.expected),
        Task::Upload(upload) => Want {
            content_type: upload.attributes.content_type.clone(),
            storage_class: upload.attributes.storage_class.clone(),
            metadata: upload.attributes.metadata.iter().cloned().collect(),
            ..wanted(&upload.expected)
        },
        Task::Copy(copy) => Want {
            content_type: copy.attributes.content_type.clone(),
            storage_class: copy.attributes.storage_class.clone(),
            metadata: copy.attributes.metadata.iter().cloned().collect(),
            ..wanted(&copy.expected)
        },
        Task::MakeFolder { expected: Some(expected), .. } => wanted(expected),
        Task::Compare(_) | Task::MakeFolder { .. } | Task::Remove(_) => Want::default(),
    };
    let version = match &job.task {
        Task::Download(Download { object, .. }) | Task::MakeFolder { marker: object, .. } => {
            object.version.as_deref()
        }
        Task::Copy(copy) => copy.source.version.as_deref(),
        Task::Upload(_) | Task::Compare(_) | Task::Remove(_) => None,
    };
    Entry {
        outcome: Outcome::Failed,
        version: version.map(str::to_owned),
        cause: Some(failure.cause.clone()),
        message: Some(Entry::cut(&failure.message)),
        may_pass: Some(failure.may_pass),
        want: (want != Want::default()).then_some(want),
        ..of(here, job, course)
    }
}

/// Of what never became a job, such as a bad row.
pub(in crate::transfer) fn refused(failure: &Failure) -> Entry {
    Entry {
        number: None,
        line: failure.line,
        digest: None,
        outcome: Outcome::Failed,
        source: Entry::cut(&failure.source),
        destination: None,
        cause: Some(failure.cause.clone()),
        message: Some(Entry::cut(&failure.message)),
        may_pass: Some(failure.may_pass),
        ..blank(Course::default())
    }
}

fn of(here: &Path, job: &Job, course: Course) -> Entry {
    Entry {
        number: Some(job.number),
        line: job.line,
        digest: Some(Digest::of(&job.task, here)),
        source: source(&job.task, here),
        destination: Some(destination(&job.task)),
        ..blank(course)
    }
}

fn blank(course: Course) -> Entry {
    Entry {
        number: None,
        line: None,
        digest: None,
        outcome: Outcome::Failed,
        source: String::new(),
        destination: None,
        version: None,
        size: None,
        etag: None,
        checksum: None,
        mtime: None,
        source_etag: None,
        source_mtime: None,
        verified: None,
        source_is: None,
        reason: None,
        cause: None,
        message: None,
        may_pass: None,
        want: None,
        attempts: course.retries.saturating_add(1),
        // Milliseconds say enough, and are short.
        seconds: (course.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        time: time_text(SystemTime::now()),
    }
}

/// Absolute, so that a line means the same from every directory.
pub(super) fn source(task: &Task, here: &Path) -> String {
    match task {
        Task::Upload(Upload { source: LocalSource::File { path, .. }, .. }) => {
            here.join(path).to_string_lossy().into_owned()
        }
        task => task.source(),
    }
}

/// Below the folder that the journal's first line names.
pub(super) fn destination(task: &Task) -> String {
    match task {
        Task::Download(Download { target: LocalTarget::Exact(path), .. }) => {
            let name = path.file_name().map_or(path.as_path(), Path::new);
            name.to_string_lossy().into_owned()
        }
        // So that it is no file where the journal is a manifest.
        Task::MakeFolder { folder, .. } => format!("{folder}/", folder = folder.as_str()),
        task => task.destination(),
    }
}

fn wanted(expected: &Expected) -> Want {
    Want {
        size: expected.size,
        etag: expected.etag.as_ref().map(ToString::to_string),
        checksum: expected.checksum.as_ref().map(ToString::to_string),
        ..Want::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::job::ObjectCopy;
    use crate::domain::location::{Bucket, Key, ObjectName};
    use crate::transfer::outcome::{Left, Verified};

    /// Fed back, the version of the copy would be asked of the source; and a move of a version
    /// removes it for good.
    #[test]
    fn a_kept_source_has_the_version_that_was_asked_for_and_not_that_of_its_copy() {
        let object =
            |key| ObjectName::new(Bucket::new("b").expect("a name"), Key::new(key).expect("a key"));
        let copy = ObjectCopy {
            source: object("k"),
            size: None,
            etag: None,
            last_modified: None,
            object: object("copy"),
            attributes: Arc::default(),
            expected: Expected::default(),
        };
        let task = Task::Copy(Box::new(copy));
        let job = Job { fate: Fate::Removed, ..Job::new(1, None, task) };
        let left = Left { version: Some("of-the-copy".into()), ..Left::default() };
        let elapsed = Duration::ZERO;
        let verified = Verified::Length;
        let it = Done { bytes: 5, resumed: 0, verified, elapsed, retries: 0, left };
        let failure = Failure {
            line: None,
            source: job.task.source(),
            destination: None,
            cause: "cause".to_owned(),
            message: "message".to_owned(),
            hint: None,
            may_pass: true,
        };
        let here = Path::new("/");
        let kept = source_kept(here, &job, &it, &failure);
        assert_eq!((kept.outcome, kept.source_is), (Outcome::Failed, Some(SourceIs::There)));
        assert_eq!((kept.version, kept.size), (None, Some(5)));
        assert_eq!(done(here, &job, &it).version.as_deref(), Some("of-the-copy"));
        assert_eq!(done(here, &job, &it).source_is, Some(SourceIs::Removed));
    }
}
