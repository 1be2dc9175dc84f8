//! A reply that begins at once and is a long time coming, as S3 sends that of
//! `CompleteMultipartUpload`: the head, the XML declaration, white space, and at last the result.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::framing::{Framer, Head, read_more};
use super::valve::{End, broken};

/// So many spaces, one at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Padding {
    pub(super) spaces: u64,
    pub(super) pause: Duration,
}

impl Padding {
    /// Sends a reply that is read whole before, in chunks and padded.
    pub(super) async fn pass(
        self,
        (head, mut body): (&Head, Framer),
        (from, buffer): (&mut (impl AsyncRead + Unpin), &mut BytesMut),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), End> {
        let mut whole = BytesMut::new();
        while !body.is_done() {
            if buffer.is_empty() {
                let read = read_more(from, buffer).await.map_err(|error| broken(&error))?;
                if read == 0 {
                    return Err(End::Close);
                }
            }
            let taken = body.take(buffer);
            whole.extend_from_slice(&buffer.split_to(taken));
        }
        send(to, &chunked_head(head)).await?;
        let declaration =
            whole.windows(2).position(|window| window == b"?>").map_or(0, |at| at + 2);
        let declaration = whole.split_to(declaration);
        chunk(to, &declaration).await?;
        for _ in 0..self.spaces {
            tokio::time::sleep(self.pause).await;
            chunk(to, b" ").await?;
        }
        chunk(to, &whole).await?;
        send(to, b"0\r\n\r\n").await
    }
}

/// The same head, for a body in chunks.
fn chunked_head(head: &Head) -> Bytes {
    let text = String::from_utf8_lossy(&head.bytes).into_owned();
    let is_kept = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !line.is_empty() && name != "content-length" && name != "transfer-encoding"
    };
    let mut lines: Vec<_> = text.split("\r\n").filter(is_kept).collect();
    lines.extend(["transfer-encoding: chunked", "", ""]);
    Bytes::from(lines.join("\r\n"))
}

async fn chunk(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), End> {
    if bytes.is_empty() {
        return Ok(());
    }
    let size = format!("{:x}\r\n", bytes.len());
    send(to, &[size.as_bytes(), bytes, b"\r\n"].concat()).await
}

async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), End> {
    to.write_all(bytes).await.map_err(|_| End::Gone)
}
