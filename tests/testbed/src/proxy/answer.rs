//! What the proxy says itself, in place of a server.

use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::disruption::Disruption;
use super::valve::End;

/// Sends what takes the place of a reply. The connection ends behind it.
pub(super) async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    answer: &Disruption,
) -> Result<(), End> {
    match answer {
        Disruption::Answer(bytes) => write(to, bytes).await?,
        Disruption::HeaderBomb { headers, length } => {
            write(to, b"HTTP/1.1 200 OK\r\n").await?;
            let value = "x".repeat(*length);
            for number in 0..*headers {
                write(to, format!("x-bomb-{number}: {value}\r\n").as_bytes()).await?;
            }
            write(to, b"content-length: 0\r\n\r\n").await?;
        }
        Disruption::OversizedError { status, bytes } => oversized(to, *status, *bytes).await?,
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

async fn oversized(to: &mut (impl AsyncWrite + Unpin), status: u16, bytes: u64) -> Result<(), End> {
    let (open, close) = ("<Error><Code>InternalError</Code><Message>", "</Message></Error>");
    let length = bytes + (open.len() + close.len()) as u64;
    let head = format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/xml\r\n\
         content-length: {length}\r\n\r\n{open}"
    );
    write(to, head.as_bytes()).await?;
    let filler = vec![b'x'; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let piece = filler.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        write(to, &filler[..piece]).await?;
        left -= piece as u64;
    }
    write(to, close.as_bytes()).await
}

async fn write(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), End> {
    to.write_all(bytes).await.map_err(|_| End::Gone)
}
