//! What all retries of a run may cost a store together. Pure: a bucket of tokens that is told what
//! happened, and when.
//!
//! Each retry takes a token; each success gives back as many as one request may try, and time
//! gives back a few. So a store that mostly works is asked as often as each request needs, and a
//! dead one gets a burst and then a trickle, however many requests wait for it. Where there is no
//! token the retry waits for one. It is refused where it would wait too long, or where the bucket
//! was empty for so long that a server would have started up meanwhile: it must never make an error
//! of an outage that the tries of a single request would outlast.

use std::time::Duration;

use tokio::time::Instant;

/// As many retries at once as the usual 64 requests have with their usual 10 tries.
const BURST: u32 = 640;
const PER_SUCCESS: u32 = 10;
/// Tokens that a second gives back, at least.
const PER_SECOND: f64 = 10.0;
/// Each of the requests in flight gets a token in so many seconds, at least.
const TURN: f64 = 25.0;
/// No retry waits longer for its token.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// So long after the burst was used up, and without a success since, nothing is tried again.
const LONGEST_DROUGHT: Duration = Duration::from_secs(40);

#[derive(Debug)]
pub(super) struct Budget {
    per_second: f64,
    /// Below nothing by as many as wait for theirs.
    tokens: f64,
    counted_at: Instant,
    /// When the last token was taken, if nothing succeeded since.
    dry_since: Option<Instant>,
}

impl Budget {
    /// Of a run that may have so many requests in flight.
    pub(super) fn new(requests: usize, now: Instant) -> Self {
        let requests = f64::from(u32::try_from(requests).unwrap_or(u32::MAX));
        let per_second = PER_SECOND.max(requests / TURN);
        Self { per_second, tokens: f64::from(BURST), counted_at: now, dry_since: None }
    }

    /// Takes a token for a retry, and says how long it has to wait for it; `None`: none is to be
    /// had, and nothing was taken.
    pub(super) fn take(&mut self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.counted_at).as_secs_f64();
        self.give(passed * self.per_second);
        self.counted_at = now;
        let missing = (1.0 - self.tokens).max(0.0);
        let wait = Duration::from_secs_f64(missing / self.per_second);
        if missing > 0.0 {
            let dry_since = *self.dry_since.get_or_insert(now);
            if wait > LONGEST_WAIT || now.saturating_duration_since(dry_since) > LONGEST_DROUGHT {
                return None;
            }
        }
        self.tokens -= 1.0;
        Some(wait)
    }

    /// A request succeeded.
    pub(super) fn succeeded(&mut self) {
        self.give(f64::from(PER_SUCCESS));
        self.dry_since = None;
    }

    fn give(&mut self, tokens: f64) {
        self.tokens = (self.tokens + tokens).min(f64::from(BURST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Retries that a dead store gets within so many seconds from workers that always want one.
    fn retries(workers: usize, seconds: u64) -> usize {
        let start = Instant::now();
        let mut budget = Budget::new(workers, start);
        let mut due: Vec<_> = vec![start; workers];
        let end = start + Duration::from_secs(seconds);
        let mut made = 0;
        while let Some(worker) = (0..workers).filter(|at| due[*at] < end).min_by_key(|at| due[*at])
        {
            match budget.take(due[worker]) {
                Some(wait) => {
                    made += 1;
                    due[worker] += wait + Duration::from_millis(100);
                }
                None => due[worker] = end,
            }
        }
        made
    }

    #[test]
    fn workers_do_not_multiply_the_load_on_a_dead_store() {
        let (few, many) = (retries(16, 60), retries(1000, 60));
        // A thousand without a budget would try 600,000 times.
        assert!(many < 640 + 40 * (40 + 30), "{many}");
        assert!(few < 640 + 10 * (40 + 30), "{few}");
    }

    #[test]
    fn the_tries_of_the_usual_workers_fit_into_the_burst() {
        let start = Instant::now();
        let mut budget = Budget::new(64, start);
        assert!((0..64 * 9).all(|_| budget.take(start) == Some(Duration::ZERO)));
    }

    #[test]
    fn where_one_in_ten_succeeds_no_retry_waits() {
        let start = Instant::now();
        let mut budget = Budget::new(64, start);
        for _ in 0..1000 {
            assert!((0..9).all(|_| budget.take(start) == Some(Duration::ZERO)));
            budget.succeeded();
        }
    }

    #[test]
    fn after_a_drought_nothing_is_tried_until_something_succeeds() {
        let start = Instant::now();
        let mut budget = Budget::new(1000, start);
        while budget.take(start) == Some(Duration::ZERO) {}
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(budget.take(at(25)).is_some(), "a server that starts up is waited for");
        while budget.take(at(39)).is_some() {}
        assert_eq!(budget.take(at(41)), None, "there is a token, but no hope");
        budget.succeeded();
        assert!(budget.take(at(41)).is_some());
    }

    #[test]
    fn who_would_wait_too_long_is_refused_until_time_or_success_helps() {
        let start = Instant::now();
        let mut budget = Budget::new(64, start);
        let waits: Vec<_> = std::iter::from_fn(|| budget.take(start)).collect();
        assert_eq!(waits.len(), 640 + 300);
        assert!(waits.is_sorted() && waits.last() <= Some(&LONGEST_WAIT));
        assert_eq!(budget.take(start), None);
        let later = start + Duration::from_secs(1);
        assert!(budget.take(later).is_some());
        while budget.take(later).is_some() {}
        budget.succeeded();
        assert!(budget.take(later).is_some());
    }
}
