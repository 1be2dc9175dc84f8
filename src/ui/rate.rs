//! How fast something grows: a quantity over a sliding window. Pure: it is told the time.

use std::collections::VecDeque;
use std::time::Duration;

/// Samples of a quantity, no older than the window.
#[derive(Debug, Clone)]
pub struct Rate {
    window: Duration,
    samples: VecDeque<(Duration, u64)>,
}

/// Below this a rate would jump with every sample.
const SHORTEST: Duration = Duration::from_millis(500);

impl Rate {
    /// A quantity that is 0 at time 0.
    pub fn new(window: Duration) -> Self {
        Self { window, samples: VecDeque::from([(Duration::ZERO, 0)]) }
    }

    /// The quantity at a time, which is not before that of the last sample.
    pub fn push(&mut self, at: Duration, quantity: u64) {
        self.samples.push_back((at, quantity));
        // One sample at or before the window's start stays: the rate spans the whole window.
        while self.samples.get(1).is_some_and(|(next, _)| *next + self.window <= at) {
            self.samples.pop_front();
        }
    }

    /// Growth a second; not negative, though quantities shrink when a retry takes bytes back.
    /// `None` until it can be told.
    #[expect(clippy::cast_precision_loss, reason = "shown with four digits")]
    pub fn per_second(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.samples.front()?, self.samples.back()?);
        let span = to.saturating_sub(*from);
        (span >= SHORTEST).then(|| after.saturating_sub(*before) as f64 / span.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_rate_is_that_of_the_window_and_not_of_the_run() {
        let mut rate = Rate::new(10 * SECOND);
        for second in 1..=100 {
            let bytes = if second <= 50 { second * 100 } else { 5000 + (second - 50) * 7 };
            rate.push(SECOND * u32::try_from(second).expect("small"), bytes);
        }
        assert_eq!(rate.per_second(), Some(7.0));
        assert!(rate.samples.len() <= 12, "old samples go");
    }

    #[test]
    fn there_is_no_rate_at_first_and_none_below_zero() {
        let mut rate = Rate::new(10 * SECOND);
        assert_eq!(rate.per_second(), None);
        rate.push(SECOND / 10, 1_000_000);
        assert_eq!(rate.per_second(), None);
        rate.push(SECOND, 500);
        assert_eq!(rate.per_second(), Some(500.0));
        let mut rate = Rate::new(SECOND);
        rate.push(SECOND, 500);
        rate.push(3 * SECOND, 100);
        assert_eq!(rate.per_second(), Some(0.0));
    }

    #[test]
    fn a_long_silence_counts() {
        let mut rate = Rate::new(SECOND);
        rate.push(SECOND, 100);
        rate.push(11 * SECOND, 100);
        assert_eq!(rate.per_second(), Some(0.0));
    }
}
