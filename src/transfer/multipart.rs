//! An object in parts: create, send them in parallel, complete (see `completion`), and abort
//! whatever does not come to that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::context::{InFlight, Outcome, Work};
use super::download::end_all;
use super::error::JobError;
use super::plan;
use super::retry::until_done;
use super::unfinished::{Aborted, abort, discard_earlier, is_same, parts_of};
use super::upload::read;
use super::upload_record::{Earlier, UploadRecord};
use crate::domain::attributes::Attributes;
use crate::domain::checksum::{Checksum, Crc, Hasher};
use crate::domain::job::Upload;
use crate::domain::location::ObjectName;
use crate::domain::object::ETag;
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::SourceFile;
use crate::storage::object_store::{self as store, Body, ListedPart};

const CREATE: &str = "CreateMultipartUpload";
/// How long a run that stops waits for the reply to it.
const LAST_ANSWER: Duration = Duration::from_millis(800);

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
            work.kept(started.bytes_there());
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
pub(super) fn is_of_an_object(error: &JobError) -> bool {
    matches!(error, JobError::Stored { .. } | JobError::UnprovenUpload(_))
}

/// An upload that was created and is neither complete nor aborted.
pub(super) struct Started<'a> {
    pub(super) work: &'a Arc<Work>,
    pub(super) upload: Arc<store::Upload>,
    part_size: u64,
    /// What the store is told of each part, and keeps of the whole.
    pub(super) crc: Crc,
    /// Parts that an earlier run sent, by number. What is in them is still to be compared.
    pub(super) had: HashMap<u32, ListedPart>,
    record: Option<&'a UploadRecord>,
    /// Whether the next run would find it.
    is_recorded: bool,
}

/// A part that the store has.
#[derive(Debug)]
pub(super) struct SentPart {
    pub(super) number: u32,
    pub(super) length: u64,
    /// `None` of a part that the store copied, and tells nothing of.
    pub(super) checksum: Option<Checksum>,
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
            Some(Earlier::Fits { part_size, .. }) if part_size > work.context.limits.memory => {
                let text = format!(
                    "its parts, of an earlier run, have {part_size} bytes each; raise --max-memory \
                     to hold one, or begin anew with --no-resume"
                );
                return Err(JobError::Impossible(text));
            }
            Some(Earlier::Fits { id, part_size }) => {
                let upload = Arc::new(store::Upload { object: job.object.clone(), id });
                if let Some(had) = parts_of(work, &upload).await? {
                    let is_recorded = true;
                    let crc = work.crc();
                    return Ok(Self { work, upload, part_size, crc, had, record, is_recorded });
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
        let new = (&job.object, &job.attributes);
        let started = Self::create(work, new, &mut work.pass(0).await?).await?;
        let is_recorded = record.is_some_and(|record| record.begin(&started.upload.id, part_size));
        Ok(Self { part_size, record, is_recorded, ..started })
    }

    /// Starts one, under a permit that the caller has: where there may be one request at once, two
    /// would wait for each other.
    pub(super) async fn create(
        work: &'a Arc<Work>,
        (object, attributes): (&ObjectName, &Arc<Attributes>),
        in_flight: &mut InFlight,
    ) -> Result<Self, JobError> {
        let context = &work.context;
        // In tasks of their own: whoever waits for a reply may be told to stop. What is still under
        // way when the tasks are dropped is given up.
        let asked = tokio::sync::Mutex::new(JoinSet::new());
        let answer = async || {
            let answer = asked.lock().await.join_next().await;
            let lost = || Err(StoreError::new(CREATE, Kind::Transient));
            answer.and_then(Result::ok).unwrap_or_else(lost)
        };
        let create = || async {
            let (object, attributes) = (object.clone(), Arc::clone(attributes));
            let store = Arc::clone(&context.store);
            let create = async move { store.create_upload(&object, &attributes).await };
            asked.lock().await.spawn(create);
            let sent = Instant::now();
            let created = context.in_time(CREATE, 0, answer()).await?;
            // It has no body: that is how far away the store is, but for the time that TLS takes.
            let ready = context.store.last_connection().map_or(sent, |ready| ready.max(sent));
            context.gate.answered_to_send(ready.elapsed());
            Ok(created)
        };
        let tries = work.tries(format!("start the upload of {object}")).under(in_flight);
        let id = match until_done(tries, create).await {
            // By now there may be an upload, of which nobody would know.
            Err(JobError::Stopped) => {
                let last = tokio::time::timeout(LAST_ANSWER, answer()).await;
                last.ok().and_then(Result::ok).ok_or(JobError::Stopped)?
            }
            id => id?,
        };
        let upload = Arc::new(store::Upload { object: object.clone(), id });
        let (crc, had) = (attributes.crc.unwrap_or(Crc::USUAL), HashMap::new());
        Ok(Self { work, upload, part_size: 0, crc, had, record: None, is_recorded: false })
    }

    /// What the store has of it, when no part is on its way any more: those of an earlier run, each
    /// of which counts whether it was compared by now or not, and what was sent since.
    fn bytes_there(&self) -> u64 {
        let had: u64 = self.had.values().map(|part| part.size).sum();
        had + self.work.gauge.moved()
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

    pub(super) async fn abort(&self) -> Aborted {
        abort(self.work, &self.upload).await
    }

    /// Sends one part as a task. The permit covers its bytes until the store has them.
    pub(super) fn spawn_part(
        &self,
        tasks: &mut JoinSet<Result<SentPart, JobError>>,
        number: u32,
        mut in_flight: InFlight,
        body: impl Future<Output = Result<Body, JobError>> + Send + 'static,
    ) {
        let (work, upload) = (Arc::clone(self.work), Arc::clone(&self.upload));
        let had = self.had.get(&number).cloned();
        tasks.spawn(async move {
            let body = body.await?;
            if let Some(had) = had.filter(|had| is_same(had, &body)) {
                let length = had.size;
                work.gauge.resume(length);
                let (checksum, etag) = (Some(body.checksum), had.etag);
                let sent_by = SentBy::EarlierRun;
                return Ok(SentPart { number, length, checksum, etag, sent_by });
            }
            send_part(&work, &upload, number, &mut in_flight, body).await
        });
    }
}

pub(super) async fn send_part(
    work: &Arc<Work>,
    upload: &store::Upload,
    number: u32,
    in_flight: &mut InFlight,
    body: Body,
) -> Result<SentPart, JobError> {
    let context = &work.context;
    let body = body.metered(in_flight.meter());
    let length = body.bytes.len() as u64;
    in_flight.sends(length);
    let tries = work.tries(format!("write part {number} of {}", upload.object));
    let tries = tries.of_part(Some(number)).under(in_flight);
    let put = || async {
        let body = body.again();
        let put = context.store.put_part(upload, number, body.clone());
        work.in_time_sending("UploadPart", &body, put).await
    };
    let etag = until_done(tries, put).await?;
    let checksum = Some(body.checksum);
    Ok(SentPart { number, length, checksum, etag, sent_by: SentBy::ThisRun })
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
    let mut permit = Box::pin(work.pass_part(memory));
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
