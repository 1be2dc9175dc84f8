//! One range of an object, from the store to a sink: goes on from the last byte after every fault,
//! and never mixes the bytes of two versions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::StreamExt as _;

use super::ask::GET;
use super::context::{InFlight, Work};
use super::error::JobError;
use super::gate::Class;
use super::patience::Trickle;
use super::retry::Tries;
use crate::domain::checksum::{Crc, CrcHasher};
use crate::domain::location::ObjectName;
use crate::domain::object::{ETag, ObjectFacts, StoredChecksum};
use crate::domain::range::ByteRange;
use crate::storage::error::{Kind, StoreError};
use crate::storage::local::{Recorded, StagedFile};
use crate::storage::meter::Meter;
use crate::storage::object_store::{GetReply, Read};

/// Frames are gathered to about this much before they are written at once.
const GATHER: usize = 512 * 1024;

/// Which version of an object a download is about. Invariant 2: bytes of two versions never meet
/// in one file, so every reply after the first is held against this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) etag: Option<ETag>,
    pub(super) size: u64,
}

impl Pin {
    pub(super) fn of(facts: &ObjectFacts) -> Self {
        Self { etag: facts.etag.clone(), size: facts.size }
    }

    /// The checksum of this version, as another request tells it. A version has one size: where
    /// the two replies differ in that, one of them was cut short.
    pub(super) fn checksum_of(&self, facts: &ObjectFacts) -> Result<StoredChecksum, StoreError> {
        if self.etag.is_some() && self.etag != facts.etag {
            // Of another version by now: the parts will notice if they need to.
            return Ok(StoredChecksum::None);
        }
        if self.size != facts.size {
            return Err(self.changed(facts));
        }
        Ok(facts.checksum.clone())
    }

    /// Some servers ignore `If-Match` and send what they have now.
    pub(super) fn check(&self, facts: &ObjectFacts) -> Result<(), StoreError> {
        if self.etag == facts.etag && self.size == facts.size {
            return Ok(());
        }
        Err(self.changed(facts))
    }

    fn changed(&self, facts: &ObjectFacts) -> StoreError {
        let tag =
            |etag: Option<&ETag>| etag.map_or_else(|| "no ETag".to_owned(), ToString::to_string);
        let (was, is) = (tag(self.etag.as_ref()), tag(facts.etag.as_ref()));
        StoreError::new(GET, Kind::Changed).with_message(format!(
            "was {was} with {} bytes, is {is} with {}",
            self.size, facts.size
        ))
    }
}

/// Where a range's bytes go.
pub(super) trait Sink: Send {
    /// Takes frames that start `offset` bytes into the object.
    fn write(&mut self, offset: u64, frames: &mut Vec<Bytes>) -> Result<(), JobError>;

    /// Hears that all bytes of `written` have been taken: a whole range, or as much of it as came
    /// before it was given up.
    fn note(&mut self, _written: Recorded) {}
}

/// The place of the bytes in the file that is being made.
impl Sink for &StagedFile {
    fn write(&mut self, offset: u64, frames: &mut Vec<Bytes>) -> Result<(), JobError> {
        // Inline, not on the blocking pool: a write to the page cache takes less time than the two
        // thread switches would.
        self.write_vectored_at(offset, frames)?;
        frames.clear();
        Ok(())
    }

    fn note(&mut self, written: Recorded) {
        self.record(written);
    }
}

/// Kept in memory, in order.
impl Sink for Vec<Bytes> {
    fn write(&mut self, _offset: u64, frames: &mut Vec<Bytes>) -> Result<(), JobError> {
        self.append(frames);
        Ok(())
    }
}

/// A range to fetch.
#[derive(Debug)]
pub(super) struct Fetch<'a> {
    pub(super) work: &'a Work,
    pub(super) object: &'a ObjectName,
    pub(super) pin: &'a Pin,
    pub(super) range: ByteRange,
    /// From 1, for objects of several parts.
    pub(super) part: Option<u32>,
    pub(super) crc: Crc,
}

/// Fetches the range into `sink` and gives the CRC of its bytes. `opened` is a reply that has
/// already begun. The permit is the caller's, and lent to others while a try is waited for.
pub(super) async fn fetch(
    fetch: &Fetch<'_>,
    in_flight: &mut InFlight,
    mut opened: Option<GetReply>,
    sink: &mut impl Sink,
) -> Result<u64, JobError> {
    let (class, meter) = (in_flight.class(), Arc::clone(in_flight.meter()));
    let mut tries = fetch.tries().under(in_flight);
    let mut progress = Progress::new(fetch.crc, &meter);
    loop {
        let attempt = fetch.attempt(class, &mut progress, opened.take(), sink);
        let ended = fetch.work.context.or_stopped(attempt).await;
        let error = match ended {
            Ok(Ok(())) => {
                progress.tell(fetch, sink);
                fetch.work.context.store_is_proven();
                return Ok(progress.crc.value());
            }
            Ok(Err(Broken::Store(error))) => {
                // The bytes so far are good: the next try goes on behind them. Those of a reply
                // that was longer than it may be are not.
                progress.flush(fetch, sink)?;
                // Without a tag nothing says that the rest would be of the same version.
                if error.kind == Kind::Malformed || fetch.pin.etag.is_none() {
                    fetch.work.gauge.uncount(progress.done);
                    progress = Progress::new(fetch.crc, &meter);
                }
                match tries.again(error).await {
                    Ok(()) => continue,
                    Err(error) => error,
                }
            }
            Ok(Err(Broken::Sink(error))) | Err(error) => error,
        };
        progress.tell(fetch, sink);
        fetch.work.gauge.uncount(progress.done);
        return Err(error);
    }
}

/// How an attempt ended before its last byte.
enum Broken {
    Store(StoreError),
    Sink(JobError),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fetch<'_> {
    fn tries(&self) -> Tries<'_> {
        self.work.tries(format!("read {}", self.object)).of_part(self.part)
    }

    async fn attempt(
        &self,
        class: Class,
        progress: &mut Progress,
        opened: Option<GetReply>,
        sink: &mut impl Sink,
    ) -> Result<(), Broken> {
        // Never ask for an empty range: all bytes were there and only the end of the reply was lost.
        let Some(rest) = self.range.rest(progress.done) else { return Ok(()) };
        let reply = match opened {
            Some(reply) => reply,
            None => self.open(class, rest).await?,
        };
        self.pour(reply, progress, sink).await
    }

    async fn open(&self, class: Class, range: ByteRange) -> Result<GetReply, StoreError> {
        let read = Read { range: Some(range), if_match: self.pin.etag.clone() };
        let reply = self.work.context.get(class, self.object, &read).await?;
        self.pin.check(&reply.facts)?;
        if reply.range != Some(range) {
            let message = format!("asked for {range}, got other bytes");
            return Err(StoreError::new(GET, Kind::Malformed).with_message(message));
        }
        Ok(reply)
    }

    async fn pour(
        &self,
        reply: GetReply,
        progress: &mut Progress,
        sink: &mut impl Sink,
    ) -> Result<(), Broken> {
        let mut body = reply.body;
        let context = &self.work.context;
        let length = self.range.length();
        let mut trickle = Trickle::default();
        loop {
            let asked = Instant::now();
            let frame = match tokio::time::timeout(context.limits.timeout, body.next()).await {
                Ok(Some(frame)) => frame?,
                Ok(None) => break,
                Err(_) => {
                    let silence =
                        format!("no byte came for {} s", context.limits.timeout.as_secs());
                    return Err(StoreError::new(GET, Kind::Transient).with_message(silence).into());
                }
            };
            let waited = asked.elapsed();
            if progress.received() + frame.len() as u64 > length {
                let message = format!("more than {length} bytes came for {}", self.range);
                return Err(StoreError::new(GET, Kind::Malformed).with_message(message).into());
            }
            let came = frame.len() as u64;
            let wait = progress.gather(frame);
            if progress.gathered >= GATHER {
                progress.flush(self, sink).map_err(Broken::Sink)?;
            }
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let too_few = trickle.note(waited, came, context.limits.timeout);
            if let Some(few) = too_few.filter(|_| progress.received() < length) {
                let seconds = context.limits.timeout.as_secs();
                let message = format!("only {few} bytes came in {seconds} s");
                return Err(StoreError::new(GET, Kind::Transient).with_message(message).into());
            }
        }
        progress.flush(self, sink).map_err(Broken::Sink)?;
        if progress.done < length {
            let message = format!("the body ended at {} of {length} bytes", progress.done);
            return Err(StoreError::new(GET, Kind::Transient).with_message(message).into());
        }
        Ok(())
    }
}

/// How far a range is.
struct Progress {
    /// Bytes handed to the sink.
    done: u64,
    /// Of those bytes.
    crc: CrcHasher,
    frames: Vec<Bytes>,
    gathered: usize,
    /// Counts the bytes of all requests of this class as they come.
    meter: Arc<Meter>,
}

impl Progress {
    fn new(crc: Crc, meter: &Arc<Meter>) -> Self {
        let (crc, meter) = (CrcHasher::new(crc), Arc::clone(meter));
        Self { done: 0, crc, frames: Vec::new(), gathered: 0, meter }
    }

    fn received(&self) -> u64 {
        self.done + self.gathered as u64
    }

    /// How long the next frame has to wait.
    fn gather(&mut self, frame: Bytes) -> Duration {
        let length = frame.len();
        self.gathered += length;
        self.frames.push(frame);
        self.meter.add(length as u64)
    }

    fn tell(&self, fetch: &Fetch<'_>, sink: &mut impl Sink) {
        if self.done > 0 {
            let (offset, crc) = (fetch.range.start(), self.crc.value());
            sink.note(Recorded { offset, length: self.done, crc });
        }
    }

    fn flush(&mut self, fetch: &Fetch<'_>, sink: &mut impl Sink) -> Result<(), JobError> {
        if self.gathered == 0 {
            return Ok(());
        }
        for frame in &self.frames {
            self.crc.update(frame);
        }
        sink.write(fetch.range.start() + self.done, &mut self.frames)?;
        self.done += self.gathered as u64;
        fetch.work.gauge.count(self.gathered as u64);
        self.gathered = 0;
        Ok(())
    }
}
