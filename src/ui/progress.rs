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
    /// More is known to come than there was so far.
    AtLeast(u64),
    Unknown,
}

impl Total {
    fn new(value: u64, is_final: bool, so_far: u64) -> Self {
        match is_final {
            true => Self::Exact(value),
            // `5 of 5+` says nothing.
            false if value <= so_far => Self::Unknown,
            false => Self::AtLeast(value),
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
    pub waiting: Option<Waiting>,
}

/// A request that failed, and will be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The try that failed, from 1.
    pub failed: u32,
    /// Until the next.
    pub left: Duration,
}

impl Progress {
    pub fn new(now: Duration, sample: &Sample, state: &State, meters: &Meters) -> Self {
        let is_planned = sample.is_plan_complete;
        let is_sized = sample.unsized_objects <= state.written_off_unsized;
        // Bytes that moved although no plan knew of them raise the total: never 103 %.
        let all_bytes =
            sample.planned_bytes.saturating_sub(state.written_off_bytes).max(sample.bytes);
        let mut progress = Self {
            bytes: sample.bytes,
            // Of those whose size is not known, nothing is: a sum of the others is no total.
            all_bytes: if is_sized {
                Total::new(all_bytes, is_planned, sample.bytes)
            } else {
                Total::Unknown
            },
            objects: state.settled,
            all_objects: Total::new(
                sample.planned_objects.max(state.settled),
                is_planned,
                state.settled,
            ),
            bytes_per_second: meters.bytes.per_second(),
            left: None,
            failed: state.failed,
            retries: state.retries,
            requests: sample.requests,
            waiting: None,
        };
        if progress.bytes_per_second.is_none_or(|rate| rate < 1.0) {
            progress.waiting = state.waiting(now);
        }
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
            // One object is not done by halves.
            (_, Total::Exact(all @ 2..)) => of(self.objects, all),
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

    /// Whether it is about bytes at all: objects that are removed move none.
    fn moves_bytes(&self) -> bool {
        let is_none_known = matches!(self.all_bytes, Total::Unknown | Total::Exact(0));
        self.bytes > 0 || self.objects == 0 || !is_none_known
    }

    /// `12.3 MiB of 1.0 GiB`, `12.3 MiB of 1.0 GiB+` or `12.3 MiB`.
    pub fn bytes_text(&self) -> String {
        let bytes = ByteSize(self.bytes);
        match self.all_bytes {
            Total::Exact(all) => format!("{bytes} of {}", ByteSize(all)),
            Total::AtLeast(all) => format!("{bytes} of {}+", ByteSize(all)),
            Total::Unknown => bytes.to_string(),
        }
    }

    /// `15 of 300 objects`, `15 of 300+ objects` or `15 objects`.
    pub fn objects_text(&self) -> String {
        match self.all_objects {
            Total::Exact(all) => format!("{} of {}", self.objects, style::count(all, "object")),
            Total::AtLeast(all) => format!("{} of {all}+ objects", self.objects),
            Total::Unknown => style::count(self.objects, "object"),
        }
    }

    /// `attempt 5 failed, the next one in 4 s`, while nothing moves.
    pub fn waiting_text(&self) -> Option<String> {
        let Waiting { failed, left } = self.waiting?;
        Some(format!("attempt {failed} failed, the next in {} s", left.as_secs().max(1)))
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
        let moves = self.moves_bytes();
        [
            moves.then(|| self.bytes_text()),
            Some(self.objects_text()),
            self.rate_text().filter(|_| moves),
            self.left_text(),
            self.waiting_text(),
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
    use crate::transfer::event::{Event, Retry, Skip};
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
            promised_objects: 0,
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
    fn of_objects_that_only_go_no_bytes_are_told() {
        let sample = Sample { bytes: 0, planned_bytes: 0, planned_objects: 15, ..sample() };
        let text = progress(&sample, &state()).plain_line();
        assert!(text.starts_with("15 of 15 objects"), "{text}");
        assert!(!text.contains(" B"), "{text}");
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

    /// `5 of 5+` says nothing, and less beside a percentage.
    #[test]
    fn a_total_that_nobody_knows_is_left_out() {
        let sample = Sample { unsized_objects: 285, ..sample() };
        assert!(progress(&sample, &state()).plain_line().starts_with("452.0 MiB, 15 of 300 obj"));
        let stream = Sample { planned_objects: 1, planned_bytes: 0, unsized_objects: 1, ..sample };
        let stream = progress(&stream, &State::default());
        assert_eq!(stream.plain_line(), "452.0 MiB, 0 of 1 object, 45.2 MiB/s");
        assert_eq!(stream.fraction(), None, "not 0 %, whatever has moved");
        let listing = Sample {
            planned_objects: 15,
            planned_bytes: 452 * MIB,
            is_plan_complete: false,
            ..self::sample()
        };
        assert_eq!(progress(&listing, &state()).plain_line(), "452.0 MiB, 15 objects, 45.2 MiB/s");
    }

    #[test]
    fn while_nothing_moves_it_says_when_the_next_try_is() {
        let retry = Retry {
            attempt: 5,
            wait: 4 * SECOND,
            part: None,
            reason: "connection refused".to_owned(),
        };
        let mut state = State::default();
        state.fold(&Event::Retrying { job: None, retry }, 9 * SECOND);
        let waiting = "attempt 5 failed, the next in 3 s";
        let still = Sample { planned_objects: 1, ..Sample::default() };
        let line = progress(&still, &state).plain_line();
        assert_eq!(line, format!("0 B, 0 of 1+ objects, 0 B/s, {waiting}"));
        assert!(!progress(&sample(), &state).plain_line().contains(waiting), "others go on");
        let mut meters = Meters::new();
        meters.push(14 * SECOND, &still, &state);
        let later = Progress::new(14 * SECOND, &still, &state, &meters);
        assert_eq!(later.waiting, None, "it is under way");
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
