//! The bytes of an object, as a rope of shared segments.
//!
//! Must never copy bytes to assemble, slice or serve an object: a completed multipart upload is the
//! list of its parts' buffers, and a reply is slices of them.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::Stream;
use s3s::StdError;
use s3s::stream::{ByteStream, RemainingLength};

/// Frames of a reply: small enough to account and to pace, big enough not to cost anything.
const FRAME: usize = 256 * 1024;

/// The bytes of an object; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Content {
    segments: Arc<[Segment]>,
    length: u64,
}

#[derive(Clone, Debug)]
struct Segment {
    start: u64,
    bytes: Bytes,
}

impl Content {
    pub fn len(&self) -> u64 {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All bytes in one piece; free when the content has one segment.
    pub fn bytes(&self) -> Bytes {
        if let [segment] = &*self.segments {
            return segment.bytes.clone();
        }
        let mut whole = BytesMut::new();
        for segment in self.segments() {
            whole.extend_from_slice(&segment);
        }
        whole.freeze()
    }

    /// The segments in order.
    pub fn segments(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.segments.iter().map(|segment| segment.bytes.clone())
    }

    pub(crate) fn concat(contents: impl IntoIterator<Item = Content>) -> Self {
        contents.into_iter().flat_map(|c| c.segments().collect::<Vec<_>>()).collect()
    }

    /// The bytes of `range`, which must lie inside the content.
    pub(crate) fn slice(&self, range: Range<u64>) -> Self {
        let mut slices = Vec::new();
        let first =
            self.segments.partition_point(|s| s.start + s.bytes.len() as u64 <= range.start);
        for segment in &self.segments[first..] {
            if segment.start >= range.end {
                break;
            }
            let from = range.start.saturating_sub(segment.start);
            let to = (range.end - segment.start).min(segment.bytes.len() as u64);
            slices.push(segment.bytes.slice(index(from)..index(to)));
        }
        slices.into_iter().collect()
    }

    /// The bytes as the body of a reply.
    pub(crate) fn stream(&self) -> ContentStream {
        ContentStream {
            remaining: index(self.length),
            segments: Arc::clone(&self.segments),
            next: 0,
            current: Bytes::new(),
        }
    }
}

impl FromIterator<Bytes> for Content {
    fn from_iter<I: IntoIterator<Item = Bytes>>(segments: I) -> Self {
        let mut length = 0;
        let segments = segments
            .into_iter()
            .filter(|bytes| !bytes.is_empty())
            .map(|bytes| {
                let start = length;
                length += bytes.len() as u64;
                Segment { start, bytes }
            })
            .collect();
        Self { segments, length }
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        std::iter::once(bytes).collect()
    }
}

/// Yields content in frames that share its memory.
pub(crate) struct ContentStream {
    segments: Arc<[Segment]>,
    next: usize,
    current: Bytes,
    remaining: usize,
}

impl Stream for ContentStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.current.is_empty() {
            let next = self.next;
            let Some(segment) = self.segments.get(next) else {
                return Poll::Ready(None);
            };
            self.current = segment.bytes.clone();
            self.next += 1;
        }
        let length = self.current.len().min(FRAME);
        self.remaining -= length;
        Poll::Ready(Some(Ok(self.current.split_to(length))))
    }
}

impl ByteStream for ContentStream {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(self.remaining)
    }
}

/// Contents lie in memory, so their lengths and offsets are in range of `usize`.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("contents lie in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_across_segments_has_exactly_the_asked_bytes() {
        let content: Content = ["abc", "", "defg", "h"].into_iter().map(Bytes::from).collect();
        assert_eq!(content.len(), 8);
        for start in 0..8 {
            for end in start..=8 {
                let expected = &"abcdefgh"[index(start)..index(end)];
                assert_eq!(content.slice(start..end).bytes(), expected.as_bytes());
            }
        }
    }
}
