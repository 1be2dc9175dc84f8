//! One object to one file: first reply → staged file → parts → verify → publish.

use std::sync::Arc;

use tokio::task::{AbortHandle, JoinSet};

use super::context::{FRAMES, FileTimes, InFlight, Outcome, Verify, Work};
use super::error::JobError;
use super::event::{Event, Skip};
use super::fetch::{Fetch, Pin, fetch};
use super::part_size::download_part_size;
use super::plan::{self, DownloadPlan};
use super::retry::until_done;
use super::stream_out;
use super::verify::{self, Content, Wanted};
use crate::domain::job::{Download, LocalTarget};
use crate::domain::object::{ObjectFacts, StoredChecksum};
use crate::domain::overwrite::{Decision, Overwrite, Side};
use crate::domain::range::ByteRange;
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::{
    Existing, IfExists, Kind as LocalKind, Publish, SpecialFile, Spot, StagedFile, SyncMode,
};
use crate::storage::object_store::{GetReply, Read};

/// Fresh starts of one object before its trouble is given up on.
const RESTARTS: u32 = 2;

/// Moves one object to where its job says.
pub(super) async fn download(work: &Arc<Work>, job: &Download) -> Result<Outcome, JobError> {
    let spot = match &job.target {
        LocalTarget::Stdout => return stream_out::to_stdout(work, job).await,
        LocalTarget::Exact(path) => match SpecialFile::at(path) {
            Some(special) => return stream_out::to_special(work, job, &special).await,
            None => Target::Exact(path),
        },
        LocalTarget::Below(path) => Target::Below(path),
    };
    if let Some(skip) = spot.skip(work, job).await? {
        return Ok(Outcome::Skipped(skip));
    }
    let mut restarts = 0;
    loop {
        let file = StagedFile::create(spot.resolve(work)?)?;
        match once(work, job, file).await {
            Err(error) if error.wants_restart() && restarts < RESTARTS => {
                restarts += 1;
                work.gauge.uncount_all();
                tracing::debug!(%error, restarts, "the object starts again");
            }
            Err(JobError::Store { source, .. }) if source.kind == Kind::Changed => {
                return Err(JobError::KeepsChanging(restarts + 1));
            }
            done => return done,
        }
    }
}

/// Where the file will be.
enum Target<'a> {
    Below(&'a crate::domain::relative_path::RelativePath),
    Exact(&'a std::path::Path),
}

impl Target<'_> {
    fn resolve(&self, work: &Work) -> Result<Spot, JobError> {
        Ok(match self {
            Self::Below(path) => work.context.destination()?.resolve(path)?,
            Self::Exact(path) => Spot::exact(path)?,
        })
    }

    /// Whether what is there now stays.
    async fn skip(&self, work: &Work, job: &Download) -> Result<Option<Skip>, JobError> {
        let overwrite = work.context.limits.overwrite;
        if !overwrite.looks_first() {
            return Ok(None);
        }
        let existing = match self {
            Self::Below(path) => work.context.destination()?.existing(path)?,
            Self::Exact(path) => Existing::at(path)?,
        };
        let Some(existing) = existing else { return Ok(None) };
        let mut source = Side { size: job.size, modified: job.last_modified.and_then(seconds) };
        if overwrite != Overwrite::Never && source.modified.is_none() {
            let facts = head(work, job).await?;
            source =
                Side { size: Some(facts.size), modified: facts.last_modified.and_then(seconds) };
        }
        let existing = Side { size: Some(existing.size), modified: seconds(existing.modified) };
        Ok(match overwrite.decide(source, Some(existing)) {
            Decision::Transfer => None,
            Decision::Skip if overwrite == Overwrite::Never => Some(Skip::Exists),
            Decision::Skip => Some(Skip::UpToDate),
        })
    }
}

fn seconds(time: std::time::SystemTime) -> Option<i64> {
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

async fn head(work: &Work, job: &Download) -> Result<ObjectFacts, JobError> {
    let _in_flight = work.pass(0).await?;
    let context = &work.context;
    let tries = work.tries(format!("look at {}", job.object));
    until_done(tries, || context.in_time("HeadObject", 0, context.store.head(&job.object))).await
}

/// The first reply, and what it says.
pub(super) struct Opened {
    pub(super) reply: GetReply,
    pub(super) in_flight: InFlight,
    pub(super) pin: Pin,
    pub(super) plan: DownloadPlan,
}

/// Sends the first request. Its reply tells size and `ETag`; no HEAD goes before the first byte.
///
/// `memory`: what the bytes of this reply take until they are where they belong.
pub(super) async fn open(work: &Work, job: &Download, memory: u64) -> Result<Opened, JobError> {
    let context = &work.context;
    let in_flight = work.pass(memory).await?;
    let plan = plan::download(job.size, context.limits.part_size);
    let range = match plan {
        DownloadPlan::Whole => None,
        DownloadPlan::Parts { first } | DownloadPlan::Discover { first } => Some(first),
    };
    let get = |range: Option<ByteRange>| {
        let read = Read { range, if_match: job.expected.etag.clone() };
        async move { context.in_time("GetObject", 0, context.store.get(&job.object, &read)).await }
    };
    let tries = || work.tries(format!("read {}", job.object));
    let reply = match until_done(tries(), || get(range)).await {
        // An empty object has no range to give.
        Err(JobError::Store { source, .. }) if matches!(source.kind, Kind::OutOfRange { .. }) => {
            until_done(tries(), || get(None)).await?
        }
        // The manifest's own tag was what did not hold.
        Err(JobError::Store { source, .. })
            if source.kind == Kind::Changed && job.expected.etag.is_some() =>
        {
            let wanted = job.expected.etag.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(JobError::Expectation(format!(
                "the object does not have the ETag that the manifest says, {wanted}"
            )));
        }
        reply => reply?,
    };
    work.gauge.discover(reply.facts.size);
    verify::expected(&job.expected, &reply.facts)?;
    Ok(Opened { pin: Pin::of(&reply.facts), reply, in_flight, plan })
}

async fn once(work: &Arc<Work>, job: &Download, file: StagedFile) -> Result<Outcome, JobError> {
    let opened = open(work, job, FRAMES).await?;
    let facts = opened.reply.facts.clone();
    let first = opened.reply.range;
    file.reserve(facts.size)?;
    let file = Arc::new(file);
    let is_whole = first.is_none_or(|first| first.length() == facts.size);
    // A range's reply has no checksum of the object: one HEAD alongside asks for it.
    // Likewise where the reply is the first to tell of such a size: it may have been cut short.
    let is_as_listed = opened.plan == DownloadPlan::Whole && job.size == Some(facts.size);
    let asks = match work.context.limits.verify {
        // The size must be known from two replies all the same.
        Verify::Off if facts.etag.is_some() => job.size != Some(facts.size),
        _ => !is_whole || facts.checksum == StoredChecksum::None && !is_as_listed,
    };
    let stored = asks.then(|| ChecksumLater::ask(work, job, &opened.pin));
    let crc = facts
        .checksum
        .full_object()
        .and_then(|checksum| checksum.algorithm().crc())
        .unwrap_or(verify::USUAL_CRC);
    let parts = Parts { work, job, pin: opened.pin, file: &file, crc };
    let folded = match (first, is_whole) {
        (None, _) => crc.empty(),
        (Some(first), true) => {
            let part = parts.fetch_of(first, None);
            let value = fetch(&part, Some(opened.reply), &mut &*file).await;
            drop(opened.in_flight);
            value?
        }
        (Some(first), false) => parts.all(first, opened.reply, opened.in_flight).await?,
    };
    let stored = match stored {
        Some(later) => later.answer().await.inspect_err(|_| work.gauge.uncount(facts.size))?,
        None => facts.checksum.clone(),
    };
    provable(work, job, &facts, is_whole, &stored)?;
    let content = Content { size: facts.size, crc, value: folded };
    let wanted = Wanted::of(work, job, &facts, &stored).await?;
    let verified = verify::file(&content, &file, &wanted).await?;
    match publish(work, file, &facts).await {
        // It appeared while this was on its way, and it was to be kept.
        Err(JobError::Local(error)) if error.kind == LocalKind::AlreadyExists => {
            work.gauge.uncount_all();
            Ok(Outcome::Skipped(Skip::Exists))
        }
        published => published.map(|()| work.done(facts.size, verified)),
    }
}

/// Parts that no tag pins to one version are taken only if a checksum of the whole can tell.
pub(super) fn provable(
    work: &Work,
    job: &Download,
    facts: &ObjectFacts,
    is_whole: bool,
    stored: &StoredChecksum,
) -> Result<(), JobError> {
    if is_whole || facts.etag.is_some() || stored.full_object().is_some() {
        return Ok(());
    }
    let text = "the store gives no ETag and no checksum: the parts could be those of two versions";
    let error = StoreError::new("GetObject", Kind::Refused).with_message(text);
    Err(work.tries(format!("read {}", job.object)).fatal(error))
}

/// The one way to a final name. Nothing stops it half-way: it is short, and after it the file is
/// there.
async fn publish(work: &Work, file: Arc<StagedFile>, facts: &ObjectFacts) -> Result<(), JobError> {
    let file = Arc::into_inner(file)
        .ok_or_else(|| JobError::Internal("a part outlived its job".to_owned()))?;
    let limits = &work.context.limits;
    let how = Publish {
        length: facts.size,
        modified: facts.last_modified.filter(|_| limits.file_times == FileTimes::LikeObject),
        sync: SyncMode::Durable,
        if_exists: if limits.overwrite == Overwrite::Never {
            IfExists::Keep
        } else {
            IfExists::Replace
        },
    };
    let published = if file.is_slow_to_publish(facts.size) {
        let published = tokio::task::spawn_blocking(move || file.publish(how)).await;
        published.map_err(|error| JobError::Internal(error.to_string()))??
    } else {
        file.publish(how)?
    };
    if let Some(warning) = published.warning {
        work.context.tell(Event::Notice(warning.to_string())).await;
    }
    Ok(())
}

/// The parts of one object on their way into one file.
struct Parts<'a> {
    work: &'a Arc<Work>,
    job: &'a Download,
    pin: Pin,
    file: &'a Arc<StagedFile>,
    crc: crate::domain::checksum::Crc,
}

impl Parts<'_> {
    fn fetch_of(&self, range: ByteRange, part: Option<u32>) -> Fetch<'_> {
        Fetch {
            work: self.work,
            object: &self.job.object,
            pin: &self.pin,
            range,
            part,
            crc: self.crc,
        }
    }

    /// Fetches all parts, the first from a reply that has begun, and gives the CRC of the whole.
    async fn all(
        &self,
        first: ByteRange,
        reply: GetReply,
        in_flight: InFlight,
    ) -> Result<u64, JobError> {
        let mut tasks = JoinSet::new();
        let mut crcs = vec![(self.crc.empty(), 0)];
        self.spawn(&mut tasks, 0, first, (Some(reply), in_flight));
        let limits = &self.work.context.limits;
        let part_size = download_part_size(self.pin.size, limits.part_size, limits.part_choice);
        for range in plan::ranges(first.end(), self.pin.size, part_size) {
            while tasks.len() >= plan::DOWNLOADS_AT_ONCE {
                let Some(ended) = tasks.join_next().await else { break };
                self.note(&mut tasks, &mut crcs, ended).await?;
            }
            let mut permit = Box::pin(self.work.pass(FRAMES));
            let in_flight = loop {
                tokio::select! {
                    biased;
                    Some(ended) = tasks.join_next() => self.note(&mut tasks, &mut crcs, ended).await?,
                    permit = &mut permit => break permit,
                }
            };
            let in_flight = match in_flight {
                Ok(in_flight) => in_flight,
                Err(error) => return Err(end_all(&mut tasks, error).await),
            };
            let index = crcs.len();
            crcs.push((0, 0));
            self.spawn(&mut tasks, index, range, (None, in_flight));
        }
        while let Some(ended) = tasks.join_next().await {
            self.note(&mut tasks, &mut crcs, ended).await?;
        }
        Ok(crcs
            .into_iter()
            .fold(self.crc.empty(), |whole, (part, length)| self.crc.fold(whole, part, length)))
    }

    fn spawn(
        &self,
        tasks: &mut JoinSet<Result<Part, JobError>>,
        index: usize,
        range: ByteRange,
        (reply, in_flight): (Option<GetReply>, InFlight),
    ) -> AbortHandle {
        let (work, object, pin) =
            (Arc::clone(self.work), self.job.object.clone(), self.pin.clone());
        let (file, crc) = (Arc::clone(self.file), self.crc);
        tasks.spawn(async move {
            let number = u32::try_from(index + 1).ok();
            let part = Fetch { work: &work, object: &object, pin: &pin, range, part: number, crc };
            let value = fetch(&part, reply, &mut &*file).await?;
            drop(in_flight);
            Ok(Part { index, value, length: range.length() })
        })
    }

    /// Takes in a part that ended. The first failure ends all others, and waits until they are
    /// gone: the file must not be written to any more.
    async fn note(
        &self,
        tasks: &mut JoinSet<Result<Part, JobError>>,
        crcs: &mut [(u64, u64)],
        ended: Result<Result<Part, JobError>, tokio::task::JoinError>,
    ) -> Result<(), JobError> {
        let part = ended.unwrap_or_else(|error| Err(JobError::Internal(error.to_string())));
        match part {
            Ok(part) => {
                if let Some(place) = crcs.get_mut(part.index) {
                    *place = (part.value, part.length);
                }
                Ok(())
            }
            Err(error) => Err(end_all(tasks, error).await),
        }
    }
}

struct Part {
    index: usize,
    value: u64,
    length: u64,
}

pub(super) async fn end_all<T: 'static>(tasks: &mut JoinSet<T>, error: JobError) -> JobError {
    tasks.shutdown().await;
    error
}

/// The object's checksum, asked for while its bytes are on their way. Nobody asks any more once
/// this is dropped.
pub(super) struct ChecksumLater(tokio::task::JoinHandle<Result<StoredChecksum, JobError>>);

impl Drop for ChecksumLater {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ChecksumLater {
    pub(super) fn ask(work: &Arc<Work>, job: &Download, pin: &Pin) -> Self {
        let (work, job, pin) = (Arc::clone(work), job.clone(), pin.clone());
        Self(tokio::spawn(async move {
            match head(&work, &job).await {
                Ok(facts) => pin
                    .checksum_of(&facts)
                    .map_err(|error| work.tries(format!("read {}", job.object)).fatal(error)),
                // Who may read an object may not be allowed to look at it; the length and the tag
                // are still checked, and the summary says that no checksum was.
                Err(_) => Ok(StoredChecksum::None),
            }
        }))
    }

    pub(super) async fn answer(mut self) -> Result<StoredChecksum, JobError> {
        (&mut self.0).await.unwrap_or(Ok(StoredChecksum::None))
    }
}
