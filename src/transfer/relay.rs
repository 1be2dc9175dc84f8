//! A copy between two stores that know nothing of each other: read part by part as a download is,
//! sent as an upload is, and in memory in between. What was read is held against the source's
//! checksum before the object is complete, and its CRC goes with what is written.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::buffers::Buffer;
use super::context::{FRAMES, InFlight, Outcome, Work};
use super::copy::{all_attributes, expect_checksum};
use super::error::JobError;
use super::fetch::{Fetch, Pin, Sink, fetch};
use super::multipart::{SentPart, Started, note, pass_while, send_part};
use super::original::Original;
use super::outcome::Verified;
use super::part_size::{part_size_of, usual_upload_part};
use super::plan;
use super::resume::fold;
use super::unfinished::record_of_copy;
use super::upload::{Writing, put};
use super::verify::{self, Content, USUAL_CRC, Wanted};
use crate::domain::attributes::Attributes;
use crate::domain::checksum::{Checksum, Crc};
use crate::domain::job::ObjectCopy;
use crate::domain::object::StoredChecksum;
use crate::domain::quantity::ByteSize;
use crate::domain::range::ByteRange;
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::Recorded;
use crate::storage::object_store::{Body, Upload};

/// Copies an object through memory.
pub(super) async fn relay(
    work: &Arc<Work>,
    job: &ObjectCopy,
    source: &Original<'_>,
) -> Result<Outcome, JobError> {
    let (facts, limits) = (source.facts(), &work.context.limits);
    let usual = usual_upload_part(facts.size, limits.part_size, limits.part_choice);
    let part_size = part_size_of("the object", facts.size, usual)?;
    let attributes = all_attributes(work, job, &source.described).await?;
    let reading = Arc::new(Work::aside(Arc::clone(&work.context), Arc::clone(&work.job)));
    let wanted = Wanted::of(work, (&job.source, &job.expected), facts, &facts.checksum).await?;
    // The CRCs of its parts fold to that of the whole.
    let crc = match &facts.checksum {
        StoredChecksum::Composite(parts) => parts.algorithm().crc().unwrap_or(USUAL_CRC),
        stored => verify::crc_of(stored),
    };
    let pin = Arc::new(Pin::of(facts));
    let is_whole = facts.size <= limits.part_size;
    // Parts that come as they come show their CRC alone.
    let told = job.expected.checksum.as_ref().map(Checksum::algorithm);
    if !is_whole && told.is_some_and(|told| told.crc() != Some(crc)) {
        expect_checksum(work, job, source).await?;
    }
    let relay = Relay { work, job, attributes, reading, pin, wanted, crc };
    let outcome = if is_whole { relay.whole().await } else { relay.in_parts(part_size).await };
    work.retried(relay.reading.course().retries);
    outcome
}

struct Relay<'a> {
    work: &'a Arc<Work>,
    job: &'a ObjectCopy,
    attributes: Arc<Attributes>,
    /// Counts nothing: progress is what arrives, not what is read.
    reading: Arc<Work>,
    pin: Arc<Pin>,
    wanted: Wanted,
    /// What the source's checksum can be compared with.
    crc: Crc,
}

impl Relay<'_> {
    async fn whole(&self) -> Result<Outcome, JobError> {
        let size = self.pin.size;
        let mut in_flight = self.work.pass(size + FRAMES).await?;
        let (body, value) = if let Some(range) = ByteRange::new(0, size) {
            self.part(range, None).read(&mut in_flight).await?
        } else {
            let sent = self.sent_crc();
            (Body::new(Bytes::new(), sent.checksum(sent.empty())), self.crc.empty())
        };
        let mut witnesses = self.wanted.witnesses(self.crc);
        for witness in &mut witnesses {
            witness.update(&body.bytes);
        }
        let content = Content { size, crc: self.crc, value };
        let read = self.wanted.judge(&content, witnesses)?;
        let writing =
            Writing { object: &self.job.object, attributes: &self.attributes, checksum: None };
        let written = put(self.work, &writing, &mut in_flight, body).await?;
        Ok(proven_by_both(written, read))
    }

    async fn in_parts(&self, part_size: u64) -> Result<Outcome, JobError> {
        let memory = self.work.context.limits.memory;
        if part_size + FRAMES > memory {
            let text =
                format!("its parts have {part_size} bytes each; raise --max-memory to hold one");
            return Err(JobError::Impossible(text));
        }
        self.provable()?;
        let new = (&self.job.object, &self.attributes);
        let record = record_of_copy(self.work, self.job).await;
        let started = Started::create(self.work, new, &mut self.work.pass(0).await?).await?;
        if let Some(record) = &record {
            record.begin(&started.upload.id, part_size);
        }
        let sent = self.send_all(&started, part_size).await;
        let judged = match &sent {
            Ok((_, pieces)) => self.judge(pieces.clone()),
            Err(_) => Ok(Verified::Length),
        };
        // What the source's checksum says comes before the object is there.
        let mut read = Verified::Length;
        let check = || judged.map(|verified| read = verified);
        let outcome = started.finish(sent.map(|(sent, _)| sent), check).await;
        if let Some(record) = &record {
            record.clear();
        }
        Ok(proven_by_both(outcome?, read))
    }

    /// Parts that no tag pins to one version are taken only if a checksum of the whole can tell: one
    /// that is folded of theirs, as they do not come in order.
    fn provable(&self) -> Result<(), JobError> {
        if self.pin.etag.is_some() || self.wanted.is_told_by(self.crc) {
            return Ok(());
        }
        let text =
            "the store gives no ETag and no checksum: the parts could be those of two versions";
        let error = StoreError::new("GetObject", Kind::Refused).with_message(text);
        Err(self.work.tries(format!("read {}", self.job.source)).fatal(error))
    }

    fn judge(&self, pieces: Vec<Recorded>) -> Result<Verified, JobError> {
        let value = fold(self.crc, pieces, self.pin.size)?;
        let content = Content { size: self.pin.size, crc: self.crc, value };
        // What has to see all bytes in order can't: parts come as they come.
        self.wanted.judge(&content, Vec::new())
    }

    async fn send_all(
        &self,
        started: &Started<'_>,
        part_size: u64,
    ) -> Result<(Vec<SentPart>, Vec<Recorded>), JobError> {
        let (mut tasks, mut sent) = (JoinSet::new(), Vec::new());
        let pieces = Arc::new(Mutex::new(Vec::new()));
        for (range, number) in plan::ranges(0, self.pin.size, part_size).zip(1..) {
            let memory = range.length() + FRAMES;
            let in_flight = pass_while(self.work, &mut tasks, &mut sent, memory).await?;
            let part = self.part(range, Some(number));
            let (work, upload) = (Arc::clone(self.work), Arc::clone(&started.upload));
            let pieces = Arc::clone(&pieces);
            tasks.spawn(part.relay((work, upload), in_flight, pieces));
        }
        while let Some(ended) = tasks.join_next().await {
            note(&mut tasks, &mut sent, ended).await?;
        }
        let pieces = std::mem::take(&mut *pieces.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((sent, pieces))
    }

    fn part(&self, range: ByteRange, number: Option<u32>) -> Part {
        Part {
            reading: Arc::clone(&self.reading),
            object: self.job.source.clone(),
            pin: Arc::clone(&self.pin),
            crc: self.crc,
            sent_crc: self.sent_crc(),
            range,
            number,
        }
    }

    /// What the copy is to have.
    fn sent_crc(&self) -> Crc {
        self.attributes.crc.unwrap_or(USUAL_CRC)
    }
}

/// One part on its way.
struct Part {
    reading: Arc<Work>,
    object: crate::domain::location::ObjectName,
    pin: Arc<Pin>,
    crc: Crc,
    /// What the copy is to have.
    sent_crc: Crc,
    range: ByteRange,
    number: Option<u32>,
}

impl Part {
    async fn relay(
        self,
        (work, upload): (Arc<Work>, Arc<Upload>),
        mut in_flight: InFlight,
        pieces: Arc<Mutex<Vec<Recorded>>>,
    ) -> Result<SentPart, JobError> {
        let (body, crc) = self.read(&mut in_flight).await?;
        let (offset, length) = (self.range.start(), self.range.length());
        let number = self.number.unwrap_or(1);
        let sent = send_part(&work, &upload, number, &mut in_flight, body).await?;
        let mut pieces = pieces.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.push(Recorded { offset, length, crc });
        Ok(sent)
    }

    /// Its bytes, and what the source's checksum can be compared with.
    async fn read(&self, in_flight: &mut InFlight) -> Result<(Body, u64), JobError> {
        let Self { reading: work, object, pin, crc, sent_crc, range, number } = self;
        let length = usize::try_from(range.length()).map_err(|_| {
            JobError::Impossible(format!("{} do not fit into memory", ByteSize(range.length())))
        })?;
        let buffer = work.context.buffers.take(length);
        let mut filling = Filling { buffer, start: range.start() };
        let (range, part, crc) = (*range, *number, *crc);
        let wanted = Fetch { work, object, pin, range, part, crc };
        let value = fetch(&wanted, in_flight, None, &mut filling).await?;
        let bytes = filling.buffer.freeze();
        let sent = if crc == *sent_crc { value } else { sent_crc.of(&bytes) };
        Ok((Body::new(bytes, sent_crc.checksum(sent)), value))
    }
}

/// A part's bytes in one piece, as they come.
struct Filling {
    buffer: Buffer,
    /// Where the part starts in the object.
    start: u64,
}

impl Sink for Filling {
    fn write(&mut self, offset: u64, frames: &mut Vec<Bytes>) -> Result<(), JobError> {
        let misplaced = || JobError::Internal("bytes came beside their part".to_owned());
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let mut at = at.ok_or_else(misplaced)?;
        for frame in frames.drain(..) {
            let place = self.buffer.as_mut_slice().get_mut(at..at + frame.len());
            place.ok_or_else(misplaced)?.copy_from_slice(&frame);
            at += frame.len();
        }
        Ok(())
    }
}

/// As far as both halves of the way prove it.
fn proven_by_both(outcome: Outcome, read: Verified) -> Outcome {
    match outcome {
        Outcome::Done(mut done) if done.verified != Verified::Length => {
            done.verified = read;
            Outcome::Done(done)
        }
        outcome => outcome,
    }
}
