//! What the events of a run add up to, as far as it is shown: a pure fold, told the time.
//!
//! It holds the jobs in flight and numbers, nothing that grows with the jobs done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::progress::Waiting;
use crate::domain::job::Job;
use crate::domain::quantity::MIB;
use crate::transfer::event::Event;
use crate::transfer::gauge::JobGauge;

/// A run so far.
#[derive(Debug, Default)]
pub struct State {
    /// Planned jobs that came to an end, whichever.
    pub settled: u64,
    /// Failures, those of jobs that never were one (a bad row) included.
    pub failed: u64,
    pub retries: u64,
    /// Planned bytes that no one will move: of jobs skipped and failed.
    pub written_off_bytes: u64,
    /// Jobs skipped and failed whose size was never known.
    pub written_off_unsized: u64,
    /// The last request that failed and is tried again: which try failed, and when the next begins.
    next_try: Option<(u32, Duration)>,
    active: HashMap<u64, Active>,
    /// Numbers of the jobs that have a bar, in the order of their bars.
    slots: Vec<u64>,
}

/// A job in flight.
#[derive(Debug, Clone)]
pub struct Active {
    pub job: Arc<Job>,
    pub gauge: Arc<JobGauge>,
    since: Duration,
}

/// Only what takes this long has a bar: small objects would flash by.
const LASTING: Duration = Duration::from_secs(1);
/// These are known to last.
const LARGE: u64 = 64 * MIB;

impl State {
    pub fn fold(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Started { job, gauge } => {
                let active = Active { job: job.clone(), gauge: gauge.clone(), since: now };
                self.active.insert(job.number, active);
            }
            Event::Retrying { retry, .. } => {
                self.retries += 1;
                self.next_try = Some((retry.attempt, now + retry.wait));
            }
            Event::Done { job, .. } => {
                self.active.remove(&job.number);
                self.settled += 1;
            }
            // It keeps its place in the totals: it will be started again.
            Event::Postponed { job, .. } => {
                self.active.remove(&job.number);
            }
            Event::Removed { .. } => self.settled += 1,
            Event::Compared { job, .. } | Event::Skipped { job, .. } => self.write_off(job),
            Event::Failed { job, .. } => {
                self.failed += 1;
                if let Some(job) = job {
                    self.write_off(job);
                }
            }
            Event::PlanComplete | Event::Notice(_) => {}
        }
    }

    /// What is waited for, if the last request that failed has not begun again.
    pub fn waiting(&self, now: Duration) -> Option<Waiting> {
        let (failed, at) = self.next_try?;
        let left = at.checked_sub(now).filter(|left| !left.is_zero())?;
        Some(Waiting { failed, left })
    }

    /// Bytes that were counted stay counted: only the others will never be.
    fn write_off(&mut self, job: &Job) {
        self.settled += 1;
        let (size, moved) = match self.active.remove(&job.number) {
            Some(active) => (active.gauge.size(), active.gauge.bytes()),
            None => (job.task.size(), 0),
        };
        match size {
            Some(size) => self.written_off_bytes += size.saturating_sub(moved),
            None => self.written_off_unsized += 1,
        }
    }

    /// The at most `limit` jobs that take longest, in an order that does not change while they
    /// last: a bar whose job has ended gives its place to the next job.
    pub fn choose_bars(&mut self, now: Duration, limit: usize) -> Vec<&Active> {
        let slots = std::mem::take(&mut self.slots);
        let mut waiting = self.lasting(now, &slots).into_iter();
        let mut kept: Vec<u64> = slots
            .into_iter()
            .filter_map(|number| {
                if self.active.contains_key(&number) { Some(number) } else { waiting.next() }
            })
            .collect();
        kept.extend(waiting.take(limit.saturating_sub(kept.len())));
        kept.truncate(limit);
        self.slots = kept;
        self.slots.iter().filter_map(|number| self.active.get(number)).collect()
    }

    /// Jobs that deserve a bar and have none, those in flight the longest first.
    fn lasting(&self, now: Duration, slots: &[u64]) -> Vec<u64> {
        let mut candidates: Vec<_> = self
            .active
            .iter()
            .filter(|(number, active)| {
                let is_large = active.gauge.size().is_some_and(|size| size >= LARGE);
                (is_large || active.since + LASTING <= now) && !slots.contains(number)
            })
            .map(|(number, active)| (active.since, *number))
            .collect();
        candidates.sort_unstable();
        candidates.into_iter().map(|(_, number)| number).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::job::{Download, Expected, Fate, LocalTarget, Task};
    use crate::domain::location::{Bucket, Key, ObjectName};
    use crate::domain::relative_path::RelativePath;
    use crate::transfer::event::Skip;
    use crate::transfer::gauge::Gauge;
    use crate::transfer::outcome::{Done, Failure, Left, Verified};

    pub(in crate::ui) fn job(number: u64, key: &str, size: Option<u64>) -> Arc<Job> {
        let object =
            ObjectName::new(Bucket::new("bucket").expect("a name"), Key::new(key).expect("a key"));
        let target = LocalTarget::Below(RelativePath::new(key).expect("a safe key"));
        let expected = Expected::default();
        let task = Task::Download(Download {
            object,
            size,
            etag: None,
            last_modified: None,
            target,
            expected,
        });
        Arc::new(Job { number, line: None, task, fate: Fate::Kept })
    }

    pub(in crate::ui) fn started(run: &Arc<Gauge>, job: &Arc<Job>) -> Event {
        let gauge = Arc::new(JobGauge::new(run.clone(), job.task.size()));
        Event::Started { job: job.clone(), gauge }
    }

    pub(in crate::ui) fn done(job: &Arc<Job>) -> Event {
        let done = Done {
            bytes: job.task.size().unwrap_or(0),
            resumed: 0,
            verified: Verified::Length,
            elapsed: Duration::from_millis(250),
            retries: 0,
            left: Left::default(),
        };
        Event::Done { job: job.clone(), done }
    }

    pub(in crate::ui) fn failure(cause: &str, name: &str) -> Failure {
        Failure {
            line: None,
            source: name.to_owned(),
            destination: None,
            cause: cause.to_owned(),
            message: format!("could not download {name}: {cause}"),
            hint: None,
            may_pass: false,
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn numbers(bars: &[&Active]) -> Vec<u64> {
        bars.iter().map(|active| active.job.number).collect()
    }

    #[test]
    fn bars_keep_their_places_until_their_jobs_end() {
        let run = Arc::new(Gauge::default());
        let jobs: Vec<_> = (1..=6).map(|n| job(n, &format!("k{n}"), Some(MIB))).collect();
        let mut state = State::default();
        for job in &jobs {
            let at = SECOND * u32::try_from(job.number).expect("small");
            state.fold(&started(&run, job), at);
        }
        assert_eq!(numbers(&state.choose_bars(SECOND * 4, 2)), [1, 2]);
        assert_eq!(numbers(&state.choose_bars(SECOND * 9, 3)), [1, 2, 3]);
        state.fold(&done(&jobs[0]), SECOND * 9);
        assert_eq!(numbers(&state.choose_bars(SECOND * 9, 3)), [4, 2, 3]);
        for job in &jobs[3..] {
            state.fold(&done(job), SECOND * 9);
        }
        assert_eq!(numbers(&state.choose_bars(SECOND * 9, 3)), [2, 3]);
        assert_eq!(numbers(&state.choose_bars(SECOND * 9, 1)), [2], "a smaller terminal");
    }

    #[test]
    fn only_what_lasts_has_a_bar() {
        let run = Arc::new(Gauge::default());
        let mut state = State::default();
        state.fold(&started(&run, &job(1, "small", Some(1))), Duration::ZERO);
        state.fold(&started(&run, &job(2, "large", Some(LARGE))), Duration::ZERO);
        assert_eq!(numbers(&state.choose_bars(SECOND / 2, 5)), [2]);
    }

    #[test]
    fn bytes_that_no_one_will_move_are_written_off() {
        let run = Arc::new(Gauge::default());
        let mut state = State::default();
        let skipped = job(1, "there", Some(100));
        state.fold(&Event::Skipped { job: skipped, why: Skip::Exists }, SECOND);
        let failed = job(2, "gone", None);
        state.fold(&started(&run, &failed), SECOND);
        let failure = failure("no such object", "s3://bucket/gone");
        state.fold(&Event::Failed { job: Some(failed), failure: failure.clone() }, SECOND);
        state.fold(&Event::Failed { job: None, failure }, SECOND);
        assert_eq!((state.settled, state.failed), (2, 2));
        assert_eq!((state.written_off_bytes, state.written_off_unsized), (100, 1));
    }
}
