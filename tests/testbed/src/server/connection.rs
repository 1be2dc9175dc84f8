//! A TCP connection that can be reset on command and says when everything was flushed.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::send_queue::Ports;
use super::stream::Stream;

/// What requests know of, and may do to, the connection they came over.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) number: u64,
    pub(super) ports: Ports,
    reset: AtomicBool,
    flushes: AtomicU64,
    waiting: Mutex<Option<Waker>>,
    after: Mutex<AfterReply>,
}

/// What happens on the connection once everything written so far has left.
#[derive(Debug, Default)]
pub(crate) struct AfterReply {
    /// Sent as no part of any reply.
    pub(crate) garbage: Bytes,
    pub(crate) close: bool,
}

impl Wire {
    pub(super) fn new(number: u64, ports: Ports) -> Self {
        Self {
            number,
            ports,
            reset: AtomicBool::new(false),
            flushes: AtomicU64::new(0),
            waiting: Mutex::default(),
            after: Mutex::default(),
        }
    }

    /// When the connection is dropped, which is up to the caller, it is reset and not closed.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// How often everything written so far has been handed to the kernel.
    pub(crate) fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    pub(crate) fn wake_on_flush(&self, waker: &Waker) {
        *lock(&self.waiting) = Some(waker.clone());
    }

    pub(crate) fn after_reply(&self, after: AfterReply) {
        *lock(&self.after) = after;
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    wire: Arc<Wire>,
}

impl Connection {
    pub(crate) fn new(stream: Stream, wire: Arc<Wire>) -> Self {
        Self { stream, wire }
    }

    fn poll_after_reply(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut after = lock(&self.wire.after);
        while after.garbage.has_remaining() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &after.garbage))?;
            after.garbage.advance(written);
        }
        if std::mem::take(&mut after.close) {
            return Pin::new(&mut self.stream).poll_shutdown(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.wire.reset.load(Ordering::Acquire) {
            // Without it the peer sees an orderly end, and the test that asked for more fails.
            self.stream.tcp().set_zero_linger().ok();
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper calls this only when its own buffer is empty.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        ready!(self.poll_after_reply(cx))?;
        self.wire.flushes.fetch_add(1, Ordering::AcqRel);
        if let Some(waker) = lock(&self.wire.waiting).take() {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.wire.reset.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
