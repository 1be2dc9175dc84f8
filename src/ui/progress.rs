//! How far a run is at one moment, as the numbers that bars and plain lines show. Pure.

use std::time::Duration;

use super::rate::Rate;
use super::state::State;
use super::style;
use crate::domain::quantity::ByteSize;
use crate::transfer::gauge::Sample;

/// The growth of what is counted.
#[derive(Debug, Clone)]
pub struct Meters {
    bytes: Rate,
    objects: Rate,
}

/// Long enough that a rate does not dance, short enough that a stall is seen.
const WINDOW: Duration = Duration::from_secs(10);
/// An estimate before this would be a guess.
const FIRST_ESTIMATE: Duration = Duration::from_secs(2);

impl Meters {
    pub fn new() -> Self {
        Self { bytes: Rate::new(WINDOW), objects: Rate::new(WINDOW) }
    }

    pub fn push(&mut self, now: Duration, sample: &Sample, state: &State) {
        self.bytes.push(now, sample.bytes.saturating_sub(sample.resumed));
        self.objects.push(now, state.settled);
    }
}

impl Default for Meters {
    fn default() -> Self {
        Self::new()
    }
}

/// A sum that may still grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    Exact(u64),
    AtLeast(u64),
}

impl Total {
    fn new(value: u64, is_final: bool) -> Self {
        if is_final { Self::Exact(value) } else { Self::AtLeast(value) }
    }

    /// `300` or `300+`.
    fn text(self, unit: impl Fn(u64) -> String) -> String {
        match self {
            Self::Exact(value) => unit(value),
            Self::AtLeast(value) => format!("{}+", unit(value)),
        }
    }
}

/// A run at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub bytes: u64,
    pub all_bytes: Total,
    pub objects: u64,
    pub all_objects: Total,
    pub bytes_per_second: Option<f64>,
    pub left: Option<Duration>,
    pub failed: u64,
    pub retries: u64,
    pub requests: u64,
}

impl Progress {
    pub fn new(now: Duration, sample: &Sample, state: &State, meters: &Meters) -> Self {
        let is_planned = sample.is_plan_complete;
        let is_sized = is_planned && sample.unsized_objects <= state.written_off_unsized;
        // Bytes that moved although no plan knew of them raise the total: never 103 %.
        let all_bytes =
            sample.planned_bytes.saturating_sub(state.written_off_bytes).max(sample.bytes);
        let mut progress = Self {
            bytes: sample.bytes,
            all_bytes: Total::new(all_bytes, is_sized),
            objects: state.settled,
            all_objects: Total::new(sample.planned_objects.max(state.settled), is_planned),
            bytes_per_second: meters.bytes.per_second(),
            left: None,
            failed: state.failed,
            retries: state.retries,
            requests: sample.requests,
        };
        if now >= FIRST_ESTIMATE {
            progress.left = progress.time_left(meters.objects.per_second());
        }
        progress
    }

    /// Between 0 and 1; `None` while there may be more than is known. 1 only when nothing is left.
    #[expect(clippy::cast_precision_loss, reason = "shown as whole per cent")]
    pub fn fraction(&self) -> Option<f64> {
        let of = |part: u64, whole: u64| part as f64 / whole as f64;
        let fraction = match (self.all_bytes, self.all_objects) {
            (Total::Exact(all @ 1..), _) => of(self.bytes, all),
            (_, Total::Exact(all @ 1..)) => of(self.objects, all),
            _ => return None,
        };
        let is_over = self.all_objects == Total::Exact(self.objects);
        Some(fraction.min(if is_over { 1.0 } else { 0.99 }))
    }

    /// By bytes where all sizes are known, else by objects. `None` while more may be planned.
    fn time_left(&self, objects_per_second: Option<f64>) -> Option<Duration> {
        let (left, per_second) = match (self.all_bytes, self.all_objects) {
            (Total::Exact(all), _) if all > self.bytes => (all - self.bytes, self.bytes_per_second),
            (_, Total::Exact(all)) => (all.saturating_sub(self.objects), objects_per_second),
            _ => return None,
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let seconds = left as f64 / per_second.filter(|rate| *rate > 0.0)?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// `12.3 MiB of 1.0 GiB`.
    pub fn bytes_text(&self) -> String {
        let all = self.all_bytes.text(|bytes| ByteSize(bytes).to_string());
        format!("{} of {all}", ByteSize(self.bytes))
    }

    /// `15 of 300 objects`.
    pub fn objects_text(&self) -> String {
        let all = self.all_objects.text(|objects| objects.to_string());
        let noun = if self.all_objects == Total::Exact(1) { "object" } else { "objects" };
        format!("{} of {all} {noun}", self.objects)
    }

    pub fn rate_text(&self) -> Option<String> {
        self.bytes_per_second.map(style::rate)
    }

    pub fn left_text(&self) -> Option<String> {
        self.left.map(|left| format!("{} left", style::countdown(left)))
    }

    /// `12.3 MiB of 1.0 GiB, 15 of 300 objects, 45.2 MiB/s, 0:21 left, 2 failed`, for where no
    /// cursor moves.
    pub fn plain_line(&self) -> String {
        let failed = (self.failed > 0).then(|| format!("{} failed", self.failed));
        [
            Some(self.bytes_text()),
            Some(self.objects_text()),
            self.rate_text(),
            self.left_text(),
            failed,
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::quantity::{GIB, MIB};
    use crate::transfer::event::{Event, Skip};
    use crate::ui::state::tests::{done, failure, job};

    const SECOND: Duration = Duration::from_secs(1);

    fn sample() -> Sample {
        Sample {
            bytes: 452 * MIB,
            resumed: 0,
            requests: 64,
            planned_objects: 300,
            planned_bytes: GIB,
            unsized_objects: 0,
            is_plan_complete: true,
        }
    }

    fn state() -> State {
        let mut state = State::default();
        for number in 1..=15 {
            state.fold(&done(&job(number, "k", Some(1))), SECOND);
        }
        state
    }

    fn progress(sample: &Sample, state: &State) -> Progress {
        let mut meters = Meters::new();
        meters.push(10 * SECOND, sample, state);
        Progress::new(10 * SECOND, sample, state, &meters)
    }

    #[test]
    fn a_plain_line_says_all_that_is_known() {
        let mut state = state();
        for _ in 0..2 {
            state.fold(&Event::Failed { job: None, failure: failure("x", "y") }, SECOND);
        }
        assert_eq!(
            progress(&sample(), &state).plain_line(),
            "452.0 MiB of 1.0 GiB, 15 of 300 objects, 45.2 MiB/s, 0:12 left, 2 failed"
        );
    }

    #[test]
    fn totals_that_may_grow_say_so_and_promise_no_end() {
        let sample = Sample { is_plan_complete: false, ..sample() };
        let progress = progress(&sample, &state());
        assert_eq!(progress.plain_line(), "452.0 MiB of 1.0 GiB+, 15 of 300+ objects, 45.2 MiB/s");
        assert_eq!(progress.fraction(), None);
    }

    #[test]
    fn without_sizes_objects_tell_how_far_it_is() {
        let sample = Sample { unsized_objects: 7, ..sample() };
        let progress = progress(&sample, &state());
        assert_eq!(progress.fraction(), Some(0.05));
        assert_eq!(progress.left, Some(190 * SECOND));
    }

    #[test]
    fn what_is_skipped_is_not_waited_for() {
        let mut state = State::default();
        let skipped = job(1, "there", Some(GIB - 500 * MIB));
        state.fold(&Event::Skipped { job: skipped, why: Skip::UpToDate }, SECOND);
        let progress = progress(&sample(), &state);
        assert_eq!(progress.all_bytes, Total::Exact(500 * MIB));
        assert!(progress.fraction().is_some_and(|fraction| fraction > 0.9));
    }

    #[test]
    fn it_is_not_all_done_before_the_last_object_is() {
        let sample = Sample { bytes: GIB, ..sample() };
        assert_eq!(progress(&sample, &state()).fraction(), Some(0.99));
        let nothing = Sample { is_plan_complete: true, ..Sample::default() };
        assert_eq!(progress(&nothing, &State::default()).fraction(), None);
    }
}
