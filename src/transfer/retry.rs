//! The one place that tries again, and waits: exponential back-off with full jitter, so that
//! thousands of requests that failed together do not come back together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use super::context::Context;
use super::error::JobError;
use super::event::{Event, Retry};
use crate::domain::job::Job;
use crate::storage::error::{Kind, StoreError};

const BASE: Duration = Duration::from_millis(100);
/// A store that asks for a lower pace is given more time.
const THROTTLED_BASE: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(20);
/// Where no request ever got a reply, the address is wrong more often than the network: so many
/// tries take about three seconds.
const UNPROVEN_ATTEMPTS: u32 = 6;
/// The second try is signed with the store's own time: where that does not help, nothing will.
const SKEWED_ATTEMPTS: u32 = 3;

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
    failed: u32,
}

impl<'a> Tries<'a> {
    /// Of a request that plans jobs.
    pub(super) fn new(context: &'a Context, doing: String) -> Self {
        Self { context, job: None, doing, part: None, retries: None, failed: 0 }
    }

    pub(super) fn of_job(mut self, job: &'a Arc<Job>, retries: &'a AtomicU32) -> Self {
        self.job = Some(job);
        self.retries = Some(retries);
        self
    }

    pub(super) fn of_part(mut self, part: Option<u32>) -> Self {
        self.part = part;
        self
    }

    /// Waits for the next try, or says that there is none.
    pub(super) async fn again(&mut self, error: StoreError) -> Result<(), JobError> {
        self.failed += 1;
        if !error.kind.is_transient() || self.failed >= self.limit(&error.kind) {
            return Err(self.fatal(error));
        }
        let wait =
            error.retry_after.unwrap_or_else(|| full_jitter(&error.kind, self.failed)).min(LONGEST);
        if let Some(retries) = self.retries {
            retries.fetch_add(1, Relaxed);
        }
        tracing::debug!(attempt = self.failed, ?wait, %error, "retry");
        let retry =
            Retry { attempt: self.failed, wait, part: self.part, reason: error.to_string() };
        self.context.tell(Event::Retrying { job: self.job.cloned(), retry }).await;
        self.context.or_stopped(tokio::time::sleep(wait)).await
    }

    /// The error as the job's, with what was being done.
    pub(super) fn fatal(&self, error: StoreError) -> JobError {
        let tries =
            if self.failed > 1 { format!(" ({} attempts)", self.failed) } else { String::new() };
        JobError::Store { doing: format!("{}{tries}", self.doing), source: Box::new(error) }
    }

    fn limit(&self, kind: &Kind) -> u32 {
        let most = self.context.limits.max_attempts;
        match kind {
            Kind::Unreachable if !self.context.is_store_proven() => most.min(UNPROVEN_ATTEMPTS),
            Kind::ClockSkew { .. } => most.min(SKEWED_ATTEMPTS),
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

fn full_jitter(kind: &Kind, failed: u32) -> Duration {
    // The next try is another one: to another region, or with other credentials.
    if matches!(kind, Kind::Moved | Kind::Expired) && failed == 1 {
        return Duration::ZERO;
    }
    let base = if *kind == Kind::Throttled { THROTTLED_BASE } else { BASE };
    let longest = base.saturating_mul(1 << failed.min(16)).min(LONGEST);
    longest.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded() {
        for failed in 1..40 {
            for kind in [Kind::Transient, Kind::Throttled] {
                assert!(full_jitter(&kind, failed) <= LONGEST);
            }
            assert!(full_jitter(&Kind::Transient, 1) <= BASE * 2);
        }
    }
}
