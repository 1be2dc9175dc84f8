//! From what became of a job to its line.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::domain::digest::Digest;
use crate::domain::job::{Download, Expected, Job, LocalSource, LocalTarget, Task, Upload};
use crate::domain::journal::{Entry, Outcome, Want};
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
        verified: Some(done.verified.name().to_owned()),
        ..of(here, job, course)
    }
}

pub(in crate::transfer) fn skipped(here: &Path, job: &Job, why: Skip, course: Course) -> Entry {
    let reason = match why {
        Skip::Exists => "exists",
        Skip::UpToDate => "up_to_date",
        Skip::Duplicate => "duplicate",
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
        Task::MakeFolder { expected: Some(expected), .. } => wanted(expected),
        Task::Compare(_) | Task::MakeFolder { .. } | Task::Remove(_) => Want::default(),
    };
    let version = match &job.task {
        Task::Download(Download { object, .. }) | Task::MakeFolder { marker: object, .. } => {
            object.version.as_deref()
        }
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
        verified: None,
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
