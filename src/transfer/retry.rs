//! The one place that tries again, and waits: exponential back-off with full jitter, so that
//! thousands of requests that failed together do not come back together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::brake::Slowed;
use super::context::{Context, InFlight};
use super::error::JobError;
use super::event::{Event, Retry};
use crate::domain::job::Job;
use crate::storage::error::{Kind, StoreError};

const BASE: Duration = Duration::from_millis(100);
/// A store that asks for a lower pace is given more time.
const THROTTLED_BASE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(20);
/// As `LONGEST`, for an address where nobody has answered yet. A server that starts up takes twenty
/// seconds, which ten tries just outlast; a mistyped address should not take longer.
const LONGEST_UNPROVEN: Duration = Duration::from_secs(5);
/// The longest wait that a store may ask for itself.
const LONGEST_ASKED: Duration = Duration::from_mins(1);
/// The second try is signed with the store's own time: where that does not help, nothing will.
const SKEWED_ATTEMPTS: u32 = 3;
/// A resolver that starts up is given a few seconds; a name that was mistyped gets no better.
const UNKNOWN_HOST_ATTEMPTS: u32 = 4;

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Tries<'a> {
    context: &'a Context,
    /// `None` for requests that plan jobs.
    job: Option<&'a Arc<Job>>,
    /// What the request is for: "read <s3://b/k>".
    doing: String,
    part: Option<u32>,
    /// Retries of the whole job, for its report.
    retries: Option<&'a AtomicU32>,
    /// What lets others pass while this waits.
    in_flight: Option<&'a mut InFlight>,
    failed: u32,
    began: Instant,
    /// When the try under way began.
    sent: Instant,
}

impl<'a> Tries<'a> {
    /// Of a request that plans jobs.
    pub(super) fn new(context: &'a Context, doing: String) -> Self {
        let now = Instant::now();
        let (began, sent) = (now, now);
        let (job, part, retries, in_flight, failed) = (None, None, None, None, 0);
        Self { context, job, doing, part, retries, in_flight, failed, began, sent }
    }

    pub(super) fn of_job(mut self, job: &'a Arc<Job>, retries: &'a AtomicU32) -> Self {
        self.job = Some(job);
        self.retries = Some(retries);
        self
    }

    /// Under this permit, which others may have while a try is waited for.
    pub(super) fn under(mut self, in_flight: &'a mut InFlight) -> Self {
        self.in_flight = Some(in_flight);
        self
    }

    pub(super) fn of_part(mut self, part: Option<u32>) -> Self {
        self.part = part;
        self
    }

    /// Waits for the next try, or says that there is none.
    pub(super) async fn again(&mut self, error: StoreError) -> Result<(), JobError> {
        self.failed += 1;
        if error.kind == Kind::Throttled {
            self.slow_down().await;
        }
        if !error.kind.is_transient() || self.failed >= self.limit(&error.kind) {
            return Err(self.fatal(error));
        }
        let Some(turn) = self.context.health.take_retry() else {
            return Err(self.out_of_retries(error));
        };
        let is_unreachable = matches!(error.kind, Kind::Unreachable | Kind::UnknownHost);
        if is_unreachable && self.context.health.is_first_unreachable() {
            self.context.tell(Event::Notice(format!("{error}; trying again"))).await;
        }
        let longest = if is_unreachable && !self.context.is_store_proven() {
            LONGEST_UNPROVEN
        } else {
            LONGEST
        };
        let wait = wait(&error, self.failed, longest).max(turn);
        if let Some(retries) = self.retries {
            retries.fetch_add(1, Relaxed);
        }
        tracing::debug!(attempt = self.failed, ?wait, %error, "retry");
        let retry =
            Retry { attempt: self.failed, wait, part: self.part, reason: error.to_string() };
        self.context.tell(Event::Retrying { job: self.job.cloned(), retry }).await;
        match &mut self.in_flight {
            Some(in_flight) => self.context.or_stopped(in_flight.rest(wait)).await?,
            None => self.context.or_stopped(tokio::time::sleep(wait)).await?,
        }
        self.sent = Instant::now();
        Ok(())
    }

    /// Fewer requests at once from now on, which is told the first time.
    async fn slow_down(&self) {
        let among = self.in_flight.as_ref().and_then(|in_flight| in_flight.among());
        let Some(slowed) = self.context.gate.throttled(self.sent, among) else { return };
        tracing::debug!(slowed.from, slowed.to, "throttled");
        if self.context.health.is_first_throttled() {
            let Slowed { from, to } = slowed;
            let text = format!(
                "the store asks for a lower pace: {to} requests at once, where there were {from}"
            );
            self.context.tell(Event::Notice(text)).await;
        }
    }

    /// There is no point in one more try: too many of other requests have failed.
    fn out_of_retries(&self, mut error: StoreError) -> JobError {
        let said = error.message.take().unwrap_or_default();
        let text = "all retries of this run are used up, and hardly a request succeeds";
        error.message = Some(format!("{said}; {text}").into());
        self.fatal(error)
    }

    /// The error as the job's, with what was being done.
    pub(super) fn fatal(&self, error: StoreError) -> JobError {
        self.fatal_to(&self.doing, error)
    }

    /// The same of one of several things that were being done with one request.
    pub(super) fn fatal_to(&self, doing: &str, error: StoreError) -> JobError {
        let tries = match (self.failed, self.began.elapsed().as_secs()) {
            (0 | 1, _) => String::new(),
            (failed, 0) => format!(" ({failed} attempts)"),
            (failed, seconds) => format!(" ({failed} attempts in {seconds} s)"),
        };
        JobError::Store { doing: format!("{doing}{tries}"), source: Box::new(error) }
    }

    fn limit(&self, kind: &Kind) -> u32 {
        let most = self.context.limits.max_attempts;
        match kind {
            Kind::ClockSkew { .. } => most.min(SKEWED_ATTEMPTS),
            Kind::UnknownHost => most.min(UNKNOWN_HOST_ATTEMPTS),
            _ => most,
        }
    }
}

/// Tries a request until it succeeds, fails for good, or the run stops.
pub(super) async fn until_done<T, F>(
    mut tries: Tries<'_>,
    mut request: impl FnMut() -> F,
) -> Result<T, JobError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    loop {
        match tries.context.or_stopped(request()).await? {
            Ok(reply) => {
                tries.context.store_is_proven();
                return Ok(reply);
            }
            Err(error) => tries.again(error).await?,
        }
    }
}

/// How long to wait before the next try: what the store asks for is the least, and no promise. A
/// gateway that says "at once" would get ten tries in no time.
fn wait(error: &StoreError, failed: u32, longest: Duration) -> Duration {
    let own = jitter(&error.kind, failed, longest);
    match error.retry_after {
        // Not before, but not all of them at the same moment either.
        Some(asked) => asked.min(LONGEST_ASKED).mul_f64(1.0 + fastrand::f64() / 4.0).max(own),
        None => own,
    }
}

fn jitter(kind: &Kind, failed: u32, longest: Duration) -> Duration {
    // The next try is another one: to another region, or with other credentials.
    if matches!(kind, Kind::Moved | Kind::Expired) && failed == 1 {
        return Duration::ZERO;
    }
    let base = if *kind == Kind::Throttled { THROTTLED_BASE } else { BASE };
    let longest = base.saturating_mul(1 << failed.min(16)).min(longest);
    // Ten tries must not, by bad luck, be over before a server has started up.
    let least = if *kind == Kind::Unreachable { 0.8 } else { 0.0 };
    longest.mul_f64(least + (1.0 - least) * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        for failed in 1..40 {
            for kind in [Kind::Transient, Kind::Throttled] {
                assert!(jitter(&kind, failed, LONGEST) <= LONGEST);
            }
            assert!(jitter(&Kind::Transient, 1, LONGEST) <= BASE * 2);
        }
    }

    /// In seconds, of all tries of a request.
    fn outlasted(longest: Duration) -> u64 {
        (1..10)
            .map(|failed| jitter(&Kind::Unreachable, failed, longest))
            .sum::<Duration>()
            .as_secs()
    }

    #[test]
    fn ten_tries_outlast_a_server_that_starts_up_and_hardly_more_where_none_ever_was() {
        for _ in 0..100 {
            let (unproven, proven) = (outlasted(LONGEST_UNPROVEN), outlasted(LONGEST));
            assert!((20..30).contains(&unproven), "{unproven}");
            assert!((40..70).contains(&proven), "{proven}");
        }
    }

    #[test]
    fn what_the_store_asks_for_is_the_least_and_is_bounded() {
        let asked = |seconds| {
            let mut error = StoreError::new("GetObject", Kind::Throttled);
            error.retry_after = Some(Duration::from_secs(seconds));
            wait(&error, 1, LONGEST).as_secs_f64()
        };
        assert!((0..100).all(|_| (2.0..2.5).contains(&asked(2))));
        assert!(asked(u64::MAX) <= 75.0);
    }

    #[test]
    fn a_store_that_says_at_once_is_given_the_usual_time() {
        let outlasted = |asked| {
            let mut error = StoreError::new("GetObject", Kind::Throttled);
            error.retry_after = asked;
            let tries = (0..100).flat_map(|_| 1..10);
            tries.map(|failed| wait(&error, failed, LONGEST)).sum::<Duration>().as_secs() / 100
        };
        // By chance, each: on average, ten tries take most of a minute.
        for asked in [None, Some(Duration::ZERO), Some(Duration::from_secs(1))] {
            assert!((45..70).contains(&outlasted(asked)), "{asked:?}: {} s", outlasted(asked));
        }
    }
}
