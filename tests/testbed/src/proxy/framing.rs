//! Where a message of HTTP/1.1 ends: heads, lengths and chunks. It must never change a byte.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Longer heads than any client or server in a test sends.
const LONGEST_HEAD: usize = 1 << 20;
const READ: usize = 64 << 10;

/// The head of a request or a reply, as it came.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) bytes: Bytes,
    /// The first line: `GET /b/k HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub(super) line: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// Reads one head; `None` where the stream ends before it begins.
    pub(super) async fn read(
        from: &mut (impl AsyncRead + Unpin),
        buffer: &mut BytesMut,
    ) -> io::Result<Option<Self>> {
        loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(Some(Self::parse(buffer.split_to(end + 4).freeze())));
            }
            if buffer.len() > LONGEST_HEAD {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if read_more(from, buffer).await? == 0 {
                return if buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    fn parse(bytes: Bytes) -> Self {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Self { bytes, line, headers }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Of a reply.
    pub(super) fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The body of a request.
    pub(super) fn request_body(&self) -> Framer {
        self.length().unwrap_or(Framer::Fixed(0))
    }

    /// The body of a reply to a request of `method`.
    pub(super) fn reply_body(&self, method: &str) -> Framer {
        let status = self.status();
        if method == "HEAD" || status == 204 || status == 304 || (100..200).contains(&status) {
            return Framer::Fixed(0);
        }
        self.length().unwrap_or(Framer::UntilClose)
    }

    fn length(&self) -> Option<Framer> {
        if self.header("transfer-encoding").is_some_and(|value| value.ends_with("chunked")) {
            return Some(Framer::Chunked(Chunk::Start));
        }
        self.header("content-length")?.parse().ok().map(Framer::Fixed)
    }
}

/// Reads as much as there is, in large pieces.
pub(super) async fn read_more(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<usize> {
    buffer.reserve(READ);
    from.read_buf(buffer).await
}

/// How much of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framer {
    Fixed(u64),
    Chunked(Chunk),
    UntilClose,
}

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Before a chunk.
    Start,
    /// In the line with a chunk's size, of which so much was read.
    Size(u64),
    /// Behind the digits of that line.
    SizeEnd(u64),
    /// In a chunk: so many bytes are to come, its line end included.
    Data(u64),
    /// In a line of the trailer that has so many bytes by now.
    Trailer(u64),
    End,
}

impl Framer {
    /// The length of the body, where it is known.
    pub(super) fn known(self) -> Option<u64> {
        match self {
            Self::Fixed(length) => Some(length),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    pub(super) fn is_done(self) -> bool {
        matches!(self, Self::Fixed(0) | Self::Chunked(Chunk::End))
    }

    /// Whether all data has passed, and only the chunk that says so is still to come.
    pub(super) fn is_before_last_chunk(self, bytes: &[u8]) -> bool {
        matches!(self, Self::Chunked(chunk) if chunk.is_last(bytes))
    }

    /// How many of these bytes belong to the body; no more at once than up to its last chunk.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::UntilClose => bytes.len(),
            Self::Fixed(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                taken
            }
            Self::Chunked(chunk) => {
                let mut taken = 0;
                while taken < bytes.len() && *chunk != Chunk::End {
                    taken += chunk.step(&bytes[taken..]);
                    if chunk.is_last(&bytes[taken..]) {
                        break;
                    }
                }
                taken
            }
        }
    }
}

impl Chunk {
    /// No server writes a size with zeros before it.
    fn is_last(self, bytes: &[u8]) -> bool {
        self == Self::Start && bytes.first() == Some(&b'0')
    }

    /// Goes on by one byte, or by as much data as there is.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if let Self::Data(left) = self {
            let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            *left -= taken as u64;
            if *left == 0 {
                *self = Self::Start;
            }
            return taken;
        }
        let byte = bytes[0];
        *self = match (*self, byte) {
            (Self::Size(0) | Self::SizeEnd(0), b'\n') => Self::Trailer(0),
            (Self::Size(size) | Self::SizeEnd(size), b'\n') => Self::Data(size + 2),
            (Self::Start, digit) => {
                Self::Size(u64::from(char::from(digit).to_digit(16).unwrap_or(0)))
            }
            (Self::Size(size), digit) => match char::from(digit).to_digit(16) {
                Some(digit) => Self::Size(size * 16 + u64::from(digit)),
                None => Self::SizeEnd(size),
            },
            (Self::Trailer(0), b'\n') => Self::End,
            (Self::Trailer(_), b'\n') => Self::Trailer(0),
            (Self::Trailer(length), b'\r') => Self::Trailer(length),
            (Self::Trailer(length), _) => Self::Trailer(length + 1),
            (state, _) => state,
        };
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_ends_where_it_says_however_it_is_cut() {
        let body = b"5;x=y\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nname: value\r\n\r\n";
        let wire = [&body[..], b"HTTP/1.1 200 OK"].concat();
        for step in 1..wire.len() {
            let mut framer = Framer::Chunked(Chunk::Start);
            let mut taken = 0;
            while taken < wire.len() && !framer.is_done() {
                let end = wire.len().min(taken + step);
                taken += framer.take(&wire[taken..end]);
            }
            assert_eq!((taken, framer.is_done()), (body.len(), true), "by {step}");
        }
    }

    #[test]
    fn a_head_tells_what_follows_it() {
        let head = |text: &str| Head::parse(Bytes::from(text.to_owned()));
        let fixed = head("HTTP/1.1 206 Partial\r\nContent-Length: 12\r\n\r\n");
        assert_eq!((fixed.status(), fixed.reply_body("GET")), (206, Framer::Fixed(12)));
        assert_eq!(fixed.reply_body("HEAD"), Framer::Fixed(0));
        let chunked = head("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(chunked.reply_body("GET"), Framer::Chunked(Chunk::Start));
        assert_eq!(head("HTTP/1.1 200 OK\r\n\r\n").reply_body("GET"), Framer::UntilClose);
        assert_eq!(head("GET / HTTP/1.1\r\n\r\n").request_body(), Framer::Fixed(0));
    }
}
