//! Holding bodies to a number of bytes a second, each by itself and all of them together, and
//! requests to a number a second.
//!
//! A pace is a line on which each frame takes the time it needs, behind all that was reserved
//! before; nothing is queued, copied or reordered. Timers fire up to a millisecond late, and later
//! where the machine is busy, so a pace is counted on its line and not from timer to timer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How far a line that lay idle may be made up for: late timers cost no throughput, and nothing
/// bursts for longer than this.
const CREDIT: Duration = Duration::from_millis(10);

/// A frame takes this much time of its line, or less.
const FRAMES_PER_SECOND: u64 = 400;
const SMALLEST_SHARED_FRAME: u64 = 16 << 10;
const LARGEST_FRAME: u64 = 256 << 10;

const PICOSECONDS: u64 = 1_000_000_000_000;

/// So many units a second: of bytes, or of requests.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: u64,
    origin: Instant,
    /// Picoseconds since the origin until which the line is taken.
    taken: AtomicU64,
}

impl Pace {
    pub(crate) fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), origin: Instant::now(), taken: AtomicU64::new(0) }
    }

    /// Takes the line for so many units; says when the last of them is through.
    pub(crate) fn reserve(&self, units: u64) -> Instant {
        let earliest = self.now().saturating_sub(picoseconds(CREDIT));
        let cost = self.cost(units);
        let after = |taken: u64| taken.max(earliest).saturating_add(cost);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| Some(after(taken)));
        let (Ok(taken) | Err(taken)) = taken;
        self.origin + Duration::from_nanos(after(taken).div_ceil(1000))
    }

    /// Takes the line for one unit unless it is taken for longer than `burst`; one always fits.
    pub(crate) fn admits(&self, burst: Duration) -> bool {
        let now = self.now();
        let limit = now.saturating_add(picoseconds(burst).max(self.cost(1)));
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| {
            Some(taken.max(now).saturating_add(self.cost(1))).filter(|taken| *taken <= limit)
        });
        taken.is_ok()
    }

    fn now(&self) -> u64 {
        picoseconds(self.origin.elapsed())
    }

    fn cost(&self, units: u64) -> u64 {
        let cost = u128::from(units) * u128::from(PICOSECONDS);
        // Rounded up: nothing is faster than its pace.
        u64::try_from(cost.div_ceil(u128::from(self.per_second))).unwrap_or(u64::MAX)
    }
}

fn picoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).saturating_mul(1000)
}

/// What holds one body back: a pace of its own, and one that it shares with all others.
#[derive(Debug, Default)]
pub(super) struct Paces {
    own: Option<Pace>,
    shared: Option<Arc<Pace>>,
    /// Set while a frame waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Paces {
    /// The body's own pace starts now.
    pub(super) fn new(own: Option<u64>, shared: Option<Arc<Pace>>) -> Self {
        Self { own: own.map(Pace::new), shared, timer: None }
    }

    /// Frames small enough that the paces are smooth.
    pub(super) fn frame(&self) -> usize {
        let frame = |pace: &Pace, smallest| {
            (pace.per_second / FRAMES_PER_SECOND).clamp(smallest, LARGEST_FRAME)
        };
        let own = self.own.as_ref().map(|pace| frame(pace, 1));
        let shared = self.shared.as_ref().map(|pace| frame(pace, SMALLEST_SHARED_FRAME));
        let smallest = own.into_iter().chain(shared).min();
        smallest.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// Takes the time of a frame; [`Self::poll_due`] says when it is over.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let lines = [self.own.as_ref(), self.shared.as_deref()];
        let due = lines.into_iter().flatten().map(|pace| pace.reserve(bytes as u64)).max();
        let Some(due) = due.filter(|due| *due > Instant::now()) else {
            return;
        };
        self.timer = Some(Box::pin(sleep_until(due)));
    }

    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = match &mut self.timer {
            None => return Poll::Ready(()),
            Some(timer) => timer.as_mut().poll(cx),
        };
        if due.is_ready() {
            self.timer = None;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that only moves when told: no time passes between two lines of a test.
    fn at_rest(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(test);
    }

    #[test]
    fn what_is_reserved_lies_one_behind_the_other() {
        at_rest(async {
            let pace = Pace::new(1_250_000_000);
            let start = Instant::now();
            for sent in 1..=5000_u64 {
                let due = pace.reserve(256 << 10) - start;
                assert_eq!(due.as_nanos(), u128::from(sent * (256 << 10) * 8).div_ceil(10));
            }
        });
    }

    #[test]
    fn an_idle_line_is_made_up_for_but_not_for_long() {
        at_rest(async {
            let pace = Pace::new(1000);
            tokio::time::advance(Duration::from_mins(1)).await;
            let now = Instant::now();
            assert_eq!(pace.reserve(10), now);
            assert_eq!(pace.reserve(3), now + Duration::from_millis(3));
        });
    }

    #[test]
    fn requests_are_admitted_at_their_rate_and_a_burst() {
        at_rest(async {
            let rate = Pace::new(1000);
            let burst = Duration::from_millis(100);
            let admitted = |asked: u32| (0..asked).filter(|_| rate.admits(burst)).count();
            assert_eq!(admitted(500), 100);
            tokio::time::advance(Duration::from_millis(30)).await;
            assert_eq!(admitted(500), 30);
            tokio::time::advance(Duration::from_mins(1)).await;
            assert_eq!(admitted(500), 100);
        });
    }

    #[test]
    fn a_pace_slower_than_time_itself_does_not_overflow() {
        let pace = Pace::new(1);
        pace.reserve(u64::MAX);
        assert!(pace.reserve(u64::MAX) > Instant::now() + Duration::from_hours(24));
    }
}
