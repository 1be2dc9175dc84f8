//! Counts bytes as they move, and holds them to so many a second.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Counts the bytes of many requests, both those that come and those that leave.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: AtomicU64,
    bandwidth: Option<Arc<Bandwidth>>,
}

impl Meter {
    /// Within this bandwidth, which other meters may share.
    pub fn new(bandwidth: Option<Arc<Bandwidth>>) -> Self {
        Self { bytes: AtomicU64::new(0), bandwidth }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// So many more have moved; how long the next ones have to wait.
    #[must_use = "whoever does not wait moves too much"]
    pub fn add(&self, bytes: u64) -> Duration {
        self.bytes.fetch_add(bytes, Relaxed);
        self.bandwidth.as_ref().map_or(Duration::ZERO, |bandwidth| bandwidth.take(bytes))
    }
}

/// So many bytes a second, for all that share it.
#[derive(Debug)]
pub struct Bandwidth {
    began: Instant,
    turns: Mutex<Turns>,
}

impl Bandwidth {
    /// In bytes a second.
    pub fn new(rate: u64) -> Self {
        Self { began: Instant::now(), turns: Mutex::new(Turns::new(rate)) }
    }

    fn take(&self, bytes: u64) -> Duration {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.take(self.began.elapsed(), bytes)
    }
}

/// When bytes may move, one after the other. Pure. It must never let those catch up that nobody
/// wanted to move before: what was not used is lost, but for the time that a timer is late.
#[derive(Debug)]
struct Turns {
    rate: f64,
    /// Until when all has been given away.
    taken_until: Duration,
}

const LATENESS: Duration = Duration::from_millis(50);

impl Turns {
    fn new(rate: u64) -> Self {
        // Up to 2^53 bytes a second.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let rate = rate.max(1) as f64;
        Self { rate, taken_until: Duration::ZERO }
    }

    /// So many bytes have moved: how long to wait before more do.
    fn take(&mut self, now: Duration, bytes: u64) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "frames are small")]
        let time = Duration::try_from_secs_f64(bytes as f64 / self.rate);
        let begins = self.taken_until.max(now.saturating_sub(LATENESS));
        self.taken_until = begins.saturating_add(time.unwrap_or(Duration::MAX));
        self.taken_until.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 1_000_000;

    /// Many that move frames as fast as they may, between two pauses of two seconds in which nobody
    /// does. When how many bytes moved.
    fn moved() -> Vec<(Duration, u64)> {
        let (mut turns, mut dice) = (Turns::new(RATE), fastrand::Rng::with_seed(3));
        let mut due: Vec<_> = (0..8).map(|_| Duration::ZERO).collect();
        let mut moved = Vec::new();
        while let Some(at) = (0..due.len()).min_by_key(|at| due[*at])
            && due[at] < Duration::from_mins(1)
        {
            let (now, bytes) = (due[at], dice.u64(1..64 << 10));
            moved.push((now, bytes));
            // Timers are late by up to ten milliseconds.
            due[at] = now + turns.take(now, bytes) + Duration::from_millis(dice.u64(0..10));
            if now.as_secs() % 20 == 18 {
                due[at] += Duration::from_secs(2);
            }
        }
        moved
    }

    #[test]
    fn any_ten_seconds_have_at_most_what_is_allowed_and_five_percent() {
        let moved = moved();
        for (from, _) in &moved {
            let within = moved
                .iter()
                .filter(|(at, _)| at >= from && at.saturating_sub(*from) < Duration::from_secs(10));
            let bytes: u64 = within.map(|(_, bytes)| bytes).sum();
            assert!(bytes <= RATE * 10 * 105 / 100, "{bytes} from {from:?} on");
        }
    }

    #[test]
    fn what_is_allowed_is_used() {
        let busy = moved().into_iter().filter(|(at, _)| at.as_secs() < 18);
        let bytes: u64 = busy.map(|(_, bytes)| bytes).sum();
        assert!(bytes >= RATE * 18 * 95 / 100, "{bytes}");
    }

    #[test]
    fn where_nothing_is_asked_for_nothing_waits() {
        let meter = Meter::default();
        assert_eq!((meter.add(u64::MAX / 2), meter.bytes()), (Duration::ZERO, u64::MAX / 2));
    }
}
