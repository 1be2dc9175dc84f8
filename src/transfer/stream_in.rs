//! Standard input to one object: its length is known only when it ends.

use std::io::Read;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::buffers::{Buffer, Buffers};
use super::context::{Outcome, Work};
use super::error::JobError;
use super::multipart::{SentPart, Started, note, pass_while};
use super::part_size::{MAX_PARTS, MIN_PART, stream_part_size, upload_part_size};
use super::upload::{Writing, put, skip};
use crate::domain::checksum::Crc;
use crate::domain::job::Upload;
use crate::domain::overwrite::Side;
use crate::domain::quantity::ByteSize;
use crate::storage::object_store::Body;

/// Uploads standard input. A stream of another length than expected makes no object.
pub(super) async fn upload(
    work: &Arc<Work>,
    job: &Upload,
    expected: Option<u64>,
) -> Result<Outcome, JobError> {
    if let Some(skip) = skip(work, &job.object, Side { size: expected, modified: None }).await? {
        return Ok(Outcome::Skipped(skip));
    }
    let first = work.context.limits.part_size.max(MIN_PART);
    let first = match expected {
        Some(size) => upload_part_size(size, first).ok_or_else(|| {
            JobError::Impossible(format!("S3 takes no object of {}", ByteSize(size)))
        })?,
        None => first,
    };
    let memory = work.context.limits.memory;
    if first > memory {
        let text = format!("its parts have {first} bytes each; raise --max-memory to hold one");
        return Err(JobError::Impossible(text));
    }
    let mut stream = Stream::open(work.context.buffers.clone());
    // The first part waits for its memory before it is read, as all others do.
    let mut in_flight = work.pass(first).await?;
    let head = stream.next(work, first).await?;
    if !head.is_full {
        expect(expected, head.length())?;
        work.gauge.discover(head.length());
        return put(work, &Writing::of(job), &mut in_flight, head.body(work.crc())).await;
    }
    let new = (&job.object, &job.attributes);
    let started = Started::create(work, new, &mut in_flight).await?;
    let sent = send(&started, stream, (head, in_flight), first, expected).await;
    started.finish(sent, || Ok(())).await
}

async fn send(
    started: &Started<'_>,
    mut stream: Stream,
    (head, in_flight): (Piece, super::context::InFlight),
    first: u64,
    expected: Option<u64>,
) -> Result<Vec<SentPart>, JobError> {
    let work = started.work;
    let mut tasks = JoinSet::new();
    let mut sent = Vec::new();
    let mut total = head.length();
    let mut number = 1;
    let body = head.body(work.crc());
    started.spawn_part(&mut tasks, number, in_flight, async move { Ok(body) });
    loop {
        number += 1;
        let size = if expected.is_some() { first } else { stream_part_size(number, first) };
        let size = size.min(work.context.limits.memory);
        let in_flight = pass_while(work, &mut tasks, &mut sent, size).await?;
        let piece = match stream.next(work, size).await {
            Ok(piece) => piece,
            Err(error) => return Err(super::download::end_all(&mut tasks, error).await),
        };
        total += piece.length();
        let is_last = !piece.is_full;
        if piece.length() > 0 {
            if u64::from(number) > MAX_PARTS || expected.is_some_and(|expected| total > expected) {
                let text = format!("the stream is longer than {} bytes", expected.unwrap_or(total));
                return Err(super::download::end_all(&mut tasks, JobError::Expectation(text)).await);
            }
            let body = piece.body(work.crc());
            started.spawn_part(&mut tasks, number, in_flight, async move { Ok(body) });
        }
        if is_last {
            break;
        }
    }
    while let Some(ended) = tasks.join_next().await {
        note(&mut tasks, &mut sent, ended).await?;
    }
    expect(expected, total)?;
    work.gauge.discover(total);
    Ok(sent)
}

fn expect(expected: Option<u64>, found: u64) -> Result<(), JobError> {
    match expected {
        Some(expected) if expected < found => {
            Err(JobError::Expectation(format!("the stream is longer than {expected} bytes")))
        }
        Some(expected) if expected != found => Err(JobError::Expectation(format!(
            "the stream ended after {found} bytes, {expected} were expected"
        ))),
        _ => Ok(()),
    }
}

/// Some bytes of the stream.
struct Piece {
    buffer: Buffer,
    /// Whether the stream may go on.
    is_full: bool,
}

impl Piece {
    fn length(&self) -> u64 {
        self.buffer.as_ref().len() as u64
    }

    fn body(self, crc: Crc) -> Body {
        let checksum = crc.checksum(crc.of(self.buffer.as_ref()));
        Body::new(self.buffer.freeze(), checksum)
    }
}

/// Standard input, read on a thread of its own: a read may wait for ever, and nothing can end it.
struct Stream {
    wanted: mpsc::Sender<usize>,
    pieces: mpsc::Receiver<std::io::Result<Piece>>,
}

impl Stream {
    fn open(buffers: Buffers) -> Self {
        let (wanted, mut wishes) = mpsc::channel::<usize>(1);
        let (filled, pieces) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut input = std::io::stdin().lock();
            while let Some(length) = wishes.blocking_recv() {
                if filled.blocking_send(fill(&mut input, buffers.take(length))).is_err() {
                    break;
                }
            }
        });
        Self { wanted, pieces }
    }

    /// The next `length` bytes, or all that is left.
    async fn next(&mut self, work: &Work, length: u64) -> Result<Piece, JobError> {
        let gone = || JobError::Internal("the reader of standard input is gone".to_owned());
        let length = usize::try_from(length).map_err(|_| gone())?;
        self.wanted.send(length).await.map_err(|_| gone())?;
        let piece = work.context.or_stopped(self.pieces.recv()).await?.ok_or_else(gone)?;
        piece.map_err(|source| JobError::Io { doing: "read standard input".to_owned(), source })
    }
}

fn fill(input: &mut impl Read, mut buffer: Buffer) -> std::io::Result<Piece> {
    let whole = buffer.as_ref().len();
    let mut filled = 0;
    while filled < whole {
        match input.read(&mut buffer.as_mut_slice()[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(Piece { buffer, is_full: filled == whole })
}
