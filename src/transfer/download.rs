//! One object to one file: first reply → staged file → parts → verify → publish.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::context::{FRAMES, FileTimes, InFlight, Outcome, Preserve, Verify, Work};
use super::error::JobError;
use super::event::{Event, Skip};
use super::fetch::Pin;
use super::gate::Class;
use super::head::head;
use super::moving::Origin;
use super::outcome::Verified;
use super::part_size::download_part_size;
use super::parts::Parts;
use super::plan::{self, DownloadPlan};
use super::resume::{self, Have, Resume};
use super::retry::until_done;
use super::stream_out;
use super::verify::{self, Content, Wanted};
use crate::domain::checksum::Crc;
use crate::domain::job::{Download, Fate, LocalTarget};
use crate::domain::object::{ObjectFacts, StoredChecksum};
use crate::domain::overwrite::{Decision, Overwrite, Side};
use crate::domain::preserved::Preserved;
use crate::domain::range::ByteRange;
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::{
    Earlier, Existing, IfExists, Kind as LocalKind, Publish, Recorded, SpecialFile, Spot,
    StagedFile, SyncMode, check_name,
};
use crate::storage::object_store::{GetReply, Read};

/// Fresh starts of one object before its trouble is given up on.
const RESTARTS: u32 = 2;

/// Moves one object to where its job says.
pub(super) async fn download(work: &Arc<Work>, job: &Download) -> Result<Outcome, JobError> {
    let spot = match Target::of(job) {
        Target::Stdout => return stream_out::to_stdout(work, job).await,
        Target::Special(_) if work.job.fate == Fate::Removed => {
            let text = "what is written there is not kept, and the source would be gone";
            return Err(JobError::Impossible(text.to_owned()));
        }
        Target::Special(special) => return stream_out::to_special(work, job, &special).await,
        Target::File(spot) => spot,
    };
    if let Some(skip) = spot.skip(work, job).await? {
        return Ok(Outcome::Skipped(skip));
    }
    let mut restarts = 0;
    loop {
        match once(work, job, spot.resolve(work)?).await {
            Err(error) if error.wants_restart() && restarts < RESTARTS => {
                restarts += 1;
                work.gauge.uncount_all();
                tracing::debug!(%error, restarts, "the object starts again");
            }
            Err(JobError::Store { source, .. }) if source.kind == Kind::Changed => {
                let (doing, times) = ("download", restarts + 1);
                return Err(JobError::KeepsChanging { doing, times });
            }
            done => return done,
        }
    }
}

/// What shows before a byte is asked for: whether the file can have its name, and whether what is
/// there now stays. Makes nothing.
pub(super) async fn look(work: &Work, job: &Download) -> Result<Option<Skip>, JobError> {
    let Target::File(place) = Target::of(job) else { return Ok(None) };
    match place {
        Place::Below(path) => work.context.landing()?.check_names(path)?,
        Place::Exact(path) => check_name(path)?,
    }
    place.skip(work, job).await
}

/// What the bytes go to.
enum Target<'a> {
    Stdout,
    Special(SpecialFile),
    File(Place<'a>),
}

impl<'a> Target<'a> {
    fn of(job: &'a Download) -> Self {
        match &job.target {
            LocalTarget::Stdout => Self::Stdout,
            LocalTarget::Exact(path) => match SpecialFile::at(path) {
                Some(special) => Self::Special(special),
                None => Self::File(Place::Exact(path)),
            },
            LocalTarget::Below(path) => Self::File(Place::Below(path)),
        }
    }
}

/// Where the file will be.
enum Place<'a> {
    Below(&'a crate::domain::relative_path::RelativePath),
    Exact(&'a std::path::Path),
}

impl Place<'_> {
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
            Self::Below(path) => work.context.landing()?.existing(path)?,
            Self::Exact(path) => Existing::at(path)?,
        };
        let Some(existing) = existing else { return Ok(None) };
        let mut source = Side { size: job.size, modified: job.last_modified.and_then(seconds) };
        if overwrite != Overwrite::Never && source.modified.is_none() {
            let facts = head(work, &job.object).await?;
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
    let plan = plan::download(job.size, context.limits.part_size);
    let mut in_flight = match plan {
        DownloadPlan::Parts { .. } => work.pass_part(memory).await?,
        DownloadPlan::Whole | DownloadPlan::Discover { .. } => work.pass(memory).await?,
    };
    let class = in_flight.class();
    let range = match plan {
        DownloadPlan::Whole => None,
        DownloadPlan::Parts { first } => Some(first),
        DownloadPlan::Discover { first } => context.discovery.asks(first),
    };
    let get = |range: Option<ByteRange>| {
        let read = Read { range, if_match: job.expected.etag.clone() };
        async move { context.get(class, &job.object, &read).await }
    };
    let tries = || work.tries(format!("read {}", job.object));
    let reply = match until_done(tries().under(&mut in_flight), || get(range)).await {
        // An empty object has no range to give.
        Err(JobError::Store { source, .. }) if matches!(source.kind, Kind::OutOfRange { .. }) => {
            until_done(tries().under(&mut in_flight), || get(None)).await?
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
    let reply = match plan {
        DownloadPlan::Discover { first } => {
            context.discovery.found(reply.facts.size, first);
            let is_longer = reply.range.is_some_and(|came| came.length() > first.length());
            if is_longer && reply.takes_ranges { reply.up_to(first) } else { reply }
        }
        DownloadPlan::Whole | DownloadPlan::Parts { .. } => reply,
    };
    work.gauge.discover(reply.facts.size);
    verify::expected(&job.expected, &reply.facts)?;
    work.left_object(reply.facts.etag.as_ref(), reply.facts.version.as_ref());
    work.moves(|| Origin::Object(reply.facts.clone()));
    Ok(Opened { pin: Pin::of(&reply.facts), reply, in_flight, plan })
}

/// One way from the first request to the final name. What can be continued is kept.
async fn once(work: &Arc<Work>, job: &Download, spot: Spot) -> Result<Outcome, JobError> {
    let resume = work.context.limits.resume;
    // Before the first request: where nothing can be written, nothing is asked for.
    let (file, earlier) = StagedFile::open(spot)?;
    let file = Arc::new(file);
    let earlier = earlier.filter(|_| resume == Resume::Kept);
    let filled = fill(work, job, &file, earlier).await;
    let owned = Arc::into_inner(file);
    match (filled, owned) {
        (Ok(filled), Some(file)) => finish(work, file, filled).await,
        (Ok(_), None) => Err(JobError::Internal("a part outlived its job".to_owned())),
        (Err(error), owned) => {
            let is_worth_it = resume == Resume::Kept && error.is_resumable();
            if let Some(bytes) = owned.filter(|_| is_worth_it).and_then(StagedFile::keep) {
                work.kept(bytes);
            }
            Err(error)
        }
    }
}

/// A file that has all its bytes, each of them checked.
struct Filled {
    facts: ObjectFacts,
    verified: Verified,
    /// Bytes of it that an earlier run had fetched.
    resumed: u64,
}

async fn fill(
    work: &Arc<Work>,
    job: &Download,
    file: &Arc<StagedFile>,
    earlier: Option<Earlier>,
) -> Result<Filled, JobError> {
    let have = match earlier {
        Some(earlier) => resume::check(work, job, file, earlier).await?,
        None => None,
    };
    let continued = match have {
        Some(have) => go_on(work, job, have).await?,
        None => None,
    };
    let begun = if let Some(begun) = continued {
        begun
    } else {
        file.start_anew()?;
        begin(work, job, file).await?
    };
    let Begun { facts, pin, crc, have, missing, reply, stored } = begun;
    let resumed = have.iter().map(|piece| piece.length).sum();
    let parts = Parts { work, job, pin, file, crc };
    let is_whole = have.is_empty() && missing.len() <= 1;
    let pieces = match (is_whole, missing.first(), reply) {
        (true, Some(range), Some(begun)) => vec![parts.only(*range, begun).await?],
        (_, _, reply) => parts.all(&missing, reply, have).await?,
    };
    let folded = resume::fold(crc, pieces, facts.size)?;
    let stored = match stored {
        Stored::Told(stored) => stored,
        Stored::Later(later) => {
            later.answer().await.inspect_err(|_| work.gauge.uncount(facts.size))?
        }
    };
    provable(work, job, &facts, is_whole, &stored)?;
    let content = Content { size: facts.size, crc, value: folded };
    work.left_checksum(crc.checksum(folded));
    let wanted = Wanted::of(work, (&job.object, &job.expected), &facts, &stored).await?;
    let verified = verify::file(&content, file, &wanted).await?;
    Ok(Filled { facts, verified, resumed })
}

/// What is known before the first byte is written, and what is still to be fetched.
struct Begun {
    facts: ObjectFacts,
    pin: Pin,
    crc: Crc,
    have: Vec<Recorded>,
    missing: Vec<ByteRange>,
    /// To the first of the missing ranges.
    reply: Option<(GetReply, InFlight)>,
    stored: Stored,
}

/// The object's checksum.
enum Stored {
    Told(StoredChecksum),
    Later(ChecksumLater),
}

async fn begin(
    work: &Arc<Work>,
    job: &Download,
    file: &Arc<StagedFile>,
) -> Result<Begun, JobError> {
    let Opened { reply, in_flight, pin, plan } = open(work, job, FRAMES).await?;
    let facts = reply.facts.clone();
    file.reserve(facts.size)?;
    let first = reply.range;
    let is_whole = first.is_none_or(|first| first.length() == facts.size);
    // The reply to a range has no checksum of the object: one HEAD alongside asks for it.
    // Likewise where the reply is the first to tell of such a size: it may have been cut short.
    let is_as_listed = is_whole && plan == DownloadPlan::Whole && job.size == Some(facts.size);
    let asks = match work.context.limits.verify {
        // The size must be known from two replies all the same.
        Verify::Off if facts.etag.is_some() => job.size != Some(facts.size),
        _ => facts.checksum == StoredChecksum::None && !is_as_listed,
    };
    let stored = if asks {
        Stored::Later(ChecksumLater::ask(work, job, &pin))
    } else {
        Stored::Told(facts.checksum.clone())
    };
    let crc = verify::crc_of(&facts.checksum);
    if !is_whole
        && work.context.limits.resume == Resume::Kept
        && let Some(identity) = resume::identity(work, job, &pin, crc)
    {
        file.begin_record(&identity);
    }
    let missing = match first {
        None => Vec::new(),
        Some(first) => {
            let rest = plan::ranges(first.end(), facts.size, part_size(work, facts.size));
            std::iter::once(first).chain(rest).collect()
        }
    };
    let reply = Some((reply, in_flight));
    Ok(Begun { facts, pin, crc, have: Vec::new(), missing, reply, stored })
}

/// Goes on behind what an earlier run left. `None` if another version has the key by now.
async fn go_on(work: &Arc<Work>, job: &Download, have: Have) -> Result<Option<Begun>, JobError> {
    let Have { pin, crc, pieces } = have;
    let missing = resume::missing(&pieces, pin.size, part_size(work, pin.size));
    let begun = if let Some(first) = missing.first() {
        get_again(work, job, &pin, *first).await?.map(|(reply, in_flight)| {
            let stored = Stored::Later(ChecksumLater::ask(work, job, &pin));
            (reply.facts.clone(), Some((reply, in_flight)), stored)
        })
    } else {
        let facts = head(work, &job.object).await?;
        let stored = Stored::Told(facts.checksum.clone());
        Some((facts, None, stored))
    };
    let Some((facts, reply, stored)) = begun else { return Ok(None) };
    if Pin::of(&facts) != pin {
        return Ok(None);
    }
    verify::expected(&job.expected, &facts)?;
    work.left_object(facts.etag.as_ref(), facts.version.as_ref());
    work.moves(|| Origin::Object(facts.clone()));
    work.gauge.discover(facts.size);
    work.gauge.resume(pieces.iter().map(|piece| piece.length).sum());
    Ok(Some(Begun { facts, pin, crc, have: pieces, missing, reply, stored }))
}

/// The first range that is missing. `None` if the object that it is part of is gone.
async fn get_again(
    work: &Work,
    job: &Download,
    pin: &Pin,
    range: ByteRange,
) -> Result<Option<(GetReply, InFlight)>, JobError> {
    let mut in_flight = work.pass_part(FRAMES).await?;
    let read = Read { range: Some(range), if_match: pin.etag.clone() };
    let context = &work.context;
    let tries = work.tries(format!("read {}", job.object)).under(&mut in_flight);
    let get = || context.get(Class::Part, &job.object, &read);
    match until_done(tries, get).await {
        Ok(reply) if reply.range == Some(range) => Ok(Some((reply, in_flight))),
        Ok(_) => Ok(None),
        Err(error) if error.wants_restart() => Ok(None),
        Err(error) => Err(error),
    }
}

fn part_size(work: &Work, size: u64) -> u64 {
    let limits = &work.context.limits;
    download_part_size(size, limits.part_size, limits.part_choice)
}

async fn finish(work: &Work, file: StagedFile, filled: Filled) -> Result<Outcome, JobError> {
    let Filled { facts, verified, resumed } = filled;
    match publish(work, file, &facts).await {
        // It appeared while this was on its way, and it was to be kept.
        Err(JobError::Local(error)) if error.kind == LocalKind::AlreadyExists => {
            work.gauge.uncount_all();
            Ok(Outcome::Skipped(Skip::Exists))
        }
        published => published.map(|()| work.done_from(resumed, facts.size, verified)),
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
async fn publish(work: &Work, file: StagedFile, facts: &ObjectFacts) -> Result<(), JobError> {
    let limits = &work.context.limits;
    let kept = match limits.preserve {
        Preserve::TimeAndMode => facts.preserved,
        Preserve::Nothing => Preserved::default(),
    };
    if let Some(mode) = kept.mode
        && let Err(error) = file.set_mode(mode)
    {
        work.context.tell(Event::Notice(error.to_string())).await;
    }
    let like_object = facts.last_modified.filter(|_| limits.file_times == FileTimes::LikeObject);
    let how = Publish {
        length: facts.size,
        modified: kept.modified.or(like_object),
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
    work.left_file(published.modified);
    if let Some(warning) = published.warning {
        work.context.tell(Event::Notice(warning.to_string())).await;
    }
    Ok(())
}

/// Ends all tasks because of `error`, and waits until they are gone.
pub(super) async fn end_all<T: 'static>(tasks: &mut JoinSet<T>, error: JobError) -> JobError {
    if matches!(error, JobError::Stopped) {
        // They heard it too, and each notes how far it came.
        while tasks.join_next().await.is_some() {}
    }
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
            match head(&work, &job.object).await {
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
