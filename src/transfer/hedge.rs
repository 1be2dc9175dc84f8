//! When a reply is so late that it is asked for once more. Pure: told how long first bytes took.
//!
//! Now and then one of S3's servers takes a second where all others take thirty milliseconds, and
//! then the last part of an object holds up the whole. A second request costs little if few are
//! made. It must never add to the load of a store that is slow altogether.

use std::time::Duration;

/// So many first bytes say what is usual.
const ENOUGH: u32 = 48;
/// How much later than usual is late: deviations, and times.
const DEVIATIONS: f64 = 8.0;
const TIMES: f64 = 4.0;
/// Nothing is late before.
const LEAST: f64 = 0.5;
/// Of a hundred requests, so many may be asked for twice; and so many in a row.
const SHARE: f64 = 0.05;
const MOST: f64 = 4.0;

#[derive(Debug, Default)]
pub(super) struct Hedge {
    seen: u32,
    /// In seconds: the usual time, and how far from it the others were.
    usual: f64,
    deviation: f64,
    /// Second requests that may be made.
    tokens: f64,
}

impl Hedge {
    /// How long to wait for a first byte before asking again. `None` as long as nobody knows.
    pub(super) fn patience(&self) -> Option<Duration> {
        let late = (self.usual + DEVIATIONS * self.deviation).max(TIMES * self.usual).max(LEAST);
        (self.seen >= ENOUGH).then(|| Duration::from_secs_f64(late))
    }

    /// A first byte came after so long.
    pub(super) fn answered(&mut self, after: Duration) {
        let after = after.as_secs_f64();
        // The first ones count as much as those that follow.
        let weight = 1.0 / f64::from(self.seen.min(31) + 1);
        // Those that are late are what is to be found: they must not become usual at once.
        let known = if self.seen < 8 { after } else { after.min(self.usual * TIMES) };
        self.deviation += ((known - self.usual).abs() - self.deviation) * weight;
        if self.seen == 0 {
            self.deviation = 0.0;
        }
        self.usual += (known - self.usual) * weight;
        self.seen = self.seen.saturating_add(1);
        self.tokens = (self.tokens + SHARE).min(MOST);
    }

    /// Takes leave to ask once more.
    pub(super) fn take(&mut self) -> bool {
        let may = self.tokens >= 1.0;
        if may {
            self.tokens -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(times: u32, milliseconds: impl Fn(u32) -> u64) -> Hedge {
        let mut hedge = Hedge::default();
        (0..times).for_each(|at| hedge.answered(Duration::from_millis(milliseconds(at))));
        hedge
    }

    #[test]
    fn who_knows_nothing_asks_once() {
        assert_eq!(after(47, |_| 30).patience(), None);
        assert_eq!(after(48, |_| 30).patience(), Some(Duration::from_millis(500)));
    }

    #[test]
    fn what_is_late_depends_on_what_is_usual() {
        let near = after(100, |at| 20 + u64::from(at % 5)).patience().expect("known");
        assert_eq!(near, Duration::from_millis(500));
        let far = after(100, |_| 300).patience().expect("known");
        assert_eq!(far, Duration::from_millis(1200));
        let uneven = after(200, |at| if at % 2 == 0 { 50 } else { 450 }).patience();
        assert!(uneven.expect("known") > Duration::from_millis(1500), "{uneven:?}");
    }

    #[test]
    fn one_in_twenty_may_be_asked_for_twice() {
        let mut hedge = after(200, |_| 30);
        assert_eq!((0..100).filter(|_| hedge.take()).count(), 4, "never many at once");
        let mut taken = 0;
        for _ in 0..1000 {
            hedge.answered(Duration::from_millis(30));
            taken += u32::from(hedge.take());
        }
        assert!((45..=50).contains(&taken), "{taken}");
    }

    #[test]
    fn a_store_that_becomes_slow_altogether_is_not_asked_twice_for_long() {
        let mut hedge = after(200, |_| 30);
        (0..40).for_each(|_| hedge.answered(Duration::from_secs(1)));
        assert!(hedge.patience() > Some(Duration::from_secs(1)), "{:?}", hedge.patience());
    }
}
