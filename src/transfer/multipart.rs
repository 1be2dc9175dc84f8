//! An object in parts: create, send them in parallel, complete with the checksum of the whole, and
//! abort whatever does not come to that.

use std::collections::HashMap;
use std::sync::Arc;

use md5::Digest as _;
use tokio::task::JoinSet;

use super::context::{InFlight, Outcome, Verify, Work};
use super::download::end_all;
use super::error::JobError;
use super::event::Skip;
use super::outcome::Verified;
use super::plan;
use super::retry::until_done;
use super::unfinished::{abort, discard_earlier, is_same, parts_of};
use super::upload::{condition, look_now, read, read_back};
use super::upload_record::{Earlier, UploadRecord};
use super::verify::{self, USUAL_CRC};
use crate::domain::checksum::{Checksum, Hasher};
use crate::domain::job::Upload;
use crate::domain::object::ETag;
use crate::storage::error::Kind;
use crate::storage::local::SourceFile;
use crate::storage::object_store::{
    self as store, Assembled, AssembledPart, Body, ListedPart, Written,
};

const COMPLETE: &str = "CompleteMultipartUpload";
/// S3 may put an object of 10,000 parts together for minutes before it answers.
const COMPLETE_EXTRA: u64 = 300;
/// Uploads a file in parts of `part_size` bytes.
pub(super) async fn upload_file(
    work: &Arc<Work>,
    job: &Upload,
    source: &Arc<SourceFile>,
    part_size: u64,
) -> Result<Outcome, JobError> {
    if part_size > work.context.limits.memory {
        let text = format!("its parts have {part_size} bytes each; raise --max-memory to hold one");
        return Err(JobError::Impossible(text));
    }
    if let Some(wanted) = job.expected.checksum.clone() {
        expect_file_checksum(source, wanted).await?;
    }
    let record = UploadRecord::open(work, job, source);
    if record.is_none() {
        discard_earlier(work, job, source).await;
    }
    let mut is_second = false;
    loop {
        let started = Started::again_or_new(work, job, part_size, record.as_ref()).await?;
        let sent = send_file(&started, source).await;
        let error = match started.complete_if(sent, || Ok(source.check_unchanged()?)).await {
            Ok(outcome) => {
                started.forget();
                return Ok(outcome);
            }
            Err(error) => error,
        };
        if started.is_recorded && error.is_resumable() {
            work.kept();
            return Err(error);
        }
        if is_of_an_object(&error) {
            started.forget();
            return Err(error);
        }
        started.abort().await;
        started.forget();
        // Somebody else aborted it, or wrote to the key in between: once more from the start.
        let is_gone = match error.store_kind() {
            Some(Kind::MissingUpload | Kind::Conflict) => true,
            // A killed run's last request may have come to its end after this run had looked.
            Some(Kind::ForeignPart) => !started.had.is_empty(),
            _ => false,
        };
        if !is_gone || is_second {
            return Err(error);
        }
        is_second = true;
        work.gauge.uncount_all();
    }
}

/// Whether there is no upload any more, but an object: only what it is remains in doubt.
fn is_of_an_object(error: &JobError) -> bool {
    matches!(error, JobError::Stored { .. } | JobError::UnprovenUpload(_))
}

/// An upload that was created and is neither complete nor aborted.
pub(super) struct Started<'a> {
    pub(super) work: &'a Arc<Work>,
    pub(super) upload: Arc<store::Upload>,
    part_size: u64,
    /// Parts that an earlier run sent, by number. What is in them is still to be compared.
    had: HashMap<u32, ListedPart>,
    record: Option<&'a UploadRecord>,
    /// Whether the next run would find it.
    is_recorded: bool,
}

/// A part that the store has.
#[derive(Debug)]
pub(super) struct SentPart {
    pub(super) number: u32,
    pub(super) length: u64,
    pub(super) checksum: Checksum,
    pub(super) etag: ETag,
    pub(super) sent_by: SentBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SentBy {
    ThisRun,
    EarlierRun,
}

impl<'a> Started<'a> {
    /// Goes on with the upload that is recorded, or starts one and records it.
    async fn again_or_new(
        work: &'a Arc<Work>,
        job: &'a Upload,
        part_size: u64,
        record: Option<&'a UploadRecord>,
    ) -> Result<Self, JobError> {
        let mut stale = None;
        match record.and_then(UploadRecord::earlier) {
            Some(Earlier::Fits { id, part_size }) => {
                let upload = Arc::new(store::Upload { object: job.object.clone(), id });
                if let Some(had) = parts_of(work, &upload).await? {
                    let is_recorded = true;
                    return Ok(Self { work, upload, part_size, had, record, is_recorded });
                }
                stale = Some(upload);
            }
            Some(Earlier::Stale { id }) => {
                stale = Some(Arc::new(store::Upload { object: job.object.clone(), id }));
            }
            None => {}
        }
        if let Some(upload) = stale {
            abort(work, &upload).await;
        }
        let started = Self::create(work, job).await?;
        let is_recorded = record.is_some_and(|record| record.begin(&started.upload.id, part_size));
        Ok(Self { part_size, record, is_recorded, ..started })
    }

    pub(super) async fn create(work: &'a Arc<Work>, job: &'a Upload) -> Result<Self, JobError> {
        let _in_flight = work.pass(0).await?;
        let context = &work.context;
        let create = || {
            context.in_time(
                "CreateMultipartUpload",
                0,
                context.store.create_upload(&job.object, &job.attributes),
            )
        };
        let id =
            until_done(work.tries(format!("start the upload of {}", job.object)), create).await?;
        let upload = Arc::new(store::Upload { object: job.object.clone(), id });
        let had = HashMap::new();
        Ok(Self { work, upload, part_size: 0, had, record: None, is_recorded: false })
    }

    /// Completes the upload if all its parts were sent and `check` still holds, else aborts it.
    pub(super) async fn finish(
        &self,
        sent: Result<Vec<SentPart>, JobError>,
        check: impl FnOnce() -> Result<(), JobError>,
    ) -> Result<Outcome, JobError> {
        let completed = self.complete_if(sent, check).await;
        if completed.as_ref().is_err_and(|error| !is_of_an_object(error)) {
            self.abort().await;
        }
        completed
    }

    async fn complete_if(
        &self,
        sent: Result<Vec<SentPart>, JobError>,
        check: impl FnOnce() -> Result<(), JobError>,
    ) -> Result<Outcome, JobError> {
        match sent.and_then(|parts| check().map(|()| parts)) {
            Ok(parts) => self.complete(parts).await,
            Err(error) => Err(error),
        }
    }

    /// There is no such upload any more.
    fn forget(&self) {
        if let Some(record) = self.record {
            record.clear();
        }
    }

    async fn complete(&self, mut parts: Vec<SentPart>) -> Result<Outcome, JobError> {
        parts.sort_unstable_by_key(|part| part.number);
        let size = parts.iter().map(|part| part.length).sum();
        let resumed = parts.iter().filter(|part| part.sent_by == SentBy::EarlierRun);
        let resumed = resumed.map(|part| part.length).sum();
        let assembled = Assembled {
            size,
            checksum: fold(&parts)?,
            condition: condition(self.work),
            parts: parts
                .into_iter()
                .map(|part| AssembledPart { etag: part.etag, checksum: part.checksum })
                .collect(),
        };
        let _in_flight = self.work.pass(0).await?;
        let Some(written) = self.complete_or_read_back(&assembled).await? else {
            self.abort().await;
            self.work.gauge.uncount(size);
            return Ok(Outcome::Skipped(Skip::Exists));
        };
        let verified = self.verified(&written, &assembled).await?;
        self.work.left_object(written.etag.as_ref(), written.version.as_ref());
        self.work.left_checksum(assembled.checksum);
        Ok(self.work.done_from(resumed, size, verified))
    }

    /// Complete is not idempotent: after a lost reply, a second try says that there is no such
    /// upload although ours is done. So every doubt is settled by a look at the object.
    async fn complete_or_read_back(
        &self,
        assembled: &Assembled,
    ) -> Result<Option<Written>, JobError> {
        let context = &self.work.context;
        let object = &self.upload.object;
        let mut tries = self.work.tries(format!("complete the upload of {object}"));
        loop {
            let request = context.store.complete_upload(&self.upload, assembled);
            let allowance = COMPLETE_EXTRA * 8 * 1024;
            let error =
                match context.or_stopped(context.in_time(COMPLETE, allowance, request)).await? {
                    Ok(written) => return Ok(Some(written)),
                    Err(error) => error,
                };
            let is_doubtful = matches!(error.kind, Kind::MissingUpload | Kind::Exists)
                || error.kind.is_transient();
            if is_doubtful && let Some(written) = self.find(assembled).await? {
                return Ok(Some(written));
            }
            if error.kind == Kind::Exists {
                return Ok(None);
            }
            tries.again(error).await?;
        }
    }

    /// The object, if it is the one that was sent. A store without checksums is recognised by the
    /// tag that all of them give to an object of several parts.
    async fn find(&self, assembled: &Assembled) -> Result<Option<Written>, JobError> {
        let object = &self.upload.object;
        if let Some(written) =
            read_back(self.work, object, assembled.size, &assembled.checksum).await?
        {
            return Ok(Some(written));
        }
        let Some(tag) = multipart_etag(&assembled.parts) else { return Ok(None) };
        let found = look_now(self.work, object).await?;
        let ours = found.filter(|found| {
            found.size == assembled.size
                && found.etag.as_ref().is_some_and(|etag| etag.unquoted() == tag)
        });
        Ok(ours.map(|found| Written { etag: found.etag, version: found.version, checksum: None }))
    }

    /// What the reply proves; where it has no checksum, what the object says of itself.
    async fn verified(
        &self,
        written: &Written,
        assembled: &Assembled,
    ) -> Result<Verified, JobError> {
        let (work, object, sent) = (self.work, &self.upload.object, &assembled.checksum);
        if written.checksum.is_some() || work.context.limits.verify == Verify::Off {
            return verify::sent(work, object, written.checksum.as_ref(), sent);
        }
        let found = read_back(work, object, assembled.size, sent).await;
        let stored = found.ok().flatten().and_then(|found| found.checksum);
        verify::sent(work, object, stored.as_ref(), sent)
    }

    pub(super) async fn abort(&self) {
        abort(self.work, &self.upload).await;
    }

    /// Sends one part as a task. The permit covers its bytes until the store has them.
    pub(super) fn spawn_part(
        &self,
        tasks: &mut JoinSet<Result<SentPart, JobError>>,
        number: u32,
        in_flight: InFlight,
        body: impl Future<Output = Result<Body, JobError>> + Send + 'static,
    ) {
        let (work, upload) = (Arc::clone(self.work), Arc::clone(&self.upload));
        let had = self.had.get(&number).cloned();
        tasks.spawn(async move {
            let body = body.await?;
            if let Some(had) = had.filter(|had| is_same(had, &body)) {
                let length = had.size;
                work.gauge.resume(length);
                let (checksum, etag, sent_by) = (body.checksum, had.etag, SentBy::EarlierRun);
                return Ok(SentPart { number, length, checksum, etag, sent_by });
            }
            let sent = send_part(&work, &upload, number, body).await;
            drop(in_flight);
            sent
        });
    }
}

async fn send_part(
    work: &Arc<Work>,
    upload: &store::Upload,
    number: u32,
    body: Body,
) -> Result<SentPart, JobError> {
    let context = &work.context;
    let length = body.bytes.len() as u64;
    let tries =
        work.tries(format!("write part {number} of {}", upload.object)).of_part(Some(number));
    let put = || async {
        let body = body.again();
        let put = context.store.put_part(upload, number, body.clone());
        context.in_time_sending("UploadPart", &body, put).await
    };
    let etag = until_done(tries, put).await?;
    work.gauge.count(length);
    Ok(SentPart { number, length, checksum: body.checksum, etag, sent_by: SentBy::ThisRun })
}

async fn send_file(
    started: &Started<'_>,
    source: &Arc<SourceFile>,
) -> Result<Vec<SentPart>, JobError> {
    let (work, part_size) = (started.work, started.part_size);
    let mut tasks = JoinSet::new();
    let mut sent = Vec::new();
    for (range, number) in plan::ranges(0, source.size(), part_size).zip(1..) {
        let in_flight = pass_while(work, &mut tasks, &mut sent, range.length()).await?;
        let (work, source) = (Arc::clone(work), Arc::clone(source));
        started.spawn_part(&mut tasks, number, in_flight, async move {
            let body = read(&work, &source, range.start(), range.length()).await?;
            // Before the part is sent, so that a changed file costs as little as possible.
            source.check_unchanged()?;
            Ok(body)
        });
    }
    while let Some(ended) = tasks.join_next().await {
        note(&mut tasks, &mut sent, ended).await?;
    }
    Ok(sent)
}

/// Waits for a permit, and takes in parts that end meanwhile.
pub(super) async fn pass_while(
    work: &Arc<Work>,
    tasks: &mut JoinSet<Result<SentPart, JobError>>,
    sent: &mut Vec<SentPart>,
    memory: u64,
) -> Result<InFlight, JobError> {
    while tasks.len() >= plan::UPLOADS_AT_ONCE {
        let Some(ended) = tasks.join_next().await else { break };
        note(tasks, sent, ended).await?;
    }
    let mut permit = Box::pin(work.pass(memory));
    let passed = loop {
        tokio::select! {
            biased;
            Some(ended) = tasks.join_next() => note(tasks, sent, ended).await?,
            permit = &mut permit => break permit,
        }
    };
    match passed {
        Ok(in_flight) => Ok(in_flight),
        Err(error) => Err(end_all(tasks, error).await),
    }
}

/// Takes in a part that ended; the first failure ends all others.
pub(super) async fn note(
    tasks: &mut JoinSet<Result<SentPart, JobError>>,
    sent: &mut Vec<SentPart>,
    ended: Result<Result<SentPart, JobError>, tokio::task::JoinError>,
) -> Result<(), JobError> {
    match ended.unwrap_or_else(|error| Err(JobError::Internal(error.to_string()))) {
        Ok(part) => {
            sent.push(part);
            Ok(())
        }
        Err(error) => Err(end_all(tasks, error).await),
    }
}

/// The checksum of the whole from those of its parts, in order and without a gap.
fn fold(parts: &[SentPart]) -> Result<Checksum, JobError> {
    let mut whole = USUAL_CRC.empty();
    for (part, number) in parts.iter().zip(1..) {
        let value = part.checksum.crc_value().filter(|_| part.number == number);
        let value = value.ok_or_else(|| JobError::Internal(format!("part {number} is missing")))?;
        whole = USUAL_CRC.fold(whole, value, part.length);
    }
    Ok(USUAL_CRC.checksum(whole))
}

/// `md5(md5 of each part)-parts`, where the store's tags of parts are MD5s.
fn multipart_etag(parts: &[AssembledPart]) -> Option<String> {
    let mut all = md5::Md5::new();
    for part in parts {
        let hex = part.etag.unquoted();
        if hex.len() != 32 {
            return None;
        }
        for at in (0..32).step_by(2) {
            all.update([u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?]);
        }
    }
    let digest = u128::from_be_bytes(all.finalize().into());
    Some(format!("{digest:032x}-{}", parts.len()))
}

/// A manifest's checksum must hold before anything is sent.
async fn expect_file_checksum(source: &Arc<SourceFile>, wanted: Checksum) -> Result<(), JobError> {
    let source = Arc::clone(source);
    let hashed = tokio::task::spawn_blocking(move || {
        let mut hasher = Hasher::new(wanted.algorithm());
        let mut buffer = vec![0; 256 * 1024];
        for range in plan::ranges(0, source.size(), buffer.len() as u64) {
            let length = usize::try_from(range.length()).unwrap_or(buffer.len());
            source.read_at(range.start(), &mut buffer[..length])?;
            hasher.update(&buffer[..length]);
        }
        let found = hasher.finish();
        if found == wanted {
            return Ok(());
        }
        Err(JobError::Expectation(format!("the file has {found}, the manifest says {wanted}")))
    });
    hashed.await.map_err(|error| JobError::Internal(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_parts_is_the_one_that_s3_gives() {
        let part = |hex| AssembledPart { etag: ETag::new(hex), checksum: USUAL_CRC.checksum(0) };
        let parts =
            [part("5d41402abc4b2a76b9719d911017c592"), part("7d793037a0760186574b0282f2f435e7")];
        assert_eq!(multipart_etag(&parts).as_deref(), Some("065947336a2f2a95ba8899f3675c3be6-2"));
        assert_eq!(multipart_etag(&[part("not-a-hash")]), None);
    }
}
