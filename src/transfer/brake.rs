//! How many requests may be in flight while the store asks for a lower pace. Pure: a state machine
//! that is told what happened, and when.
//!
//! It halves at most once a round trip, as TCP does: of all the requests that were on their way
//! when the pace was lowered, none says anything about the new one. Then it rises as CUBIC does:
//! soon to near the level at which the store complained, slowly past it, and ever faster where
//! nothing is heard. It must never stop a run altogether, nor stay low for ever.

use std::time::Duration;

use tokio::time::Instant;

/// So long after the last complaint the pace is where the store complained.
const RISE: Duration = Duration::from_secs(4);
/// From twice that on, it doubles in so long.
const DOUBLING: Duration = Duration::from_millis(1500);
/// A complaint so soon after the last one says that far too many requests were under way.
const SOON: Duration = Duration::from_secs(2);
/// What is left of a pace that was close to what the store bears.
const GENTLE: f64 = 0.85;
/// The least that is left, of all that were asked for: a share, and no more than a few.
const LEAST_SHARE: usize = 16;
const LEAST: usize = 4;

#[derive(Debug)]
pub(super) struct Brake {
    full: usize,
    cut: Option<Cut>,
}

#[derive(Debug, Clone, Copy)]
struct Cut {
    at: Instant,
    /// When the store complained last, be it about requests from before the cut.
    heard_at: Instant,
    /// Requests in flight when it complained.
    from: f64,
    to: f64,
}

/// A pace that was lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slowed {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Brake {
    /// Of a run that may have `full` requests in flight.
    pub(super) fn new(full: usize) -> Self {
        Self { full: full.max(1), cut: None }
    }

    /// Requests in flight, at most.
    pub(super) fn allowed(&self, now: Instant) -> usize {
        let Some(cut) = self.cut else { return self.full };
        // Never below nothing, and a level is small enough for any integer.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
        let level = cut.level(now) as usize;
        level.clamp(1, self.full)
    }

    pub(super) fn is_on(&self) -> bool {
        self.cut.is_some()
    }

    /// The store asked for a lower pace, in reply to a request that was sent at `sent`, when it was
    /// one of so many in flight.
    pub(super) fn throttled(
        &mut self,
        sent: Instant,
        now: Instant,
        in_flight: usize,
    ) -> Option<Slowed> {
        if let Some(cut) = &mut self.cut
            && sent < cut.at
        {
            cut.heard_at = now;
            return None;
        }
        let from = self.allowed(now).min(in_flight.max(1));
        let least = (self.full / LEAST_SHARE).clamp(1, LEAST).min(from);
        let level = real(from);
        let left = if self.is_close(level, now) { level * GENTLE } else { level / 2.0 };
        let to = left.max(real(least));
        self.cut = Some(Cut { at: now, heard_at: now, from: level, to });
        let to = self.allowed(now);
        (to < from).then_some(Slowed { from, to })
    }

    /// Whether the store complained at about this level before, and was content for a while.
    fn is_close(&self, level: f64, now: Instant) -> bool {
        self.cut.is_some_and(|cut| {
            let is_soon = now.saturating_duration_since(cut.at) < SOON;
            !is_soon && level > cut.from * 0.75 && level < cut.from * 1.25
        })
    }

    /// Forgets a cut that time has made good.
    pub(super) fn recover(&mut self, now: Instant) {
        if self.cut.is_some_and(|cut| cut.level(now) >= real(self.full)) {
            self.cut = None;
        }
    }
}

impl Cut {
    fn level(&self, now: Instant) -> f64 {
        let calm = now.saturating_duration_since(self.heard_at);
        let rise = calm.as_secs_f64() / RISE.as_secs_f64() - 1.0;
        let cubic = self.from + (self.from - self.to).max(1.0) * rise.powi(3);
        let beyond = calm.saturating_sub(RISE * 2).as_secs_f64() / DOUBLING.as_secs_f64();
        let doubled = if beyond > 0.0 { self.from * beyond.exp2() } else { 0.0 };
        cubic.max(doubled).max(self.to)
    }
}

fn real(requests: usize) -> f64 {
    f64::from(u32::try_from(requests).unwrap_or(u32::MAX))
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
        let mut brake = Brake::new(64);
        // Sixty-four requests went out together, and thirty came back throttled.
        let cuts: Vec<_> =
            (0..30).filter_map(|at| brake.throttled(start, after(start, 30 + at), 64)).collect();
        assert_eq!(cuts, [Slowed { from: 64, to: 32 }]);
        // One that was sent after the cut says that it was not enough.
        let cut = brake.throttled(after(start, 31), after(start, 61), 32);
        assert_eq!(cut, Some(Slowed { from: 32, to: 16 }));
    }

    #[test]
    fn what_counts_is_what_was_in_flight_and_not_what_might_have_been() {
        let start = Instant::now();
        let mut brake = Brake::new(1024);
        assert_eq!(brake.throttled(start, after(start, 30), 40), Some(Slowed { from: 40, to: 20 }));
    }

    #[test]
    fn the_pace_never_comes_to_nothing() {
        for (full, least) in [(1, 1), (2, 1), (8, 1), (32, 2), (64, 4), (4096, 4)] {
            let start = Instant::now();
            let mut brake = Brake::new(full);
            for round in 1..100 {
                let now = after(start, round * 100);
                brake.throttled(after(start, round * 100 - 50), now, brake.allowed(now));
            }
            assert_eq!(brake.allowed(after(start, 9901)), least, "{full}");
        }
    }

    #[test]
    fn without_throttling_the_pace_is_back_in_half_a_minute() {
        for full in [2, 64, 4096] {
            let start = Instant::now();
            let mut brake = Brake::new(full);
            for round in 1..20 {
                let now = after(start, round * 100);
                brake.throttled(after(start, round * 100 - 50), now, brake.allowed(now));
            }
            let mut calm = 1900;
            let mut before = brake.allowed(after(start, calm));
            assert!(before < full, "{full}");
            while brake.is_on() {
                calm += 10;
                brake.recover(after(start, calm));
                let allowed = brake.allowed(after(start, calm));
                assert!(allowed >= before && allowed <= before + before.max(100) / 50 + 1);
                before = allowed;
            }
            assert!(calm < 1900 + 30_000, "{full}: {calm} ms");
            assert_eq!(before, full);
        }
    }

    #[test]
    fn while_throttling_goes_on_the_pace_does_not_grow() {
        let start = Instant::now();
        let mut brake = Brake::new(64);
        brake.throttled(start, after(start, 1), 64);
        for at in 1..100 {
            brake.recover(after(start, at * 100));
            // Of a request that was sent long ago: no cut, but no calm either.
            brake.throttled(start, after(start, at * 100), 64);
        }
        assert_eq!(brake.allowed(after(start, 9900)), 32);
    }

    /// A store that bears so many requests a second, thirty milliseconds away, as tokens of which
    /// it has saved up a tenth. What it served and what it refused, in so many seconds.
    fn served(limit: f64, most: usize, seconds: u64) -> (f64, f64) {
        const LATENCY: u64 = 30;
        let start = Instant::now();
        let mut brake = Brake::new(most);
        let (mut tokens, mut served, mut refused) = (limit / 10.0, 0.0, 0.0);
        let mut in_flight = std::collections::VecDeque::new();
        for at in 0..seconds * 1000 {
            tokens = (tokens + limit / 1000.0).min(limit / 10.0);
            let now = after(start, at);
            brake.recover(now);
            while let Some((sent, among)) = in_flight.front().copied()
                && sent + LATENCY <= at
            {
                in_flight.pop_front();
                if tokens >= 1.0 {
                    tokens -= 1.0;
                    served += 1.0;
                } else {
                    refused += 1.0;
                    brake.throttled(after(start, sent), now, among);
                }
            }
            while in_flight.len() < brake.allowed(now) {
                in_flight.push_back((at, in_flight.len() + 1));
            }
        }
        (served, refused)
    }

    #[test]
    fn what_a_store_bears_is_used_and_little_is_refused() {
        for (limit, most) in [(1000.0, 64), (1000.0, 1024), (3500.0, 256), (200.0, 64)] {
            let (served, refused) = served(limit, most, 30);
            assert!(served > 0.92 * limit * 30.0, "{limit}: {served} of {}", limit * 30.0);
            assert!(refused < 0.05 * served, "{limit}: {refused} refused, {served} served");
        }
    }
}
