//! One object to a stream, in order: its parts are fetched in parallel, ahead of the reader as far
//! as the memory allows.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::context::{InFlight, Outcome, Verify, Work};
use super::download::{ChecksumLater, Opened, open, provable};
use super::error::JobError;
use super::fetch::{Fetch, Pin, fetch};
use super::head::head;
use super::outcome::Verified;
use super::output::Output;
use super::plan::{self, DownloadPlan};
use super::verify::{Content, USUAL_CRC, Wanted};
use crate::domain::checksum::Crc;
use crate::domain::evidence::Witness;
use crate::domain::job::Download;
use crate::domain::object::StoredChecksum;
use crate::domain::range::{ByteRange, Span};
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::SpecialFile;
use crate::storage::object_store::GetReply;

/// Parts fetched ahead of the one that is being written.
const AHEAD: usize = 16;

pub(super) async fn to_stdout(work: &Arc<Work>, job: &Download) -> Result<Outcome, JobError> {
    let output =
        work.context.output.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let output = output
        .ok_or_else(|| JobError::Impossible("standard output takes one object only".to_owned()))?;
    match work.context.span {
        Some(span) => slice(work, job, span, output).await,
        None => stream(work, job, output).await,
    }
}

pub(super) async fn to_special(
    work: &Arc<Work>,
    job: &Download,
    special: &SpecialFile,
) -> Result<Outcome, JobError> {
    let special = special.clone();
    // Opening a FIFO waits for its reader.
    let file = tokio::task::spawn_blocking(move || special.open_for_writing()).await;
    let file = file.map_err(|error| JobError::Internal(error.to_string()))??;
    stream(work, job, Output::new(Box::new(file))).await
}

async fn stream(work: &Arc<Work>, job: &Download, output: Output) -> Result<Outcome, JobError> {
    let memory = job.size.unwrap_or(u64::MAX).min(work.context.limits.part_size);
    let Opened { reply, mut in_flight, pin, plan } = open(work, job, memory).await?;
    let facts = reply.facts.clone();
    let first = reply.range;
    let is_whole = first.is_none_or(|first| first.length() == facts.size);
    if plan != DownloadPlan::Whole && first.is_some_and(|first| first.length() > memory) {
        return Err(no_ranges(job));
    }
    // What was written can't be read again: which checksum to compute must be known before.
    let asks = match work.context.limits.verify {
        Verify::Off if facts.etag.is_some() => job.size != Some(facts.size),
        _ => facts.checksum == StoredChecksum::None && !(is_whole && plan == DownloadPlan::Whole),
    };
    // Other requests are about to be waited for, and there may be room for one only.
    in_flight.end_request();
    let stored = if asks {
        ChecksumLater::ask(work, job, &pin).answer().await?
    } else {
        facts.checksum.clone()
    };
    let crc =
        stored.full_object().and_then(|checksum| checksum.algorithm().crc()).unwrap_or(USUAL_CRC);
    provable(work, job, &reply.facts, is_whole, &stored)?;
    let wanted = Wanted::of(work, (&job.object, &job.expected), &facts, &stored).await?;
    let parts = Ahead { work, job, pin: &pin, crc, end: pin.size };
    let target = Target { output, witnesses: wanted.witnesses(crc) };
    let (value, witnesses) = parts.write_all(first, (Some(reply), in_flight), target).await?;
    let content = Content { size: facts.size, crc, value };
    let verified = wanted.judge(&content, witnesses)?;
    Ok(work.done(facts.size, verified))
}

/// Some of an object's bytes. No checksum is of them alone: they are counted, and of one version.
async fn slice(
    work: &Arc<Work>,
    job: &Download,
    span: Span,
    output: Output,
) -> Result<Outcome, JobError> {
    let facts = head(work, &job.object).await?;
    let range = span.of(facts.size).ok_or_else(|| {
        JobError::Impossible(format!("it has {} bytes, and none of those asked for", facts.size))
    })?;
    if range.length() == facts.size {
        return stream(work, job, output).await;
    }
    work.gauge.discover(range.length());
    work.left_object(facts.etag.as_ref(), facts.version.as_ref());
    let part_size = work.context.limits.part_size;
    let first = ByteRange::new(range.start(), range.length().min(part_size));
    if first.is_some_and(|first| first.length() < range.length()) && facts.etag.is_none() {
        let text = "the store gives it no ETag, and its parts might be of two versions";
        return Err(JobError::Impossible(text.to_owned()));
    }
    let in_flight = work.pass_part(range.length().min(part_size)).await?;
    let parts = Ahead { work, job, pin: &Pin::of(&facts), crc: USUAL_CRC, end: range.end() };
    let target = Target { output, witnesses: Vec::new() };
    parts.write_all(first, (None, in_flight), target).await?;
    Ok(work.done(range.length(), Verified::Length))
}

/// A part is held in memory, and all of an object may be more than there is.
fn no_ranges(job: &Download) -> JobError {
    let text = "the store sends the whole object where a part of it is asked for: download it to a \
                file, or with a --part-size that is larger than the object";
    let source = Box::new(StoreError::new("GetObject", Kind::Refused).with_message(text));
    JobError::Store { doing: format!("read {}", job.object), source }
}

/// Where the bytes go, and who looks at them as they pass.
struct Target {
    output: Output,
    witnesses: Vec<Witness>,
}

struct Ahead<'a> {
    work: &'a Arc<Work>,
    job: &'a Download,
    pin: &'a Pin,
    crc: Crc,
    /// The first byte that is not wanted any more.
    end: u64,
}

/// A part in memory, and the permit for that memory.
struct Fetched {
    frames: Vec<Bytes>,
    value: u64,
    length: u64,
    in_flight: InFlight,
}

impl Ahead<'_> {
    async fn write_all(
        &self,
        first: Option<ByteRange>,
        begun: (Option<GetReply>, InFlight),
        target: Target,
    ) -> Result<(u64, Vec<Witness>), JobError> {
        let mut is_begun = false;
        let written = self.write_parts(first, begun, target, &mut is_begun).await;
        written.map_err(|error| if is_begun { cut_off(error) } else { error })
    }

    /// Notes in `is_begun` whether some of the object was written.
    async fn write_parts(
        &self,
        first: Option<ByteRange>,
        begun: (Option<GetReply>, InFlight),
        mut target: Target,
        is_begun: &mut bool,
    ) -> Result<(u64, Vec<Witness>), JobError> {
        let mut whole = self.crc.empty();
        let Some(first) = first else {
            target.output.finish()?;
            return Ok((whole, target.witnesses));
        };
        let part_size = self.work.context.limits.part_size;
        let mut rest = plan::ranges(first.end(), self.end, part_size).zip(2..);
        let mut ahead: VecDeque<Owned> = VecDeque::new();
        ahead.push_back(self.spawn(first, 1, begun.0, begun.1));
        loop {
            while ahead.len() < AHEAD {
                let Some((range, number)) = rest.next() else { break };
                let in_flight = if ahead.is_empty() {
                    self.work.pass(range.length()).await?
                } else {
                    // What is ahead holds its memory until it is written: waiting for more while
                    // nothing is written would wait for ever.
                    if let Some(in_flight) =
                        futures::FutureExt::now_or_never(self.work.pass(range.length()))
                    {
                        in_flight?
                    } else {
                        rest = plan::ranges(range.start(), self.end, part_size).zip(number..);
                        break;
                    }
                };
                ahead.push_back(self.spawn(range, number, None, in_flight));
            }
            let Some(mut task) = ahead.pop_front() else { break };
            let fetched =
                (&mut task.0).await.map_err(|error| JobError::Internal(error.to_string()))??;
            whole = self.crc.fold(whole, fetched.value, fetched.length);
            *is_begun = true;
            target = write(target, fetched).await?;
        }
        target.output.finish()?;
        Ok((whole, target.witnesses))
    }

    fn spawn(
        &self,
        range: ByteRange,
        number: u32,
        reply: Option<GetReply>,
        mut in_flight: InFlight,
    ) -> Owned {
        let (work, object, pin) =
            (Arc::clone(self.work), self.job.object.clone(), self.pin.clone());
        let crc = self.crc;
        Owned(tokio::spawn(async move {
            let mut frames = Vec::new();
            let part =
                Fetch { work: &work, object: &object, pin: &pin, range, part: Some(number), crc };
            let value = fetch(&part, &mut in_flight, reply, &mut frames).await?;
            in_flight.end_request();
            Ok(Fetched { frames, value, length: range.length(), in_flight })
        }))
    }
}

/// An object that is gone after a part of it was written is not missing: it ends in the middle, and
/// nothing may follow it.
fn cut_off(mut error: JobError) -> JobError {
    if let JobError::Store { source, .. } = &mut error
        && source.kind == Kind::MissingKey
    {
        source.kind = Kind::Changed;
    }
    error
}

/// A task that ends with its owner.
struct Owned(JoinHandle<Result<Fetched, JobError>>);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn write(mut target: Target, fetched: Fetched) -> Result<Target, JobError> {
    let written = tokio::task::spawn_blocking(move || {
        for witness in &mut target.witnesses {
            fetched.frames.iter().for_each(|frame| witness.update(frame));
        }
        target.output.write(&fetched.frames)?;
        drop(fetched.in_flight);
        Ok(target)
    });
    written.await.map_err(|error| JobError::Internal(error.to_string()))?
}
