//! A request's body on its way in: counted, paced, cut off on command, and drained when the
//! operation did not want it.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use s3s::StdError;

use super::pace::Paces;
use crate::log::InFlight;

/// The body while the operation reads it. Clones share it, so that what an operation leaves unread
/// can still be drained.
#[derive(Clone, Debug)]
pub(super) struct RequestBody(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    intake: Mutex<Intake>,
    in_flight: Arc<InFlight>,
    received: AtomicU64,
}

#[derive(Debug)]
struct Intake {
    incoming: Incoming,
    paces: Paces,
    /// Arrived, and handed on when its time is over.
    held: Option<Frame<Bytes>>,
}

/// More than this is not drained: the connection is closed instead, as servers do.
const DRAINED: u64 = 64 << 20;

impl RequestBody {
    pub(super) fn new(incoming: Incoming, in_flight: Arc<InFlight>, paces: Paces) -> Self {
        Self(Arc::new(Shared {
            intake: Mutex::new(Intake { incoming, paces, held: None }),
            in_flight,
            received: AtomicU64::new(0),
        }))
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.0.received.load(Ordering::Relaxed) == 0
    }

    /// Takes in what is left, so that the client gets to read the reply.
    pub(super) async fn drain(&mut self) {
        self.take(DRAINED).await;
    }

    /// Takes in bytes until there are that many or no more.
    pub(super) async fn take(&mut self, bytes: u64) {
        while self.0.received.load(Ordering::Relaxed) < bytes {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await;
            if !matches!(frame, Some(Ok(_))) {
                return;
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let shared = &self.0;
        let frame = ready!(lock(&shared.intake).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(bytes) = frame.data_ref()
        {
            shared.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            shared.in_flight.received(bytes.len());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let intake = lock(&self.0.intake);
        intake.held.is_none() && intake.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let intake = lock(&self.0.intake);
        // What is held is no longer counted by what it came from.
        if intake.held.is_some() { SizeHint::default() } else { intake.incoming.size_hint() }
    }
}

impl Intake {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        if self.held.is_none() {
            match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    self.paces.reserve(frame.data_ref().map_or(0, Bytes::len));
                    self.held = Some(frame);
                }
                other => return Poll::Ready(other.map(|frame| frame.map_err(StdError::from))),
            }
        }
        ready!(self.paces.poll_due(cx));
        Poll::Ready(self.held.take().map(Ok))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
