//! The engine's way for what only goes: objects come in batches of one bucket, each of which is one
//! request, and many are under way at once. What cannot be removed stops no other; nothing that was
//! named goes unless it is there, and is what was meant.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use futures::{Stream, StreamExt as _, stream};
use tokio::task::JoinSet;

use super::context::{Context, Outcome};
use super::engine::{Attempt, Ended, Run, internal};
use super::error::JobError;
use super::event::Skip;
use super::journal::Course;
use super::outcome::Summary;
use super::remove::{find, removal_of, remove_many};
use crate::domain::job::{Job, Refused, Remove, Task};

/// Removals of one bucket, `MOST_REMOVED` of them at most.
pub type Batch = Result<Vec<Job>, Refused>;

/// Whether objects go, or it is only told which would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Remove,
    Tell,
}

/// A request for a thousand keys is a thousand writes to the store.
const AT_ONCE: usize = 16;
/// Looks at objects that were named.
const LOOKS_AT_ONCE: usize = 64;

/// Removes what comes, and says what became of it.
pub async fn run(
    context: Arc<Context>,
    batches: impl Stream<Item = Batch> + Send,
    purpose: Purpose,
) -> Summary {
    let started = Instant::now();
    let mut run = Run::new(&context);
    let work = async {
        let mut tasks = JoinSet::new();
        let mut batches = pin!(batches);
        loop {
            tokio::select! {
                biased;
                Some(ended) = tasks.join_next() => note(&mut run, ended).await,
                () = context.cancel.drained() => break,
                next = batches.next(), if tasks.len() < AT_ONCE => match next {
                    Some(Ok(jobs)) => {
                        tasks.spawn(batch(Arc::clone(&context), jobs, purpose));
                    }
                    Some(Err(refused)) => run.refuse(refused).await,
                    None => {
                        context.plan_is_complete().await;
                        break;
                    }
                },
            }
        }
        while let Some(ended) = tasks.join_next().await {
            note(&mut run, ended).await;
        }
    };
    context.gate.driving(work).await;
    let mut summary = run.summary;
    summary.retries = context.health.retries();
    summary.elapsed = started.elapsed();
    summary.end = context.cancel.end();
    summary
}

async fn note(run: &mut Run, ended: Result<Vec<Ended>, tokio::task::JoinError>) {
    match ended {
        Ok(ended) => {
            for one in ended {
                run.note(Ok(one)).await;
            }
        }
        Err(error) => run.failed(None, internal(&error)).await,
    }
}

/// What became of each, in order.
async fn batch(context: Arc<Context>, jobs: Vec<Job>, purpose: Purpose) -> Vec<Ended> {
    let started = Instant::now();
    let looking = stream::iter(jobs).map(|job| look(&context, job));
    let looked: Vec<_> = looking.buffered(LOOKS_AT_ONCE).collect().await;
    let mut results: Vec<Option<Result<Outcome, JobError>>> = Vec::with_capacity(looked.len());
    let mut attempts = Vec::with_capacity(looked.len());
    for (job, found) in looked {
        attempts.push(Attempt::first(context.on_its_line(job)));
        results.push(match (found, purpose) {
            (Err(error), _) => Some(Err(error)),
            (Ok(()), Purpose::Tell) => Some(Ok(Outcome::Skipped(Skip::DryRun))),
            (Ok(()), Purpose::Remove) => None,
        });
    }
    let open = attempts.iter().zip(&results).filter(|(_, result)| result.is_none());
    let open: Vec<_> = open.filter_map(|(attempt, _)| task(&attempt.job)).collect();
    let mut removed = Vec::new();
    if let Some(first) = open.first() {
        let removals: Vec<_> = open.iter().map(|task| removal_of(&task.object)).collect();
        let turn = attempts.first().map_or(0, |attempt| attempt.job.number);
        removed = remove_many(&context, &first.object.bucket, &removals, turn).await;
    }
    let mut removed = removed.into_iter();
    let ended = attempts.into_iter().zip(results).map(|(attempt, result)| {
        let result = result.or_else(|| Some(removed.next()?.map(Outcome::Removed)));
        let result = result.unwrap_or_else(|| Err(JobError::Internal("no removal".to_owned())));
        let course = Course { elapsed: started.elapsed(), retries: 0, kept: None };
        Ended { attempt, course, result }
    });
    ended.collect()
}

/// What a listing named is there.
async fn look(context: &Context, job: Job) -> (Job, Result<(), JobError>) {
    let found = match task(&job) {
        Some(Remove { object, size: None }) => find(context, object, job.number).await,
        _ => Ok(()),
    };
    (job, found)
}

fn task(job: &Job) -> Option<&Remove> {
    match &job.task {
        Task::Remove(task) => Some(task),
        _ => None,
    }
}
