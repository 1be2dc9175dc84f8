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

use super::pace::Pace;
use crate::log::InFlight;

/// The body while the operation reads it. Clones share it, so that what an operation leaves unread
/// can still be drained.
#[derive(Clone, Debug)]
pub(super) struct RequestBody(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    incoming: Mutex<Incoming>,
    pace: Mutex<Option<Pace>>,
    in_flight: Arc<InFlight>,
    received: AtomicU64,
}

/// More than this is not drained: the connection is closed instead, as servers do.
const DRAINED: u64 = 64 << 20;

impl RequestBody {
    pub(super) fn new(incoming: Incoming, in_flight: Arc<InFlight>, pace: Option<Pace>) -> Self {
        Self(Arc::new(Shared {
            incoming: Mutex::new(incoming),
            pace: Mutex::new(pace),
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
        if let Some(pace) = &mut *lock(&shared.pace) {
            ready!(pace.poll_due(cx));
        }
        let frame = ready!(Pin::new(&mut *lock(&shared.incoming)).poll_frame(cx));
        if let Some(bytes) = frame.as_ref().and_then(|f| f.as_ref().ok()).and_then(Frame::data_ref)
        {
            shared.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            shared.in_flight.received(bytes.len());
            if let Some(pace) = &mut *lock(&shared.pace) {
                pace.count(bytes.len());
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(StdError::from)))
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0.incoming).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0.incoming).size_hint()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
