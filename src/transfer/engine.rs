//! The engine's one public entry: a stream of jobs in, a summary out.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures::{Stream, StreamExt as _};
use tokio::task::{JoinError, JoinSet};

use super::context::{Context, Outcome, Scope, Tolerance, Work};
use super::error::JobError;
use super::event::{Event, Skip};
use super::outcome::{End, Failure, Summary};
use super::{compare, download, upload};
use crate::domain::job::{Job, Refused, Task};
use crate::storage::error::Kind;

/// Does all jobs of a stream, as many at once as the limits allow, and says what became of them.
///
/// Jobs are taken one at a time, when there is room for one more: a stream of millions is never in
/// memory. Every task is owned here and ended before this returns, an interrupt included.
pub async fn run(
    context: Arc<Context>,
    jobs: impl Stream<Item = Result<Job, Refused>> + Send,
) -> Summary {
    let started = Instant::now();
    let mut run = Run { context: Arc::clone(&context), summary: Summary::default() };
    let mut tasks = JoinSet::new();
    let mut jobs = pin!(jobs);
    let slots = context.limits.requests.max(1);
    loop {
        tokio::select! {
            biased;
            Some(ended) = tasks.join_next() => run.note(ended).await,
            () = context.cancel.drained() => break,
            next = jobs.next(), if tasks.len() < slots => match next {
                Some(Ok(job)) => {
                    let (context, job) = (Arc::clone(&context), Arc::new(job));
                    tasks.spawn(async move { (Arc::clone(&job), one(context, job).await) });
                }
                Some(Err(refused)) => run.refuse(refused).await,
                None => {
                    context.gauge.complete_plan();
                    context.tell(Event::PlanComplete).await;
                    break;
                }
            },
        }
    }
    while let Some(ended) = tasks.join_next().await {
        run.note(ended).await;
    }
    run.summary.elapsed = started.elapsed();
    run.summary.end = context.cancel.end();
    run.summary
}

/// Tells what `run` would do, and does nothing.
pub async fn dry_run(
    context: Arc<Context>,
    jobs: impl Stream<Item = Result<Job, Refused>> + Send,
) -> Summary {
    let started = Instant::now();
    let mut run = Run { context: Arc::clone(&context), summary: Summary::default() };
    let mut jobs = pin!(jobs);
    loop {
        tokio::select! {
            biased;
            () = context.cancel.drained() => break,
            next = jobs.next() => match next {
                Some(Ok(job)) => {
                    run.summary.add_skipped(Skip::DryRun);
                    context.tell(Event::Skipped { job: Arc::new(job), why: Skip::DryRun }).await;
                }
                Some(Err(refused)) => run.refuse(refused).await,
                None => break,
            },
        }
    }
    run.summary.elapsed = started.elapsed();
    run.summary.end = context.cancel.end();
    run.summary
}

async fn one(context: Arc<Context>, job: Arc<Job>) -> Result<Outcome, JobError> {
    let work = Arc::new(Work::new(context, Arc::clone(&job)));
    work.context
        .tell(Event::Started { job: Arc::clone(&job), gauge: Arc::clone(&work.gauge) })
        .await;
    let ended = match &job.task {
        Task::Download(task) => download::download(&work, task).await,
        Task::Upload(task) => upload::upload(&work, task).await,
        Task::Compare(pair) => compare::compare(&work, pair).await,
        Task::MakeFolder { folder, .. } => {
            work.context.destination()?.make_folder(folder)?;
            Ok(work.done(0, super::outcome::Verified::NoContent))
        }
    };
    ended.inspect_err(|_| work.gauge.uncount_all())
}

struct Run {
    context: Arc<Context>,
    summary: Summary,
}

impl Run {
    async fn note(&mut self, ended: Result<(Arc<Job>, Result<Outcome, JobError>), JoinError>) {
        match ended {
            Ok((job, Ok(Outcome::Done(done)))) => {
                self.summary.add_done(&done);
                self.context.tell(Event::Done { job, done }).await;
            }
            Ok((job, Ok(Outcome::Compared(comparison)))) => {
                self.summary.add_compared(&comparison);
                self.context.tell(Event::Compared { job, comparison }).await;
            }
            Ok((job, Ok(Outcome::Skipped(why)))) => {
                self.summary.add_skipped(why);
                self.context.tell(Event::Skipped { job, why }).await;
            }
            Ok((job, Err(error))) => self.fail(job, &error).await,
            Err(error) => {
                let failure = internal(&error);
                self.failed(None, failure).await;
            }
        }
    }

    async fn fail(&mut self, job: Arc<Job>, error: &JobError) {
        let was_hopeless = self.context.cancel.is_draining();
        if matches!(error, JobError::Stopped) || was_hopeless && self.is_hopeless(error) {
            self.summary.stopped += 1;
            return;
        }
        if error.store_kind() == Some(&Kind::MissingKey) {
            self.summary.missing += 1;
        }
        if matches!(error, JobError::OutputClosed) {
            // Said by the exit code alone: whoever left wants to hear no more.
            self.summary.output_closed = true;
            self.summary.failed += 1;
            self.context.cancel.drain(End::GaveUp);
            return;
        }
        if self.is_hopeless(error) {
            // One line, not one for every job: all others would fail in the same way.
            self.context.cancel.drain(End::GaveUp);
        }
        let failure = error.failure(&job);
        self.failed(Some(job), failure).await;
    }

    fn is_hopeless(&self, error: &JobError) -> bool {
        match error.store_kind() {
            Some(Kind::MissingBucket) => self.context.limits.scope == Scope::OneBucket,
            Some(Kind::Unreachable) => !self.context.is_store_proven(),
            Some(kind) => kind.is_hopeless(),
            None => matches!(error, JobError::Local(error) if error.is_full()),
        }
    }

    async fn refuse(&mut self, refused: Refused) {
        let failure = Failure {
            line: refused.line,
            source: refused.name,
            destination: None,
            cause: refused.cause,
            message: refused.reason,
            hint: refused.hint,
            may_pass: false,
        };
        self.failed(None, failure).await;
    }

    async fn failed(&mut self, job: Option<Arc<Job>>, failure: Failure) {
        self.summary.failed += 1;
        self.context.tell(Event::Failed { job, failure }).await;
        match self.context.limits.tolerance {
            Tolerance::FailFast => self.context.cancel.stop(End::GaveUp),
            Tolerance::Errors(most) if self.summary.failed >= most => {
                self.context.cancel.drain(End::GaveUp);
            }
            Tolerance::Errors(_) | Tolerance::Any => {}
        }
    }
}

/// A task that panicked: a defect of ours, and no reason to lose the other jobs.
fn internal(error: &JoinError) -> Failure {
    Failure {
        line: None,
        source: String::new(),
        destination: None,
        cause: "internal error".to_owned(),
        message: format!("internal error: {error}; please report this"),
        hint: None,
        may_pass: false,
    }
}
