//! One file to one object: whole when it fits into one part, as a multipart upload when not.
//!
//! The bytes are read once: a positional read into a pooled buffer, the CRC while they are hot,
//! then the request that carries both.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::context::{InFlight, Outcome, Preserve, Verify, Work};
use super::error::JobError;
use super::event::Skip;
use super::gate::Class;
use super::head::{find, find_now};
use super::moving::Origin;
use super::multipart;
use super::part_size::{part_size_of, usual_upload_part};
use super::retry::until_done;
use super::stream_in;
use super::unfinished::discard_earlier;
use super::verify;
use crate::domain::attributes::Attributes;
use crate::domain::checksum::Checksum;
use crate::domain::job::{LocalSource, Upload};
use crate::domain::location::ObjectName;
use crate::domain::object::{ObjectFacts, StoredChecksum};
use crate::domain::overwrite::{Decision, Overwrite, Side};
use crate::domain::preserved::Preserved;
use crate::domain::quantity::ByteSize;
use crate::storage::error::Kind;
use crate::storage::local::{LocalError, SourceFile};
use crate::storage::object_store::{Body, Write, WriteIf, Written};

/// Reads above this go to a thread of their own: a cold disk must not hold up the network.
const INLINE_READ: u64 = 512 * 1024;

/// A body that takes hardly longer than the way to the store and back.
const HARDLY_A_BODY: u64 = 64 * 1024;

/// Moves one file, or standard input, to where its job says.
pub(super) async fn upload(work: &Arc<Work>, job: &Upload) -> Result<Outcome, JobError> {
    let source = match &job.source {
        LocalSource::Stdin { expected_size } => {
            return stream_in::upload(work, job, *expected_size).await;
        }
        LocalSource::File { path, below, .. } => Arc::new(open(path, below.as_deref())?),
    };
    let size = source.size();
    work.gauge.discover(size);
    work.left_file(Some(source.modified()));
    work.moves(|| Origin::File(Arc::clone(&source)));
    if let Some(skip) = skip_file(work, job, &source).await? {
        return Ok(Outcome::Skipped(skip));
    }
    let job = &preserving(work, job, &source);
    let limits = &work.context.limits;
    let wanted = usual_upload_part(size, limits.part_size, limits.part_choice);
    let part_size = part_size_of("the file", size, wanted)?;
    if size <= limits.part_size {
        let done = whole(work, job, &source).await?;
        discard_earlier(work, job, &source).await;
        Ok(done)
    } else {
        multipart::upload_file(work, job, &source, part_size).await
    }
}

/// The job with what is kept of the file in its object's metadata.
fn preserving<'a>(work: &Work, job: &'a Upload, source: &SourceFile) -> Cow<'a, Upload> {
    if work.context.limits.preserve == Preserve::Nothing {
        return Cow::Borrowed(job);
    }
    let kept = Preserved { modified: Some(source.modified()), mode: source.mode() };
    let mut attributes = Attributes::clone(&job.attributes);
    attributes.metadata.extend(kept.to_metadata(&attributes.metadata));
    Cow::Owned(Upload { attributes: Arc::new(attributes), ..job.clone() })
}

/// What shows before a byte is read: whether there is something to read, and whether what has the
/// key now stays.
pub(super) async fn look(work: &Work, job: &Upload) -> Result<Option<Skip>, JobError> {
    match &job.source {
        LocalSource::Stdin { expected_size } => {
            skip(work, &job.object, Side { size: *expected_size, modified: None }).await
        }
        LocalSource::File { path, below, .. } => {
            skip_file(work, job, &open(path, below.as_deref())?).await
        }
    }
}

pub(super) fn open(path: &Path, below: Option<&Path>) -> Result<SourceFile, LocalError> {
    match below {
        Some(root) => SourceFile::open_below(root, path),
        None => SourceFile::open(path),
    }
}

/// Holds the file against what the manifest says, then against what has the key now.
async fn skip_file(
    work: &Work,
    job: &Upload,
    source: &SourceFile,
) -> Result<Option<Skip>, JobError> {
    let size = source.size();
    verify::expected_size(&job.expected, size)?;
    let modified = source.modified().duration_since(std::time::UNIX_EPOCH).ok();
    // Rounded up: it may have been written to after its object was, in the same second.
    let seconds = modified.map(|since| since.as_secs() + u64::from(since.subsec_nanos() > 0));
    let modified = seconds.and_then(|seconds| i64::try_from(seconds).ok());
    skip(work, &job.object, Side { size: Some(size), modified }).await
}

/// Whether what has the key now stays.
pub(super) async fn skip(
    work: &Work,
    object: &ObjectName,
    source: Side,
) -> Result<Option<Skip>, JobError> {
    let overwrite = work.context.limits.overwrite;
    if !overwrite.looks_first() {
        return Ok(None);
    }
    let Some(existing) = find(work, object).await? else { return Ok(None) };
    let modified =
        existing.last_modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = modified.and_then(|since| i64::try_from(since.as_secs()).ok());
    let existing = Side { size: Some(existing.size), modified };
    Ok(match overwrite.decide(source, Some(existing)) {
        Decision::Transfer => None,
        Decision::Skip if overwrite == Overwrite::Never => Some(Skip::Exists),
        Decision::Skip => Some(Skip::UpToDate),
    })
}

pub(super) fn condition(work: &Work) -> WriteIf {
    if work.context.limits.overwrite == Overwrite::Never {
        WriteIf::Absent
    } else {
        WriteIf::Always
    }
}

async fn whole(
    work: &Arc<Work>,
    job: &Upload,
    source: &Arc<SourceFile>,
) -> Result<Outcome, JobError> {
    let size = source.size();
    let mut in_flight = work.pass(size).await?;
    let body = read(work, source, 0, size).await?;
    source.check_unchanged()?;
    put(work, &Writing::of(job), &mut in_flight, body).await
}

/// Reads a part and its checksum, in one pass.
pub(super) async fn read(
    work: &Arc<Work>,
    source: &Arc<SourceFile>,
    offset: u64,
    length: u64,
) -> Result<Body, JobError> {
    let too_large =
        |_| JobError::Impossible(format!("{} do not fit into memory", ByteSize(length)));
    let mut buffer = work.context.buffers.take(usize::try_from(length).map_err(too_large)?);
    let (source, crc) = (Arc::clone(source), work.crc());
    let fill = move || {
        source.read_at(offset, buffer.as_mut_slice())?;
        let checksum = crc.checksum(crc.of(buffer.as_ref()));
        Ok(Body::new(buffer.freeze(), checksum))
    };
    if length <= INLINE_READ {
        return fill();
    }
    tokio::task::spawn_blocking(fill)
        .await
        .map_err(|error| JobError::Internal(error.to_string()))?
}

/// An object that is to be written.
pub(super) struct Writing<'a> {
    pub(super) object: &'a ObjectName,
    pub(super) attributes: &'a Arc<Attributes>,
    /// What a manifest says of its bytes.
    pub(super) checksum: Option<&'a Checksum>,
}

impl<'a> Writing<'a> {
    pub(super) fn of(job: &'a Upload) -> Self {
        let Upload { object, attributes, expected, .. } = job;
        Self { object, attributes, checksum: expected.checksum.as_ref() }
    }
}

/// Writes a whole object with one request, under a permit that the caller has.
pub(super) async fn put(
    work: &Arc<Work>,
    job: &Writing<'_>,
    in_flight: &mut InFlight,
    body: Body,
) -> Result<Outcome, JobError> {
    let context = &work.context;
    let body = body.metered(in_flight.meter());
    let size = body.bytes.len() as u64;
    if let Some(wanted) = job.checksum {
        expect_checksum(&body, wanted)?;
    }
    let write = Write { attributes: Arc::clone(job.attributes), condition: condition(work) };
    let tries = work.tries(format!("write {}", job.object)).under(in_flight);
    let mut attempts = 0;
    let sent = until_done(tries, || {
        attempts += 1;
        async {
            let body = body.again();
            let put = context.store.put(job.object, body.clone(), &write);
            let sent = Instant::now();
            let written = work.in_time_sending("PutObject", &body, put).await?;
            if size <= HARDLY_A_BODY {
                context.gate.answered(Class::Object, sent.elapsed());
            }
            Ok(written)
        }
    });
    let sent = sent.await;
    let written = match sent {
        Err(error) if error.store_kind() == Some(&Kind::Exists) => {
            // Ours may be the one that is there, if the reply to an earlier try was lost.
            let ours = match attempts {
                1 => Ok(None),
                _ => read_back(work, job.object, size, &body.checksum).await,
            };
            match ours {
                Ok(Some(written)) => {
                    // The try that failed took its bytes back.
                    work.gauge.count(size);
                    written
                }
                Err(JobError::Stopped) => return Err(JobError::Stopped),
                // Who may write may not always look.
                Ok(None) | Err(_) => return Ok(Outcome::Skipped(Skip::Exists)),
            }
        }
        written => written?,
    };
    work.left_object(written.etag.as_ref(), written.version.as_ref());
    let mut stored = written.checksum;
    if stored.is_none() && work.context.limits.verify == Verify::Require {
        // Some stores keep the checksum, and tell it only when they are asked.
        let found = read_back(work, job.object, size, &body.checksum).await?;
        stored = found.and_then(|found| found.checksum);
    }
    let verified = verify::sent(work, job.object, stored.as_ref(), &body.checksum)?;
    work.left_checksum(body.checksum);
    Ok(work.done(size, verified))
}

/// A manifest's checksum of bytes that are all in memory.
pub(super) fn expect_checksum(body: &Body, wanted: &Checksum) -> Result<(), JobError> {
    let mut hasher = crate::domain::checksum::Hasher::new(wanted.algorithm());
    hasher.update(&body.bytes);
    let found = hasher.finish();
    if found == *wanted {
        return Ok(());
    }
    Err(JobError::Expectation(format!("the file has {found}, the manifest says {wanted}")))
}

/// Looks whether the object is the one that was sent, where no reply said so.
pub(super) async fn read_back(
    work: &Work,
    object: &ObjectName,
    size: u64,
    sent: &Checksum,
) -> Result<Option<Written>, JobError> {
    Ok(find_now(work, object).await?.and_then(|found| if_ours(&found, size, sent)))
}

/// An object, if its size and its checksum are those of what was sent.
pub(super) fn if_ours(found: &ObjectFacts, size: u64, sent: &Checksum) -> Option<Written> {
    let is_ours = found.size == size && found.checksum == StoredChecksum::FullObject(sent.clone());
    is_ours.then(|| Written {
        etag: found.etag.clone(),
        version: found.version.clone(),
        checksum: Some(sent.clone()),
    })
}
