//! Events as lines: the text that people read on stderr, and the JSON that programs read on stdout.
//!
//! Each line of `--json` is one object. Its `event` says which; fields that do not apply are left
//! out. `source` and `destination` are exact: nothing in them is escaped but by JSON itself.
//!
//! `docs/json.md` lists every event and field, and a test (`documented`) holds the two together.

use std::io::Write as _;

use serde::Serialize;

use super::data::DataLine;
use super::streams::Stderr;
use super::style::{self, Paint};
use crate::domain::escape::Escaped;
use crate::domain::job::{Download, Fate, Job, LocalTarget, Task};
use crate::domain::location::S3Uri;
use crate::domain::quantity::ByteSize;
use crate::transfer::event::{Event, Pruned, Retry, Skip};
use crate::transfer::outcome::{Done, Failure};

/// One event as a line.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventLine {
    Start {
        #[serde(flatten)]
        job: JobFields,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
    Retry {
        /// None for requests that plan jobs.
        #[serde(flatten)]
        job: Option<JobFields>,
        attempt: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        part: Option<u32>,
        wait_seconds: f64,
        reason: String,
    },
    Done {
        #[serde(flatten)]
        job: JobFields,
        bytes: u64,
        resumed: u64,
        verified: &'static str,
        seconds: f64,
        retries: u32,
    },
    Skipped {
        #[serde(flatten)]
        job: JobFields,
        reason: &'static str,
        #[serde(skip)]
        why: Skip,
    },
    Postponed {
        #[serde(flatten)]
        job: JobFields,
        cause: String,
        message: String,
    },
    Failed(FailedFields),
    Removed {
        #[serde(flatten)]
        job: JobFields,
        #[serde(skip_serializing_if = "Option::is_none")]
        version_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        marker: Option<String>,
    },
    Pruned {
        destination: String,
        size: u64,
    },
    Notice {
        message: String,
    },
}

/// Which job a line is about.
#[derive(Debug, Clone, Serialize)]
pub struct JobFields {
    pub number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

impl JobFields {
    /// `base` is the folder to which the destinations of downloads are relative.
    pub fn new(job: &Job, base: Option<&str>) -> Self {
        let is_relative = matches!(
            job.task,
            Task::MakeFolder { .. }
                | Task::Download(Download { target: LocalTarget::Below(_), .. })
        );
        let destination = job.task.destination();
        let destination = if is_relative { below(base, &destination) } else { destination };
        let destination = Some(destination).filter(|destination| !destination.is_empty());
        Self { number: job.number, line: job.line, source: job.task.source(), destination }
    }
}

/// What is relative is so to the base.
fn below(base: Option<&str>, name: &str) -> String {
    match base {
        Some(base) if !name.starts_with(S3Uri::SCHEME) => {
            format!("{}/{name}", base.trim_end_matches('/'))
        }
        _ => name.to_owned(),
    }
}

/// `s3://b/k -> out/k`, safe to show.
impl std::fmt::Display for JobFields {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text(None))
    }
}

impl JobFields {
    /// The same with the version of the source, which must not read as one of the destination.
    fn text(&self, version: Option<&str>) -> String {
        let destination = self.destination.as_deref();
        let destination =
            destination.map_or_else(String::new, |name| format!(" -> {}", Escaped(name)));
        format!("{}{}{destination}", Escaped(&self.source), version_text(version))
    }
}

/// A failure, of a job or of what never became one.
#[derive(Debug, Clone, Serialize)]
pub struct FailedFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    pub cause: String,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the same command may succeed later.
    pub may_pass: bool,
}

/// Prints what is said once a run, where no reporter listens.
pub fn print_notice(event: &Event, paint: Paint) {
    if matches!(event, Event::Notice(_))
        && let Some(line) = EventLine::new(event, None)
    {
        Stderr.write_all((line.text(paint) + "\n").as_bytes()).ok();
    }
}

impl EventLine {
    /// `None` for events that are no lines.
    pub fn new(event: &Event, base: Option<&str>) -> Option<Self> {
        Some(match event {
            Event::Started { job, gauge } => {
                Self::Start { job: JobFields::new(job, base), size: gauge.size() }
            }
            Event::Retrying { job, retry } => {
                Self::retry(job.as_deref().map(|job| JobFields::new(job, base)), retry)
            }
            Event::Done { job, done } => Self::done(JobFields::new(job, base), done),
            Event::Skipped { job, why } => {
                Self::Skipped { job: JobFields::new(job, base), reason: skip_name(*why), why: *why }
            }
            Event::Postponed { job, failure } => Self::Postponed {
                job: JobFields::new(job, base),
                cause: failure.cause.clone(),
                message: failure.message.clone(),
            },
            Event::Failed { job, failure } => Self::failed(job.as_deref(), failure, base),
            Event::Removed { job, marker } => Self::Removed {
                version_id: named_version(job),
                size: job.task.size(),
                marker: marker.as_deref().map(Into::into),
                job: JobFields::new(job, base),
            },
            Event::Pruned(removed) => {
                Self::Pruned { destination: below(base, &removed.name), size: removed.size }
            }
            Event::Notice(message) => Self::Notice { message: message.clone() },
            // Data of its own kind, see `comparison`.
            Event::Compared { .. } | Event::PlanComplete => return None,
        })
    }

    fn retry(job: Option<JobFields>, retry: &Retry) -> Self {
        Self::Retry {
            job,
            attempt: retry.attempt,
            part: retry.part,
            wait_seconds: retry.wait.as_secs_f64(),
            reason: retry.reason.clone(),
        }
    }

    fn done(job: JobFields, done: &Done) -> Self {
        let verified = done.verified.name();
        let seconds = done.elapsed.as_secs_f64();
        let Done { bytes, resumed, retries, .. } = *done;
        Self::Done { job, bytes, resumed, verified, seconds, retries }
    }

    fn failed(job: Option<&Job>, failure: &Failure, base: Option<&str>) -> Self {
        let destination = match job {
            Some(job) => JobFields::new(job, base).destination,
            None => failure.destination.clone(),
        };
        Self::Failed(FailedFields {
            number: job.map(|job| job.number),
            line: failure.line,
            source: failure.source.clone(),
            destination,
            cause: failure.cause.clone(),
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            may_pass: failure.may_pass,
        })
    }

    /// As text, safe to show.
    pub fn text(&self, paint: Paint) -> String {
        match self {
            Self::Start { job, size } => {
                let size = size.map_or_else(String::new, |size| format!(" ({})", ByteSize(size)));
                format!("start: {job}{size}")
            }
            Self::Retry { job, attempt, part, wait_seconds, reason } => {
                let part = part.map_or_else(String::new, |part| format!(" part {part}"));
                let source = job.as_ref().map_or("the plan", |job| job.source.as_str());
                let (source, reason) = (Escaped(source), Escaped(reason));
                let label = paint.warning("retry:");
                format!(
                    "{label} {source}{part}: {reason} (attempt {attempt}, again in {wait_seconds:.1} s)"
                )
            }
            Self::Done { job, bytes, verified, seconds, .. } => {
                let time = style::elapsed(std::time::Duration::from_secs_f64(*seconds));
                format!("done: {job} ({} in {time}, {verified})", ByteSize(*bytes))
            }
            Self::Skipped { job, why, .. } => format!("skip: {job}: {}", skip_text(*why)),
            Self::Postponed { message, .. } => {
                let label = paint.warning("later:");
                format!("{label} {}; it starts once more after all others", Escaped(message))
            }
            Self::Failed(failed) => failed.text(paint),
            Self::Pruned { destination, size } => {
                format!("removed: {} ({})", Escaped(destination), ByteSize(*size))
            }
            Self::Removed { job, version_id, .. } => {
                format!("removed: {}", job.text(version_id.as_deref()))
            }
            Self::Notice { message } => format!("{} {}", paint.hint("note:"), Escaped(message)),
        }
    }
}

impl FailedFields {
    /// `error: could not download s3://b/k: … (line 17)`.
    fn text(&self, paint: Paint) -> String {
        let line = self.line.map_or_else(String::new, |line| format!(" (line {line})"));
        format!("{} {}{line}", paint.error("error:"), Escaped(&self.message))
    }
}

/// A job that a dry run would have done: data, on stdout.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename = "plan")]
pub struct PlanLine {
    action: &'static str,
    #[serde(flatten)]
    job: JobFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl PlanLine {
    pub fn new(job: &Job, base: Option<&str>) -> Self {
        let action = match job.task {
            _ if job.fate == Fate::Removed => "move",
            Task::Download(_) => "download",
            Task::Upload(_) => "upload",
            Task::Copy(_) => "copy",
            Task::Compare(_) => "compare",
            Task::MakeFolder { .. } => "make_folder",
            Task::Remove(_) => "remove",
        };
        let version_id = named_version(job);
        Self { action, job: JobFields::new(job, base), version_id, size: job.task.size() }
    }
}

impl DataLine for PlanLine {
    /// `download  s3://b/k -> out/k  1.0 MiB`.
    fn text(&self) -> String {
        let action = self.action.replace('_', " ");
        let size = self.size.map_or("size unknown".to_owned(), |size| ByteSize(size).to_string());
        format!("{action}  {}  {size}", self.job.text(self.version_id.as_deref()))
    }
}

/// What a dry run of a sync would take away: data, on stdout.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename = "plan")]
pub struct RemovalLine {
    action: &'static str,
    destination: String,
    size: u64,
}

impl RemovalLine {
    pub fn new(removed: &Pruned, base: Option<&str>) -> Self {
        let destination = below(base, &removed.name);
        Self { action: "remove", destination, size: removed.size }
    }
}

impl DataLine for RemovalLine {
    /// `remove  out/k  1.0 MiB`.
    fn text(&self) -> String {
        format!("{}  {}  {}", self.action, Escaped(&self.destination), ByteSize(self.size))
    }
}

/// The version of the source, where one was named.
fn named_version(job: &Job) -> Option<String> {
    let object = match &job.task {
        Task::Download(download) => &download.object,
        Task::Copy(copy) => &copy.source,
        Task::MakeFolder { marker, .. } => marker,
        Task::Remove(removal) => &removal.object,
        Task::Upload(_) | Task::Compare(_) => return None,
    };
    object.version.as_deref().map(Into::into)
}

fn version_text(version: Option<&str>) -> String {
    version.map_or_else(String::new, |version| format!(" (version {})", Escaped(version)))
}

fn skip_name(why: Skip) -> &'static str {
    match why {
        Skip::Exists => "exists",
        Skip::UpToDate => "up_to_date",
        Skip::Duplicate => "duplicate",
        Skip::DoneBefore => "done_before",
        Skip::Archived => "archived",
        Skip::DryRun => "dry_run",
    }
}

fn skip_text(why: Skip) -> &'static str {
    match why {
        Skip::Exists => "something is there already",
        Skip::UpToDate => "up to date",
        Skip::Duplicate => "stood in the manifest before",
        Skip::DoneBefore => "done before, as the journal says, and unchanged",
        Skip::Archived => "archived, and not restored",
        Skip::DryRun => "dry run",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::domain::checksum::Algorithm;
    use crate::transfer::gauge::Gauge;
    use crate::transfer::outcome::Left;
    use crate::transfer::outcome::Verified;
    use crate::ui::state::tests::{failure, job, started};

    fn events() -> Vec<Event> {
        let job = job(7, "a\n\u{1b}[2J", Some(8 << 20));
        let retry = Retry {
            attempt: 1,
            wait: Duration::from_millis(250),
            part: Some(3),
            reason: "GetObject failed: 503 SlowDown".to_owned(),
        };
        let done = Done {
            bytes: 8 << 20,
            resumed: 0,
            verified: Verified::EndToEnd(Algorithm::Crc64Nvme),
            elapsed: Duration::from_millis(1500),
            retries: 1,
            left: Left::default(),
        };
        let mut failure = failure("not a row", "s3://bucket/b\n");
        failure.line = Some(17);
        vec![
            started(&Arc::new(Gauge::default()), &job),
            Event::Retrying { job: Some(job.clone()), retry },
            Event::Done { job: job.clone(), done },
            Event::Skipped { job, why: Skip::UpToDate },
            Event::PlanComplete,
            Event::Failed { job: None, failure },
            Event::Notice("stopping: 10 errors".to_owned()),
        ]
    }

    fn lines() -> Vec<EventLine> {
        events().iter().filter_map(|event| EventLine::new(event, Some("out/"))).collect()
    }

    #[test]
    fn text_is_escaped() {
        let text: Vec<_> = lines().iter().map(|line| line.text(Paint::Plain)).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        start: s3://bucket/a\n\u{1b}[2J -> out/a\n\u{1b}[2J (8.0 MiB)
        retry: s3://bucket/a\n\u{1b}[2J part 3: GetObject failed: 503 SlowDown (attempt 1, again in 0.2 s)
        done: s3://bucket/a\n\u{1b}[2J -> out/a\n\u{1b}[2J (8.0 MiB in 1.5 s, crc64nvme)
        skip: s3://bucket/a\n\u{1b}[2J -> out/a\n\u{1b}[2J: up to date
        error: could not download s3://bucket/b\n: not a row (line 17)
        note: stopping: 10 errors
        "#);
    }

    #[test]
    fn a_plan_has_a_line_for_each_job() {
        let line = PlanLine::new(&job(1, "p/k", Some(1 << 20)), Some("out"));
        assert_eq!(line.text(), "download  s3://bucket/p/k -> out/p/k  1.0 MiB");
        let json = serde_json::to_string(&PlanLine::new(&job(1, "p/k", None), None)).expect("JSON");
        insta::assert_snapshot!(json, @r#"{"event":"plan","action":"download","number":1,"source":"s3://bucket/p/k","destination":"p/k"}"#);
    }

    #[test]
    fn json_is_exact() {
        let json: Vec<_> =
            lines().iter().map(|line| serde_json::to_string(line).expect("JSON")).collect();
        insta::assert_snapshot!(json.join("\n"), @r#"
        {"event":"start","number":7,"source":"s3://bucket/a\n\u001b[2J","destination":"out/a\n\u001b[2J","size":8388608}
        {"event":"retry","number":7,"source":"s3://bucket/a\n\u001b[2J","destination":"out/a\n\u001b[2J","attempt":1,"part":3,"wait_seconds":0.25,"reason":"GetObject failed: 503 SlowDown"}
        {"event":"done","number":7,"source":"s3://bucket/a\n\u001b[2J","destination":"out/a\n\u001b[2J","bytes":8388608,"resumed":0,"verified":"crc64nvme","seconds":1.5,"retries":1}
        {"event":"skipped","number":7,"source":"s3://bucket/a\n\u001b[2J","destination":"out/a\n\u001b[2J","reason":"up_to_date"}
        {"event":"failed","line":17,"source":"s3://bucket/b\n","cause":"not a row","message":"could not download s3://bucket/b\n: not a row","may_pass":false}
        {"event":"notice","message":"stopping: 10 errors"}
        "#);
    }
}
