//! What it costs to make a file durable, measured while it is done: a thread of the runtime may
//! wait microseconds for a disk, never milliseconds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A moving average of how long one small file's sync takes. Shared by all files of a destination.
#[derive(Debug, Default)]
pub struct SyncCost {
    nanoseconds: AtomicU64,
}

/// Beyond this a hop to another thread is cheaper than to make all other transfers wait.
const SLOW: Duration = Duration::from_micros(250);
/// The sync of a larger file is slow on every disk: its bytes are still on their way.
const LARGE: u64 = 4 << 20;
/// Weight of the past against one new sample.
const WEIGHT: u64 = 8;

impl SyncCost {
    /// Whether to publish a file of `length` bytes where waiting hurts nobody.
    pub fn is_slow(&self, length: u64) -> bool {
        length >= LARGE || self.average() >= SLOW
    }

    pub fn average(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Relaxed))
    }

    /// Large files say how much is to be written, not how fast a sync is: they don't count.
    pub(super) fn record(&self, length: u64, elapsed: Duration) {
        if length >= LARGE {
            return;
        }
        let sample = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX / WEIGHT);
        // Two threads may lose a sample of one another: it is an average.
        let average = match self.nanoseconds.load(Relaxed) {
            0 => sample,
            past => past - past / WEIGHT + sample / WEIGHT,
        };
        self.nanoseconds.store(average, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_destination_counts_as_fast_for_small_files_only() {
        let cost = SyncCost::default();
        assert!(!cost.is_slow(16 << 10));
        assert!(cost.is_slow(1 << 30));
    }

    #[test]
    fn a_slow_disk_is_noticed_and_one_that_recovers_too() {
        let cost = SyncCost::default();
        cost.record(1, Duration::from_millis(5));
        assert!(cost.is_slow(1));
        for _ in 0..64 {
            cost.record(1, Duration::from_micros(20));
        }
        assert!(!cost.is_slow(1));
    }

    #[test]
    fn large_files_say_nothing_about_small_ones() {
        let cost = SyncCost::default();
        cost.record(1 << 30, Duration::from_secs(5));
        assert!(!cost.is_slow(1));
    }
}
