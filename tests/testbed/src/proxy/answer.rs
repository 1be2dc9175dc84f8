//! What the proxy says itself, in place of a server.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::disruption::Disruption;
use super::valve::End;

/// Counts what a client takes: one that hangs up took no more than it wanted.
pub(super) struct Counted<'a, W> {
    pub(super) to: &'a mut W,
    pub(super) bytes: &'a AtomicU64,
}

/// Sends what takes the place of a reply. The connection ends behind it.
pub(super) async fn send(
    to: &mut Counted<'_, impl AsyncWrite + Unpin>,
    answer: &Disruption,
) -> Result<(), End> {
    match answer {
        Disruption::Answer(bytes) => to.write(bytes).await?,
        Disruption::HeaderBomb { headers, length } => {
            to.write(b"HTTP/1.1 200 OK\r\n").await?;
            let value = "x".repeat(*length);
            for number in 0..*headers {
                to.write(format!("x-bomb-{number}: {value}\r\n").as_bytes()).await?;
            }
            to.write(b"content-length: 0\r\n\r\n").await?;
        }
        Disruption::OversizedError { status, bytes } => to.oversized(*status, *bytes).await?,
        _ => {}
    }
    Err(End::Close)
}

/// Any number of interim replies.
pub(super) async fn interim(to: &mut (impl AsyncWrite + Unpin), count: u64) -> Result<(), End> {
    for _ in 0..count {
        write(to, b"HTTP/1.1 103 Early Hints\r\n\r\n").await?;
    }
    Ok(())
}

impl<W: AsyncWrite + Unpin> Counted<'_, W> {
    async fn oversized(&mut self, status: u16, bytes: u64) -> Result<(), End> {
        let (open, close) = ("<Error><Code>InternalError</Code><Message>", "</Message></Error>");
        let length = bytes + (open.len() + close.len()) as u64;
        let head = format!(
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/xml\r\n\
         content-length: {length}\r\n\r\n{open}"
        );
        self.write(head.as_bytes()).await?;
        let filler = vec![b'x'; 64 << 10];
        let mut left = bytes;
        while left > 0 {
            let piece = filler.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.write(&filler[..piece]).await?;
            left -= piece as u64;
        }
        self.write(close.as_bytes()).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        write(self.to, bytes).await?;
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), End> {
    to.write_all(bytes).await.map_err(|_| End::Gone)
}
