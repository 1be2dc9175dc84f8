//! The engine's one public entry: a stream of jobs in, a summary out.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use futures::{Stream, StreamExt as _, stream};
use tokio::task::{JoinError, JoinSet};

use super::context::{Context, Outcome, Scope, Tolerance, Work};
use super::error::JobError;
use super::event::{Event, Skip};
use super::journal::{self as entry, Course};
use super::outcome::{End, Failure, Summary};
use super::{compare, copy, download, marker, moving, own_journal, remove, still_done, upload};
use crate::domain::job::{Fate, Job, LocalSource, LocalTarget, Refused, Standing, Task};
use crate::domain::journal::Entry;
use crate::storage::error::Kind;
use crate::storage::object_store::Removed;

/// Does all jobs of a stream, as many at once as the limits allow, and says what became of them.
///
/// Jobs are taken one at a time, when there is room for one more: a stream of millions is never in
/// memory. Every task is owned here and ended before this returns, an interrupt included. What
/// failed and may pass is started once more when everything else has ended.
pub async fn run(
    context: Arc<Context>,
    jobs: impl Stream<Item = Result<Job, Refused>> + Send,
) -> Summary {
    let started = Instant::now();
    let mut run = Run::new(&context);
    let work = async {
        let first = |job| Attempt::first(context.on_its_line(job));
        run.work_off(jobs.map(|planned| planned.map(first))).await;
        run.start_again().await;
    };
    context.gate.driving(work).await;
    run.close_journal().await;
    run.summary.retries = context.health.retries();
    run.summary.elapsed = started.elapsed();
    run.summary.end = context.cancel.end();
    run.summary
}

/// Tells what `run` would do, in the order of the plan, and does nothing. It looks where `run` looks
/// before it moves a byte, several jobs at once.
pub async fn dry_run(
    context: Arc<Context>,
    jobs: impl Stream<Item = Result<Job, Refused>> + Send,
) -> Summary {
    let started = Instant::now();
    let mut run = Run::new(&context);
    run.round = Round::DryRun;
    let looking = jobs.map(|planned| look(Arc::clone(&context), planned));
    let mut looked = pin!(looking.buffered(context.limits.concurrency.most().min(LOOKS_AT_ONCE)));
    let work = async {
        loop {
            tokio::select! {
                biased;
                () = context.cancel.drained() => break,
                next = looked.next() => match next {
                    Some(Ok(ended)) => run.note(Ok(ended)).await,
                    Some(Err(refused)) => run.refuse(refused).await,
                    None => break,
                },
            }
        }
    };
    context.gate.driving(work).await;
    run.summary.retries = context.health.retries();
    run.summary.elapsed = started.elapsed();
    run.summary.end = context.cancel.end();
    run.summary
}

/// Objects that a dry run looks at, at once.
const LOOKS_AT_ONCE: usize = 64;

/// A job, and what its gauge shows from the start.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) job: Arc<Job>,
    size: Option<u64>,
    /// Requests that were tried again when the job was started before.
    retries: u32,
}

impl Attempt {
    pub(super) fn first(job: Job) -> Self {
        Self { size: job.task.size(), job: Arc::new(job), retries: 0 }
    }
}

/// A job that came to an end.
pub(super) struct Ended {
    pub(super) attempt: Attempt,
    pub(super) course: Course,
    pub(super) result: Result<Outcome, JobError>,
}

async fn one(context: Arc<Context>, attempt: Attempt) -> Ended {
    let _under_way = context.job_begins();
    let job = Arc::clone(&attempt.job);
    let work = Work::new(context, Arc::clone(&job), attempt.size).after(attempt.retries);
    let work = Arc::new(work);
    work.context
        .tell(Event::Started { job: Arc::clone(&job), gauge: Arc::clone(&work.gauge) })
        .await;
    let result = match move_it(&work).await.inspect_err(|_| work.gauge.uncount_all()) {
        Err(error) if work.context.skips(&error) => Ok(Outcome::Skipped(Skip::Archived)),
        result => result,
    };
    let course = work.course();
    let attempt = Attempt { job, size: work.gauge.size(), retries: course.retries };
    Ended { attempt, course, result }
}

/// What a job would come to, as far as is known before its first byte.
async fn look(context: Arc<Context>, planned: Result<Job, Refused>) -> Result<Ended, Refused> {
    let attempt = Attempt::first(context.on_its_line(planned?));
    let work = Arc::new(Work::aside(context, Arc::clone(&attempt.job)));
    let same = match &attempt.job.unless_same {
        Some(pair) => compare::is_same(&work, pair).await,
        None => Ok(false),
    };
    let skip = match (same, &attempt.job.task) {
        (Err(error), _) => Err(error),
        (Ok(true), _) => Ok(Some(Skip::UpToDate)),
        (Ok(false), Task::Download(task)) => download::look(&work, task).await,
        (Ok(false), Task::Upload(task)) => upload::look(&work, task).await,
        (Ok(false), Task::Copy(task)) => copy::look(&work, task).await,
        (Ok(false), Task::Compare(_) | Task::MakeFolder { .. } | Task::Remove(_)) => Ok(None),
    };
    let result = skip.map(|skip| Outcome::Skipped(skip.unwrap_or(Skip::DryRun)));
    Ok(Ended { course: work.course(), attempt, result })
}

async fn move_it(work: &Arc<Work>) -> Result<Outcome, JobError> {
    if let Some(journal) = work.context.journal.get() {
        own_journal::refuse(work, journal)?;
        let is_done = match work.job.fate {
            Fate::Kept => still_done::is_still_done(work, journal).await?,
            Fate::Removed => moving::is_moved(work, journal).await?,
        };
        if is_done {
            return Ok(Outcome::Skipped(Skip::DoneBefore));
        }
    }
    if work.job.standing == Standing::Unjudged {
        return Err(moving::unjudged(work).await);
    }
    if let Some(pair) = &work.job.unless_same
        && compare::is_same(work, pair).await?
    {
        return Ok(Outcome::Skipped(Skip::UpToDate));
    }
    if work.job.fate == Fate::Removed {
        moving::tell_file_apart(work).await?;
    }
    let outcome = carry(work).await?;
    if let (Fate::Removed, Outcome::Done(done)) = (work.job.fate, &outcome) {
        moving::remove_source(work, done).await?;
    }
    Ok(outcome)
}

async fn carry(work: &Arc<Work>) -> Result<Outcome, JobError> {
    match &work.job.task {
        Task::Download(task) => download::download(work, task).await,
        Task::Upload(task) => upload::upload(work, task).await,
        Task::Copy(task) => copy::copy(work, task).await,
        Task::Compare(pair) => compare::compare(work, pair).await,
        Task::MakeFolder { marker, folder, expected } => {
            marker::make_folder(work, (marker, folder), expected.as_ref()).await
        }
        Task::Remove(removal) => remove::remove(work, removal).await,
    }
}

/// Which time it is that jobs are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    First,
    Last,
    /// Of a run that starts nothing at all.
    DryRun,
}

/// A job that failed, and is to be started once more.
struct Postponed {
    attempt: Attempt,
    failure: Failure,
    course: Course,
}

/// So many failed jobs wait for their second start; of more, each is told at once.
const MOST_POSTPONED: usize = 4096;

/// So many jobs that were tried in vain, and not one request that succeeded in between, say that
/// the store is dead: all others would be tried in vain, too.
const LOST_IN_A_ROW: u32 = 10;

pub(super) struct Run {
    context: Arc<Context>,
    pub(super) summary: Summary,
    round: Round,
    postponed: Vec<Postponed>,
}

impl Run {
    pub(super) fn new(context: &Arc<Context>) -> Self {
        Self {
            context: Arc::clone(context),
            summary: Summary::default(),
            round: Round::First,
            postponed: Vec::new(),
        }
    }

    /// Does jobs until there are no more, or no more are wanted, and all that began have ended.
    async fn work_off(&mut self, jobs: impl Stream<Item = Result<Attempt, Refused>>) {
        let context = Arc::clone(&self.context);
        let mut tasks = JoinSet::new();
        let mut jobs = pin!(jobs);
        loop {
            tokio::select! {
                biased;
                Some(ended) = tasks.join_next() => self.note(ended).await,
                () = context.cancel.drained() => break,
                next = jobs.next(), if context.has_room_beside(tasks.len()) => match next {
                    Some(Ok(attempt)) => {
                        tasks.spawn(one(Arc::clone(&context), attempt));
                    }
                    Some(Err(refused)) => self.refuse(refused).await,
                    None => {
                        if self.round == Round::First {
                            context.plan_is_complete().await;
                        }
                        break;
                    }
                },
            }
        }
        while let Some(ended) = tasks.join_next().await {
            self.note(ended).await;
        }
    }

    /// Starts what was postponed. Where nothing at all was done meanwhile, the trouble is not over:
    /// then, and when the run is ending, the first failure was the last word.
    async fn start_again(&mut self) {
        self.round = Round::Last;
        let mut waiting = std::mem::take(&mut self.postponed).into_iter();
        if self.summary.went_well() > 0 && !self.context.cancel.is_draining() {
            let again = waiting.by_ref().map(|postponed| Ok(postponed.attempt));
            self.work_off(stream::iter(again)).await;
        }
        for Postponed { attempt, failure, course } in waiting {
            self.failed(Some((attempt.job, course)), failure).await;
        }
    }

    pub(super) async fn note(&mut self, ended: Result<Ended, JoinError>) {
        let Ended { attempt, course, result } = match ended {
            Ok(ended) => ended,
            Err(error) => return self.failed(None, internal(&error)).await,
        };
        let job = Arc::clone(&attempt.job);
        match result {
            Ok(Outcome::Done(done)) => {
                self.summary.add_done(&done);
                self.write_down(|here| entry::done(here, &job, &done)).await;
                self.context.tell(Event::Done { job, done }).await;
            }
            Ok(Outcome::Compared(comparison)) => {
                self.summary.add_compared(&comparison);
                self.context.tell(Event::Compared { job, comparison }).await;
            }
            Ok(Outcome::Removed(Removed { marker })) => {
                self.summary.removed += 1;
                self.context.tell(Event::Removed { job, marker }).await;
            }
            Ok(Outcome::Skipped(why)) => {
                self.summary.add_skipped(why);
                if why != Skip::DoneBefore {
                    self.write_down(|here| entry::skipped(here, &job, why, course)).await;
                }
                self.context.tell(Event::Skipped { job, why }).await;
            }
            Err(error) => self.fail(attempt, course, &error).await,
        }
    }

    async fn fail(&mut self, attempt: Attempt, course: Course, error: &JobError) {
        let was_hopeless = self.context.cancel.is_draining();
        if error.is_stop() || was_hopeless && self.is_hopeless(error) {
            self.summary.stopped += 1;
            self.summary.add_kept(course.kept);
            self.summary.unconfirmed += u64::from(matches!(error, JobError::Unheard));
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
        if self.is_store_dead(error) {
            let text = format!(
                "{LOST_IN_A_ROW} objects in a row were tried in vain, and no other request \
                 succeeded meanwhile: no more are started"
            );
            self.context.tell(Event::Notice(text)).await;
            self.context.cancel.drain(End::GaveUp);
        }
        if self.is_hopeless(error) {
            // One line, not one for every job: all others would fail in the same way.
            self.context.cancel.drain(End::GaveUp);
        }
        let failure = error.failure(&attempt.job);
        if let JobError::SourceKept { done, .. } = error {
            // Not started once more: it would find what it wrote itself.
            if let Some(done) = done {
                let job = &attempt.job;
                self.write_down(|here| entry::source_kept(here, job, done, &failure)).await;
            }
            return self.tell_failure(Some(attempt.job), failure).await;
        }
        if self.may_wait(&attempt.job, &failure) {
            let job = Arc::clone(&attempt.job);
            self.context.tell(Event::Postponed { job, failure: failure.clone() }).await;
            self.postponed.push(Postponed { attempt, failure, course });
            return;
        }
        self.failed(Some((attempt.job, course)), failure).await;
    }

    /// Whether a failed job is worth a second start, and the run has patience for it.
    fn may_wait(&self, job: &Job, failure: &Failure) -> bool {
        let is_patient = match self.context.limits.tolerance {
            Tolerance::FailFast => false,
            // Those that wait are failures so far.
            Tolerance::Errors(most) => self.failed_so_far() + 1 < most,
            Tolerance::Any => true,
        };
        is_patient
            && failure.may_pass
            && is_repeatable(&job.task)
            && self.round == Round::First
            && self.postponed.len() < MOST_POSTPONED
            && !self.context.cancel.is_draining()
    }

    fn failed_so_far(&self) -> u64 {
        self.context.failed.load(Relaxed) + self.postponed.len() as u64
    }

    fn is_hopeless(&self, error: &JobError) -> bool {
        let scope = self.context.limits.scope;
        match error.store_kind() {
            Some(_) if scope == Scope::ManyStores => false,
            Some(Kind::MissingBucket) => scope == Scope::OneBucket,
            Some(Kind::Unreachable | Kind::UnknownHost) => !self.context.is_store_proven(),
            Some(kind) => kind.is_hopeless(),
            None => matches!(error, JobError::Local(error) if error.is_full()),
        }
    }

    /// Counts jobs that were lost in a row; true once, when there are too many.
    fn is_store_dead(&mut self, error: &JobError) -> bool {
        // What is started again has failed before: no wonder if it does so in a row.
        let is_again = self.round == Round::Last;
        let is_one_of_many = self.context.limits.scope == Scope::ManyStores;
        if is_again || is_one_of_many || !error.store_kind().is_some_and(Kind::is_transient) {
            return false;
        }
        self.context.health.lost_in_a_row() == LOST_IN_A_ROW
    }

    pub(super) async fn refuse(&mut self, refused: Refused) {
        if refused.ends_run && self.context.limits.scope != Scope::ManyStores {
            if self.context.cancel.is_draining() {
                // Said of a job that failed before: one line for all of them.
                return;
            }
            self.context.cancel.drain(End::GaveUp);
        }
        let failure = Failure {
            line: self.context.line.or(refused.line),
            source: refused.name,
            hint: refused.hint,
            may_pass: refused.may_pass,
            ..Failure::of_run(refused.cause, refused.reason)
        };
        self.failed(None, failure).await;
    }

    pub(super) async fn failed(&mut self, job: Option<(Arc<Job>, Course)>, failure: Failure) {
        if let Some((_, course)) = &job {
            self.summary.add_kept(course.kept);
        }
        self.write_down(|here| match &job {
            Some((job, course)) => entry::failed(here, job, &failure, *course),
            None => entry::refused(&failure),
        })
        .await;
        self.tell_failure(job.map(|(job, _)| job), failure).await;
    }

    async fn tell_failure(&mut self, job: Option<Arc<Job>>, failure: Failure) {
        self.summary.failed += 1;
        self.context.failed.fetch_add(1, Relaxed);
        self.context.tell(Event::Failed { job, failure }).await;
        self.context.bear(self.failed_so_far());
    }

    /// Hands a line to the journal, where there is one. A journal that takes no more ends the run:
    /// it was asked for, and nobody would know what is done. Why is told when it is closed.
    async fn write_down(&self, entry: impl FnOnce(&Path) -> Entry) {
        if let Some(journal) = self.context.journal.get()
            && journal.record(&entry(journal.here())).await.is_err()
        {
            self.context.cancel.drain(End::GaveUp);
        }
    }

    async fn close_journal(&mut self) {
        let Some(journal) = self.context.journal.get() else { return };
        if let Err(error) = journal.close().await {
            let failure = Failure {
                source: error.path.to_string_lossy().into_owned(),
                hint: error.hint().map(str::to_owned),
                may_pass: true,
                ..Failure::of_run("the journal could not be written", error.to_string())
            };
            self.tell_failure(None, failure).await;
        }
    }
}

/// A stream is read, or written, only once.
fn is_repeatable(task: &Task) -> bool {
    match task {
        Task::Download(download) => download.target != LocalTarget::Stdout,
        Task::Upload(upload) => matches!(upload.source, LocalSource::File { .. }),
        Task::Copy(_) | Task::MakeFolder { .. } | Task::Compare(_) => true,
        // What else has the key by then would go.
        Task::Remove(_) => false,
    }
}

/// A task that panicked: a defect of ours, and no reason to lose the other jobs.
pub(super) fn internal(error: &JoinError) -> Failure {
    Failure::of_run("internal error", format!("internal error: {error}; please report this"))
}
