//! Holding a body to a number of bytes a second.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A pace counted from its first use, so that late timers do not add up.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: u64,
    started: Option<Instant>,
    bytes: u64,
    timer: Pin<Box<Sleep>>,
}

impl Pace {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        let timer = Box::pin(sleep_until(Instant::now()));
        Self { bytes_per_second: bytes_per_second.max(1), started: None, bytes: 0, timer }
    }

    /// Frames small enough that the pace is smooth.
    pub(crate) fn frame(&self) -> usize {
        usize::try_from(self.bytes_per_second / 100).unwrap_or(usize::MAX).clamp(1, 64 * 1024)
    }

    pub(crate) fn count(&mut self, bytes: usize) {
        let started = *self.started.get_or_insert_with(Instant::now);
        self.bytes += bytes as u64;
        let nanoseconds =
            u128::from(self.bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let due = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        self.timer.as_mut().reset(started + due);
    }

    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(cx)
    }
}
