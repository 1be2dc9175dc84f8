//! One way through the proxy: bytes pass up to the place where it breaks.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::disruption::{Break, Place};
use super::framing::{Framer, Head, read_more};
use super::rules::Cut;

/// How an exchange ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client's connection is to be reset.
    Reset,
    /// The client's connection is to be closed in good order.
    Close,
    /// Nothing more is to happen.
    Stall,
    /// One of the two left.
    Gone,
}

/// What drips comes in so many pieces a second, or byte by byte.
const DRIPS_PER_SECOND: u32 = 20;

/// Lets a message pass, up to its break.
#[derive(Debug)]
pub(super) struct Valve {
    /// Bytes until it breaks, and how.
    cut: Option<(u64, Break)>,
    /// How it breaks before the last chunk.
    last_chunk: Option<Break>,
}

impl Valve {
    /// For a message with this head, and a body of this length where it is known.
    pub(super) fn new(cut: Option<Cut>, head: &Head, body: Framer) -> Self {
        let last_chunk = cut.filter(|cut| cut.place == Place::LastChunk).map(|cut| cut.how);
        let cut = cut.filter(|_| last_chunk.is_none()).map(|cut| {
            let (head, body) = (head.bytes.len() as u64, body.known());
            (offset(cut, head, body), cut.how)
        });
        Self { cut, last_chunk }
    }

    pub(super) async fn pass(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        bytes: &[u8],
    ) -> Result<(), End> {
        let Some((left, how)) = &mut self.cut else {
            return to.write_all(bytes).await.map_err(|_| End::Gone);
        };
        let whole = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
        *left -= whole as u64;
        to.write_all(&bytes[..whole]).await.map_err(|_| End::Gone)?;
        // It breaks behind its last byte even if nothing would follow.
        if *left > 0 {
            return Ok(());
        }
        match *how {
            Break::Reset => Err(End::Reset),
            Break::Close => Err(End::Close),
            Break::Stall => Err(End::Stall),
            Break::Drip { bytes_per_second } => drip(to, &bytes[whole..], bytes_per_second).await,
        }
    }

    /// Passes a body on from where it is read.
    pub(super) async fn pump(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        buffer: &mut BytesMut,
        to: &mut (impl AsyncWrite + Unpin),
        mut body: Framer,
    ) -> Result<(), End> {
        while !body.is_done() {
            if buffer.is_empty() {
                let read = read_more(from, buffer).await.map_err(|error| broken(&error))?;
                if read == 0 {
                    return Err(End::Close);
                }
            }
            if body.is_before_last_chunk(buffer)
                && let Some(how) = self.last_chunk
            {
                return Err(match how {
                    Break::Reset => End::Reset,
                    Break::Close => End::Close,
                    Break::Stall | Break::Drip { .. } => End::Stall,
                });
            }
            let taken = body.take(buffer);
            let bytes = buffer.split_to(taken);
            self.pass(to, &bytes).await?;
        }
        Ok(())
    }
}

/// How the other side must hear of an error on this one.
pub(super) fn broken(error: &std::io::Error) -> End {
    if error.kind() == std::io::ErrorKind::ConnectionReset { End::Reset } else { End::Gone }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a length that a test can send is positive and exact enough"
)]
fn offset(cut: Cut, head: u64, body: Option<u64>) -> u64 {
    match cut.place {
        Place::Head(bytes) => bytes.min(head),
        Place::LastChunk => u64::MAX,
        Place::Body(bytes) => head + bytes,
        Place::BeforeEnd(bytes) => head + body.map_or(0, |body| body.saturating_sub(bytes)),
        Place::Somewhere => head + (body.unwrap_or(0) as f64 * cut.share) as u64,
    }
}

async fn drip(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    bytes_per_second: u64,
) -> Result<(), End> {
    let pace = u32::try_from(bytes_per_second.max(1)).unwrap_or(u32::MAX);
    let piece = usize::try_from(pace / DRIPS_PER_SECOND).unwrap_or(usize::MAX).max(1);
    for piece in bytes.chunks(piece) {
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        tokio::time::sleep(Duration::from_secs(1) * length / pace).await;
        to.write_all(piece).await.map_err(|_| End::Gone)?;
    }
    Ok(())
}
