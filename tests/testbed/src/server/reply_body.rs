//! A reply's body on its way out: counted, paced, and spoilt on command.
//!
//! An unspoilt body must pass through without a copy.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http_body::{Body as _, Frame, SizeHint};

use super::connection::{AfterReply, Wire};
use super::pace::Paces;
use crate::log::InFlight;

/// Ends the connection: hyper closes it when a service or a body fails.
#[derive(Debug)]
pub(crate) struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection ends here, as scripted")
    }
}

impl std::error::Error for Hangup {}

/// What is done to a body.
#[derive(Debug, Default)]
pub(super) struct Spoil {
    /// The body ends behind this many bytes, and how.
    pub(super) end: Option<(u64, Ending)>,
    pub(super) flipped: Vec<u64>,
    /// Every bit of the body.
    pub(super) inverted: bool,
    pub(super) extra: Bytes,
    /// Its length is not told, so that it goes out in chunks.
    pub(super) is_unmeasured: bool,
    pub(super) after: Option<AfterReply>,
    /// Instead of what the server is set to.
    pub(super) bytes_per_second: Option<u64>,
}

/// How a body that is cut short ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As if that had been all.
    Finished,
    /// The connection is closed.
    Closed,
    Reset,
    /// Nothing more happens.
    Stalled,
}

/// The body hyper sends.
pub(crate) struct ReplyBody {
    inner: s3s::Body,
    /// Read from `inner`, not yet sent.
    pending: Bytes,
    sent: u64,
    spoil: Spoil,
    paces: Paces,
    /// Bytes of `pending` whose time on the paces is taken.
    reserved: Option<usize>,
    wire: Arc<Wire>,
    in_flight: Arc<InFlight>,
    flushes_at_end: Option<u64>,
    drain: Option<BoxFuture<'static, ()>>,
    /// Length of the body, where it is known before.
    length: Option<u64>,
}

impl ReplyBody {
    pub(super) fn new(
        inner: s3s::Body,
        spoil: Spoil,
        wire: Arc<Wire>,
        in_flight: Arc<InFlight>,
        paces: Paces,
    ) -> Self {
        let mut body = Self {
            length: inner.size_hint().exact(),
            inner,
            pending: Bytes::new(),
            sent: 0,
            spoil,
            paces,
            reserved: None,
            wire,
            in_flight,
            flushes_at_end: None,
            drain: None,
        };
        body.arm_after_reply();
        body
    }

    /// hyper does not ask again once it has the whole length, so this comes with the last bytes.
    fn arm_after_reply(&mut self) {
        if self.length == Some(self.sent)
            && let Some(after) = self.spoil.after.take()
        {
            self.wire.after_reply(after);
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Hangup>>> {
        while self.pending.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => self.pending = frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return Poll::Ready(Some(Err(Hangup))),
                None if self.spoil.extra.is_empty() => return Poll::Ready(None),
                None => self.pending = std::mem::take(&mut self.spoil.extra),
            }
        }
        let length = match self.reserved {
            Some(length) => length,
            None => self.reserve(),
        };
        ready!(self.paces.poll_due(cx));
        self.reserved = None;
        Poll::Ready(Some(Ok(self.pending.split_to(length))))
    }

    /// Takes the time of the next frame; gives its length.
    fn reserve(&mut self) -> usize {
        let left = self.spoil.end.map_or(u64::MAX, |(end, _)| end - self.sent);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let length = self.pending.len().min(self.paces.frame()).min(left);
        self.paces.reserve(length);
        self.reserved = Some(length);
        length
    }

    /// Waits until all that was sent has left, so that the client sees exactly that much.
    fn poll_end(
        &mut self,
        ending: Ending,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Hangup>>> {
        match ending {
            Ending::Finished => return Poll::Ready(None),
            Ending::Stalled => return Poll::Pending,
            Ending::Closed | Ending::Reset => {}
        }
        let flushes = self.wire.flushes();
        if *self.flushes_at_end.get_or_insert(flushes) == flushes {
            self.wire.wake_on_flush(cx.waker());
            return Poll::Pending;
        }
        if ending == Ending::Reset {
            let ports = self.wire.ports;
            let drain = self.drain.get_or_insert_with(|| Box::pin(ports.drained()));
            ready!(drain.as_mut().poll(cx));
            self.wire.reset();
        }
        Poll::Ready(Some(Err(Hangup)))
    }

    fn spoil_data(&self, data: Bytes) -> Bytes {
        let range = self.sent..self.sent + data.len() as u64;
        if !self.spoil.inverted && !self.spoil.flipped.iter().any(|at| range.contains(at)) {
            return data;
        }
        let mut spoilt = BytesMut::from(&data[..]);
        if self.spoil.inverted {
            spoilt.iter_mut().for_each(|byte| *byte = !*byte);
        }
        for at in self.spoil.flipped.iter().filter(|at| range.contains(at)) {
            if let Some(byte) =
                usize::try_from(at - range.start).ok().and_then(|i| spoilt.get_mut(i))
            {
                *byte ^= 1;
            }
        }
        spoilt.freeze()
    }
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = Hangup;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Hangup>>> {
        if let Some((end, ending)) = self.spoil.end
            && self.sent >= end
        {
            return self.poll_end(ending, cx);
        }
        let Some(data) = ready!(self.poll_data(cx)) else {
            return Poll::Ready(None);
        };
        let data = self.spoil_data(data?);
        self.sent += data.len() as u64;
        self.in_flight.sent(data.len());
        self.arm_after_reply();
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        let intact = self.spoil.end.is_none() && self.spoil.extra.is_empty();
        intact && self.pending.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let is_changed = self.spoil.end.is_some() || !self.spoil.extra.is_empty();
        if is_changed || self.spoil.is_unmeasured || !self.pending.is_empty() {
            return SizeHint::default();
        }
        self.inner.size_hint()
    }
}
