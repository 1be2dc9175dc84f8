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
