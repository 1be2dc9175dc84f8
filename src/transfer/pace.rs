//! How many requests may be in flight while the store asks for a lower pace. Pure: a state machine
//! that is told what happened, and when.
//!
//! It halves at most once a round trip, as TCP does: of all the requests that were on their way
//! when the pace was lowered, none says anything about the new one. It must never stop a run
//! altogether, nor stay low for ever.

use std::time::Duration;

use tokio::time::Instant;

/// From nothing to everything that was asked for, in so long without throttling.
const RECOVERY: Duration = Duration::from_secs(24);
/// The least share of the requests that were asked for.
const LEAST: usize = 16;

#[derive(Debug)]
pub(super) struct Pace {
    full: usize,
    allowed: usize,
    cut_at: Option<Instant>,
    /// Growth was counted up to here.
    calm_since: Instant,
}

/// A pace that was lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slowed {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Pace {
    /// Of a run that may have `full` requests in flight.
    pub(super) fn new(full: usize, now: Instant) -> Self {
        let full = full.max(1);
        Self { full, allowed: full, cut_at: None, calm_since: now }
    }

    pub(super) fn allowed(&self) -> usize {
        self.allowed
    }

    pub(super) fn is_slowed(&self) -> bool {
        self.allowed < self.full
    }

    /// The store asked for a lower pace, in reply to a request that was sent at `sent`.
    pub(super) fn throttled(&mut self, sent: Instant, now: Instant) -> Option<Slowed> {
        self.calm_since = now;
        if self.cut_at.is_some_and(|cut| sent < cut) {
            return None;
        }
        let from = self.allowed;
        self.allowed = (from / 2).max(self.full / LEAST).max(1).min(from);
        self.cut_at = Some(now);
        (self.allowed < from).then_some(Slowed { from, to: self.allowed })
    }

    /// Takes back one request for each so long without throttling.
    pub(super) fn recover(&mut self, now: Instant) {
        if !self.is_slowed() {
            return;
        }
        let step = self.step();
        while self.is_slowed() && now.saturating_duration_since(self.calm_since) >= step {
            self.allowed += 1;
            self.calm_since += step;
        }
    }

    /// Time without throttling that gives back one request.
    pub(super) fn step(&self) -> Duration {
        RECOVERY / u32::try_from(self.full).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_storm_halves_the_pace_once_a_round_trip() {
        let start = Instant::now();
        let mut pace = Pace::new(64, start);
        // Sixty-four requests went out together, and thirty came back throttled.
        let cuts: Vec<_> =
            (0..30).filter_map(|at| pace.throttled(start, after(start, 30 + at))).collect();
        assert_eq!(cuts, [Slowed { from: 64, to: 32 }]);
        // One that was sent after the cut says that it was not enough.
        let cut = pace.throttled(after(start, 31), after(start, 61));
        assert_eq!(cut, Some(Slowed { from: 32, to: 16 }));
    }

    #[test]
    fn the_pace_never_comes_to_nothing() {
        for full in [1, 2, 8, 64, 4096] {
            let start = Instant::now();
            let mut pace = Pace::new(full, start);
            for round in 1..100 {
                pace.throttled(after(start, round * 100 - 50), after(start, round * 100));
            }
            assert_eq!(pace.allowed(), (full / 16).max(1));
        }
    }

    #[test]
    fn without_throttling_the_pace_is_back_in_half_a_minute() {
        for full in [2, 64, 4096] {
            let start = Instant::now();
            let mut pace = Pace::new(full, start);
            for round in 1..20 {
                pace.throttled(after(start, round * 100 - 50), after(start, round * 100));
            }
            let calm = after(start, 2000);
            pace.recover(calm);
            assert!(pace.allowed() < full / 2 + 2, "{full}: {}", pace.allowed());
            let mut now = calm;
            while pace.is_slowed() {
                let before = pace.allowed();
                now += pace.step();
                pace.recover(now);
                assert!(pace.allowed() <= before + 1, "{full}: it grew by leaps");
            }
            assert!(now - calm <= Duration::from_secs(24), "{full}: {:?}", now - calm);
            assert_eq!(pace.allowed(), full);
        }
    }

    #[test]
    fn while_throttling_goes_on_the_pace_does_not_grow() {
        let start = Instant::now();
        let mut pace = Pace::new(64, start);
        pace.throttled(start, after(start, 1));
        for at in 1..100 {
            pace.recover(after(start, at * 100));
            // Of a request that was sent long ago: no cut, but no calm either.
            pace.throttled(start, after(start, at * 100));
        }
        assert_eq!(pace.allowed(), 32);
    }
}
